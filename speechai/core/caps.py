"""How often a person, a number or a debt may be called: what a policy's caps say of a history.

Days are the local dates that an attempt was counted on, so a cap and the daily places can never disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from speechai.catalog.policies import Cap, Of, Per, Scope


@dataclass(frozen=True, slots=True)
class PastCall:
    """A ring of the past, as far as caps are concerned."""

    at: datetime
    day: date  # the local date it counts on
    of_person: bool  # it rang for this person, on whatever number
    of_number: bool  # it rang on this number, for whomever
    account_id: str
    is_conversation: bool


def counted_days(cap: Cap, calls: Iterable[PastCall], today: date, account_id: str) -> list[date]:
    """The dates, oldest first, of the calls that `cap` counts on `today`."""
    first = _first_day(cap, today)
    return sorted(call.day for call in calls if first <= call.day and _is_counted(cap, call, account_id))


def opens_on(cap: Cap, counted: list[date], today: date) -> date:
    """The first date on which the cap has room again; `today` where it has."""
    if len(counted) < cap.count:
        return today
    match cap.per:
        case Per.DAY:
            return today + timedelta(days=1)
        case Per.WEEK:
            return today + timedelta(days=8 - today.isoweekday())
        case Per.ROLLING_DAYS:
            return counted[-cap.count] + timedelta(days=cap.days)


def _first_day(cap: Cap, today: date) -> date:
    match cap.per:
        case Per.DAY:
            return today
        case Per.WEEK:
            return today - timedelta(days=today.isoweekday() - 1)
        case Per.ROLLING_DAYS:
            return today - timedelta(days=cap.days - 1)


def _is_counted(cap: Cap, call: PastCall, account_id: str) -> bool:
    if cap.of is Of.CONTACT and not call.is_conversation:
        return False
    match cap.scope:
        case Scope.PERSON:
            return call.of_person
        case Scope.NUMBER:
            return call.of_number
        case Scope.DEBT:
            return call.of_person and call.account_id == account_id
