"""Policies at work: caps under any concurrency, held jobs that know their instant, warnings of an upload."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from speechai.operation.calling import settling, webhooks
from speechai.operation.calling.dialing import dial
from speechai.operation.calling.placing import DialResult
from speechai.operation.campaigns import accounts
from tests.fakes import ENDS
from tests.integration.operation.conftest import add_batch, job_id, job_of

PERSON = ["CL:RUT:10000001"]


@pytest.mark.parametrize(("policy", "most"), [("anytime", 3), ("ar-collections", 1), ("cl-collections", 1)])
def test_fifty_workers_and_ten_batches_never_exceed_a_cap_for_one_person(make, provider, policy, most):
    services = make(no_answer_retry_minutes=0, max_concurrent_calls=50)
    services.nudges.lost = True  # the threads are the workers
    names = [f"batch-{number}" for number in range(10)]
    for name in names:
        add_batch(services, batch_id=name, person_ids=PERSON, policy=policy)
    barrier, rung = threading.Barrier(50), []

    def work(number: int) -> None:
        barrier.wait()
        for turn in range(6):
            name = names[(number + turn) % len(names)]
            services.store.jobs.bring_forward(job_id(name), services.clock.now())
            dialed = dial(services, job_id(name))
            if dialed.result is DialResult.PLACED:
                rung.append(dialed.attempt_id)
                attempt = services.store.attempts.get(dialed.attempt_id)
                # It ends at once: the next worker may be faster than any look at the list.
                webhooks.receive(services, "call_ended", {**attempt.call, **ENDS["no_answer"]})
                settling.persist_result(services, dialed.attempt_id)

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(work, range(50)))
    assert 1 <= len(provider.rings) == len(rung) <= most
    barrier = threading.Barrier(1)
    for number in range(10):  # and one after the other, so that each has its turn
        work(number)
    assert len(provider.rings) == len(rung) == most


def test_a_job_that_a_cap_holds_waits_for_the_instant_that_the_rule_names(services, worker, provider):
    add_batch(services, policy="cl-collections")
    worker.run()
    assert len(provider.rings) == 1  # an unanswered dial uses the seven days: the strict reading
    job = job_of(services)
    assert job["status"] == "pending"
    due = job["next_attempt_at"].astimezone(services.clock.now().tzinfo)
    assert due - services.clock.now() > timedelta(days=6)
    services.clock.advance(timedelta(days=3))
    worker.tick()
    assert len(provider.rings) == 1
    services.clock.advance(timedelta(days=4, hours=1))
    worker.tick()
    worker.run()
    assert len(provider.rings) == 2


@pytest.mark.parametrize("gap", [30, 48 * 60])
def test_a_gap_holds_over_any_number_of_dates(services, worker, provider, gap):
    patient = {"extends": "anytime", "min_gap_minutes": gap}
    accounts.change(services, "default", {"policies": {"patient": patient}}, "ana", "en")
    late = datetime(2026, 11, 24, 2, 50, tzinfo=UTC)  # 23:50 in Santiago
    services.clock.set(late)
    add_batch(services, policy="patient", person_ids=PERSON)
    worker.run()
    assert len(provider.rings) == 1
    add_batch(services, batch_id="batch-2", policy="patient", person_ids=PERSON)
    for minutes in (15, gap // 2 + 5, gap - 1):
        services.clock.set(late + timedelta(minutes=minutes))
        services.store.jobs.bring_forward(job_id("batch-2"), services.clock.now())
        assert dial(services, job_id("batch-2")).result is DialResult.HELD
    services.clock.set(late + timedelta(minutes=gap))
    services.store.jobs.bring_forward(job_id("batch-2"), services.clock.now())
    assert dial(services, job_id("batch-2")).result is DialResult.PLACED
