"""What the provider tells late binds as what it tells in time; what a job moved on from is not reopened."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from speechai.core.outcomes import Outcome
from speechai.core.states import AttemptState
from speechai.operation.calling import settling, webhooks
from speechai.operation.campaigns import jobs
from speechai.operation.records import do_not_call
from speechai.operation.recovery import sweep
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone


def late(services, attempt, **said):
    """The analysis of an attempt's call arrives by webhook after it settled."""
    attempt = services.store.attempts.get(attempt.id)
    analysis = {"call_analysis": {"custom_analysis_data": said}}
    return webhooks.receive(services, "call_analyzed", {**attempt.call.raw, **analysis})


@pytest.fixture
def settled(services, worker, provider):
    """Settled without its analysis, which will come after the grace."""
    provider.script[phone(1)] = ["not_analysed"]
    add_batch(services, phones=[[phone(1), phone(2)]])
    worker.run()
    [attempt] = services.store.attempts.of_job(job_id())
    assert (attempt.status, attempt.outcome) == (AttemptState.SETTLED, Outcome.GOAL_NOT_MET)
    return attempt


def entries(services):
    return services.store.do_not_call.page(limit=10, before=None)


def days(services, worker, count):
    for _ in range(24 * count):
        services.clock.advance(timedelta(hours=1))
        sweep(services)
        worker.tick()


def test_an_opt_out_binds_and_ends_the_job(services, worker, provider, settled):
    late(services, settled, opt_out="Sí, pidió que no lo llamen más")
    assert len(entries(services)) == 2  # the person and the number
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "opted_out")
    days(services, worker, 2)
    assert len(provider.rings) == 1


def test_whoever_opted_out_is_rung_by_no_other_batch_though_the_settling_worker_dies(
    services, worker, provider, monkeypatch
):
    """An opt-out is entered before the call stops holding the person's line: a crash leaves no gap."""

    class DiedError(BaseException):
        pass

    def dies(*_, **__):
        raise DiedError

    provider.default = "opted_out"
    add_batch(services)
    worker.run(before="persist_result")
    add_batch(services, batch_id="batch-2")
    worker.run(before="persist_result")
    with monkeypatch.context() as crash:
        crash.setattr(settling, "conclude", dies)
        with pytest.raises(DiedError):
            worker.run()
    worker.inbox.clear()
    services.clock.advance(timedelta(minutes=2))
    services.store.db["call_jobs"].update_many({}, {"$set": {"released_until": None}})
    worker.tick()
    assert len(provider.rings) == 1


def test_an_opt_out_on_a_call_in_review_binds(services, worker, provider):
    provider.default = "never_ends"
    add_batch(services)
    worker.run(before="poll_call")
    [attempt] = services.store.attempts.of_job(job_id())
    settling.review(services, attempt)
    assert job_of(services)["waiting_for"] == "review"
    end = {"call_status": "ended", "disconnection_reason": "user_hangup", "duration_ms": 9000}
    webhooks.receive(services, "call_ended", {**provider.rings[0], **end})
    late(services, attempt, opt_out="true")
    assert services.store.attempts.get(attempt.id).status is AttemptState.NEEDS_REVIEW  # I7
    assert len(entries(services)) == 2


def test_an_opt_out_binds_though_the_job_has_moved_on(services, worker, provider, settled):
    jobs.cancel(services, job_id())
    late(services, settled, opt_out="true")
    assert len(entries(services)) == 2
    assert job_of(services)["reason"] == "cancelled"  # final, and not left by a message


def test_after_an_undone_entry_only_a_new_call_speaks(services, worker, provider, settled):
    late(services, settled, opt_out="true")
    for entry in entries(services):
        assert do_not_call.undo(services, entry["_id"], "ana@ejemplo.cl", "said by mistake")
    late(services, settled, opt_out="true", resumen="the same call again, with one word more")
    assert entries(services) == []


@pytest.mark.parametrize("word", ["wrong_person", "third_party"])
def test_somebody_elses_number_is_struck_for_every_batch_of_the_account(
    services, worker, provider, settled, word
):
    late(services, settled, **{word: "true"})
    assert job_of(services)["struck_phones"] == [phone(1)]
    provider.default = "no_answer"
    person = job_of(services)["person_id"]
    numbers = [[phone(1), phone(2)]]
    add_batch(services, batch_id="batch-2", phones=numbers, person_ids=[person], retries={})
    days(services, worker, 3)
    assert [call["to_number"] for call in provider.rings].count(phone(1)) == 1
    assert phone(2) in [call["to_number"] for call in provider.rings]


def test_another_persons_calls_to_that_number_go_on(services, worker, provider, settled):
    late(services, settled, wrong_person="true")
    add_batch(services, batch_id="batch-2", phones=[[phone(1)]], person_ids=["CL:RUT:20000001"])
    days(services, worker, 1)
    assert [call["to_number"] for call in provider.rings].count(phone(1)) > 1


def test_the_hour_of_a_callback_is_kept(services, settled):
    late(services, settled, callback_at="2026-11-25T16:00")
    assert job_of(services)["next_attempt_at"] == datetime.fromisoformat("2026-11-25T16:00-03:00")
    assert job_of(services)["exact"]
    assert services.store.attempts.get(settled.id).outcome is Outcome.CALLBACK_REQUESTED


def test_it_changes_once_on_record(services, settled):
    late(services, settled, callback_at="2026-11-25T16:00")
    late(services, settled, callback_at="2026-11-26T16:00")
    assert job_of(services)["next_attempt_at"] == datetime.fromisoformat("2026-11-25T16:00-03:00")
    [document] = services.store.db["call_logs"].find()
    assert document["refined"]["from"] == "goal_not_met" and document["status"] == "settled"


def test_what_an_operator_ordered_since_is_kept(services, settled):
    at = services.clock.now() + timedelta(days=2)
    jobs.call_back(services, job_id(), at, "ana@ejemplo.cl")
    late(services, settled, callback_at="2026-11-24T16:00")
    assert job_of(services)["next_attempt_at"] == at


def test_a_job_that_was_called_again_is_not_moved_by_an_older_call(services, worker, provider, settled):
    provider.script[phone(1)] = ["not_analysed", "never_ends"]
    jobs.retry(services, job_id(), "ana@ejemplo.cl")
    services.clock.advance(timedelta(hours=1))
    worker.run(before="poll_call")
    assert job_of(services)["status"] == "in_progress"
    late(services, settled, callback_at="2026-11-25T16:00")
    assert job_of(services)["status"] == "in_progress"


@pytest.mark.parametrize("write", ["strike", "refine", "amend_result"])
def test_a_crash_before_the_news_are_obeyed_is_made_good_by_the_sweep(services, settled, monkeypatch, write):
    class KilledError(BaseException):
        pass

    def dies(*_, **__):
        raise KilledError

    repository = services.store.attempts if write == "strike" else services.store.jobs
    with monkeypatch.context() as crash:
        crash.setattr(repository, write, dies)
        crash.setattr(services.store.attempts, "applied", dies)
        with pytest.raises(KilledError):
            late(services, settled, wrong_person="true")
    assert services.store.attempts.unapplied()
    sweep(services)
    assert services.store.attempts.unapplied() == []
    assert job_of(services)["struck_phones"] == [phone(1)]
    [document] = services.store.db["call_logs"].find()
    assert document["strikes"] is True
