"""Windows, holidays, DST and waves: both sides of every boundary."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.policies import preset, presets
from speechai.catalog.use_cases import Country
from speechai.core.calendar import (
    WAVE_GRACE,
    at,
    closed_reason,
    day_bounds,
    due_slots,
    next_opening,
    next_slot,
    slots_of,
)
from tests.builders import MONDAY_NOON, SANTIAGO

HOUSE, ANYTIME = preset("house"), preset("anytime")
TIMES = (time(9), time(12), time(15))


def local(text, zone=SANTIAGO):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2026-11-23T08:59:59.999", False),
        ("2026-11-23T09:00:00", True),
        ("2026-11-23T17:59:59.999", True),
        ("2026-11-23T18:00:00", False),  # half-open
        ("2026-11-27T12:00:00", True),  # Friday
        ("2026-11-28T12:00:00", False),  # Saturday
        ("2026-11-29T12:00:00", False),  # Sunday
        ("2026-12-08T12:00:00", False),  # Inmaculada Concepción
        ("2026-12-25T12:00:00", False),
    ],
)
def test_house_hours(when, is_open):
    assert (closed_reason(HOUSE, local(when), SANTIAGO, Country.CL) is None) is is_open


def test_a_holiday_says_its_name():
    reason = closed_reason(HOUSE, local("2026-09-18T12:00:00"), SANTIAGO, Country.CL)
    assert "holiday" in reason and "2026-09-18" in reason


def test_holidays_are_the_contacts_countrys():
    # 2026-12-08 is a holiday in both; 2026-07-09 only in Argentina.
    ar = ZoneInfo("America/Argentina/Buenos_Aires")
    assert closed_reason(HOUSE, local("2026-07-09T12:00:00", ar), ar, Country.AR)
    assert closed_reason(HOUSE, local("2026-07-09T12:00:00"), SANTIAGO, Country.CL) is None


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-23T12:00:00", "2026-11-23T12:00:00"),
        ("2026-11-23T08:00:00", "2026-11-23T09:00:00"),
        ("2026-11-23T18:00:00", "2026-11-24T09:00:00"),
        ("2026-11-27T18:00:00", "2026-11-30T09:00:00"),  # over the weekend
        ("2026-12-07T19:00:00", "2026-12-09T09:00:00"),  # over a holiday
        ("2026-09-05T19:00:00", "2026-09-07T09:00:00"),  # the clocks go forward on the 6th
    ],
)
def test_the_next_opening(now, opens):
    assert next_opening(HOUSE, local(now), SANTIAGO, Country.CL) == local(opens)


instants = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)
zones = st.sampled_from(
    [
        SANTIAGO,
        ZoneInfo("America/Punta_Arenas"),
        ZoneInfo("Pacific/Easter"),
        ZoneInfo("America/Argentina/Buenos_Aires"),
        ZoneInfo("America/New_York"),
    ]
)


@given(instants, zones, st.sampled_from(list(presets().values())), st.sampled_from(list(Country)))
def test_the_next_opening_is_open_and_nothing_before_it_is(instant, zone, policy, country):
    opens = next_opening(policy, instant, zone, country)
    assert opens is not None and opens >= instant
    assert closed_reason(policy, opens, zone, country) is None
    if opens > instant:
        assert closed_reason(policy, opens - timedelta(microseconds=1), zone, country) is not None
        # Slowly: no minute between now and then is open, as far as two days back.
        probe = max(instant, opens - timedelta(days=2))
        while probe < opens:
            assert closed_reason(policy, probe, zone, country) is not None
            probe += timedelta(minutes=17)


@given(instants, zones)
def test_a_day_has_its_bounds(instant, zone):
    day = instant.astimezone(zone).date()
    first, after = day_bounds(day, zone)
    assert first <= instant < after
    assert after - first in (timedelta(hours=23), timedelta(hours=24), timedelta(hours=25))


def test_anytime_is_always_open():
    assert closed_reason(ANYTIME, local("2026-12-25T00:00:00"), SANTIAGO, Country.CL) is None
    assert closed_reason(ANYTIME, local("2026-12-25T23:59:59"), SANTIAGO, Country.CL) is None


LONG_AGO = MONDAY_NOON - timedelta(days=30)


@pytest.mark.parametrize(
    ("now", "since", "opened", "missed"),
    [
        ("2026-11-23T08:59:59", "2026-11-23T08:00:00", None, []),
        ("2026-11-23T09:00:00", "2026-11-23T08:00:00", "09:00", []),
        ("2026-11-23T09:29:59", "2026-11-23T08:00:00", "09:00", []),
        ("2026-11-23T09:30:00", "2026-11-23T08:00:00", None, ["09:00"]),  # due for 30 minutes
        ("2026-11-23T12:10:00", "2026-11-23T08:00:00", "12:00", ["09:00"]),  # only the latest of several
        ("2026-11-23T12:10:00", "2026-11-23T10:00:00", "12:00", []),  # not active at 09:00
        ("2026-11-23T12:10:00", "2026-11-23T12:05:00", None, []),  # started after it
        ("2026-11-23T12:00:00", "2026-11-23T12:00:00", "12:00", []),
    ],
)
def test_which_wave_is_due(now, since, opened, missed):
    due = due_slots(local(now), local(since), TIMES, SANTIAGO)
    assert (due.open.label if due.open else None) == opened
    assert [slot.label for slot in due.missed] == missed


def test_a_wave_before_midnight_is_not_forgotten():
    due = due_slots(local("2026-11-24T00:10:00"), LONG_AGO, (time(9), time(23, 50)), SANTIAGO)
    assert due.open.day == date(2026, 11, 23) and due.open.label == "23:50"


@given(instants, st.lists(st.times().map(lambda t: t.replace(microsecond=0)), min_size=1, max_size=5), zones)
def test_a_due_wave_opened_at_most_30_minutes_ago(instant, times, zone):
    due = due_slots(instant, instant - timedelta(days=10), tuple(times), zone)
    if due.open:
        assert timedelta(0) <= instant - due.open.opens_at < WAVE_GRACE
    labels = [slot.opens_at for slot in due.missed]
    assert labels == sorted(labels)


@given(instants, zones)
def test_the_next_wave_is_never_in_the_past(instant, zone):
    slot = next_slot(instant, TIMES, zone)
    assert slot.opens_at >= instant
    assert slot.opens_at - instant <= timedelta(hours=19)


def test_waves_of_a_day_in_order():
    assert [slot.label for slot in slots_of(date(2026, 11, 23), (time(15), time(9)), SANTIAGO)] == [
        "09:00",
        "15:00",
    ]
    assert at(date(2026, 11, 23), time(9), SANTIAGO) == datetime(2026, 11, 23, 12, tzinfo=UTC)
