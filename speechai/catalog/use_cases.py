"""What a batch can be for: the columns each use case needs and how a file is recognised as one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UseCaseId(StrEnum):
    """The names of the use cases, as API, UI and documents write them."""

    DEBT_COLLECTION = "debt_collection"
    MARKETING = "marketing"
    SURVEY = "survey"
    REMINDER = "reminder"
    NOTIFICATION = "notification"


class Country(StrEnum):
    """Countries whose documents and numbers the ingest understands."""

    CL = "CL"
    AR = "AR"


CURRENCY_OF = {Country.CL: "CLP", Country.AR: "ARS"}

# ISO 4217: how many decimals an amount has, so that 1 unit = 10**n minor units.
MINOR_DIGITS = {"CLP": 0, "UYU": 2, "ARS": 2, "USD": 2, "EUR": 2, "UF": 4}


class Field(StrEnum):
    """What a column can mean. These are also the targets of an upload's `mapping`."""

    DOCUMENT = "document"  # RUT, DNI, CUIT
    NAME = "name"
    PHONE = "phone"  # may be given to several columns; their order is the order of dialing
    COMPANY = "company"  # the creditor or the brand on whose behalf the agent speaks
    AMOUNT = "amount"
    CURRENCY = "currency"
    INSTALMENTS = "instalments"  # a count; without it, each row is one instalment
    DUE_DATE = "due_date"
    DAYS_LATE = "days_late"
    DEADLINE = "deadline"  # fecha_limite given outright
    FINAL_DEADLINE = "final_deadline"  # fecha_maxima given outright
    OFFER = "offer"  # marketing: what is offered
    DISCOUNT = "discount"
    OFFER_VALUE = "offer_value"
    OFFER_EXPIRES = "offer_expires"
    PRODUCT_CATEGORY = "product_category"
    SEGMENT = "segment"
    CAMPAIGN_TYPE = "campaign_type"
    CALL_TO_ACTION = "call_to_action"
    IGNORE = "ignore"  # only in a mapping: leave this column out


class Success(StrEnum):
    """What counts as success, beside the agent's own word for it (`call_successful`)."""

    PROMISE = "promise"
    """A date and an amount that can be believed."""
    INTEREST = "interest"
    """The person wants to know more, or buys."""
    ANSWERED = "answered"
    """Every question was answered."""
    CONFIRMED = "confirmed"
    """The person confirmed."""
    DELIVERED = "delivered"
    """The person was reached and heard it: any conversation will do."""


@dataclass(frozen=True, slots=True)
class UseCase:
    """A use case: what its files must have, how they are recognised, and what a call of it is for."""

    id: UseCaseId
    label_es: str
    label_en: str
    required: frozenset[Field]
    success: Success
    result_fields: tuple[str, ...]  # captured by the agent, shown and exported
    recognised_by: frozenset[Field] = frozenset()
    default_policy: str = "house"  # where it is laxer than the law, the upload says so
    default_flow: str = ""
    purpose_es: str = ""  # why personal data is used (Ley 21.719 art. 3), unless the batch says another


_REACHABLE = frozenset({Field.NAME, Field.PHONE})

USE_CASES: dict[UseCaseId, UseCase] = {
    case.id: case
    for case in (
        UseCase(
            UseCaseId.DEBT_COLLECTION,
            "Cobranza",
            "Debt collection",
            required=_REACHABLE | {Field.DOCUMENT, Field.AMOUNT},
            recognised_by=frozenset({Field.AMOUNT, Field.DUE_DATE, Field.DAYS_LATE, Field.INSTALMENTS}),
            success=Success.PROMISE,
            result_fields=("fecha_pago_cliente", "monto_pago_cliente", "motivo_no_pago", "cuotas_acordadas"),
            default_flow="collections",
            purpose_es="Cobrar una deuda vencida o por vencer",
        ),
        UseCase(
            UseCaseId.MARKETING,
            "Marketing",
            "Marketing",
            required=_REACHABLE,
            recognised_by=frozenset(
                {Field.OFFER, Field.DISCOUNT, Field.OFFER_VALUE, Field.OFFER_EXPIRES, Field.CAMPAIGN_TYPE}
            ),
            success=Success.INTEREST,
            result_fields=("interesado", "producto", "comentario"),
            default_flow="marketing",
            purpose_es="Ofrecer un producto o servicio",
        ),
        UseCase(
            UseCaseId.SURVEY,
            "Encuesta",
            "Survey",
            required=_REACHABLE,
            success=Success.ANSWERED,
            result_fields=("encuesta_completa", "puntaje", "comentario"),
            default_flow="survey",
            purpose_es="Conocer la opinión de las personas",
        ),
        UseCase(
            UseCaseId.REMINDER,
            "Recordatorio",
            "Reminder",
            required=_REACHABLE,
            success=Success.CONFIRMED,
            result_fields=("confirma", "nueva_fecha", "comentario"),
            default_flow="reminder",
            purpose_es="Recordar una cita o un vencimiento",
        ),
        # The generic format: a name and a number are enough. What nothing else recognises is one of these.
        UseCase(
            UseCaseId.NOTIFICATION,
            "Aviso",
            "Notification",
            required=_REACHABLE,
            success=Success.DELIVERED,
            result_fields=("comentario",),
            default_flow="notification",
            purpose_es="Dar un aviso",
        ),
    )
}
