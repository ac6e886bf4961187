"""What the agent is told about the person it calls: computed at dial time, never frozen at upload.

The names are the original system's; its agents' prompts use them.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from speechai.catalog.use_cases import MINOR_DIGITS, UseCaseId
from speechai.core.model import Batch, Debt, Job, local_day

DEADLINE_DAYS = 3  # fecha_limite: days after the report's date
FINAL_DEADLINE_DAYS = 7  # fecha_maxima, likewise

CALL_TYPES = {
    UseCaseId.DEBT_COLLECTION: "cobranza",
    UseCaseId.MARKETING: "marketing",
    UseCaseId.SURVEY: "encuesta",
    UseCaseId.REMINDER: "recordatorio",
    UseCaseId.NOTIFICATION: "aviso",
}

OFFER_NAMES = {
    "offer": "descripcion_oferta",
    "discount": "descuento_porcentaje",
    "offer_value": "valor_oferta",
    "offer_expires": "oferta_expira",
    "product_category": "categoria_producto",
    "segment": "segmento_cliente",
    "campaign_type": "tipo_campana",
    "call_to_action": "llamada_accion",
}


def dynamic_variables(job: Job, batch: Batch, instant: datetime) -> dict[str, str]:
    """The variables for the agent, all strings, empty ones left out (an unset one is spoken literally)."""
    today = local_day(instant, job.zone)
    told = {
        **job.variables,
        "tipo_llamada": CALL_TYPES[batch.use_case],
        "nombre": job.name,
        "empresa": job.company or batch.company or "",
        "fecha_actual": today.isoformat(),
    }
    if job.document_label:
        told["RUT" if job.country.value == "CL" else "DNI"] = job.document_label
        told["RUT"] = job.document_label  # the prompts say RUT in both countries
    for field, value in job.offer.items():
        told[OFFER_NAMES.get(field, field)] = value
    if job.debt:
        told |= _debt_variables(job.debt, batch, today)
    return {name: value for name, value in told.items() if value}


def _debt_variables(debt: Debt, batch: Batch, today: date) -> dict[str, str]:
    count = str(debt.instalments)
    return {
        "monto_total": amount_text(debt.total_minor, debt.currency),
        "moneda": debt.currency,
        "cuotas_adeudadas": count,
        "cantidad_cupones": count,
        "fecha_limite": _deadline(debt.deadline, batch.deadline_days, DEADLINE_DAYS, today).isoformat(),
        "fecha_maxima": _deadline(
            debt.final_deadline, batch.final_deadline_days, FINAL_DEADLINE_DAYS, today
        ).isoformat(),
        "dias_vencidos": str(days_past_due(debt, today)),
    }


def _deadline(from_file: date | None, batch_days: int | None, house_days: int, today: date) -> date:
    """The batch's own day count first, then the file's date; a date that has passed is not promised again."""
    if batch_days is not None:
        return today + timedelta(days=batch_days)
    if from_file is not None and from_file >= today:
        return from_file
    return today + timedelta(days=house_days)


def days_past_due(debt: Debt, today: date) -> int:
    """Days since the oldest overdue instalment fell due; what the file said where it has no date."""
    if debt.due_date_oldest:
        return max(0, (today - debt.due_date_oldest).days)
    return debt.days_late or 0


def major_units(minor: int, currency: str) -> Decimal:
    """An amount in minor units as the currency's own unit: 123456 ARS minor is 1234.56."""
    return Decimal(minor).scaleb(-MINOR_DIGITS.get(currency, 2))


def amount_text(minor: int, currency: str) -> str:
    """The amount in plain digits: "104050" for pesos, "1234.50" where there are cents."""
    amount = major_units(minor, currency)
    return str(int(amount)) if amount == amount.to_integral_value() else f"{amount:f}"
