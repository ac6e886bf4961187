"""May I? Each rule alone, and the next instant at which it would be yes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.policies import preset, presets
from speechai.core.breaker import Breaker
from speechai.core.model import Taken
from speechai.core.rules import judge
from speechai.core.states import BatchState, JobState
from speechai.core.waiting import Waiting, WaitingFor
from tests.builders import MONDAY_NOON, a_job, a_rulebook, some_facts

TUESDAY_NINE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def places(count):
    return frozenset(range(1, count + 1))


def forbidden(verdict):
    return {rule.rule for rule in verdict.forbidding}


@pytest.mark.parametrize(
    ("variables", "zone"),
    [
        ({}, "America/Santiago"),
        ({"region": "Región de Magallanes y de la Antártica Chilena"}, "America/Punta_Arenas"),
        ({"comuna": "PUNTA ARENAS"}, "America/Punta_Arenas"),
        ({"comuna": "Isla de Pascua"}, "Pacific/Easter"),
        ({"region": "Valparaíso", "comuna": "Rapa Nui"}, "Pacific/Easter"),
        ({"region": "Valparaíso"}, "America/Santiago"),
        ({"nombre": "Magallanes"}, "America/Santiago"),
    ],
)
def test_the_place_that_the_file_gives_says_the_zone_of_a_mobile(variables, zone):
    job = a_job(variables=variables)
    assert [found.key for found in job.zones(preset("house"), "+56911111111")] == [zone]
    landline = a_job(variables={"comuna": "Isla de Pascua"})
    assert [found.key for found in landline.zones(preset("house"), "+56612223344")] == [
        "America/Punta_Arenas"
    ]


def test_allowed():
    verdict = judge(a_job(), a_rulebook(), some_facts(), MONDAY_NOON)
    assert verdict.allowed
    assert verdict.next_allowed_at == MONDAY_NOON
    assert all(rule.detail and rule.source for rule in verdict.rules)


DOWN = Breaker(5, MONDAY_NOON, MONDAY_NOON + timedelta(seconds=15), "no connection")


@pytest.mark.parametrize(
    ("rule", "job", "book", "facts", "next_at"),
    [
        ("kill_switch", {}, {}, {"stopped_by": "ana@ejemplo.cl"}, None),
        ("outage", {}, {}, {"breaker": DOWN}, MONDAY_NOON + timedelta(seconds=15)),
        ("job_state", {"status": JobState.IN_PROGRESS}, {}, {}, None),
        ("batch_state", {}, {"status": BatchState.PAUSED}, {}, None),
        ("batch_state", {}, {"status": BatchState.DRAFT}, {}, None),
        ("provider", {}, {"provider": "https://api.retellai.com#1"}, {}, None),
        ("policy", {}, {"policy": "anytime"}, {"provider_is_local": False}, None),
        ("paid", {}, {}, {"has_paid": True}, None),
        ("phone", {}, {}, {"number": None}, None),
        ("phone", {}, {}, {"usable": 0}, None),
        ("job_state", {"waiting": Waiting(WaitingFor.REVIEW)}, {}, {}, None),
        ("max_attempts", {"attempts": 9}, {}, {}, None),
        (
            "days_without_answer",
            {},
            {},
            {"days_without_answer": frozenset({date(2026, 11, day) for day in (18, 19, 20)})},
            None,
        ),
        (
            "not_before",
            {"waiting": Waiting(WaitingFor.TURN, MONDAY_NOON + timedelta(hours=1))},
            {},
            {},
            MONDAY_NOON + timedelta(hours=1),
        ),
        (
            "one_call_at_a_time",
            {},
            {},
            {"taken": Taken(person_open=True)},
            MONDAY_NOON + timedelta(seconds=30),
        ),
        (
            "one_call_at_a_time",
            {},
            {},
            {"taken": Taken(number_open=True)},
            MONDAY_NOON + timedelta(seconds=30),
        ),
        ("person_calls_per_day", {}, {}, {"taken": Taken(person_places=places(3))}, TUESDAY_NINE),
        ("number_calls_per_day", {}, {}, {"taken": Taken(number_places=places(3))}, TUESDAY_NINE),
        ("daily_contacts", {}, {}, {"has_group_place": False}, TUESDAY_NINE),
    ],
)
def test_each_rule_forbids_alone(rule, job, book, facts, next_at):
    policy = book.pop("policy", "house") if "policy" in book else "house"
    verdict = judge(a_job(**job), a_rulebook(policy, **book), some_facts(**facts), MONDAY_NOON)
    assert forbidden(verdict) == {rule}
    assert verdict.next_allowed_at == next_at


def test_outside_hours():
    evening = MONDAY_NOON + timedelta(hours=7)
    verdict = judge(a_job(), a_rulebook(), some_facts(), evening)
    assert forbidden(verdict) == {"window"}
    assert verdict.next_allowed_at == TUESDAY_NINE


def test_today_does_not_exclude_while_it_lasts():
    days = frozenset({date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)})
    assert judge(a_job(), a_rulebook(), some_facts(days_without_answer=days), MONDAY_NOON).allowed


def test_every_forbidding_rule_is_named():
    facts = some_facts(taken=Taken(person_places=places(3), person_open=True))
    verdict = judge(a_job(), a_rulebook(), facts, MONDAY_NOON + timedelta(hours=9))
    assert forbidden(verdict) == {"window", "one_call_at_a_time", "person_calls_per_day"}
    assert verdict.next_allowed_at == TUESDAY_NINE


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC)),
    st.sampled_from(list(presets())),
    st.integers(0, 4),
    st.integers(0, 4),
    st.booleans(),
    st.integers(-100, 100),
)
def test_what_waiting_can_heal_is_allowed_at_the_promised_instant(
    instant, policy, person_calls, number_calls, has_place, due_in_hours
):
    job = a_job(waiting=Waiting(WaitingFor.HOUR, instant + timedelta(hours=due_in_hours)))
    book = a_rulebook(policy)
    facts = some_facts(taken=Taken(places(person_calls), places(number_calls)), has_group_place=has_place)
    verdict = judge(job, book, facts, instant)
    assert verdict.next_allowed_at is not None
    if verdict.allowed:
        assert verdict.next_allowed_at == instant
        return
    later = verdict.next_allowed_at
    assert later >= instant
    # A new day has new places; on the same day the counts stand.
    new_day = later.astimezone(job.zone).date() > instant.astimezone(job.zone).date()
    assert judge(job, book, some_facts() if new_day else facts, later).allowed


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC)),
    st.integers(1, 10 * 24 * 60),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(["America/Santiago", "America/Argentina/Buenos_Aires", "Pacific/Easter"]),
)
def test_a_call_within_the_gap_is_on_a_date_that_is_looked_at(instant, gap, part, zone):
    policy = replace(preset("house"), min_gap_minutes=gap)
    before = instant - timedelta(minutes=gap) * part
    today, day = (moment.astimezone(ZoneInfo(zone)).date() for moment in (instant, before))
    assert (today - day).days < policy.looks_back_days


def test_a_job_that_waits_for_review_is_not_callable_and_says_so():
    job = a_job(waiting=Waiting(WaitingFor.REVIEW))
    verdict = judge(job, a_rulebook(), some_facts(), MONDAY_NOON)
    assert verdict.names == {"job_state"} and "a person must say" in verdict.decisive.detail
