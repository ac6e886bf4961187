"""What a crash leaves between two writes is made good, and what is not cut off is left alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.catalog.accounts import Plan
from speechai.core.states import AttemptState, WaveState
from speechai.operation.calling import reconciling
from speechai.operation.calling.dialing import dial
from speechai.operation.calling.placing import LONGEST_WAIT, DialResult
from speechai.operation.campaigns import accounts, batches, jobs
from speechai.operation.recovery import sweep, sweep_part
from speechai.retell.errors import Throttled, UnknownResult
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone
from tests.integration.operation.writes import KilledError


def and_then_dies(function):
    def last(*args, **kwargs):
        function(*args, **kwargs)
        raise KilledError

    return last


def test_an_opt_out_binds_before_its_job_moves_on(services, worker, provider, monkeypatch):
    """A job that has moved on is not looked at again: what it was to bring about has to be done by then."""
    provider.default = "opted_out"
    add_batch(services)
    with monkeypatch.context() as crash:
        crash.setattr(services.store.jobs, "apply", and_then_dies(services.store.jobs.apply))
        with pytest.raises(KilledError):
            worker.run()
    assert job_of(services)["reason"] == "opted_out"
    assert len(services.store.do_not_call.page(limit=10, before=None)) == 2


def test_a_number_is_struck_before_its_job_moves_on(services, worker, provider, monkeypatch):
    provider.default = "invalid"
    add_batch(services, phones=[[phone(1), phone(2)]])
    with monkeypatch.context() as crash:
        crash.setattr(services.store.jobs, "apply", and_then_dies(services.store.jobs.apply))
        with pytest.raises(KilledError):
            worker.run()
    assert job_of(services)["struck_phones"] == [phone(1)]


def test_a_call_ends_before_anything_is_written_about_it(services, worker, provider, monkeypatch):
    """The next person waits for the slot; what the conversation came to is known only later."""
    add_batch(services)
    worker.run(before="poll_call")
    with monkeypatch.context() as crash:
        crash.setattr(services.store.attempts, "observe", and_then_dies(lambda *_, **__: None))
        with pytest.raises(KilledError):
            worker.run()
    assert services.store.pacing.slots(services.settings.provider_key, 20).used == 0


@pytest.mark.parametrize(("said", "wait"), [(1e9, LONGEST_WAIT), (-5.0, timedelta(0)), (90.0, None)])
def test_a_wait_that_the_provider_asks_for_is_a_wait(services, worker, provider, said, wait):
    """It lives in the job, not in a message, and an absurd one keeps nobody waiting for ever."""
    provider.fail_creates.append(Throttled("HTTP 429", retry_after=said))
    add_batch(services)
    began = services.clock.now()
    dial(services, job_id())
    due = job_of(services)["next_attempt_at"]
    assert due - began == (wait if wait is not None else timedelta(seconds=said))


def test_a_wave_that_was_interrupted_yesterday_picks_nobody_today(services, worker, provider):
    add_batch(services, people=3, policy="house", start="next_wave")
    yesterday = services.clock.now().date()
    services.store.waves.record("batch-1", yesterday, "12:00", WaveState.OPEN, {"at": services.clock.now()})
    services.clock.advance(timedelta(hours=20))  # 08:00: no wave is due
    sweep_part(services, "waves")
    worker.run()
    assert services.store.waves.get("batch-1", yesterday, "12:00")["status"] == "missed"
    assert provider.rings == [] and job_of(services)["group_date"] is None


def test_a_wave_of_a_batch_that_is_paused_meanwhile_picks_nobody(services, worker, provider):
    add_batch(services, people=3, policy="house", start="next_wave")
    today = services.clock.now().date()
    services.store.waves.record("batch-1", today, "12:00", WaveState.OPEN, {"at": services.clock.now()})
    batches.pause(services, "batch-1")
    sweep_part(services, "waves")
    assert services.store.waves.get("batch-1", today, "12:00")["status"] == "missed"
    assert job_of(services)["group_date"] is None


def test_a_reopening_under_way_is_not_ended_by_the_sweep(services, worker, provider):
    """Its owner lives: between its writes the batch must not close."""
    provider.default = "promise"
    add_batch(services)
    worker.run()
    assert services.store.batches.begin_reopening("batch-1", job_id(), services.clock.now())
    sweep(services)
    assert services.store.batches.document("batch-1")["status"] == "running"
    services.clock.advance(timedelta(seconds=services.settings.lease_seconds))
    sweep(services)
    assert services.store.batches.document("batch-1")["status"] == "completed"


def test_a_job_whose_dial_was_given_back_in_a_cancelled_batch_ends(services, worker, provider, monkeypatch):
    """The batch was cancelled, then whoever gave the dial back died before the job went back."""
    add_batch(services)
    with monkeypatch.context() as crash:
        crash.setattr(services.store.jobs, "begin", and_then_dies(services.store.jobs.begin))
        with pytest.raises(KilledError):
            worker.run()
    batches.cancel(services, "batch-1")
    [attempt] = services.store.attempts.of_job(job_id())
    now = services.clock.now()
    assert services.store.attempts.release(attempt.id, "a test", now, now, before=AttemptState.RESERVED)
    sweep_part(services, "jobs")
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "cancelled")


def test_what_a_call_in_review_held_of_the_money_is_free(services, worker, provider):
    services.store.db["accounts"].update_one({"_id": "default"}, {"$set": {"plan": Plan.CREDIT.value}})
    accounts.top_up(services, "default", {"cents": 100_000, "reference": "r"}, "test")
    provider.fail_creates.append(UnknownResult("500"))
    provider.list_lag = True
    add_batch(services)
    worker.run(before="reconcile")
    assert services.store.funds.of("default").held > 0
    [attempt] = services.store.attempts.of_job(job_id())
    services.clock.advance(timedelta(minutes=50))
    assert not reconciling.reconcile(services, attempt.id)
    assert services.store.funds.of("default").held == 0


def test_money_is_held_once_for_a_call(services):
    account = services.store.accounts.get("default")
    price = services.worst_case(account)
    today = services.clock.now().date()
    assert services.store.funds.hold(account, "att-1", price, today)
    assert not services.store.funds.hold(account, "att-1", price, today)
    assert services.store.funds.of("default").held_cents == price.cents
    assert services.store.funds.release("default", "att-1")
    assert not services.store.funds.release("default", "att-1")
    assert services.store.funds.of("default").held_cents == 0


def test_a_job_that_was_cancelled_by_hand_is_not_called(services, worker, provider):
    add_batch(services, people=2)
    jobs.cancel(services, job_id())
    worker.run()
    assert {call["to_number"] for call in provider.rings} == {phone(2)}


def test_a_job_that_still_names_an_attempt_is_not_dialed(services, worker, provider):
    add_batch(services)
    services.store.db["call_jobs"].update_one({}, {"$set": {"attempt_id": "att-other"}})
    assert dial(services, job_id()).result is DialResult.NOT_PENDING
    assert provider.requests == []


def test_money_that_a_dial_under_way_holds_is_left_to_it(services):
    """Between the hold and its attempt only the slot names the owner; without that it has died."""
    store, account = services.store, services.store.accounts.get("default")
    provider, today = services.settings.provider_key, services.clock.now().date()
    assert store.pacing.take_slot(provider, "att-1", 20, "default")
    assert store.funds.hold(account, "att-1", services.worst_case(account), today)
    sweep_part(services, "holds")
    assert store.funds.holders() == [("default", "att-1")]
    store.pacing.free_slot(provider, "att-1", "default")
    sweep_part(services, "holds")
    assert store.funds.holders() == []


def test_whoever_is_picked_is_due_as_they_are_picked(services):
    """One write: a crash leaves nobody who has a place in the day and is not released."""
    add_batch(services, people=3, policy="house", start="next_wave")
    now = services.clock.now()
    assert services.store.groups.recruit_new("batch-1", now.date(), 2, now) == 2
    for number in (1, 2):
        job = job_of(services, number)
        assert (job["waiting_for"], job["next_attempt_at"]) == ("turn", now)
        assert job["group_date"] == now.date().isoformat()
    assert job_of(services, 3)["waiting_for"] == "wave"


def test_places_are_counted_anew_only_when_nobody_takes_any(services):
    """One that was just taken is about to be given to somebody; after the count it is counted once."""
    groups, today = services.store.groups, services.clock.now().date()
    add_batch(services, people=3, start=None)
    assert groups.take_place("batch-1", today, 5)
    assert groups.recount("batch-1", today, quiet_seconds=60) == 0
    assert groups.size("batch-1", today) == 1
    assert groups.recount("batch-1", today, quiet_seconds=-60) == 1
    assert groups.size("batch-1", today) == 0


def test_a_place_that_is_taken_while_they_are_counted_stays_taken(services, monkeypatch):
    groups, today = services.store.groups, services.clock.now().date()
    add_batch(services, people=3, start=None)
    assert groups.take_place("batch-1", today, 5)
    count = type(groups._jobs).count_documents

    def taken_meanwhile(*args, **kwargs):
        monkeypatch.undo()
        assert groups.take_place("batch-1", today, 5)
        return count(*args, **kwargs)

    monkeypatch.setattr(type(groups._jobs), "count_documents", taken_meanwhile)
    assert groups.recount("batch-1", today, quiet_seconds=-60) == 0
    assert groups.size("batch-1", today) == 2
