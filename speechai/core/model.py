"""The shapes the rules reason about: jobs, attempts, batches, and the limits in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from speechai.catalog.policies import Consent, Policy
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.call import Call
from speechai.core.caps import PastCall
from speechai.core.debt import Debt
from speechai.core.outcomes import CONVERSATIONS, Outcome
from speechai.core.retry_table import RETRIES, RetryTable
from speechai.core.states import AttemptState, BatchState, JobReason, JobState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.core.zones import ZONE_OF_COUNTRY, ZONES_OF_COUNTRY, zone_of_place, zones_of_number


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a person may be called and how long to wait: the customer's numbers, from the settings."""

    calls_per_day: int
    days_without_answer: int
    retry_delay: timedelta
    no_answer_delay: timedelta


@dataclass(frozen=True, slots=True)
class Batch:
    """One uploaded list with its policy, use case and schedule."""

    id: str
    account_id: str
    name: str
    status: BatchState
    use_case: UseCaseId
    country: Country
    policy_id: str
    provider: str  # through which it is dialed, and no other: kind and base URL (`Settings.provider_key`)
    continuous: bool  # started `now`: no waves, the day opens with the window
    wave_times: tuple[time, ...]  # local to `zone`
    zone: ZoneInfo
    daily_contacts: int
    company: str | None
    deadline_days: int | None  # fecha_limite = the day of the call + this many days
    final_deadline_days: int | None  # fecha_maxima, likewise
    max_attempts: int
    agent_id: str | None
    active_since: datetime | None  # when it was last started or resumed (UTC)
    flow_id: str = "collections"
    priority: int = 2  # 1 to 4; within an account the higher one is called first
    weekdays: frozenset[int] | None = None  # ISO weekdays on which it calls; None: the policy's
    retries: Mapping[str, Any] = field(default_factory=dict)  # its changes to the retry table
    consent: Consent = Consent.NONE  # what the operator states that all its people gave
    reopenings: int = 0  # begun and ended: whether a job of it was reopened since it was read


