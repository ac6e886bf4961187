"""After a call: what happens to the job. The retry table is data; the rest is arithmetic on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import Enum, auto

from speechai.core.calendar import at, day_bounds, next_opening_everywhere, next_slot
from speechai.core.caps import PastCall, counted_days, opens_on
from speechai.core.model import Attempt, Job, Rulebook, days_without_answer, local_day
from speechai.core.outcomes import Outcome
from speechai.core.states import JobReason, JobState, WaitReason

SUSPENSION = timedelta(minutes=5)  # how long before an account the provider refused is tried again
CAPACITY_DELAY = timedelta(seconds=5)  # how long after the provider said it is full, if it did not say
CALLBACK_DEFAULT = timedelta(hours=2)  # "call me later" without an hour


class Wait(Enum):
    """How long until the next call."""

    NONE = auto()
    """At once, without waiting for a wave."""
    NO_ANSWER = auto()
    """NO_ANSWER_RETRY_MINUTES."""
    RETRY = auto()
    """RETRY_DELAY_MINUTES."""
    AFTER_CONVERSATION = auto()
    """What the policy asks for after a conversation, and no less than RETRY_DELAY_MINUTES."""
    ASKED = auto()
    """The hour the person asked for."""


class Number(Enum):
    """Which number is dialed next."""

    SAME = auto()
    NEXT = auto()
    """The next in order; after the last one the first again."""
    SAME_ONCE = auto()
    """The same once more, then the next."""
    STRIKE = auto()
    """This one never again for this person; the next one."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What follows an outcome: a wait and a number, and how the job ends when nothing may follow."""

    wait: Wait
    number: Number
    end_state: JobState
    end_reason: JobReason


_UNREACHED = Retry(Wait.NO_ANSWER, Number.NEXT, JobState.FAILED, JobReason.NO_ANSWER)
_TALKED = Retry(Wait.AFTER_CONVERSATION, Number.SAME, JobState.DONE, JobReason.NO_AGREEMENT)
_NOT_THEIRS = Retry(Wait.RETRY, Number.STRIKE, JobState.FAILED, JobReason.NO_PHONES)
_BROKEN = Retry(Wait.RETRY, Number.SAME_ONCE, JobState.FAILED, JobReason.PROVIDER_FAILURE)

