"""Promises, from the words that the agent captured to dates and minor units; and what became of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from speechai.catalog.use_cases import CURRENCY_OF
from speechai.core.model import Attempt
from speechai.core.promises import Flaw, Promise, check
from speechai.core.variables import plain_amount
from speechai.core.zones import country_of_number
from speechai.ingest.amounts import UnreadableError, parse_amount
from speechai.ingest.dates import parse_date


def read_promise(attempt: Attempt) -> Promise | None:
    """What was promised on the attempt's call, checked; None where nothing was."""
    said = attempt.call.captured
    if not (said.payment_date or said.payment_amount):
        return None
    # Where nothing is owed (a reminder, a notice), an amount is in the pesos of the number's country.
    currency = attempt.currency or CURRENCY_OF[country_of_number(attempt.to_number)]
    return check(
        _date(said.payment_date, attempt.person_day),
        _amount(said.payment_amount, currency),
        currency,
        attempt.owed_minor,
        attempt.person_day,
    )


def promise_fields(attempt: Attempt, instant: datetime) -> dict[str, Any]:
    """What a job keeps of a promise: the documented fields hold only what is believed."""
    promise = read_promise(attempt)
    if promise is None:
        return {}
    said = attempt.call.captured
    fields: dict[str, Any] = {
        "promise": {
            "status": promise.state.value,
            "due": promise.due.isoformat() if promise.due else None,
            "amount_minor": promise.amount_minor,
            "currency": promise.currency,
            "flaws": [flaw.value for flaw in promise.flaws],
            "said": {"date": said.payment_date, "amount": said.payment_amount},
            "attempt_id": attempt.id,
            "at": attempt.ended_at or instant,  # what is paid from then on counts towards it
        }
    }
    if promise.due:
        fields["fecha_pago_cliente"] = promise.due.isoformat()
    if promise.amount_minor is not None and promise.currency:
        fields["monto_pago_cliente"] = plain_amount(promise.amount_minor, promise.currency)
    return fields


def _date(text: str | None, today: date) -> date | Flaw:
    if text is None:
        return Flaw.NO_DATE
    try:
        return parse_date(text, today)
    except UnreadableError:
        return Flaw.UNREADABLE_DATE


def _amount(text: str | None, currency: str) -> int | Flaw:
    if text is None:
        return Flaw.NO_AMOUNT
    try:
        amount = parse_amount(text, currency)
    except UnreadableError as error:
        return Flaw.ZERO if error.code == "amount_zero" else Flaw.UNREADABLE_AMOUNT
    return amount.minor if amount.currency == currency else Flaw.UNREADABLE_AMOUNT
