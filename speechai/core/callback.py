"""The hour at which a person asked to be called, read from the words of an agent. Never raises."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from speechai.core.words import unaccented

FARTHEST = timedelta(days=60)
"""A callback further away is a misunderstanding more often than a wish."""

_DATE = re.compile(r"(?P<day>\d{1,2})[/.-](?P<month>\d{1,2})[/.-](?P<year>\d{4}|\d{2})")
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})[/.-](?P<month>\d{1,2})[/.-](?P<day>\d{1,2})")
_FROM_TODAY = {"hoy": 0, "today": 0, "manana": 1, "tomorrow": 1, "pasado manana": 2}
_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2})(?::\d{2})?)?\s*(?P<half>[ap]\.?\s?m\.?)?\s*(?:hrs?|hs?|horas)?\.?"
)
_BETWEEN = re.compile(r"[\s,]*(?:\b(?:a\s+las?|at|t|de\s+las?)\b)?[\s,]*")


class CallbackFlaw(StrEnum):
    """Why the hour that was captured is not believed."""

    UNREADABLE = "unreadable"
    PAST = "past"
    """Before the call's own end."""
    TOO_FAR = "too_far"
    """More than 60 days after it."""


@dataclass(frozen=True, slots=True)
class Callback:
    """When the person asked to be called. Without `at` it was asked for without an hour, or with a flaw."""

    at: datetime | None = None  # UTC
    flaw: CallbackFlaw | None = None
    said: str | None = None  # as the agent wrote it


def read_callback(said: str | None, zone: ZoneInfo, ended: datetime) -> Callback:
    """The hour that `said` names on a call that ended at `ended`.

    ISO 8601, day-first dates with or without an hour, `mañana a las 10`, an hour alone (the next such). A
    time without a zone is in the person's `zone`; a date alone is the start of that day, and today's no
    hour at all.
    """
    if said is None:
        return Callback()
    now = ended.astimezone(zone)
    try:
        named = _read(said, now)
    except (ValueError, OverflowError):
        named = None
    if named is None:
        return Callback(flaw=CallbackFlaw.UNREADABLE, said=said)
    # The year first: at the ends of the calendar no zone can be applied any more.
    if abs(named.year - now.year) > 1:
        flaw = CallbackFlaw.PAST if named.year < now.year else CallbackFlaw.TOO_FAR
        return Callback(flaw=flaw, said=said)
    instant = (named if named.tzinfo else named.replace(tzinfo=zone)).astimezone(UTC)
    if instant > ended + FARTHEST:
        return Callback(flaw=CallbackFlaw.TOO_FAR, said=said)
    if instant <= ended:
        today_without_hour = named.tzinfo is None and named == datetime.combine(now.date(), time())
        return Callback(flaw=None if today_without_hour else CallbackFlaw.PAST, said=said)
    return Callback(at=instant, said=said)


def _read(said: str, now: datetime) -> datetime | None:
    """What is written; without a zone where none is written. Raises ValueError for an impossible date."""
    text = unaccented(said).strip()
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        pass  # not ISO: one of the other ways
    day, rest = _leading_day(text, now)
    if day is not None and not rest:
        return datetime.combine(day, time())
    match = _TIME.fullmatch(rest)
    # "15" alone names nothing; "a las 15" after a date does.
    if match is None or (day is None and match["minute"] is None and match["half"] is None):
        return None
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"].startswith("p") else 0)
    at = time(hour, int(match["minute"] or 0))
    if day is not None:
        return datetime.combine(day, at)
    today = datetime.combine(now.date(), at)
    return today if today > now.replace(tzinfo=None) else today + timedelta(days=1)


def _leading_day(text: str, now: datetime) -> tuple[date | None, str]:
    """The date that the text begins with, and what follows it."""
    for pattern in (_YEAR_FIRST, _DATE):
        if match := pattern.match(text):
            year = int(match["year"]) + (2000 if len(match["year"]) == 2 else 0)
            return date(year, int(match["month"]), int(match["day"])), _after(text, match.end())
    for words in sorted(_FROM_TODAY, key=len, reverse=True):
        if re.match(rf"{words}\b", text):
            return now.date() + timedelta(days=_FROM_TODAY[words]), _after(text, len(words))
    return None, _after(text, 0)


def _after(text: str, end: int) -> str:
    between = _BETWEEN.match(text, end)
    return text[between.end() if between else end :]
