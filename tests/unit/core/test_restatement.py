"""The engine against a slow, obvious re-statement of the policies, written without looking at the engine.

The re-statement walks through minutes and counts through lists. Nothing that it forbids may be allowed, and
nothing that waiting heals may be forbidden for ever.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from speechai.catalog.policies import presets
from speechai.catalog.use_cases import Country
from speechai.core.caps import PastCall
from speechai.core.model import Taken
from speechai.core.rules import judge
from speechai.core.waiting import Waiting, WaitingFor
from tests.builders import a_job, a_rulebook, some_facts

CALENDARS = {"MX": {}, "CO": {}, "PE": {}, "ES": {}, "BR-SP": {"subdiv": "SP"}, "CL": {}, "AR": {}}
JUDGED = {"window", "min_gap"}


def is_holiday(policy, day: date, country: Country) -> bool:
    if policy.holidays == "none":
        return False
    name = country.value if policy.holidays == "contact" else policy.holidays
    return day in holidays.country_holidays(name.split("-")[0], years=[day.year], **CALENDARS[name])


def may_call(policy, job, calls: list[PastCall], instant: datetime) -> bool:
    """Hours, holidays, caps and gaps, said as plainly as can be."""
    for zone in job.zones(policy, job.phones[0]):
        there = instant.astimezone(zone)
        if is_holiday(policy, there.date(), job.country):
            return False
        minute = there.hour * 60 + there.minute
        open_now = False
        for window in policy.windows:
            begin = window.start.hour * 60 + window.start.minute
            end = 24 * 60 if window.end == time(0) else window.end.hour * 60 + window.end.minute
            if there.isoweekday() in window.days and begin <= minute < end:
                open_now = True
        if not open_now:
            return False
    today = instant.astimezone(job.zone).date()
    for cap in policy.caps:
        if cap.per == "day":
            dates = [today]
        elif cap.per == "week":
            monday = today - timedelta(days=today.weekday())
            dates = [monday + timedelta(days=n) for n in range(7)]
        else:
            dates = [today - timedelta(days=n) for n in range(cap.days)]
        seen = 0
        for call in calls:
            about = call.of_number if cap.scope == "number" else call.of_person
            mine = cap.scope != "debt" or call.account_id == job.account_id
            if call.day in dates and about and mine and (cap.of == "attempt" or call.is_conversation):
                seen += 1
        if seen >= cap.count:
            return False
    gap = timedelta(minutes=policy.min_gap_minutes)
    return all(call.at + gap <= instant for call in calls if call.of_person)


@st.composite
def situations(draw):
    """A policy, a contact, an instant of any season (DST days included), and a history before it."""
    policy = presets()[draw(st.sampled_from(sorted(presets())))]
    country = draw(st.sampled_from(list(Country)))
    number = draw(st.sampled_from(["+56912345678", "+56612345678", "+56322100123", "+541145678901"]))
    minutes = draw(st.integers(0, 2 * 365 * 24 * 60))
    instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    job = a_job(country=country, phones=(number,), waiting=Waiting(WaitingFor.WAVE))
    calls = []
    for _ in range(draw(st.integers(0, 9))):
        at = instant - timedelta(minutes=draw(st.integers(0, 9 * 24 * 60)))
        calls.append(
            PastCall(
                at=at,
                day=at.astimezone(job.zone).date(),
                of_person=draw(st.booleans()),
                of_number=draw(st.booleans()),
                account_id=draw(st.sampled_from(["default", "another"])),
                is_conversation=draw(st.booleans()),
            )
        )
    return policy, job, calls, instant


def engine_allows(policy, job, calls, instant) -> bool:
    facts = some_facts(taken=Taken(calls=tuple(calls)), number=job.phones[0])
    verdict = judge(job, a_rulebook(policy.id), facts, instant)
    ours = JUDGED | {cap.name for cap in policy.caps}
    return all(rule.allowed for rule in verdict.rules if rule.rule in ours)


@settings(max_examples=2_000)
@given(situations())
def test_the_engine_and_the_restatement_agree(situation):
    policy, job, calls, instant = situation
    assert engine_allows(policy, job, calls, instant) == may_call(policy, job, calls, instant)


@settings(max_examples=500)
@given(situations())
def test_what_is_forbidden_is_allowed_at_the_promised_instant_and_not_a_minute_before(situation):
    policy, job, calls, instant = situation
    facts = some_facts(
        taken=Taken(calls=tuple(calls)),
        number=job.phones[0],
        registries=dict.fromkeys(("no_llame", "crc", "robinson"), instant),
    )
    verdict = judge(job, a_rulebook(policy.id), facts, instant)
    promised = verdict.next_allowed_at
    assert promised is not None and promised >= instant
    assert may_call(policy, job, calls, promised)
    if promised > instant:
        assert not may_call(policy, job, calls, promised - timedelta(minutes=1))
