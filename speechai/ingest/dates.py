"""Dates as cells hold them: Excel's own, serial numbers, and text, the day always before the month."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta

from speechai.ingest.amounts import UnreadableError

EARLIEST, LATEST = 1990, 2100  # a debt or an offer outside these years is a typing error
YEARS_AHEAD = 20  # dates that people owe, pay, promise or offer by are nearer than that, or long past

_EXCEL_EPOCH = date(1899, 12, 30)  # serial 1 is 1900-01-01, with Excel's own leap year that never was
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "ene enero jan january",
            "feb febrero february",
            "mar marzo march",
            "abr abril apr april",
            "may mayo",
            "jun junio june",
            "jul julio july",
            "ago agosto aug august",
            "sep sept set septiembre setiembre september",
            "oct octubre october",
            "nov noviembre november",
            "dic diciembre dec december",
        ),
        start=1,
    )
    for name in names.split()
}
_TIME = r"(?:[T ]+\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?(?: ?[ap]\.? ?m\.?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _TIME + "$", re.IGNORECASE)
_DAY_FIRST = re.compile(r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})" + _TIME + "$", re.IGNORECASE)
_NAMED = re.compile(
    r"^(?:[a-z]+,? +)?(\d{1,2})(?:[°o]|ro|er)?[-/. ]+(?:de +)?([a-z]+)\.?,?[-/. ]+"
    r"(?:de +|del +)?(\d{4}|\d{2})$"
)
_COMPACT = re.compile(r"^\d{8}$")
_SERIAL = re.compile(r"^\d{5}(?:\.\d+)?$")


def parse_date(value: object, today: date) -> date:
    """The date of a cell, or UnreadableError.

    A year of two digits is one of this century, as every date near `today` is. Where that would be far ahead
    ("14/08/95" is hardly 2095, and may be 1995 or a slip) nobody can tell, and it is refused.
    """
    if type(value) is date:  # what most cells are, so it is asked first
        return _sane(value)
    if isinstance(value, datetime):
        return _sane(value.date())
    if isinstance(value, bool):
        raise UnreadableError("date_form")
    if isinstance(value, int | float):
        return _from_number(value)
    if isinstance(value, str):
        return _from_text(value, today)
    raise UnreadableError("date_form")


def _from_number(value: float) -> date:
    if 10_000_000 <= value <= 99_999_999 and value == int(value):
        return _from_compact(str(int(value)))
    if not 1 <= value < 100_000:
        raise UnreadableError("date_form")
    return _sane(_EXCEL_EPOCH + timedelta(days=int(value)))


def _from_text(text: str, today: date) -> date:
    plain = " ".join(text.replace("\u00a0", " ").split())
    if match := _YEAR_FIRST.match(plain):
        return _made(int(match[1]), int(match[2]), int(match[3]))
    if match := _DAY_FIRST.match(plain):
        return _of_year(match[3], int(match[2]), int(match[1]), today)
    if _COMPACT.match(plain):
        return _from_compact(plain)
    if _SERIAL.match(plain):
        return _from_number(float(plain))
    if match := _NAMED.match(_unaccented(plain)):
        month = _MONTHS.get(match[2])
        if month:
            return _of_year(match[3], month, int(match[1]), today)
    raise UnreadableError("date_form")


def _from_compact(digits: str) -> date:
    """Eight digits: 20250814 or 14082025, refused when they make a sane date both ways."""
    readings = set()
    for year, month, day in ((digits[:4], digits[4:6], digits[6:]), (digits[4:], digits[2:4], digits[:2])):
        try:
            readings.add(_made(int(year), int(month), int(day)))
        except UnreadableError:
            continue  # this way of reading it is out; the other decides
    if len(readings) != 1:
        raise UnreadableError("date_ambiguous" if readings else "date_form")
    return readings.pop()


def _of_year(digits: str, month: int, day: int, today: date) -> date:
    if len(digits) == 4:
        return _made(int(digits), month, day)
    found = _made(2000 + int(digits), month, day)
    if found.year > today.year + YEARS_AHEAD:
        raise UnreadableError("date_century")
    return found


def _unaccented(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def _made(year: int, month: int, day: int) -> date:
    try:
        return _sane(date(year, month, day))
    except ValueError as error:
        raise UnreadableError("date_form") from error


def _sane(value: date) -> date:
    if not EARLIEST <= value.year <= LATEST:
        raise UnreadableError("date_absurd")
    return value
