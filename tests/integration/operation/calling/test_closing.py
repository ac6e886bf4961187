"""A batch and its jobs agree, whichever write a crash cuts off, and whoever was quicker (I4, I7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from speechai.core.states import BatchState, JobReason, JobState
from speechai.operation.calling import closing, waves
from speechai.operation.campaigns import batches, jobs
from speechai.operation.campaigns.jobs import JobRefusedError
from speechai.operation.recovery import sweep
from speechai.retell.errors import Throttled
from tests.fakes import make_services
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone
from tests.integration.operation.writes import KilledError, dies


def days(services, worker, count=1):
    for _ in range(24 * count):
        services.clock.advance(timedelta(hours=1))
        sweep(services)
        worker.tick()


def batch_of(services, batch_id="batch-1"):
    return services.store.batches.document(batch_id)


# -- start -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["now", "next_wave"])
def test_a_start_is_one_write(services, worker, provider, monkeypatch, when):
    add_batch(services, people=3, start=None)
    with monkeypatch.context() as crash:
        crash.setattr(waves.log, "info", dies)
        crash.setattr(services.store.tallies, "read_many", dies)
        crash.setattr(batches, "open_day", dies)
        with pytest.raises(KilledError):
            batches.start(services, "batch-1", when)
    days(services, worker, 2)
    assert {call["to_number"] for call in provider.rings} == {phone(1), phone(2), phone(3)}


def test_nobody_of_a_draft_is_called(services, worker, provider):
    add_batch(services, people=3, start=None)
    days(services, worker, 2)
    assert provider.rings == []


@pytest.mark.parametrize(
    ("order", "seen", "is_"),
    [("start", "draft", "paused"), ("start", "draft", "completed"), ("resume", "paused", "completed")],
)
def test_an_order_that_comes_late_runs_no_batch_again(
    services, worker, provider, monkeypatch, order, seen, is_
):
    """Whoever gave it saw a draft, or a pause; somebody else was quicker."""
    provider.default = "promise"
    add_batch(services, start=None)
    before = replace(services.store.batches.get("batch-1"), status=BatchState(seen))
    batches.start(services, "batch-1", "next_wave")
    batches.pause(services, "batch-1")
    if is_ == "completed":
        batches.resume(services, "batch-1")
        jobs.cancel(services, job_id())
    now = batch_of(services)
    assert now["status"] == is_
    monkeypatch.setattr(services.store.batches, "get", lambda _: before)
    with pytest.raises(batches.MoveRefusedError):
        batches.start(services, "batch-1", "now") if order == "start" else batches.resume(services, "batch-1")
    assert batch_of(services) == now


def test_a_draft_is_not_started_by_resuming_it(services):
    add_batch(services, start=None)
    with pytest.raises(batches.MoveRefusedError):
        batches.resume(services, "batch-1")
    assert batch_of(services)["status"] == "draft"


# -- cancel ------------------------------------------------------------------------------------------------


def test_a_cancellation_goes_on_in_pieces_after_a_crash(services, worker, provider, monkeypatch):
    monkeypatch.setattr(closing, "PIECE", 4)
    add_batch(services, people=30, start="next_wave", policy="house")
    with monkeypatch.context() as crash:
        crash.setattr(services.store.jobs, "finish_some", dies)
        with pytest.raises(KilledError):
            batches.cancel(services, "batch-1")
    assert batches.view(services, "batch-1")["counts"]["pending"] == 30
    sweep(services)
    assert batches.view(services, "batch-1")["counts"]["failed"] == 30
    assert "ending" not in batch_of(services)


@pytest.mark.parametrize("outcome", ["no_answer", "no_agreement", "full", "no_money", "callback"])
def test_who_was_on_the_phone_when_a_batch_was_cancelled_is_not_left_waiting(
    services, worker, provider, outcome
):
    provider.default = outcome
    add_batch(services)
    worker.run(before="persist_result")
    batches.cancel(services, "batch-1")
    assert job_of(services)["status"] == "in_progress"
    worker.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "cancelled")
    sweep(services)
    assert "ending" not in batch_of(services)


def test_nor_is_one_whose_call_the_provider_turned_back(services, worker, provider):
    create = provider.create_phone_call

    def cancelled_meanwhile(request):
        provider.create_phone_call = create
        batches.cancel(services, "batch-1")
        raise Throttled("HTTP 429", retry_after=3)

    provider.create_phone_call = cancelled_meanwhile
    add_batch(services)
    worker.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "cancelled")


# -- reopening ---------------------------------------------------------------------------------------------


@pytest.fixture
def over(services, worker, provider):
    """A batch that is completed: its one job is done."""
    provider.default = "promise"
    add_batch(services)
    worker.run()
    assert batch_of(services)["status"] == "completed"


@pytest.mark.parametrize("write", ["begin_reopening", "reopen", "end_reopening"])
def test_a_reopening_is_whole_or_was_not(services, worker, provider, monkeypatch, over, write):
    repository = services.store.jobs if write == "reopen" else services.store.batches
    with monkeypatch.context() as crash:
        crash.setattr(repository, write, dies)
        with pytest.raises(KilledError):
            jobs.retry(services, job_id(), "ana@ejemplo.cl")
    days(services, worker)
    job, batch = job_of(services), batch_of(services)
    assert job["status"] == "done" and batch["status"] == "completed"
    assert batch.get("reopening", []) == []
    assert len(provider.rings) == (2 if write == "end_reopening" else 1)
    jobs.retry(services, job_id(), "ana@ejemplo.cl")  # and the operator may try once more
    days(services, worker)
    assert len(provider.rings) == (3 if write == "end_reopening" else 2)


def test_a_batch_does_not_complete_past_a_reopening(services, worker, provider, over, monkeypatch):
    """The completion found no active job before the reopening, and writes after it."""
    jobs.retry(services, job_id(), "ana@ejemplo.cl")
    worker.run(before="persist_result")
    has_active = services.store.jobs.has_active

    def read_then_reopened(batch_id):
        found = has_active(batch_id)
        if not found:
            monkeypatch.undo()
            jobs.retry(services, job_id(), "ana@ejemplo.cl")
        return found

    monkeypatch.setattr(services.store.jobs, "has_active", read_then_reopened)
    worker.run(before="call_contact")
    assert batch_of(services)["status"] == "running"
    worker.run()
    assert len(provider.rings) == 3 and batch_of(services)["status"] == "completed"


def test_a_cancelled_batch_does_not_end_past_a_reopening(services, worker, provider, over, monkeypatch):
    """The operator reopened while the batch ran; the cancellation read before it and writes after it."""
    reopen = services.store.jobs.reopen

    def cancelled_first(*args, **kwargs):
        batches.cancel(services, "batch-1")
        return reopen(*args, **kwargs)

    monkeypatch.setattr(services.store.jobs, "reopen", cancelled_first)
    jobs.retry(services, job_id(), "ana@ejemplo.cl")
    services.clock.advance(timedelta(minutes=3))
    sweep(services)
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "cancelled")
    sweep(services)
    assert "ending" not in batch_of(services)


def test_nobody_reopens_a_job_of_a_cancelled_batch_nor_one_that_opted_out(services, worker, provider):
    provider.script[phone(2)] = ["opted_out"]
    provider.default = "promise"
    add_batch(services, people=2)
    add_batch(services, batch_id="batch-2", person_ids=["CL:RUT:20000001"], phones=[[phone(9)]])
    worker.run()
    with pytest.raises(JobRefusedError, match="opted out"):
        jobs.retry(services, job_id(number=2), "ana@ejemplo.cl")
    assert batch_of(services)["status"] == "completed"  # it ran again for nothing, and closed
    closing.reopen(services, "batch-2", job_id("batch-2"), "ana@ejemplo.cl", "a second try")
    batches.cancel(services, "batch-2")
    with pytest.raises(JobRefusedError, match="cancelled"):
        jobs.retry(services, job_id("batch-2"), "ana@ejemplo.cl")


def test_a_final_job_is_not_due_before_the_hour_that_was_agreed(services, worker, provider, over):
    nudge = services.nudges.dispatch

    def at_once(delay=0):  # a worker takes the message at once, as in Celery
        nudge(delay)
        worker.run(before="poll_call")

    services.nudges.dispatch = at_once
    at = services.clock.now() + timedelta(hours=20)
    jobs.call_back(services, job_id(), at, "ana@ejemplo.cl")
    assert len(provider.rings) == 1 and job_of(services)["next_attempt_at"] == at
    assert job_of(services)["callbacks"][0]["for"] == at


def test_an_hour_that_is_agreed_while_the_job_is_being_judged_is_kept(services, worker, provider):
    add_batch(services)
    at = services.clock.now() + timedelta(hours=20)
    reserve = services.store.attempts.reserve

    def agreed_meanwhile(wanted):
        reserve(wanted)
        jobs.call_back(services, job_id(), at, "ana@ejemplo.cl")

    services.store.attempts.reserve = agreed_meanwhile
    worker.run()
    assert provider.rings == [] and job_of(services)["next_attempt_at"] == at
    assert services.store.pacing.slots(services.settings.provider_key, 20).used == 0


@pytest.mark.parametrize("limits", [{"max_attempts": 1}, {"max_days_without_answer": 1}])
def test_a_reopening_carries_its_own_allowance(mongo_uri, database, provider, limits):
    services = make_services(mongo_uri, database, provider=provider, no_answer_retry_minutes=0, **limits)
    worker = services.nudges
    add_batch(services, max_attempts=limits.get("max_attempts", 9))
    worker.run()
    days(services, worker, 3)
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "no_answer")
    rings, attempts = len(provider.rings), job_of(services)["attempts"]
    jobs.retry(services, job_id(), "ana@ejemplo.cl")
    worker.run()
    assert len(provider.rings) > rings
    days(services, worker, 3)
    job = job_of(services)
    assert (job["status"], job["reason"]) == ("failed", JobReason.NO_ANSWER)
    assert job["attempts"] == len(provider.rings) == 2 * attempts


# -- waves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", range(6))
def test_whoever_a_wave_picked_before_it_died_is_not_forgotten(
    services, worker, provider, monkeypatch, after
):
    """Whichever write of a wave is the last: everybody is called, that day or on a later one."""
    provider.default = "promise"
    services.clock.advance(timedelta(hours=-4))  # 08:00
    add_batch(services, people=4, daily_contacts=2, policy="house", start="next_wave")
    services.clock.advance(timedelta(hours=1))
    writes = iter(range(after))
    db = services.store.db["call_jobs"]
    update = type(db).find_one_and_update

    def mortal(self, *args, **kwargs):
        if next(writes, None) is None:
            raise KilledError
        return update(self, *args, **kwargs)

    with monkeypatch.context() as crash, pytest.MonkeyPatch.context() as _:
        crash.setattr(type(db), "find_one_and_update", mortal)
        try:
            worker.tick()
        except KilledError:
            worker.inbox.clear()
    services.store.db["call_jobs"].update_many({}, {"$set": {"released_until": None}})
    services.store.db["pacing"].update_many({}, {"$set": {"used": 0, "used_by": {}, "open": {}}})
    services.store.db["sweeps"].delete_many({})  # its lease is over by then
    days(services, worker, 6)
    assert {call["to_number"] for call in provider.rings} == {phone(number) for number in range(1, 5)}
    states = {job_of(services, number)["status"] for number in range(1, 5)}
    assert states == {JobState.DONE.value}
