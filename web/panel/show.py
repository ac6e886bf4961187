"""How values are written for people: money, times in the person's zone, durations."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from speechai.catalog.use_cases import MINOR_DIGITS
from speechai.operation.campaigns.uploads import Language
from web.language import translate

NOTHING = "—"


def number(value: Any, language: Language, decimals: int = 0) -> str:
    """A number as the language groups it: "104.050,50" or "104,050.50"."""
    if value is None:
        return NOTHING
    text = f"{Decimal(str(value)):,.{decimals}f}"
    return text if language == "en" else text.translate(str.maketrans(",.", ".,"))


def money(amount: Any, currency: str | None, language: Language) -> str:
    """An amount in its currency's own unit: "$104.050 CLP"."""
    if amount is None:
        return NOTHING
    try:
        exact = Decimal(str(amount))
    except ArithmeticError:
        return str(amount)  # a promise as the agent wrote it down: "la mitad"
    if not exact.is_finite():
        return str(amount)
    decimals = MINOR_DIGITS.get(currency or "", 0)
    whole = exact == exact.to_integral_value()
    shown = number(exact, language, 0 if whole else max(decimals, 2))
    sign = "" if currency in ("UF", "EUR", None) else "$"
    return f"{sign}{shown} {currency}" if currency else shown


def usd(cents: Any, language: Language) -> str:
    """A cost in US dollars."""
    exact = cents.to_decimal() if hasattr(cents, "to_decimal") else Decimal(str(cents or 0))
    return f"US$ {number(exact / 100, language, 2)}"


def amount_in(unit: str | None, amount: Any, language: Language) -> str:
    """An amount in an account's unit: US dollars, or talk time."""
    if unit is None or amount is None:
        return NOTHING
    exact = amount.to_decimal() if hasattr(amount, "to_decimal") else Decimal(str(amount))
    if unit == "cents":
        return usd(exact, language)
    return f"−{duration(-exact)}" if exact < 0 else duration(exact)


def duration(seconds: Any) -> str:
    """A duration: "1 h 05 min", "2 min 07 s", "9 s"."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(round(float(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def clock(seconds: Any) -> str:
    """A place in a recording: "01:07"."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(int(float(seconds)), 60)
    return f"{minutes:02d}:{rest:02d}"


def moment(instant: datetime | None, zone: tzinfo, language: Language) -> str:
    """An instant as the clocks of `zone` show it: "lun 23-11-2026 12:00"."""
    if instant is None:
        return NOTHING
    local = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(zone)
    weekday = translate(language, f"weekday.{local.weekday()}")
    return f"{weekday} {day(local.date(), language)} {local:%H:%M}"


def day(value: Any, language: Language) -> str:
    """A calendar date: "23-11-2026", in English "2026-11-23"."""
    if value is None or value == "":
        return NOTHING
    if not isinstance(value, date):
        try:
            value = date.fromisoformat(str(value))
        except ValueError:
            return str(value)  # as the agent wrote it down
    return f"{value:%Y-%m-%d}" if language == "en" else f"{value:%d-%m-%Y}"
