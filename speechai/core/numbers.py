"""Which number of a person is dialed next: derived from the numbers, the strikes and the history, never
stored.

A number is struck for a person, not for a job: whoever answers there is not rung again by another batch of
the account. Source: the outcomes table of the design.
"""

from __future__ import annotations

from collections.abc import Sequence

from speechai.core.lines import line_of
from speechai.core.model import Attempt, Job
from speechai.core.outcomes import Outcome
from speechai.core.retry_table import Number, RetryTable

_BROKEN = frozenset({Outcome.PROVIDER_FAILURE, Outcome.UNCLASSIFIED})


def usable_numbers(job: Job, struck: frozenset[str]) -> tuple[str, ...]:
    """The numbers that may still be dialed for this person, in the file's order."""
    gone = {line_of(number) for number in job.struck_phones | struck}
    return tuple(number for number in job.phones if line_of(number) not in gone) if gone else job.phones


def next_number(
    job: Job, retries: RetryTable, history: Sequence[Attempt], struck: frozenset[str] = frozenset()
) -> str | None:
    """The number to dial next, or None where none is left.

    `history`: the job's attempts, oldest first. `struck`: numbers that are not this person's, or that nobody
    may call. A reopened job begins anew with the number that was dialed last.
    """
    usable = usable_numbers(job, struck)
    dialed = [attempt for attempt in history if attempt.outcome is not None]
    if not usable or not dialed:
        return usable[0] if usable else None
    last = dialed[-1]
    since = [attempt for attempt in dialed if not job.is_before_reopening(attempt)]
    line = retries.get(last.outcome) if since and last.outcome else None
    return _by_line(job, line.number if line else Number.SAME, last.to_number, usable, since)


def _by_line(
    job: Job, rule: Number, dialed: str, usable: tuple[str, ...], history: Sequence[Attempt]
) -> str | None:
    match rule:
        case Number.SAME:
            return dialed if dialed in usable else _after(job, dialed, usable)
        case Number.NEXT:
            return _after(job, dialed, usable)
        case Number.STRIKE:
            return _after(job, dialed, tuple(number for number in usable if number != dialed))
        case Number.SAME_ONCE:
            failed = [attempt.to_number for attempt in history if attempt.outcome in _BROKEN]
            if failed.count(dialed) < 2 and dialed in usable:
                return dialed
            # Two failures on every number: the provider cannot reach this person.
            return _after(job, dialed, tuple(number for number in usable if failed.count(number) < 2))


def _after(job: Job, dialed: str, candidates: tuple[str, ...]) -> str | None:
    """The first candidate after `dialed` in the job's order, going round."""
    if dialed not in job.phones:
        return candidates[0] if candidates else None
    start = job.phones.index(dialed)
    ring = job.phones[start + 1 :] + job.phones[: start + 1]
    return next((number for number in ring if number in candidates), None)
