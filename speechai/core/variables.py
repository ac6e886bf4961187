"""What the agent is told about the person it calls: computed at dial time, never frozen at upload.

The names are the original system's; its agents' prompts use them. Only what the flow names leaves the house.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from speechai.catalog.flows import Bucket, Flow
from speechai.catalog.policies import Policy
from speechai.catalog.use_cases import MINOR_DIGITS, Country, UseCaseId
from speechai.core.debt import Debt
from speechai.core.model import Batch, Job
from speechai.core.spoken import amount_in_words, date_in_words, rules_in_words
from speechai.core.zones import local_day

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


def bucket_of(job: Job, flow: Flow, instant: datetime) -> Bucket:
    """The flow's bucket for the person at `instant`: by days past due, the first where there is no debt."""
    days = days_to(job.debt, local_day(instant, job.zone)) if job.debt else 0
    return flow.bucket(days)


def dynamic_variables(
    job: Job, batch: Batch, flow: Flow, policy: Policy, instant: datetime
) -> dict[str, str]:
    """The variables for the agent, all strings, empty ones left out (an unset one is spoken literally)."""
    local = instant.astimezone(job.zone)
    bucket = bucket_of(job, flow, instant)
    told = {
        "tipo_llamada": CALL_TYPES[batch.use_case],
        "nombre": job.name,
        "empresa": job.company or batch.company or "",
        "fecha_actual": local.date().isoformat(),
        "hora_actual": f"{local:%H:%M}",
        "apertura": bucket.opening,
        "tono": bucket.tone,
        "reglas": rules_in_words(policy.prompt_rules),
    }
    if job.document_label:
        told["RUT" if job.country is Country.CL else "DNI"] = job.document_label
        told["RUT"] = job.document_label  # the prompts say RUT in both countries
    for field, value in job.offer.items():
        told[OFFER_NAMES.get(field, field)] = value
    if job.debt:
        told |= _debt_variables(job.debt, batch, bucket, local.date())
    extra = job.variables if flow.extra_columns else {}
    return {name: value for name, value in {**extra, **_named(told, flow.variables)}.items() if value}


def _named(told: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: told[name] for name in names if name in told}


def _debt_variables(debt: Debt, batch: Batch, bucket: Bucket, today: date) -> dict[str, str]:
    deadline = _deadline(debt.deadline, batch.deadline_days, DEADLINE_DAYS, today)
    final = _deadline(debt.final_deadline, batch.final_deadline_days, FINAL_DEADLINE_DAYS, today)
    count = str(debt.instalments)
    return {
        "monto_total": amount_text(debt.total_minor, debt.currency),
        "monto_total_hablado": amount_in_words(major_units(debt.total_minor, debt.currency), debt.currency),
        "moneda": debt.currency,
        "cuotas_adeudadas": count,
        "cantidad_cupones": count,
        "fecha_limite": deadline.isoformat(),
        "fecha_limite_hablada": date_in_words(deadline),
        "fecha_maxima": final.isoformat(),
        "fecha_maxima_hablada": date_in_words(final),
        "dias_vencidos": str(days_past_due(debt, today)),
        **_offer_variables(debt, bucket, today),
    }


def _offer_variables(debt: Debt, bucket: Bucket, today: date) -> dict[str, str]:
    """What the agent may offer at this stage of the arrears."""
    told = {"tipo_mora": bucket.id, "cuotas_ofrecidas": str(bucket.most_instalments)}
    options = ["pagar el total"]
    if bucket.most_instalments > 1:
        options.append(f"pagar hasta en {bucket.most_instalments} cuotas")
    if bucket.discount_percent:
        reduced = discounted(debt.total_minor, bucket.discount_percent)
        told["descuento_ofrecido"] = str(bucket.discount_percent)
        told["monto_con_descuento"] = amount_text(reduced, debt.currency)
        words = amount_in_words(major_units(reduced, debt.currency), debt.currency)
        options.append(f"pagar {words} al contado, con {bucket.discount_percent} por ciento de descuento")
    if bucket.pay_within_days is not None:
        last = today + timedelta(days=bucket.pay_within_days)
        told["pagar_hasta"] = last.isoformat()
        told["pagar_hasta_hablado"] = date_in_words(last)
    return {**told, "opciones_pago": "; ".join(options)}


def discounted(total_minor: int, percent: int) -> int:
    """What is left to pay, in minor units."""
    left = Decimal(total_minor) * (100 - percent) / 100
    return int(left.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _deadline(from_file: date | None, batch_days: int | None, house_days: int, today: date) -> date:
    """The batch's own day count first, then the file's date; a date that has passed is not promised again."""
    if batch_days is not None:
        return today + timedelta(days=batch_days)
    if from_file is not None and from_file >= today:
        return from_file
    return today + timedelta(days=house_days)


def days_to(debt: Debt, today: date) -> int:
    """Days since the oldest instalment fell due, negative before it does; the file's count without a date."""
    if debt.due_date_oldest:
        return (today - debt.due_date_oldest).days
    return debt.days_late or 0


def days_past_due(debt: Debt, today: date) -> int:
    """Days since the oldest overdue instalment fell due, 0 before it does."""
    return max(0, days_to(debt, today))


def major_units(minor: int, currency: str) -> Decimal:
    """An amount in minor units as the currency's own unit: 123456 ARS minor is 1234.56."""
    return Decimal(minor).scaleb(-MINOR_DIGITS.get(currency, 2))


def plain_amount(minor: int, currency: str) -> int | float:
    """The amount in the currency's own unit as documents keep it: whole where it is whole."""
    whole, rest = divmod(minor, 10 ** MINOR_DIGITS.get(currency, 2))
    return float(major_units(minor, currency)) if rest else whole


def amount_text(minor: int, currency: str) -> str:
    """The amount in plain digits: "104050" for pesos, "1234.50" where there are cents."""
    amount = major_units(minor, currency)
    return str(int(amount)) if amount == amount.to_integral_value() else f"{amount:f}"
