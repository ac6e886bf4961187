"""The retry table: what follows each outcome. An account or a batch may change its lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from speechai.core.outcomes import Outcome
from speechai.core.states import JobReason, JobState


class RetryTableError(ValueError):
    """A change to the retry table cannot be used; the message names the line and the remedy."""


class Wait(StrEnum):
    """How long until the next call, where a line says no minutes of its own."""

    NONE = "none"
    """At once, without waiting for a wave."""
    NO_ANSWER = "no_answer"
    """NO_ANSWER_RETRY_MINUTES."""
    RETRY = "retry"
    """RETRY_DELAY_MINUTES."""
    AFTER_CONVERSATION = "after_conversation"
    """What the policy asks for after a conversation, and no less than RETRY_DELAY_MINUTES."""
    ASKED = "asked"
    """The hour the person asked for."""


class Number(StrEnum):
    """Which number is dialed next."""

    SAME = "same"
    NEXT = "next"
    """The next in order; after the last one the first again."""
    SAME_ONCE = "same_once"
    """The same once more, then the next."""
    STRIKE = "strike"
    """This one never again for this person; the next one."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What follows an outcome: whether and when to call again, which number, and how the job ends if not."""

    wait: Wait
    number: Number
    end_state: JobState
    end_reason: JobReason
    again: bool = True
    minutes: timedelta | None = None  # instead of what `wait` says


RetryTable = Mapping[Outcome, Retry]

_UNREACHED = Retry(Wait.NO_ANSWER, Number.NEXT, JobState.FAILED, JobReason.NO_ANSWER)
_NOT_THEIRS = Retry(Wait.RETRY, Number.STRIKE, JobState.FAILED, JobReason.NO_PHONES)
_BROKEN = Retry(Wait.RETRY, Number.SAME_ONCE, JobState.FAILED, JobReason.PROVIDER_FAILURE)
_AGREED = (Wait.AFTER_CONVERSATION, Number.SAME, JobState.DONE, JobReason.GOAL_MET)
_NOT_AGREED = (Number.SAME, JobState.DONE, JobReason.NO_AGREEMENT)

RETRIES: RetryTable = {
    Outcome.GOAL_MET: Retry(*_AGREED, again=False),
    Outcome.GOAL_NOT_MET: Retry(Wait.AFTER_CONVERSATION, *_NOT_AGREED),
    Outcome.CALLBACK_REQUESTED: Retry(Wait.ASKED, *_NOT_AGREED),
    Outcome.WRONG_PERSON: _NOT_THEIRS,
    Outcome.THIRD_PARTY: _NOT_THEIRS,
    Outcome.VOICEMAIL: _UNREACHED,
    Outcome.NO_ANSWER: _UNREACHED,
    Outcome.BUSY: _UNREACHED,
    Outcome.DECLINED: _UNREACHED,
    Outcome.INVALID_NUMBER: Retry(Wait.NONE, Number.STRIKE, JobState.FAILED, JobReason.NO_PHONES),
    Outcome.PROVIDER_FAILURE: _BROKEN,
    Outcome.UNCLASSIFIED: _BROKEN,
}
"""The house's lines. What is not in it (an opt-out, a refusal, a review) nobody may change."""

MOST_MINUTES = 60 * 24 * 60  # sixty days
_PARTS = frozenset({"again", "wait_minutes", "number"})


def changed(table: RetryTable, changes: Mapping[str, Any]) -> RetryTable:
    """The table with some lines changed: `{outcome: {"again", "wait_minutes", "number"}}`.

    Raises RetryTableError.
    """
    lines = dict(table)
    for name, change in changes.items():
        try:
            outcome = Outcome(name)
            line = lines[outcome]
        except (ValueError, KeyError):
            known = ", ".join(outcome.value for outcome in table)
            raise RetryTableError(f"{name}: not a line of the retry table; there are: {known}") from None
        lines[outcome] = _changed_line(name, line, change)
    return lines


def _changed_line(name: str, line: Retry, change: Any) -> Retry:
    if not isinstance(change, Mapping) or not change or set(change) - _PARTS:
        raise RetryTableError(f"{name}: an object with some of {', '.join(sorted(_PARTS))}")
    again = change.get("again", line.again)
    if not isinstance(again, bool):
        raise RetryTableError(f"{name}.again: true or false")
    minutes = line.minutes
    if "wait_minutes" in change:
        said = change["wait_minutes"]
        if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= MOST_MINUTES:
            raise RetryTableError(f"{name}.wait_minutes: a number from 0 to {MOST_MINUTES}")
        minutes = timedelta(minutes=said)
    try:
        number = Number(change.get("number", line.number))
    except ValueError:
        raise RetryTableError(f"{name}.number: one of {', '.join(Number)}") from None
    return replace(line, again=again, minutes=minutes, number=number)


def described(table: RetryTable) -> dict[str, dict[str, Any]]:
    """The table as the API and the panel show it."""
    return {
        outcome.value: {
            "again": line.again,
            "wait": line.wait.value if line.minutes is None else None,
            "wait_minutes": None if line.minutes is None else line.minutes.total_seconds() / 60,
            "number": line.number.value,
            "ends_as": line.end_reason.value,
        }
        for outcome, line in table.items()
    }
