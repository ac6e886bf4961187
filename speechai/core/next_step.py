"""After a call: what happens to the job. Arithmetic on the retry table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from speechai.core.calendar import at, day_bounds, next_opening_everywhere, next_slot
from speechai.core.caps import PastCall, counted_days, opens_on
from speechai.core.model import Attempt, Job, Rulebook, days_without_answer
from speechai.core.numbers import next_number
from speechai.core.outcomes import Outcome
from speechai.core.retry_table import Number, Retry, Wait
from speechai.core.states import JobReason, JobState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.core.zones import local_day

SUSPENSION = timedelta(minutes=5)  # how long before an account the provider refused is tried again
CAPACITY_DELAY = timedelta(seconds=5)  # how long after the provider said that it is full
CALLBACK_DEFAULT = timedelta(hours=2)  # "call me later" without an hour


ENDS: dict[Outcome, tuple[JobState, JobReason]] = {
    Outcome.OPTED_OUT: (JobState.FAILED, JobReason.OPTED_OUT),
}

SUSPENDS: dict[Outcome, JobReason] = {
    Outcome.NO_CREDIT: JobReason.NO_CREDIT,
    Outcome.ACCOUNT_REFUSED: JobReason.PROVIDER_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of the job."""

    state: JobState
    reason: JobReason | None = None
    waiting: Waiting | None = None  # None: it is over


def next_step(
    job: Job,
    book: Rulebook,
    outcome: Outcome,
    history: list[Attempt],
    instant: datetime,
    *,
    asked_for: datetime | None = None,
) -> Step:
    """What becomes of `job` after an attempt that came to `outcome`.

    `history` holds every attempt of the job, the one just ended included, oldest first; `job.attempts`
    counts it too. `asked_for` is the hour the person asked for.
    """
    if outcome in ENDS:
        state, reason = ENDS[outcome]
        return Step(state, reason)
    if outcome is Outcome.NEEDS_REVIEW:
        return Step(JobState.PENDING, JobReason.NEEDS_REVIEW, Waiting(WaitingFor.REVIEW))
    if outcome in SUSPENDS:
        return Step(JobState.SUSPENDED, SUSPENDS[outcome], job.waiting_again(instant + SUSPENSION))
    if outcome is Outcome.CAPACITY_REFUSED:
        return Step(JobState.PENDING, waiting=job.waiting_again(instant + CAPACITY_DELAY))
    return _retry(job, book, book.retries[outcome], history, instant, asked_for)


def _retry(
    job: Job,
    book: Rulebook,
    retry: Retry,
    history: list[Attempt],
    instant: datetime,
    asked_for: datetime | None,
) -> Step:
    strike = history[-1].to_number if history and retry.number is Number.STRIKE else None
    number = next_number(job, book.retries, history, frozenset({strike}) if strike else frozenset())
    end = Step(retry.end_state, retry.end_reason)
    if not retry.again or number is None or job.attempts_left <= 0:
        return end

    earliest = _earliest(book, retry, instant, asked_for)
    has_hour = retry.wait in (Wait.NONE, Wait.ASKED) and retry.minutes is None
    waiting, when = _waiting(job, book, history, number, earliest, instant, has_hour)
    unanswered = days_without_answer(one for one in history if not job.is_before_reopening(one))
    today = local_day(instant, job.zone)
    if len(unanswered) >= book.limits.days_without_answer and local_day(when, job.zone) > today:
        # The last of the days is over for this person: nothing more will ring on it.
        return Step(JobState.FAILED, JobReason.NO_ANSWER)
    return Step(JobState.PENDING, waiting=waiting)


def _earliest(book: Rulebook, retry: Retry, instant: datetime, asked_for: datetime | None) -> datetime:
    limits = book.limits
    if retry.minutes is not None:
        return instant + retry.minutes
    match retry.wait:
        case Wait.NONE:
            return instant
        case Wait.NO_ANSWER:
            return instant + limits.no_answer_delay
        case Wait.RETRY:
            return instant + limits.retry_delay
        case Wait.AFTER_CONVERSATION:
            gap = timedelta(hours=book.policy.after_conversation_hours)
            return instant + max(gap, limits.retry_delay)
        case Wait.ASKED:
            return max(asked_for, instant) if asked_for else instant + CALLBACK_DEFAULT


def _waiting(
    job: Job,
    book: Rulebook,
    history: list[Attempt],
    number: str,
    earliest: datetime,
    instant: datetime,
    has_hour: bool,
) -> tuple[Waiting, datetime]:
    """What it waits for, and when the call can come at the soonest."""
    today = local_day(instant, job.zone)
    used_today = sum(attempt.uses_place and attempt.person_day == today for attempt in history)
    if used_today >= book.limits.calls_per_day:
        _, tomorrow = day_bounds(today, job.zone)
        earliest = max(earliest, tomorrow)
    for cap in book.policy.caps:
        opens = opens_on(cap, counted_days(cap, _calls(history), today, job.account_id), today)
        if opens > today:
            earliest = max(earliest, at(opens, time(0), job.zone))
    opening = (
        next_opening_everywhere(book.policy, earliest, job.zones(book.policy, number), job.country)
        or earliest
    )
    batch = book.batch
    if has_hour:
        return Waiting(WaitingFor.HOUR, opening), opening
    if batch.continuous:
        is_later_day = local_day(opening, batch.zone) > local_day(instant, batch.zone)
        return Waiting(WaitingFor.WAVE if is_later_day else WaitingFor.TURN, opening), opening
    return Waiting(WaitingFor.WAVE, earliest), next_slot(earliest, batch.wave_times, batch.zone).opens_at


def _calls(history: list[Attempt]) -> list[PastCall]:
    """The rings of this job, as caps count them; what other batches rang is judged when it is dialed."""
    return [
        PastCall(
            at=attempt.reserved_at,
            day=attempt.person_day,
            of_person=True,
            of_number=True,
            account_id=attempt.account_id,
            is_conversation=attempt.is_conversation,
        )
        for attempt in history
        if attempt.uses_place
    ]
