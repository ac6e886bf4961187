"""Promises to pay: what was said on the call, checked. What cannot be true is flagged, not stored as fact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

LONGEST = timedelta(days=180)  # a date further away is a misunderstanding more often than a promise


class Flaw(StrEnum):
    """Why a promise, or a part of it, is not believed."""

    NO_DATE = "no_date"
    NO_AMOUNT = "no_amount"
    UNREADABLE_DATE = "unreadable_date"
    UNREADABLE_AMOUNT = "unreadable_amount"
    ZERO = "zero"
    MORE_THAN_OWED = "more_than_owed"
    PAST = "past"
    TOO_FAR = "too_far"


class PromiseState(StrEnum):
    """What became of a promise."""

    PROMISED = "promised"
    FLAGGED = "flagged"
    """It cannot be true as it was captured: for a person to look at."""
    KEPT = "kept"
    PARTLY_KEPT = "partly_kept"
    """Something was paid, less than was promised, and the day is over."""
    BROKEN = "broken"


OPEN_PROMISES = [PromiseState.PROMISED.value, PromiseState.PARTLY_KEPT.value]
"""Promises that a payment may still keep."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A date and an amount that the person named. `due` and `amount_minor` hold only what is believed."""

    due: date | None
    amount_minor: int | None  # minor units of `currency`
    currency: str | None
    flaws: tuple[Flaw, ...] = ()

    @property
    def state(self) -> PromiseState:
        """Whether it is believed."""
        return PromiseState.FLAGGED if self.flaws else PromiseState.PROMISED


def check(
    due: date | Flaw, amount_minor: int | Flaw, currency: str | None, owed_minor: int | None, day: date
) -> Promise:
    """The promise that was made on `day` by somebody who owed `owed_minor` (None: not known)."""
    if isinstance(due, date):
        due = Flaw.PAST if due < day else Flaw.TOO_FAR if due > day + LONGEST else due
    if isinstance(amount_minor, int) and owed_minor is not None and amount_minor > owed_minor:
        amount_minor = Flaw.MORE_THAN_OWED
    return Promise(
        due=None if isinstance(due, Flaw) else due,
        amount_minor=None if isinstance(amount_minor, Flaw) else amount_minor,
        currency=currency,
        flaws=tuple(part for part in (due, amount_minor) if isinstance(part, Flaw)),
    )


def judged(promised_minor: int, paid_minor: int, due: date, today: date) -> PromiseState:
    """What a promise came to by `today`, when so much of it was paid. The last day counts as in time."""
    if paid_minor >= promised_minor:
        return PromiseState.KEPT
    if today <= due:
        return PromiseState.PROMISED
    return PromiseState.PARTLY_KEPT if paid_minor > 0 else PromiseState.BROKEN
