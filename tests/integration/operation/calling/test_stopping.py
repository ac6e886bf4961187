"""The kill switch and the circuit breaker: nobody new is rung, nobody loses an attempt, and it goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE
from speechai.core.states import AttemptState
from speechai.operation.calling import stopping
from speechai.operation.calling.dialing import dial
from speechai.operation.calling.dispatching import dispatch
from speechai.operation.calling.placing import DialResult
from speechai.operation.recovery import sweep
from speechai.retell.errors import Refused, Retryable, UnknownResult
from speechai.store import StoreError
from tests.integration.operation.conftest import add_batch, job_id, job_of

DOWN = Retryable("no connection")


def tick(services, worker):
    worker.dispatch()
    worker.run()


def test_while_stopped_nobody_is_rung_and_afterwards_everybody(services, worker, provider):
    provider.default = "promise"
    stopping.stop(services, "ana")
    add_batch(services, 5)
    tick(services, worker)
    assert provider.requests == []
    assert dial(services, job_id()).result is DialResult.HELD  # by hand neither
    assert job_of(services)["status"] == "pending"
    state = stopping.resume(services, "beto")
    worker.run()
    assert state == {"stopped": False, "by": None, "at": None, "live_calls": 0}
    assert len(provider.rings) == 5


def test_a_stop_is_kept_with_its_author_and_on_record(services):
    stopping.stop(services, "ana")
    assert stopping.stop(services, "beto")["by"] == "ana"
    stopping.resume(services, "beto")
    stopping.resume(services, "caro")
    [stop] = services.store.db["stops"].find()
    assert (stop["by"], stop["ended_by"]) == ("ana", "beto")


def test_a_repost_reads_the_stop_too(services, worker, provider):
    provider.fail_creates.append(UnknownResult("no answer"))
    add_batch(services, 1)
    worker.run(before="reconcile")
    stopping.stop(services, "ana")
    for _ in range(5):
        services.clock.advance(timedelta(seconds=40))
        sweep(services)
    assert len(provider.requests) == 1
    stopping.resume(services, "ana")
    sweep(services)
    assert len(provider.requests) == 2


def test_hanging_up_ends_live_calls_and_their_results_come(services, worker, provider):
    provider.lasts = 10_000
    add_batch(services, 3)
    worker.run(before="poll_call")
    assert len(provider.rings) == 3
    answer = stopping.stop(services, "ana", hang_up=True)
    assert (answer["live_calls"], answer["hung_up"]) == (3, 3)
    assert sorted(provider.stopped) == sorted(call["call_id"] for call in provider.rings)


def test_without_the_database_nothing_is_dialed(services, worker, provider, monkeypatch):
    add_batch(services, 1, start=None)

    def gone(*_):
        raise StoreError("gone")

    monkeypatch.setattr(type(services.store.standing), "of", gone)
    with pytest.raises(StoreError):
        dial(services, job_id())
    assert provider.requests == []


def test_an_outage_stops_dialing_probes_and_goes_on_and_nobody_loses_an_attempt(make, provider):
    services = make(max_concurrent_calls=3)
    worker = services.nudges
    provider.default = "promise"
    provider.fail_creates.extend([DOWN] * (FAILURES_TO_OPEN + 2))
    add_batch(services, 12)
    for _ in range(4):
        tick(services, worker)
    opened = services.store.breakers.get("default")
    assert opened.is_open
    asked = len(provider.requests)
    assert asked <= FAILURES_TO_OPEN + 2
    services.clock.advance(timedelta(seconds=1))
    if opened.forbids(services.clock.now()):
        tick(services, worker)
        assert len(provider.requests) == asked, "dialed while the breaker is open"

    for _ in range(40):  # probes, one by one, and then everybody
        services.clock.advance(FIRST_PAUSE)
        tick(services, worker)
        sweep(services)
        worker.run()
    assert not services.store.breakers.get("default").is_open
    assert len(provider.rings) == 12
    attempts = [job_of(services, number)["attempts"] for number in range(1, 13)]
    assert attempts == [1] * 12


def test_a_probe_is_one_dial_at_a_time(services, worker, provider):
    add_batch(services, 6)
    instant = services.clock.now()
    for _ in range(FAILURES_TO_OPEN):
        services.store.breakers.failed("default", instant, "no connection")
    services.clock.advance(FIRST_PAUSE)
    provider.fail_creates.extend([DOWN] * 10)
    worker.inbox.clear()
    assert dispatch(services) == 6
    worker.run(before="dispatch")  # all six, within one instant
    assert len(provider.requests) == 1
    assert services.store.attempts.in_state(AttemptState.RESERVED) == []


def test_a_refusal_is_an_answer(services, worker, provider):
    instant = services.clock.now()
    for _ in range(FAILURES_TO_OPEN - 1):
        services.store.breakers.failed("default", instant, "no connection")
    add_batch(services, 1)
    worker.run()
    assert services.store.breakers.get("default").failures == 0


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_account_is_tried_again_after_a_growing_wait_and_not_once_for_each_contact(
    services, worker, provider, status
):
    provider.fail_creates.extend(Refused("the account is refused", status=status) for _ in range(30))
    add_batch(services, people=4)
    worker.run()
    assert len(provider.requests) == 1
    for seconds, requests in ((30, 1), (60, 2), (60, 2), (90, 3)):
        services.clock.advance(timedelta(seconds=seconds))
        worker.tick()
        assert len(provider.requests) == requests
