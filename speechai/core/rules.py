"""May this person be called now? One engine answers the dialer, the API and the panel.

`judge` is pure: everything it knows is in its arguments. It never stops at the first rule that forbids;
the verdict lists every rule with its inputs, its source and the next instant at which it would allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from speechai.catalog.policies import Cap, Consent, Registry
from speechai.catalog.use_cases import UseCaseId
from speechai.core.breaker import Breaker
from speechai.core.calendar import at, closed_anywhere, day_bounds, next_opening_everywhere
from speechai.core.caps import counted_days, opens_on
from speechai.core.model import Job, Rulebook, Taken
from speechai.core.states import BatchState, JobReason, JobState
from speechai.core.zones import local_day, zone_of_number

_MEANS = {  # what the account lacks → the rule that says so, and its sentence
    JobReason.ACCOUNT_SUSPENDED: ("account", "the account is suspended"),
    JobReason.NO_CREDIT: ("credit", "the balance does not cover one more call"),
    JobReason.DAILY_BUDGET: ("budget", "the budget of the day does not cover one more call"),
}
OPEN_CALL_RECHECK = timedelta(seconds=30)  # when to ask again while another call to the person is open


class Then(StrEnum):
    """What becomes of a job that a rule holds."""

    END = "end"
    """It fails, with the rule's `reason`: no waiting helps."""
    LACK = "lack"
    """Suspended with all of its account's jobs, until the account can pay for a call again."""
    RECHECK = "recheck"
    """Suspended: an operator can put it right, so it is looked at again every few minutes."""
    LEAVE = "leave"
    """Nothing is written: its own time, or its whole batch's, will come."""
    SOON = "soon"
    """Due again in a moment, without waiting for a wave."""
    WAIT = "wait"
    """Due again when the rule says."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules need to know of the world at one instant."""

    provider: str  # the provider in use now
    provider_is_local: bool
    stopped_by: str | None  # who set the kill switch, if it is set
    breaker: Breaker  # whether the account's provider answers
    taken: Taken  # on the person's local date, and on the number's
    days_without_answer: frozenset[date]
    has_group_place: bool  # it has, or can have, a place in the batch's group of the day
    number: str | None  # which is dialed next; None where none is left
    usable: int = 1  # how many numbers may be dialed at all
    do_not_call: str | None = None  # why nobody may call this person, or any of the numbers left, if so
    registries: Mapping[str, datetime] = field(default_factory=dict)  # when each was last consulted
    lacking: JobReason | None = None  # what the account lacks for one more call
    money_tied_up: bool = False  # calls in flight hold what one more would need
    has_paid: bool = False  # all that the job is about


class RuleResult(NamedTuple):
    """What one rule says. (A tuple: a verdict has a score of them, and a wave thousands of verdicts.)"""

    rule: str
    allowed: bool
    detail: str
    source: str
    until: datetime | None = None  # when it would allow (UTC); None with `allowed` False: not by waiting
    then: Then = Then.WAIT  # what becomes of the job where it forbids
    reason: JobReason | None = None  # … and why, where that ends or suspends it


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the call is allowed, by every rule."""

    rules: tuple[RuleResult, ...]
    forbidding: tuple[RuleResult, ...]  # those that forbid it
    next_allowed_at: datetime | None

    @property
    def allowed(self) -> bool:
        """Whether no rule forbids it."""
        return not self.forbidding

    @property
    def decisive(self) -> RuleResult:
        """Of the rules that forbid, the one that says what becomes of the job: what ends it comes before what
        suspends it, that before what leaves it alone, and that before what only postpones it."""
        return min(self.forbidding, key=lambda rule: _PRECEDENCE[rule.then])

    @property
    def names(self) -> frozenset[str]:
        """Which rules forbid it."""
        return frozenset(rule.rule for rule in self.forbidding)


_PRECEDENCE = {
    then: place
    for place, then in enumerate((Then.END, Then.LACK, Then.RECHECK, Then.LEAVE, Then.WAIT, Then.SOON))
}


class _Question(NamedTuple):
    """May this job be called at this instant? With what several rules need worked out once."""

    job: Job
    book: Rulebook
    facts: Facts
    instant: datetime
    today: date  # the person's
    zones: tuple[ZoneInfo, ...]  # in which the hours are judged

    def midnight(self, day: date) -> datetime:
        """The first instant of a date of the person's."""
        return at(day, time(0), self.job.zone)


def judge(job: Job, book: Rulebook, facts: Facts, instant: datetime) -> Verdict:
    """Whether `job` may be called at `instant`, and if not, when it may."""
    asked = _Question(
        job, book, facts, instant, local_day(instant, job.zone), job.zones(book.policy, facts.number)
    )
    rules = (
        _kill_switch(asked),
        _outage(asked),
        _job_state(asked),
        _batch_state(asked),
        _provider(asked),
        _policy(asked),
        _means(asked),
        _do_not_call(asked),
        _paid(asked),
        _phone(asked),
        _attempts(asked),
        _days(asked),
        _not_before(asked),
        _window(asked),
        _one_call_at_a_time(asked),
        _calls_per_day("person_calls_per_day", len(facts.taken.person_places), job.zone, asked),
        _calls_per_day(
            "number_calls_per_day",
            len(facts.taken.number_places),
            zone_of_number(facts.number or "", job.zone),
            asked,
        ),
        *[_registry(registry, asked) for registry in book.policy.registries],
        *([_consent(asked)] if book.policy.consent is not Consent.NONE else []),
        *[_policy_cap(cap, asked) for cap in book.policy.caps],
        _gap(asked),
        _group(asked),
    )
    forbidding = tuple([rule for rule in rules if not rule.allowed])
    return Verdict(rules, forbidding, _next_allowed(forbidding, asked) if forbidding else instant)


