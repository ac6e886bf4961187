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


@dataclass(frozen=True, slots=True)
class UseCase:
    """A use case: which fields a file must have, and which fields betray it when it is to be detected."""

    id: UseCaseId
    label_es: str
    label_en: str
    required: frozenset[Field]
    recognised_by: frozenset[Field] = frozenset()


_REACHABLE = frozenset({Field.NAME, Field.PHONE})

USE_CASES: dict[UseCaseId, UseCase] = {
    case.id: case
    for case in (
        UseCase(
            UseCaseId.DEBT_COLLECTION,
            "Cobranza",
            "Debt collection",
            required=frozenset({Field.DOCUMENT, Field.NAME, Field.PHONE, Field.AMOUNT}),
            recognised_by=frozenset({Field.AMOUNT, Field.DUE_DATE, Field.DAYS_LATE, Field.INSTALMENTS}),
        ),
        UseCase(
            UseCaseId.MARKETING,
            "Marketing",
            "Marketing",
            required=_REACHABLE,
            recognised_by=frozenset(
                {Field.OFFER, Field.DISCOUNT, Field.OFFER_VALUE, Field.OFFER_EXPIRES, Field.CAMPAIGN_TYPE}
            ),
        ),
        UseCase(UseCaseId.SURVEY, "Encuesta", "Survey", required=frozenset({Field.NAME, Field.PHONE})),
        UseCase(
            UseCaseId.REMINDER, "Recordatorio", "Reminder", required=frozenset({Field.NAME, Field.PHONE})
        ),
        # The generic format: a name and a number are enough. What nothing else recognises is one of these.
        UseCase(
            UseCaseId.NOTIFICATION, "Aviso", "Notification", required=frozenset({Field.NAME, Field.PHONE})
        ),
    )
}
