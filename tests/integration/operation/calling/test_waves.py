"""Waves and the day's group, on a manual clock and the real mongod."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from speechai.core.states import WaveState
from speechai.operation.calling.waves import WaveResult, open_waves, run_wave
from speechai.operation.recovery import sweep
from tests.builders import MONDAY_NOON
from tests.integration.operation.conftest import add_batch, job_of

DAY = date(2026, 11, 23)
EIGHT = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
NINE, TWELVE, FIFTEEN = (EIGHT + timedelta(hours=hours) for hours in (1, 4, 7))


def at(services, instant):
    services.clock.set(instant)
    opened = services.nudges.tick()
    return opened


def test_a_day_of_three_waves(services, provider):
    services.clock.set(EIGHT)
    add_batch(services, people=100, policy="house", start="next_wave")
    assert provider.requests == []
    assert at(services, NINE) == 1
    assert len(provider.rings) == 60  # the day's group
    assert at(services, NINE + timedelta(minutes=1)) == 0
    assert at(services, TWELVE) == 1
    assert len(provider.rings) == 120  # the unreached of the morning
    assert at(services, FIFTEEN) == 1
    assert len(provider.rings) == 180
    assert len({call["to_number"] for call in provider.rings}) == 60
    waves = services.store.waves.of_batch("batch-1")
    assert [(wave["slot"], wave["status"], wave["released"]) for wave in waves] == [
        ("15:00", "run", 60),
        ("12:00", "run", 60),
        ("09:00", "run", 60),
    ]


def test_the_next_day_begins_with_carry_over(services, provider):
    services.clock.set(EIGHT)
    add_batch(services, people=100, policy="house", start="next_wave")
    for instant in (NINE, TWELVE, FIFTEEN):
        at(services, instant)
    first_day = {call["to_number"] for call in provider.rings}
    at(services, NINE + timedelta(days=1))
    second_day = {call["to_number"] for call in provider.rings[180:]}
    assert second_day == first_day  # all 60 are carried over: no room for new ones


def test_whoever_was_reached_leaves_room_only_on_the_next_day(services, provider):
    services.clock.set(EIGHT)
    provider.default = "promise"
    add_batch(services, people=100, policy="house", start="next_wave")
    for instant in (NINE, TWELVE, FIFTEEN):
        at(services, instant)
    assert len(provider.rings) == 60
    at(services, NINE + timedelta(days=1))
    assert len(provider.rings) == 100


def test_a_wave_is_run_once_however_often_it_is_asked_for(services, provider):
    services.clock.set(EIGHT)
    add_batch(services, people=3, policy="house", start="next_wave")
    services.clock.set(NINE)
    results = [run_wave(services, "batch-1", DAY, "09:00") for _ in range(3)]
    assert results == [WaveResult.RUN, WaveResult.ALREADY, WaveResult.ALREADY]
    services.nudges.run()
    assert len(provider.rings) == 3


def test_a_wave_by_hand_for_another_day_calls_nobody(services, provider):
    add_batch(services, people=3, policy="anytime", start="next_wave")
    assert run_wave(services, "batch-1", DAY + timedelta(days=1), "09:00") is WaveResult.NOT_TODAY
    assert run_wave(services, "no-such-batch", DAY, "09:00") is WaveResult.NOT_RUNNING
    assert run_wave(services, "batch-1", DAY, "09:00") is WaveResult.RUN


def test_a_wave_that_the_policy_forbids_is_skipped_with_its_rule(services, provider):
    saturday_nine = NINE + timedelta(days=5)
    services.clock.set(EIGHT + timedelta(days=5))
    add_batch(services, people=3, policy="house", start="next_wave")
    services.clock.set(saturday_nine)
    assert open_waves(services) == 0
    [wave] = services.store.waves.of_batch("batch-1")
    assert (wave["status"], wave["rule"]) == ("skipped", "window")
    services.nudges.run()
    assert provider.requests == []


def test_a_late_tick_runs_the_latest_wave_and_records_the_others_missed(services, provider):
    services.clock.set(EIGHT)
    add_batch(services, people=3, policy="house", start="next_wave")
    assert at(services, TWELVE + timedelta(minutes=29)) == 1
    waves = {wave["slot"]: wave["status"] for wave in services.store.waves.of_batch("batch-1")}
    assert waves == {"09:00": "missed", "12:00": "run"}


def test_after_thirty_minutes_a_wave_is_missed(services, provider):
    services.clock.set(EIGHT)
    add_batch(services, people=3, policy="house", start="next_wave")
    assert at(services, NINE + timedelta(minutes=30)) == 0
    [wave] = services.store.waves.of_batch("batch-1")
    assert wave["status"] == "missed"
    assert provider.requests == []


def test_a_batch_started_after_a_wave_waits_for_the_next(services, provider):
    services.clock.set(NINE + timedelta(minutes=5))
    add_batch(services, people=3, policy="house", start="next_wave")
    assert at(services, NINE + timedelta(minutes=6)) == 0
    assert services.store.waves.of_batch("batch-1") == []
    assert at(services, TWELVE) == 1


def test_an_interrupted_wave_is_finished_by_the_sweep(services, provider):
    from speechai.operation.recovery import sweep

    services.clock.set(EIGHT)
    add_batch(services, people=3, policy="house", start="next_wave")
    services.clock.set(NINE)
    services.store.waves.record(
        "batch-1", DAY, "09:00", WaveState.OPEN, {"at": NINE}
    )  # and then the lights went out
    sweep(services)
    services.nudges.run()
    assert len(provider.rings) == 3


def test_a_callback_is_kept_at_its_hour_between_the_waves(services, provider):
    services.clock.set(EIGHT)
    provider.default = "callback"  # without an hour: two hours later
    add_batch(services, policy="house", start="next_wave")
    at(services, NINE)
    assert job_of(services)["next_attempt_at"] > NINE + timedelta(hours=2)
    at(services, NINE + timedelta(hours=2, minutes=2))
    assert len(provider.rings) == 2
    assert len(services.store.waves.of_batch("batch-1")) == 1


def test_a_continuous_batch_calls_its_days_contacts_and_goes_on_the_next_day(services, provider):
    provider.default = "promise"
    services.clock.set(MONDAY_NOON)
    add_batch(services, people=25, policy="house", start="now", daily_contacts=10)
    services.nudges.run()
    assert len(provider.rings) == 10
    at(services, MONDAY_NOON + timedelta(hours=1))
    assert len(provider.rings) == 10
    at(services, NINE + timedelta(days=1))
    assert len(provider.rings) == 20
    at(services, NINE + timedelta(days=2))
    assert len(provider.rings) == 25


def test_a_continuous_batch_started_at_night_opens_with_the_window(services, provider):
    services.clock.set(MONDAY_NOON + timedelta(hours=10))
    provider.default = "promise"
    add_batch(services, people=5, policy="house", start="now")
    services.nudges.run()
    assert provider.requests == []
    at(services, NINE + timedelta(days=1))
    services.nudges.tick()
    assert len(provider.rings) == 5


@pytest.mark.parametrize("first", ["the sweep", "the minute"])
def test_a_wave_waits_for_nobody_who_began_before_its_minute(services, worker, provider, first):
    """One of the two that open waves has passed the batch by, at 08:59:59, and is at another one; or died."""
    services.clock.advance(timedelta(hours=-3, seconds=-1))
    add_batch(services, policy="house", start="next_wave")
    busy = {"the sweep": "due_waves", "the minute": "waves_at_their_minute"}[first]
    assert services.store.sweeps.take(busy, "another", 45)
    services.clock.advance(timedelta(seconds=1))
    if first == "the sweep":
        worker.tick()
    else:
        sweep(services)
        worker.run()
    assert len(provider.rings) == 1
