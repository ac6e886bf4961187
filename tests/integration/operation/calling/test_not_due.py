"""A message for a job whose own time has not come: late, delivered again, or sent by hand (I4).

Nothing that would only postpone or suspend the job takes away what it waits for.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from bson.decimal128 import Decimal128

from speechai.operation import recovery
from speechai.operation.calling import dialing, dispatching
from speechai.operation.campaigns import accounts, jobs
from speechai.store.attempt_documents import AlreadyOpenError
from tests.builders import MONDAY_NOON
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone

EIGHT = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
NINE, TWELVE, FIFTEEN = (EIGHT + timedelta(hours=hours) for hours in (1, 4, 7))
MINUTE = timedelta(minutes=1)


def at(services, instant):
    services.clock.set(instant)
    recovery.sweep(services)
    services.nudges.tick()


def minutes(services, start, end, step=5):
    while start <= end:
        at(services, start)
        start += step * MINUTE


def message(services, number=1):
    """A message of call_contact that comes late, or again."""
    dialed = dialing.dial(services, job_id(number=number))
    services.nudges.run()
    return dialed


def metered(services, **batch):
    accounts.make(services, "acme", {"name": "Acme", "plan": "credit_based"}, "test", "en")
    top_up(services, 10_000)
    add_batch(services, account_id="acme", **batch)
    services.store.db["call_jobs"].update_many({}, {"$set": {"account_id": "acme"}})


def top_up(services, cents):
    accounts.top_up(services, "acme", {"cents": cents}, "test")


def broke(services):
    services.store.db["accounts"].update_one({"_id": "acme"}, {"$set": {"funds.balance": Decimal128("0")}})


@pytest.fixture
def waved(services, provider):
    """Called by the wave of 09:00 without an answer: waits for that of 12:00, due from 10:00 on."""
    services.clock.set(EIGHT)
    metered(services, policy="house", start="next_wave")
    at(services, NINE)
    assert len(provider.rings) == 1
    assert job_of(services)["waiting_for"] == "wave"
    return services


@pytest.fixture
def agreed(services, worker, provider):
    """A message is on its way when an operator agrees tomorrow at noon with the person."""
    metered(services)
    assert dispatching.dispatch(services) == 1 or worker.inbox
    worker.run(before="call_contact")
    jobs.call_back(services, job_id(), MONDAY_NOON + timedelta(days=1), "ana")
    assert not provider.rings
    return services


def test_one_whose_account_lacks_money_waits_for_its_wave_afterwards(waved, provider):
    waved.clock.set(NINE + 5 * MINUTE)
    broke(waved)
    message(waved)
    top_up(waved, 10_000)
    minutes(waved, NINE + 6 * MINUTE, TWELVE - MINUTE)
    assert len(provider.rings) == 1
    at(waved, TWELVE)
    assert len(provider.rings) == 2


def test_one_whose_person_is_on_another_call_waits_for_its_wave(waved, provider):
    """SOON at a second message after its pause."""
    waved.clock.set(NINE + 70 * MINUTE)
    provider.script[phone(1)] = ["no_answer", "never_ends", "no_answer"]
    add_batch(waved, batch_id="batch-2", start="now")  # the same person, in another batch
    waved.nudges.run(before="poll_call")
    assert len(provider.rings) == 2
    dialing.dial(waved, job_id())
    waved.nudges.inbox.clear()
    assert job_of(waved)["waiting_for"] == "wave"


def test_one_whose_rules_raise_keeps_its_pause_and_its_wave(waved, provider, monkeypatch):
    waved.clock.set(NINE + 5 * MINUTE)
    monkeypatch.setattr(dialing, "may_i", lambda *_, **__: 1 / 0)
    with contextlib.suppress(ZeroDivisionError):
        dialing.dial(waved, job_id())
    monkeypatch.undo()
    minutes(waved, NINE + 6 * MINUTE, TWELVE - MINUTE)
    assert len(provider.rings) == 1


def test_without_waves_one_whose_rules_raise_keeps_its_pause(services, worker, provider, monkeypatch):
    add_batch(services)
    worker.run()
    due = job_of(services)["next_attempt_at"]
    assert due >= MONDAY_NOON + 60 * MINUTE
    monkeypatch.setattr(dialing, "may_i", lambda *_, **__: 1 / 0)
    with contextlib.suppress(ZeroDivisionError):
        dialing.dial(services, job_id())
    monkeypatch.undo()
    minutes(services, MONDAY_NOON + 6 * MINUTE, MONDAY_NOON + 50 * MINUTE)
    assert len(provider.rings) == 1


def test_one_that_another_was_quicker_for_keeps_its_wave(waved, provider, monkeypatch):
    """NoPlaceLeft / AlreadyOpen at a second message after its pause."""
    waved.clock.set(NINE + 70 * MINUTE)

    def taken(*_, **__):
        raise AlreadyOpenError

    monkeypatch.setattr(type(waved.store.attempts), "reserve", taken)
    dialing.dial(waved, job_id())
    monkeypatch.undo()
    assert job_of(waved)["waiting_for"] == "wave"


def test_one_of_another_provider_keeps_its_wave(waved, provider):
    waved.clock.set(NINE + 5 * MINUTE)
    batch = waved.store.db["batches"]
    right = batch.find_one()["provider"]
    batch.update_one({}, {"$set": {"provider": "other"}})
    message(waved)
    batch.update_one({}, {"$set": {"provider": right}})
    minutes(waved, NINE + 6 * MINUTE, TWELVE - MINUTE)
    assert len(provider.rings) == 1


def test_a_new_one_that_lacks_money_is_not_forgotten(services, provider):
    """README: one contact by hand, `celery call tasks.calls.call_contact` (the rules bind it too)."""
    services.clock.set(EIGHT)
    metered(services, policy="house", start="next_wave")
    broke(services)
    message(services)
    top_up(services, 10_000)
    for days in range(3):
        for instant in (NINE, TWELVE, FIFTEEN):
            at(services, instant + timedelta(days=days))
    assert provider.rings


def keeps_the_hour(services, provider):
    minutes(services, MONDAY_NOON + MINUTE, MONDAY_NOON + 60 * MINUTE)
    assert not provider.rings
    at(services, MONDAY_NOON + timedelta(days=1))
    assert len(provider.rings) == 1


def test_an_hour_agreed_meanwhile_outlives_the_message(agreed, worker, provider):
    worker.run()
    keeps_the_hour(agreed, provider)


def test_an_hour_agreed_meanwhile_outlives_a_lack_of_money(agreed, worker, provider):
    broke(agreed)
    worker.run()
    top_up(agreed, 10_000)
    keeps_the_hour(agreed, provider)


def test_an_hour_agreed_meanwhile_outlives_a_rule_that_suspends(agreed, worker, provider):
    batch = agreed.store.db["batches"]
    right = batch.find_one()["provider"]
    batch.update_one({}, {"$set": {"provider": "other"}})
    worker.run()
    batch.update_one({}, {"$set": {"provider": right}})
    keeps_the_hour(agreed, provider)


def test_an_hour_agreed_meanwhile_outlives_rules_that_raise(agreed, worker, provider, monkeypatch):
    monkeypatch.setattr(dialing, "may_i", lambda *_, **__: 1 / 0)
    with contextlib.suppress(ZeroDivisionError):
        worker.run()
    monkeypatch.undo()
    keeps_the_hour(agreed, provider)