@dataclass(frozen=True, slots=True)
class Job:
    """One contact in one batch."""

    id: str
    batch_id: str
    account_id: str
    person_id: str
    country: Country
    status: JobState
    reason: JobReason | None
    waiting: Waiting | None  # None: final. While it is called: what it waited for
    phones: tuple[str, ...]  # in order of dialing
    struck_phones: frozenset[str]  # struck by this job's own calls: not this person's, or no number at all
    attempts: int  # dials that used a place in the day
    max_attempts: int  # of those since its last reopening
    group_date: date | None  # the last local date on which it had a place in the batch's daily group
    attempt_id: str | None  # the open attempt, if one is open
    document: str | None
    document_label: str | None
    name: str
    company: str | None
    debt: Debt | None
    owed_since: datetime | None = None  # when its debt was told of: payments count from then
    offer: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    was_dialed: bool = False  # some attempt of it has an outcome
    last_attempt_id: str | None = None  # since which attempt it waits, unless an operator ordered otherwise
    reopened_at: datetime | None = None  # when an operator, or a broken promise, last began it anew
    attempts_before: int = 0  # of `attempts`, those before that

    @property
    def due(self) -> datetime | None:
        """The earliest instant of the next call (UTC); None where no time alone brings it."""
        return self.waiting.due if self.waiting else None

    def is_due(self, instant: datetime) -> bool:
        """Whether nothing but a line is missing for its call."""
        return self.waiting is not None and self.waiting.is_due(instant)

    @property
    def is_in_review(self) -> bool:
        """Whether a person must say first what became of its last attempt."""
        return self.waiting is not None and self.waiting.kind is WaitingFor.REVIEW

    def waiting_again(self, due: datetime) -> Waiting:
        """For a line once more, as it was to be called, at another instant."""
        return (self.waiting or Waiting(WaitingFor.TURN)).again(due)

    @property
    def attempts_left(self) -> int:
        """A reopening carries an allowance of its own: what was used before it does not count."""
        return self.max_attempts - (self.attempts - self.attempts_before)

    def is_before_reopening(self, attempt: Attempt) -> bool:
        """Whether the attempt belongs to what the last reopening put an end to."""
        return self.reopened_at is not None and attempt.reserved_at < self.reopened_at

    @property
    def zone(self) -> ZoneInfo:
        """The one zone in which this person's days are counted."""
        return ZONE_OF_COUNTRY[self.country]

    def zones(self, policy: Policy, number: str | None) -> tuple[ZoneInfo, ...]:
        """Where the hours of a call to `number` are judged, all of them at once: by its prefix, by the
        place that the file gives, by its numbering plan abroad, else by the person's country.

        With the rule `strictest`, every zone in which a number of that country may be.
        """
        zones = zones_of_number(number or "", self.zone)
        if zones == (self.zone,) and self.country is Country.CL and self.variables:
            zones = (zone_of_place(self.variables) or self.zone,)
        if policy.tz_rule == "contact" or zones != (self.zone,):
            return zones
        return ZONES_OF_COUNTRY[self.country]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One dial of one number for one job."""

    id: str
    job_id: str
    batch_id: str
    account_id: str
    person_id: str
    to_number: str
    from_number: str
    status: AttemptState
    person_day: date  # the local date it counts for
    uses_place: bool  # whether it counts in the day
    reserved_at: datetime
    posted_at: datetime | None  # first time the request was sent
    last_posted_at: datetime | None
    call_id: str | None
    outcome: Outcome | None
    lease_until: datetime
    poll_token: str | None
    provider: str
    call: Call = field(default_factory=lambda: Call({}))  # what the provider told of it so far
    ended_at: datetime | None = None  # when we first saw that the call is over
    settled_at: datetime | None = None
    cost_cents: Decimal = Decimal(0)  # US cents
    looks: int = 0  # how often an unknown attempt was searched for
    stop_requested_at: datetime | None = None  # when the watchdog asked the provider to end it
    revision: int = 0  # of `call`: how many answers of the provider it has taken in
    use_case: UseCaseId = UseCaseId.DEBT_COLLECTION
    owed_minor: int | None = None  # what the person owed when the call was placed
    currency: str | None = None
    details_due: datetime | None = None  # when to ask for the cost or analysis that is still missing
    is_metered: bool = False  # money or time of the account is held for it, or was charged
    posts: int = 0  # how often the request was sent, or may have been
    refined_at: datetime | None = None  # when what came late changed its outcome, once
    is_erased: bool = False  # its person was forgotten on their demand
    job_due: datetime | None = None  # of one that was given back: from when its job may be called again

    def call_with(self, news: Call) -> Call:
        """Everything that is known of the call, with an answer that came in, whatever the order.

        Of a person who was erased, nothing that names them comes back.
        """
        call = self.call.merge(news)
        return call.impersonal if self.is_erased else call

    @property
    def is_conversation(self) -> bool:
        """Whether a person spoke."""
        return self.outcome in CONVERSATIONS


@dataclass(frozen=True, slots=True)
class Taken:
    """What of a person's and of a number's day is taken, at the moment it was read."""

    person_places: frozenset[int] = frozenset()  # over all batches and numbers
    number_places: frozenset[int] = frozenset()  # over all people
    person_open: bool = False  # another call to the person is open
    number_open: bool = False
    calls: tuple[PastCall, ...] = ()  # the rings that caps over several days count


def days_without_answer(attempts: Iterable[Attempt]) -> set[date]:
    """The local dates with at least one ring and no conversation with a person."""
    attempts = list(attempts)
    rung = {attempt.person_day for attempt in attempts if attempt.uses_place}
    spoken = {attempt.person_day for attempt in attempts if attempt.is_conversation}
    return rung - spoken


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything of a batch that decides when its people may be called."""

    policy: Policy
    limits: Limits
    batch: Batch
    retries: RetryTable = field(default_factory=lambda: RETRIES)