def _next_allowed(forbidding: tuple[RuleResult, ...], asked: _Question) -> datetime | None:
    latest = asked.instant
    for rule in forbidding:
        if rule.until is None:
            return None
        latest = max(latest, rule.until)
    if any(rule.rule == "window" and rule.until == latest for rule in forbidding):
        return latest  # the window itself said so: it is open then
    return next_opening_everywhere(asked.book.policy, latest, asked.zones, asked.job.country)


def _kill_switch(asked: _Question) -> RuleResult:
    by = asked.facts.stopped_by
    if by is None:
        return RuleResult("kill_switch", True, "not stopped", "operator")
    return RuleResult("kill_switch", False, f"stopped by {by}", "operator", then=Then.LEAVE)


def _outage(asked: _Question) -> RuleResult:
    breaker = asked.facts.breaker
    if not breaker.forbids(asked.instant):
        return RuleResult("outage", True, "the provider answers", "breaker")
    return RuleResult("outage", False, breaker.says, "breaker", breaker.probe_at, Then.LEAVE)


def _job_state(asked: _Question) -> RuleResult:
    job = asked.job
    detail = f"{job.status} ({job.reason})" if job.reason else f"{job.status}"
    if job.is_in_review:
        detail = "a person must say first what became of its last call"
    allowed = job.status is JobState.PENDING and not job.is_in_review
    return RuleResult("job_state", allowed, detail, "design", then=Then.LEAVE)


def _batch_state(asked: _Question) -> RuleResult:
    status = asked.book.batch.status
    allowed = status is BatchState.RUNNING
    return RuleResult("batch_state", allowed, f"the batch is {status}", "operator", then=Then.LEAVE)


def _provider(asked: _Question) -> RuleResult:
    if asked.book.batch.provider == asked.facts.provider:
        return RuleResult("provider", True, "the batch's provider", "design")
    detail = "the batch was made for another provider"
    return RuleResult("provider", False, detail, "design", then=Then.RECHECK, reason=JobReason.OTHER_PROVIDER)


def _policy(asked: _Question) -> RuleResult:
    policy = asked.book.policy
    if asked.facts.provider_is_local or not policy.simulation_only:
        return RuleResult("policy", True, f"policy {policy.id}", policy.source)
    detail = f"policy {policy.id} is only for a provider on this machine"
    return RuleResult(
        "policy", False, detail, policy.source, then=Then.RECHECK, reason=JobReason.OTHER_PROVIDER
    )


def _means(asked: _Question) -> RuleResult:
    """Under the name of what is lacking: account, credit, budget, or money that calls in flight hold."""
    facts = asked.facts
    if facts.lacking is not None:
        # No instant: a top-up, another budget or a new day of the account ends it, and then jobs resume.
        rule, detail = _MEANS[facts.lacking]
        return RuleResult(rule, False, detail, "account", then=Then.LACK, reason=facts.lacking)
    if facts.money_tied_up:
        detail = "calls in flight hold the rest of the money"
        until = asked.instant + OPEN_CALL_RECHECK
        return RuleResult("money_in_flight", False, detail, "account", until, Then.LEAVE)
    return RuleResult("account", True, "the account can pay", "account")


def _paid(asked: _Question) -> RuleResult:
    if not asked.facts.has_paid:
        return RuleResult("paid", True, "payments do not cover what is owed", "payments")
    detail = "payments cover all that is owed"
    return RuleResult("paid", False, detail, "payments", then=Then.END, reason=JobReason.PAID)


def _phone(asked: _Question) -> RuleResult:
    facts = asked.facts
    return RuleResult(
        "phone",
        facts.number is not None and facts.usable > 0,
        f"{facts.usable} usable numbers",
        "upload",
        then=Then.END,
        reason=JobReason.NO_PHONES,
    )


def _attempts(asked: _Question) -> RuleResult:
    job = asked.job
    detail = f"{job.attempts - job.attempts_before} of {job.max_attempts} attempts used"
    return RuleResult(
        "max_attempts",
        job.attempts_left > 0,
        detail,
        "MAX_ATTEMPTS",
        then=Then.END,
        reason=JobReason.NO_ANSWER,
    )


def _days(asked: _Question) -> RuleResult:
    # Today is still open: only days that are over can exclude.
    over = sum(day < asked.today for day in asked.facts.days_without_answer)
    most = asked.book.limits.days_without_answer
    detail = f"{over} of {most} days without an answer"
    return RuleResult(
        "days_without_answer",
        over < most,
        detail,
        "MAX_DAYS_WITHOUT_ANSWER",
        then=Then.END,
        reason=JobReason.NO_ANSWER,
    )


