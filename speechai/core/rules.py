"""May this person be called now? One engine answers the dialer, the API and the panel.

`judge` is pure: everything it knows is in its arguments. It never stops at the first rule that forbids;
the verdict lists every rule with its inputs, its source and the next instant at which it would allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from speechai.catalog.policies import Cap, Policy, Registry
from speechai.catalog.use_cases import UseCaseId
from speechai.core.breaker import Breaker
from speechai.core.calendar import at, closed_anywhere, day_bounds, next_opening_everywhere
from speechai.core.caps import counted_days, opens_on
from speechai.core.model import Job, Limits, Rulebook, Taken, local_day
from speechai.core.states import BatchState, JobReason, JobState

ACCOUNT_RULES = {  # rule → what the account lacks where it forbids
    "account": JobReason.ACCOUNT_SUSPENDED,
    "credit": JobReason.NO_CREDIT,
    "budget": JobReason.DAILY_BUDGET,
}
OPEN_CALL_RECHECK = timedelta(seconds=30)  # when to ask again while another call to the person is open


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
    do_not_call: str | None = None  # why nobody may call this person or number, if so
    registries: Mapping[str, datetime] = field(default_factory=dict)  # when each was last consulted
    lacking: JobReason | None = None  # what the account lacks for one more call
    money_tied_up: bool = False  # calls in flight hold what one more would need


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule says."""

    rule: str
    allowed: bool
    detail: str
    source: str
    until: datetime | None = None  # when it would allow (UTC); None with `allowed` False: not by waiting


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the call is allowed, by every rule."""

    rules: tuple[RuleResult, ...]
    next_allowed_at: datetime | None

    @property
    def allowed(self) -> bool:
        """Whether no rule forbids it."""
        return all(rule.allowed for rule in self.rules)

    @property
    def forbidding(self) -> tuple[RuleResult, ...]:
        """The rules that forbid it."""
        return tuple(rule for rule in self.rules if not rule.allowed)


def judge(job: Job, book: Rulebook, facts: Facts, instant: datetime) -> Verdict:
    """Whether `job` may be called at `instant`, and if not, when it may."""
    rules = (
        _kill_switch(facts),
        _outage(facts, instant),
        _job_state(job),
        _batch_state(book),
        _provider(book, facts),
        _policy_allowed(book, facts),
        *(_account(rule, reason, facts) for rule, reason in ACCOUNT_RULES.items()),
        _money_in_flight(facts, instant),
        _phone(job),
        _attempts(job),
        _days(job, book.limits, facts, instant),
        _not_before(job, instant),
        _window(job, book, instant),
        _one_call_at_a_time(facts, instant),
        _person_cap(job, book.limits, facts, instant),
        _number_cap(job, book.limits, facts, instant),
        _do_not_call(facts),
        *(_registry(registry, book, facts, instant) for registry in book.policy.registries),
        *(_policy_cap(cap, job, facts, instant) for cap in book.policy.caps),
        _gap(book.policy, facts, instant),
        _group(job, book, facts, instant),
    )
    return Verdict(rules, _next_allowed(job, book, rules, instant))


def _next_allowed(
    job: Job, book: Rulebook, rules: tuple[RuleResult, ...], instant: datetime
) -> datetime | None:
    waits = [rule.until for rule in rules if not rule.allowed]
    if None in waits:
        return None
    earliest = max([instant, *(wait for wait in waits if wait is not None)])
    return next_opening_everywhere(book.policy, earliest, job.zones(book.policy), job.country)


def _result(
    rule: str, allowed: bool, detail: str, source: str = "house", until: datetime | None = None
) -> RuleResult:
    return RuleResult(rule, allowed, detail, source, None if allowed else until)


def _kill_switch(facts: Facts) -> RuleResult:
    detail = f"stopped by {facts.stopped_by}" if facts.stopped_by else "not stopped"
    return _result("kill_switch", facts.stopped_by is None, detail, "operator")


def _outage(facts: Facts, instant: datetime) -> RuleResult:
    down = facts.breaker.forbids(instant)
    detail = "the provider does not answer" if down else "the provider answers"
    return _result("outage", not down, detail, "breaker", facts.breaker.probe_at)


def _job_state(job: Job) -> RuleResult:
    detail = job.status.value + (f" ({job.reason.value})" if job.reason else "")
    return _result("job_state", job.status is JobState.PENDING, detail, "design")


def _batch_state(book: Rulebook) -> RuleResult:
    status = book.batch.status
    return _result("batch_state", status is BatchState.RUNNING, f"the batch is {status.value}", "operator")


def _provider(book: Rulebook, facts: Facts) -> RuleResult:
    same = book.batch.provider == facts.provider
    detail = "the batch's provider" if same else "the batch was made for another provider"
    return _result("provider", same, detail, "design")


def _policy_allowed(book: Rulebook, facts: Facts) -> RuleResult:
    allowed = facts.provider_is_local or not book.policy.simulation_only
    detail = f"policy {book.policy.id}" + ("" if allowed else " is only for a provider on this machine")
    return _result("policy", allowed, detail, book.policy.source)


def _account(rule: str, reason: JobReason, facts: Facts) -> RuleResult:
    # No instant: a top-up, another budget or a new day of the account ends it, and then jobs resume.
    lacks = facts.lacking is reason
    return _result(rule, not lacks, _LACKING[rule] if lacks else "the account can pay", "account")


def _money_in_flight(facts: Facts, instant: datetime) -> RuleResult:
    tied = facts.money_tied_up and facts.lacking is None
    detail = "calls in flight hold the rest of the money" if tied else "no call in flight holds it"
    return _result("money_in_flight", not tied, detail, "account", instant + OPEN_CALL_RECHECK)


_LACKING = {
    "account": "the account is suspended",
    "credit": "the balance does not cover one more call",
    "budget": "the budget of the day does not cover one more call",
}


def _phone(job: Job) -> RuleResult:
    return _result("phone", job.next_phone is not None, f"{len(job.usable_phones)} usable numbers", "upload")


def _attempts(job: Job) -> RuleResult:
    detail = f"{job.attempts} of {job.max_attempts} attempts used"
    return _result("max_attempts", job.attempts < job.max_attempts, detail, "MAX_ATTEMPTS")


def _days(job: Job, limits: Limits, facts: Facts, instant: datetime) -> RuleResult:
    # Today is still open: only days that are over can exclude.
    today = local_day(instant, job.zone)
    over = sum(day < today for day in facts.days_without_answer)
    detail = f"{over} of {limits.days_without_answer} days without an answer"
    return _result(
        "days_without_answer", over < limits.days_without_answer, detail, "MAX_DAYS_WITHOUT_ANSWER"
    )


def _not_before(job: Job, instant: datetime) -> RuleResult:
    due = job.next_attempt_at
    if due is None or due <= instant:
        return _result("not_before", True, "due", "retry table")
    return _result("not_before", False, f"not before {due.isoformat()}", "retry table", due)


def _window(job: Job, book: Rulebook, instant: datetime) -> RuleResult:
    zones = job.zones(book.policy)
    closed = closed_anywhere(book.policy, instant, zones, job.country)
    until = next_opening_everywhere(book.policy, instant, zones, job.country) if closed else None
    return _result("window", closed is None, closed or "open", book.policy.source, until)


def _one_call_at_a_time(facts: Facts, instant: datetime) -> RuleResult:
    busy = facts.taken.person_open or facts.taken.number_open
    detail = "another call to this person or number is open" if busy else "no other call is open"
    return _result("one_call_at_a_time", not busy, detail, "design", instant + OPEN_CALL_RECHECK)


def _person_cap(job: Job, limits: Limits, facts: Facts, instant: datetime) -> RuleResult:
    return _cap("person_calls_per_day", len(facts.taken.person_places), job, limits, instant)


def _number_cap(job: Job, limits: Limits, facts: Facts, instant: datetime) -> RuleResult:
    return _cap("number_calls_per_day", len(facts.taken.number_places), job, limits, instant)


def _cap(rule: str, used: int, job: Job, limits: Limits, instant: datetime) -> RuleResult:
    _, tomorrow = day_bounds(local_day(instant, job.zone), job.zone)
    detail = f"{used} of {limits.calls_per_day} calls used today"
    return _result(rule, used < limits.calls_per_day, detail, "MAX_CALLS_PER_DAY", tomorrow)


def _do_not_call(facts: Facts) -> RuleResult:
    detail = facts.do_not_call or "nobody asked not to be called"
    return _result("do_not_call", facts.do_not_call is None, detail, "do-not-call list")


def _registry(registry: Registry, book: Rulebook, facts: Facts, instant: datetime) -> RuleResult:
    rule = f"registry_{registry.name}"
    if book.batch.use_case is not UseCaseId.MARKETING:
        return _result(rule, True, "only marketing is bound by it", registry.article)
    consulted = facts.registries.get(registry.name)
    if consulted is None:
        return _result(rule, False, f"{registry.name} has not been consulted", registry.article)
    fresh = instant - consulted <= timedelta(days=registry.max_age_days)
    detail = f"{registry.name} was consulted on {consulted:%Y-%m-%d}"
    return _result(rule, fresh, detail, registry.article)


def _policy_cap(cap: Cap, job: Job, facts: Facts, instant: datetime) -> RuleResult:
    today = local_day(instant, job.zone)
    counted = counted_days(cap, facts.taken.calls, today, job.account_id)
    detail = f"{len(counted)} of {cap.count}"
    until = at(opens_on(cap, counted, today), time(0), job.zone)
    return _result(cap.name, len(counted) < cap.count, detail, cap.article, until)


def _gap(policy: Policy, facts: Facts, instant: datetime) -> RuleResult:
    rang = [call.at for call in facts.taken.calls if call.of_person]
    until = max(rang) + timedelta(minutes=policy.min_gap_minutes) if rang else instant
    detail = f"{policy.min_gap_minutes} minutes between two calls to a person"
    return _result("min_gap", until <= instant, detail, policy.source, until)


def _group(job: Job, book: Rulebook, facts: Facts, instant: datetime) -> RuleResult:
    _, tomorrow = day_bounds(local_day(instant, book.batch.zone), book.batch.zone)
    detail = (
        "has a place among the day's contacts"
        if facts.has_group_place
        else f"the day's {book.batch.daily_contacts} contacts are taken"
    )
    return _result("daily_contacts", facts.has_group_place, detail, "DAILY_CONTACTS", tomorrow)