RETRIES: dict[Outcome, Retry] = {
    Outcome.GOAL_NOT_MET: _TALKED,
    Outcome.CALLBACK_REQUESTED: Retry(Wait.ASKED, Number.SAME, JobState.DONE, JobReason.NO_AGREEMENT),
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

ENDS: dict[Outcome, tuple[JobState, JobReason]] = {
    Outcome.GOAL_MET: (JobState.DONE, JobReason.GOAL_MET),
    Outcome.OPTED_OUT: (JobState.FAILED, JobReason.OPTED_OUT),
}

SUSPENDS: dict[Outcome, JobReason] = {
    Outcome.NO_CREDIT: JobReason.NO_CREDIT,
    Outcome.ACCOUNT_REFUSED: JobReason.PROVIDER_REFUSED,
}

# Refused by capacity or for want of money: the dial did not happen, and uses up nothing.
UNCOUNTED = frozenset({Outcome.CAPACITY_REFUSED, Outcome.NO_CREDIT, Outcome.ACCOUNT_REFUSED})


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of the job."""

    state: JobState
    reason: JobReason | None = None
    waiting_for: WaitReason | None = None
    next_attempt_at: datetime | None = None
    exact: bool = False
    next_phone: str | None = None
    strike: str | None = None  # a number never to be dialed again for this person


def next_step(
    job: Job,
    book: Rulebook,
    outcome: Outcome,
    history: list[Attempt],
    instant: datetime,
    *,
    asked_for: datetime | None = None,
    retry_after: float | None = None,
) -> Step:
    """What becomes of `job` after an attempt that came to `outcome`.

    `history` holds every attempt of the job, the one just ended included, oldest first; `job.attempts`
    counts it too. `asked_for` is the hour the person asked for; `retry_after` the provider's wait in seconds.
    """
    if outcome in ENDS:
        state, reason = ENDS[outcome]
        return Step(state, reason)
    if outcome is Outcome.NEEDS_REVIEW:
        return Step(JobState.PENDING, JobReason.NEEDS_REVIEW, WaitReason.REVIEW, next_phone=job.next_phone)
    if outcome in SUSPENDS:
        return Step(
            JobState.SUSPENDED,
            SUSPENDS[outcome],
            next_attempt_at=instant + SUSPENSION,
            exact=job.exact,
            next_phone=job.next_phone,
        )
    if outcome is Outcome.CAPACITY_REFUSED:
        delay = CAPACITY_DELAY if retry_after is None else timedelta(seconds=retry_after)
        return Step(
            JobState.PENDING, next_attempt_at=instant + delay, exact=job.exact, next_phone=job.next_phone
        )
    return _retry(job, book, RETRIES[outcome], outcome, history, instant, asked_for)


def _retry(
    job: Job,
    book: Rulebook,
    retry: Retry,
    outcome: Outcome,
    history: list[Attempt],
    instant: datetime,
    asked_for: datetime | None,
) -> Step:
    dialed = history[-1].to_number if history else job.next_phone
    strike = dialed if retry.number is Number.STRIKE else None
    phone = _next_number(job, retry.number, dialed, history)
    end = Step(retry.end_state, retry.end_reason, strike=strike)
    if phone is None or job.attempts >= job.max_attempts:
        return end

    earliest = _earliest(book, retry.wait, instant, asked_for)
    exact = retry.wait in (Wait.NONE, Wait.ASKED)
    due, when, waits = _when(job, book, history, earliest, instant, exact)
    unanswered = days_without_answer(history)
    today = local_day(instant, job.zone)
    if len(unanswered) >= book.limits.days_without_answer and local_day(when, job.zone) > today:
        # The last of the days is over for this person: nothing more will ring on it.
        return Step(JobState.FAILED, JobReason.NO_ANSWER, strike=strike)
    return Step(
        JobState.PENDING,
        waiting_for=WaitReason.WAVE if waits else None,
        next_attempt_at=due,
        exact=exact,
        next_phone=phone,
        strike=strike,
    )


def _next_number(job: Job, rule: Number, dialed: str | None, history: list[Attempt]) -> str | None:
    """Which number comes next, or None where none is left."""
    if rule is Number.SAME:
        return dialed
    usable = job.usable_phones
    if rule is Number.STRIKE:
        remaining = tuple(phone for phone in usable if phone != dialed)
        return _after(job, dialed, remaining)
    if rule is Number.SAME_ONCE:
        failures = [attempt for attempt in history if attempt.outcome in RETRIES and _broke(attempt)]
        if sum(attempt.to_number == dialed for attempt in failures) < 2:
            return dialed
        # Two failures on every number: the provider cannot reach this person.
        spent = {phone for phone in usable if sum(attempt.to_number == phone for attempt in failures) >= 2}
        return _after(job, dialed, tuple(phone for phone in usable if phone not in spent))
    return _after(job, dialed, usable)


def _broke(attempt: Attempt) -> bool:
    return attempt.outcome in (Outcome.PROVIDER_FAILURE, Outcome.UNCLASSIFIED)


def _after(job: Job, dialed: str | None, candidates: tuple[str, ...]) -> str | None:
    """The first candidate after `dialed` in the job's order, going round."""
    if dialed not in job.phones:
        return candidates[0] if candidates else None
    start = job.phones.index(dialed)
    ring = job.phones[start + 1 :] + job.phones[: start + 1]
    return next((phone for phone in ring if phone in candidates), None)


def _earliest(book: Rulebook, wait: Wait, instant: datetime, asked_for: datetime | None) -> datetime:
    limits = book.limits
    match wait:
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


def _when(
    job: Job, book: Rulebook, history: list[Attempt], earliest: datetime, instant: datetime, exact: bool
) -> tuple[datetime, datetime, bool]:
    """From when it is due, when the call can come at the soonest, and whether it waits for a wave (or for
    its turn in a later day's group)."""
    today = local_day(instant, job.zone)
    used_today = sum(attempt.uses_place and attempt.person_day == today for attempt in history)
    if used_today >= book.limits.calls_per_day:
        _, tomorrow = day_bounds(today, job.zone)
        earliest = max(earliest, tomorrow)
    for cap in book.policy.caps:
        opens = opens_on(cap, counted_days(cap, _calls(history), today, job.account_id), today)
        if opens > today:
            earliest = max(earliest, at(opens, time(0), job.zone))
    opening = next_opening_everywhere(book.policy, earliest, job.zones(book.policy), job.country) or earliest
    batch = book.batch
    if exact:
        return opening, opening, False
    if batch.continuous:
        return opening, opening, local_day(opening, batch.zone) > local_day(instant, batch.zone)
    return earliest, next_slot(earliest, batch.wave_times, batch.zone).opens_at, True


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