def _not_before(asked: _Question) -> RuleResult:
    due = asked.job.due
    if due is None or due <= asked.instant:
        return RuleResult("not_before", True, "due", "retry table")
    return RuleResult("not_before", False, "not due yet", "retry table", due, Then.LEAVE)


def _window(asked: _Question) -> RuleResult:
    policy, country = asked.book.policy, asked.job.country
    closed = closed_anywhere(policy, asked.instant, asked.zones, country)
    if closed is None:
        return RuleResult("window", True, "open", policy.source)
    opens = next_opening_everywhere(policy, asked.instant, asked.zones, country)
    if opens is None:  # none is open in all of the number's zones at once
        then, reason = Then.RECHECK, JobReason.NO_HOURS
        return RuleResult("window", False, closed, policy.source, None, then, reason)
    return RuleResult("window", False, closed, policy.source, opens)


def _one_call_at_a_time(asked: _Question) -> RuleResult:
    taken = asked.facts.taken
    if not (taken.person_open or taken.number_open):
        return RuleResult("one_call_at_a_time", True, "no other call is open", "design")
    detail = "another call to this person or number is open"
    until = asked.instant + OPEN_CALL_RECHECK
    return RuleResult("one_call_at_a_time", False, detail, "design", until, Then.SOON)


def _calls_per_day(rule: str, used: int, zone: ZoneInfo, asked: _Question) -> RuleResult:
    """`zone`: where the days are counted, the person's or the number's."""
    most = asked.book.limits.calls_per_day
    detail = f"{used} of {most} calls used today"
    if used < most:
        return RuleResult(rule, True, detail, "MAX_CALLS_PER_DAY")
    _, tomorrow = day_bounds(local_day(asked.instant, zone), zone)
    return RuleResult(rule, False, detail, "MAX_CALLS_PER_DAY", tomorrow)


def _do_not_call(asked: _Question) -> RuleResult:
    why = asked.facts.do_not_call
    return RuleResult(
        "do_not_call",
        why is None,
        why or "nobody asked not to be called",
        "do-not-call list",
        then=Then.END,
        reason=JobReason.DO_NOT_CALL,
    )


def _registry(registry: Registry, asked: _Question) -> RuleResult:
    rule = f"registry_{registry.name}"
    if asked.book.batch.use_case is not UseCaseId.MARKETING:
        return RuleResult(rule, True, "only marketing is bound by it", registry.article)
    consulted = asked.facts.registries.get(registry.name)
    fresh = consulted is not None and asked.instant - consulted <= timedelta(days=registry.max_age_days)
    detail = f"{registry.name} has not been consulted"
    if consulted is not None:
        detail = f"{registry.name} was consulted on {consulted:%Y-%m-%d}"
    return RuleResult(rule, fresh, detail, registry.article, then=Then.RECHECK, reason=JobReason.REGISTRY)


def _consent(asked: _Question) -> RuleResult:
    policy, batch = asked.book.policy, asked.book.batch
    if batch.consent.covers(policy.consent):
        return RuleResult("consent", True, f"{batch.consent} consent is on record", policy.consent_article)
    if batch.use_case is not UseCaseId.MARKETING:
        detail = "without consent on record; only marketing waits for it"
        return RuleResult("consent", True, detail, policy.consent_article)
    return RuleResult(
        "consent",
        False,
        f"{policy.consent} consent is not on record",
        policy.consent_article,
        then=Then.RECHECK,
        reason=JobReason.CONSENT,
    )


def _policy_cap(cap: Cap, asked: _Question) -> RuleResult:
    counted = counted_days(cap, asked.facts.taken.calls, asked.today, asked.job.account_id)
    detail = f"{len(counted)} of {cap.count}"
    if len(counted) < cap.count:
        return RuleResult(cap.name, True, detail, cap.article)
    until = asked.midnight(opens_on(cap, counted, asked.today))
    return RuleResult(cap.name, False, detail, cap.article, until)


def _gap(asked: _Question) -> RuleResult:
    policy = asked.book.policy
    detail = f"{policy.min_gap_minutes} minutes between two calls to a person"
    rang = [call.at for call in asked.facts.taken.calls if call.of_person]
    until = max(rang) + timedelta(minutes=policy.min_gap_minutes) if rang else asked.instant
    if until <= asked.instant:
        return RuleResult("min_gap", True, detail, policy.source)
    return RuleResult("min_gap", False, detail, policy.source, until)


def _group(asked: _Question) -> RuleResult:
    if asked.facts.has_group_place:
        detail = "has a place among the day's contacts"
        return RuleResult("daily_contacts", True, detail, "DAILY_CONTACTS")
    batch = asked.book.batch
    _, tomorrow = day_bounds(local_day(asked.instant, batch.zone), batch.zone)
    detail = f"the day's {batch.daily_contacts} contacts are taken"
    return RuleResult("daily_contacts", False, detail, "DAILY_CONTACTS", tomorrow)
