"""Calls whose own chains were lost, or that are too many to have one, are looked at in pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from speechai.operation.calling.following import FEW, look, look_in_pages
from tests.integration.operation.conftest import add_batch, job_of

INTERVAL = timedelta(seconds=15)


@pytest.fixture
def in_flight(make, provider):
    """Calls that go on, whose chains were lost and whose time to be looked at has come."""

    def made(calls):
        services = make(max_concurrent_calls=calls, call_polling_interval=INTERVAL.total_seconds())
        provider.default = "never_ends"
        add_batch(services, people=calls)
        services.nudges.run(before="poll_call")
        assert len(provider.rings) == calls
        services.nudges.inbox.clear()
        overdue(services)
        return services

    return made


def overdue(services):
    services.store.db["call_logs"].update_many(
        {}, {"$set": {"lease_until": datetime(2000, 1, 1, tzinfo=UTC)}}
    )


def test_a_page_looks_at_all_of_them_again_within_the_interval(in_flight):
    services = in_flight(FEW + 5)
    assert look_in_pages(services) == FEW + 5
    assert look_in_pages(services) == 0
    attempts = list(services.store.attempts.export("batch-1"))
    latest = max(attempt["lease_until"] for attempt in attempts) - datetime.now(UTC)
    assert timedelta(0) < latest <= INTERVAL / 2  # pages come every 5 s
    assert not services.nudges.inbox and {attempt["poll_token"] for attempt in attempts} == {None}


def test_a_page_gives_a_chain_to_the_call_that_ended(in_flight, provider):
    services = in_flight(FEW + 5)
    next(iter(provider.calls.values()))["scripted"] = "promise"
    look_in_pages(services)
    assert [name for name, _, _ in services.nudges.inbox] == ["poll_call"]
    services.nudges.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("done", "goal_met")


def test_a_few_are_asked_for_one_by_one(in_flight):
    services = in_flight(FEW)
    assert look_in_pages(services) == FEW
    assert [(name, delay) for name, _, delay in services.nudges.inbox] == [("poll_call", 0)] * FEW


def test_a_call_that_goes_on_for_too_long_leaves_the_pages_and_is_ended(in_flight, provider):
    services = in_flight(FEW + 5)
    services.clock.advance(timedelta(minutes=11))
    look_in_pages(services)
    assert len(services.nudges.inbox) == FEW + 5
    for _, arguments, _ in list(services.nudges.inbox):
        look(services, *arguments)
    assert len(provider.stopped) == FEW + 5
