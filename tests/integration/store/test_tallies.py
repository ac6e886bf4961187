"""Counters of batches: exact after every write, at once with others, whatever is killed, and rebuildable."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from speechai.core.call import Call
from speechai.core.next_step import Step
from speechai.core.outcomes import Outcome
from speechai.core.states import JobReason, JobState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.operation.campaigns import batches, counting
from speechai.operation.campaigns.batches import BatchNotFoundError
from speechai.operation.recovery import sweep
from speechai.store.erasure import Erasure
from speechai.store.tallies import TallyRepository
from tests.builders import MONDAY_NOON
from tests.integration.operation.conftest import add_batch, job_id, make, phone, provider, services
from tests.integration.store.profiling import examined, profiled
from tests.integration.store.summed import is_counted, summed
from tests.integration.store.test_queries import EXPECTED, arguments_of, filled, methods
from tests.unit.store.test_repositories import a_job_document

__all__ = ["filled", "make", "provider", "services"]

BATCH, PERSON = "batch-1", "CL:RUT:10000001"
LATER = MONDAY_NOON + timedelta(hours=3)


@pytest.fixture
def called(services, provider):
    """16 people of whom some were reached: outcomes, promises, costs."""
    provider.script = {phone(number): ["promise"] for number in range(1, 6)}
    provider.script |= {phone(number): ["opted_out"] for number in range(6, 8)}
    add_batch(services, 16)
    services.nudges.run()
    people, phones = ["CL:RUT:90000001", "CL:RUT:90000002"], [[phone(901)], [phone(902)]]
    add_batch(services, 2, batch_id="batch-2", person_ids=people, phones=phones)
    services.nudges.run(before="poll_call")
    return services


def uncounted(store) -> int:
    return sum(store.db[name].count_documents({"uncounted": True}) for name in ("call_jobs", "call_logs"))


def test_every_write_of_the_store_leaves_the_sums_exact(filled):
    store = filled.store
    assert is_counted(store)
    for name, method in methods(store):
        if name in ("tallies.insert_new", "tallies.count_new"):
            continue  # the two are one: a batch's counters begin when the last of its jobs is there
        with contextlib.suppress(*EXPECTED):
            answer = method(**arguments_of(name, method))
            if inspect.isgenerator(answer):
                list(itertools.islice(answer, 5))
        try:
            assert is_counted(store)
        except AssertionError as error:
            raise AssertionError(f"{name} changes what a document adds and does not mark it") from error


def an_attempt_of(services, batch_id: str, status: str):
    document = services.store.db["call_logs"].find_one({"batch_id": batch_id, "status": status})
    return services.store.attempts.get(document["_id"])


def suspended(services) -> None:
    services.store.jobs.suspend_due(BATCH, JobReason.NO_CREDIT, LATER)


def suspended_for_a_time(services) -> None:
    step = Step(JobState.SUSPENDED, JobReason.PROVIDER_REFUSED, Waiting(WaitingFor.TURN, MONDAY_NOON))
    assert services.store.jobs.hold(services.store.jobs.get(job_id(number=14)), step, MONDAY_NOON)


def settled(services) -> None:
    open_one = an_attempt_of(services, "batch-2", "ongoing")
    services.store.attempts.settle(
        open_one,
        Outcome.GOAL_MET,
        rang=True,
        cost_cents=Decimal("1.5"),
        instant=LATER,
        details_due=None,
    )


def observed(services) -> None:
    open_one = an_attempt_of(services, "batch-2", "ongoing")
    call = Call.of({**open_one.call, "duration_ms": 5000})
    services.store.attempts.observe(open_one, call, LATER, ended=True, lease_seconds=60)


def amended(services) -> None:
    final = an_attempt_of(services, BATCH, "settled")
    call = Call.of({**final.call, "duration_ms": 777_000})
    services.store.attempts.amend(final, call, Decimal("99.99"), LATER, None, Outcome.BUSY)


def told_later(services) -> None:
    promise = {"status": "promised", "currency": "ARS", "amount_minor": 5, "due": None, "attempt_id": "att-9"}
    services.store.jobs.amend_result(job_id(number=14), {"promise": promise})


@pytest.mark.parametrize(
    ("before", "write"),
    [
        (None, suspended),
        (suspended, lambda services: services.store.jobs.resume_account("default")),
        (None, suspended_for_a_time),
        (suspended_for_a_time, lambda services: services.store.jobs.resume_suspended(LATER)),
        (None, settled),
        (None, observed),
        (None, amended),
        (None, told_later),
        (None, lambda services: services.store.jobs.finish_some(BATCH, JobReason.CANCELLED, LATER, 5)),
        (None, lambda services: services.store.jobs.reopen(job_id(), "ana", "again", LATER)),
        (
            None,
            lambda services: services.store.erasure.jobs(Erasure("E:1", PERSON, (), LATER)),
        ),
    ],
)
def test_every_write_that_changes_a_sum_is_seen(called, before, write):
    if before:
        before(called)
    counting.count_moves(called)
    known = called.store.tallies.read_many([BATCH, "batch-2"])
    write(called)
    assert called.store.tallies.read_many([BATCH, "batch-2"]) != known
    assert is_counted(called.store)


def test_a_sum_reads_the_counters_and_what_moved_since(services):
    add_batch(services, 300)
    store = services.store
    counting.count_moves(services)
    assert uncounted(store) == 0
    store.jobs.finish(job_id(number=7), JobState.FAILED, JobReason.CANCELLED, MONDAY_NOON)
    with profiled(store) as entries:
        sums = store.tallies.read(BATCH)
    assert (sums.total, sums.final, sums.reasons) == (300, 1, {"cancelled": 1})
    assert examined(entries, "call_jobs") + examined(entries, "call_logs") == 1


def test_folding_changes_no_sum_and_repeats_nothing(called):
    store = called.store
    before = store.tallies.read(BATCH)
    assert before == summed(store, BATCH)
    assert before.promises and before.cost_cents and before.outcomes
    assert store.tallies.read("batch-2").in_flight == 2
    folded = counting.count_moves(called)
    assert folded and uncounted(store) == 0
    assert counting.count_moves(called) == 0
    assert store.tallies.read(BATCH) == before
    sweep(called)
    assert uncounted(store) == 0
    assert is_counted(store)


@pytest.mark.parametrize("place", ["_add", "_Source.count"])
def test_a_fold_that_is_killed_counts_nothing_and_loses_nothing(called, monkeypatch, place):
    store = called.store
    before = store.tallies.read(BATCH)
    stored = store.db["tallies"].find_one({"_id": BATCH})

    def die(*_):
        raise KeyboardInterrupt

    if place == "_add":
        monkeypatch.setattr(TallyRepository, "_add", die)
    else:
        real = type(store.tallies._attempts).count
        monkeypatch.setattr(type(store.tallies._attempts), "count", lambda *given: (real(*given), die()))
    with pytest.raises(KeyboardInterrupt):
        store.tallies.fold(BATCH)
    monkeypatch.undo()
    assert store.db["tallies"].find_one({"_id": BATCH}) == stored
    assert store.tallies.read(BATCH) == before
    while store.tallies.fold(BATCH, limit=3):
        assert store.tallies.read(BATCH) == before


def test_moves_folds_and_looks_at_once_are_all_counted(services):
    add_batch(services, 200)
    store, over = services.store, threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not over.is_set():
            seen.append(store.tallies.read(BATCH).total)

    def fold(_: int) -> None:
        while not over.is_set():
            store.tallies.fold(BATCH, limit=20)

    def move(number: int) -> None:
        job = job_id(number=number)
        store.jobs.finish(job, JobState.FAILED, JobReason.NO_ANSWER, MONDAY_NOON)
        if number % 2:
            store.jobs.reopen(job, "test", "again", MONDAY_NOON)

    with ThreadPoolExecutor(12) as threads:
        watching = [threads.submit(look), *(threads.submit(fold, each) for each in range(3))]
        list(threads.map(move, range(1, 201)))
        over.set()
        for each in watching:
            each.result()
    assert set(seen) == {200}
    assert is_counted(store)
    counting.count_moves(services)
    assert store.tallies.read(BATCH).jobs[JobState.FAILED] == 100
    assert is_counted(store)


def test_rebuilding_mends_whatever_was_lost(called):
    store = called.store
    counting.count_moves(called)
    before = store.tallies.read(BATCH)
    store.db["tallies"].update_one({"_id": BATCH}, {"$inc": {"sums.jobs:done": 7, "sums.dials": -3}})
    store.db["call_jobs"].update_one({"_id": job_id()}, {"$set": {"counted": {"jobs:failed": 5}}})
    store.db["call_logs"].update_many({}, {"$unset": {"counted": ""}})
    assert store.tallies.read(BATCH) != before
    assert counting.rebuild(called) == [BATCH, "batch-2"]
    assert store.tallies.read(BATCH) == before
    with pytest.raises(BatchNotFoundError):
        counting.rebuild(called, "batch-none")


def test_a_batch_from_before_there_were_counters_is_counted_at_its_first_look(called):
    store = called.store
    before = store.tallies.read(BATCH)
    store.db["tallies"].delete_many({})
    for name in ("call_jobs", "call_logs"):
        store.db[name].update_many({}, {"$unset": {"counted": "", "uncounted": ""}})
    assert batches.view(called, BATCH)["counts"] == before.jobs
    assert store.tallies.read(BATCH) == before


def test_an_uploads_jobs_are_counted_as_the_batch_becomes_whole(services):
    store = services.store
    new = [a_job_document(number) for number in range(1, 1501)]
    store.db["tallies"].delete_many({})
    for at in range(0, 1500, 250):
        store.tallies.insert_new(new[at : at + 250])
    for _ in range(2):  # again, it changes nothing
        assert store.tallies.count_new(BATCH, 1500)
        assert (uncounted(store), store.tallies.read(BATCH).total) == (0, 1500)
    assert is_counted(store)
