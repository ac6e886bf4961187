"""The day's places for different people: a crash between taking one and giving it away leaks none."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from speechai.core.zones import local_day
from speechai.operation.calling.dialing import dial
from speechai.operation.calling.places import heal_places
from speechai.store.groups import GroupRepository
from tests.builders import MONDAY_NOON, SANTIAGO
from tests.integration.operation.conftest import add_batch, job_id, job_of
from tests.integration.operation.writes import KilledError, dies

DAY = date(2026, 11, 23)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def a_while_later(services):
    """As if nobody had taken a place for longer than a lease."""
    services.store.db["batch_days"].update_many({}, {"$set": {"taken_at": LONG_AGO}})


def size(services):
    return services.store.groups.size("batch-1", local_day(services.clock.now(), SANTIAGO))


def test_a_place_that_a_dying_dialer_took_is_free_again(services, worker, monkeypatch):
    add_batch(services, daily_contacts=1, start="next_wave")
    services.store.db["call_jobs"].update_many(
        {}, {"$set": {"waiting_for": "hour", "next_attempt_at": services.clock.now()}}
    )
    with monkeypatch.context() as dying, pytest.raises(KilledError):
        dying.setattr(GroupRepository, "note_place", dies)
        dial(services, job_id())
    assert (size(services), job_of(services)["group_date"]) == (1, None)
    a_while_later(services)
    assert heal_places(services, services.store.batches.get("batch-1")) == 1
    dial(services, job_id())
    assert (size(services), job_of(services)["group_date"]) == (1, DAY.isoformat())


def test_while_places_are_being_taken_nothing_is_counted(services):
    add_batch(services, people=3, start="next_wave")
    assert services.store.groups.take_place("batch-1", DAY, 60)
    assert heal_places(services, services.store.batches.get("batch-1")) == 0
    assert size(services) == 1


def test_a_place_that_is_taken_during_the_count_is_not_lost(services, monkeypatch):
    add_batch(services, people=3, start="next_wave")
    groups = services.store.groups
    assert groups.recruit_new("batch-1", DAY, 1, MONDAY_NOON) == 1
    a_while_later(services)
    count = groups._jobs.count_documents

    def meanwhile(wanted):
        counted = count(wanted)
        assert groups.recruit_new("batch-1", DAY, 2, MONDAY_NOON) == 1
        return counted

    monkeypatch.setattr(groups._jobs, "count_documents", meanwhile)
    assert heal_places(services, services.store.batches.get("batch-1")) == 0
    assert size(services) == 2


def test_each_day_is_counted_once_after_it_came_to_rest(services, monkeypatch):
    add_batch(services, people=3, start="now")
    a_while_later(services)
    assert heal_places(services, services.store.batches.get("batch-1")) == 0
    monkeypatch.setattr(services.store.groups._jobs, "count_documents", dies)
    assert heal_places(services, services.store.batches.get("batch-1")) == 0
