"""Whether a policy can be judged by: it is tried on a year of instants before anybody is called by it.

A policy that can be read may still be impossible: a calendar that nobody knows, hours that never come. A wave
would be the first to find out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import product
from zoneinfo import ZoneInfo

from speechai.catalog.policies import Consent, Policy, preset
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.breaker import CLOSED
from speechai.core.calendar import day_bounds, knows_holidays, next_opening_everywhere
from speechai.core.caps import PastCall
from speechai.core.model import Attempt, Batch, Job, Limits, Rulebook, Taken
from speechai.core.next_step import next_step
from speechai.core.outcomes import Outcome
from speechai.core.rules import Facts, judge
from speechai.core.states import AttemptState, BatchState, JobState
from speechai.core.zones import ZONE_OF_COUNTRY, ZONES_OF_COUNTRY, local_day

DAYS = 366
STRIDE = timedelta(hours=29)  # between two instants that are tried: every hour of the day comes in time
USE_CASES = (UseCaseId.DEBT_COLLECTION, UseCaseId.MARKETING)  # the rules know marketing from the rest
_CALENDARS = ("contact", "none")  # of the person's own country; no holidays at all


class Impossible(StrEnum):
    """Why nobody can be called by a policy."""

    UNKNOWN_HOLIDAYS = "unknown_holidays"
    NEVER_OPENS = "never_opens"
    NOT_JUDGED = "not_judged"
    """A rule cannot be worked out with it; `detail` says why."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a policy: the field, and what of it."""

    field: str
    why: Impossible
    detail: str


@functools.lru_cache(maxsize=256)
def flaw_of(policy: Policy, since: date) -> Flaw | None:
    """What is wrong with the policy in the year from `since` on, or None where it can be called by."""
    if policy.holidays not in _CALENDARS and not knows_holidays(policy.holidays):
        return Flaw("holidays", Impossible.UNKNOWN_HOLIDAYS, policy.holidays)
    try:
        closed = next((country for country in Country if not _opens(policy, country, since)), None)
        if closed:
            return Flaw("windows", Impossible.NEVER_OPENS, closed.value)
        _judge_a_year(policy, since)
    except Exception as error:  # whatever it is, it would be raised in a wave
        return Flaw(_culprit(policy, since), Impossible.NOT_JUDGED, f"{type(error).__name__}: {error}")
    return None


def _opens(policy: Policy, country: Country, since: date) -> bool:
    """Whether an hour to call comes again and again, wherever in the country somebody is."""
    zones = ZONES_OF_COUNTRY[country]
    places = [zones] if policy.tz_rule == "strictest" else [(zone,) for zone in zones]
    return all(
        next_opening_everywhere(policy, instant, place, country)
        for place in places
        for instant in _days(since, place[0])
    )


def _days(since: date, zone: ZoneInfo) -> Iterator[datetime]:
    return (day_bounds(since + timedelta(days=offset), zone)[0] for offset in range(DAYS))


def _judge_a_year(policy: Policy, since: date) -> None:
    instants = [datetime.combine(since, time(0), UTC) + STRIDE * turn for turn in range(DAYS * 24 // 29)]
    for country, use_case, instant in product(Country, USE_CASES, instants):
        book, job = _book(policy, country, use_case), _job(country)
        for facts in (_facts(job, policy, ()), _facts(job, policy, _calls(job, instant))):
            judge(job, book, facts, instant)
        attempt = _attempt(job, instant)
        next_step(job, book, Outcome.GOAL_NOT_MET, [attempt], instant)


def _culprit(policy: Policy, since: date) -> str:
    """The field that alone spoils a policy that works."""
    sound = preset("house")
    for entry in fields(Policy):
        try:
            _judge_a_year(replace(sound, **{entry.name: getattr(policy, entry.name)}), since)
        except Exception:  # this one: it is the answer, not an accident
            return entry.name
    return "policy"


# -- somebody to judge it by ------------------------------------------------------------------------


def _job(country: Country) -> Job:
    number = {Country.CL: "+56911111111", Country.AR: "+5491111111111"}[country]
    return Job(
        id="job",
        batch_id="batch",
        account_id="account",
        person_id="person",
        country=country,
        status=JobState.PENDING,
        reason=None,
        waiting=None,
        phones=(number,),
        struck_phones=frozenset(),
        attempts=0,
        max_attempts=9,
        group_date=None,
        attempt_id=None,
        document=None,
        document_label=None,
        name="",
        company=None,
        debt=None,
    )


def _book(policy: Policy, country: Country, use_case: UseCaseId) -> Rulebook:
    zone = ZONE_OF_COUNTRY[country]
    batch = Batch(
        id="batch",
        account_id="account",
        name="",
        status=BatchState.RUNNING,
        use_case=use_case,
        country=country,
        policy_id=policy.id,
        provider="",
        continuous=False,
        wave_times=(time(9), time(12), time(15)),
        zone=zone,
        daily_contacts=60,
        company=None,
        deadline_days=None,
        final_deadline_days=None,
        max_attempts=9,
        agent_id=None,
        active_since=None,
        consent=Consent.NONE,
    )
    half_an_hour = timedelta(minutes=30)
    return Rulebook(policy, Limits(3, 3, half_an_hour, half_an_hour), batch)


def _facts(job: Job, policy: Policy, calls: tuple[PastCall, ...]) -> Facts:
    return Facts(
        provider="",
        provider_is_local=True,
        stopped_by=None,
        breaker=CLOSED,
        taken=Taken(calls=calls),
        days_without_answer=frozenset(),
        has_group_place=True,
        number=job.phones[0],
        registries={registry.name: call.at for registry in policy.registries for call in calls},
    )


def _calls(job: Job, instant: datetime) -> tuple[PastCall, ...]:
    """A conversation an hour ago, and one yesterday: more than any cap of one allows."""
    ago = (instant - timedelta(hours=hours) for hours in (25, 1))
    return tuple(PastCall(at, local_day(at, job.zone), True, True, job.account_id, True) for at in ago)


def _attempt(job: Job, instant: datetime) -> Attempt:
    return Attempt(
        id="attempt",
        job_id=job.id,
        batch_id=job.batch_id,
        account_id=job.account_id,
        person_id=job.person_id,
        to_number=job.phones[0],
        from_number="",
        status=AttemptState.SETTLED,
        person_day=local_day(instant, job.zone),
        uses_place=True,
        reserved_at=instant,
        posted_at=instant,
        last_posted_at=instant,
        call_id=None,
        outcome=Outcome.GOAL_NOT_MET,
        lease_until=instant,
        poll_token=None,
        provider="",
    )
