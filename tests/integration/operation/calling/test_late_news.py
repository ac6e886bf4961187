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
from tests.fakes import ENDS
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone
from tests.integration.operation.writes import KilledError, dies


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

    provider.default = "opted_out"
    add_batch(services)
    worker.run(before="persist_result")
    add_batch(services, batch_id="batch-2")
    worker.run(before="persist_result")
    with monkeypatch.context() as crash:
        crash.setattr(settling, "conclude", dies)
        with pytest.raises(KilledError):
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


END = {
    "call_status": "ended",
    "disconnection_reason": "user_hangup",
    "start_timestamp": 1,
    "duration_ms": 60_000,
}


@pytest.fixture
def reviewed(services, worker, provider):
    """Nobody can tell what became of it; then the provider tells of its end, and not yet of what was said."""
    provider.default = "never_ends"
    add_batch(services)
    worker.run(before="poll_call")
    worker.inbox.clear()
    [attempt] = services.store.attempts.of_job(job_id())
    settling.review(services, attempt)
    webhooks.receive(services, "call_ended", {**provider.rings[0], **END})
    assert job_of(services)["waiting_for"] == "review"
    return attempt


def test_a_call_in_review_is_decided_by_what_was_said_and_not_by_its_end(services, provider, reviewed):
    webhooks.receive(services, "call_analyzed", {**provider.rings[0], **ENDS["promise"]})
    assert services.store.attempts.get(reviewed.id).outcome is Outcome.GOAL_MET
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("done", "goal_met")


def test_a_call_in_review_whose_analysis_never_comes_is_decided_by_its_end(services, provider, reviewed):
    provider.get_call = lambda _: {**provider.rings[0], **END}
    for _ in range(5):
        services.clock.advance(timedelta(minutes=20))
        sweep(services)
    assert services.store.attempts.get(reviewed.id).outcome is Outcome.GOAL_NOT_MET
    assert (job_of(services)["status"], job_of(services)["waiting_for"]) == ("pending", "turn")


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ({"fecha_pago_cliente": "2026-11-27", "monto_pago_cliente": "104050"}, "done", "goal_met"),
        ({"opt_out": "true"}, "failed", "opted_out"),
        ({"callback_at": "2026-11-25T16:00"}, "pending", None),
    ],
)
def test_what_was_said_before_the_credit_ran_out_binds_though_its_job_is_suspended(
    services, worker, provider, monkeypatch, said, status, reason
):
    cut = {"call_status": "error", "disconnection_reason": "credit_exhausted", "duration_ms": 120_000}
    monkeypatch.setitem(ENDS, "cut", cut)
    provider.script[phone(1)] = ["cut", "no_answer"]
    add_batch(services)
    worker.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("suspended", "no_credit")
    [attempt] = services.store.attempts.of_job(job_id())
    late(services, attempt, **said)
    assert (job_of(services)["status"], job_of(services)["reason"]) == (status, reason)
    for _ in range(12):
        services.clock.advance(timedelta(minutes=5))
        sweep(services)
        worker.tick()
    assert len(provider.rings) == 1


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
    assert job_of(services)["waiting_for"] == "hour"
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


def test_what_a_later_call_came_to_is_not_overwritten_by_an_older_one(services, worker, provider, settled):
    provider.script[phone(1)] = provider.script[phone(2)] = ["promise"]
    jobs.retry(services, job_id(), "ana@ejemplo.cl")
    services.clock.advance(timedelta(hours=1))
    worker.run()
    before = job_of(services)
    assert before["call_result"]["success"] and before["promise"]["due"] == "2026-11-27"
    late(services, settled, fecha_pago_cliente="2026-11-25", monto_pago_cliente="10")
    assert job_of(services) == before


@pytest.mark.parametrize("write", ["strike", "refine", "amend_result"])
def test_a_crash_before_the_news_are_obeyed_is_made_good_by_the_sweep(services, settled, monkeypatch, write):
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


def test_of_two_news_at_once_the_job_keeps_the_richer(services, worker, provider, settled, monkeypatch):
    """The first one's writer is slow between its note on the attempt and the job's result."""
    apply = settling.apply_news

    def slow(services, stale):
        monkeypatch.setattr(settling, "apply_news", apply)
        webhooks.receive(services, "call_analyzed", {**provider.rings[0], **ENDS["promise"]})
        return apply(services, stale)

    monkeypatch.setattr(settling, "apply_news", slow)
    cost = {"call_cost": {"combined_cost": 3}}
    webhooks.receive(services, "call_ended", {**provider.rings[0], **ENDS["not_analysed"], **cost})
    assert job_of(services)["call_result"]["success"] is True
    assert job_of(services)["call_result"]["summary"]["call_analysis"]["call_successful"] is True
    assert services.store.attempts.unapplied() == []


def test_a_call_that_rang_after_all_counts_in_the_day(services, worker, provider):
    """It settled as a failure before anything rang, and gave its place back; it was answered."""
    provider.default = "failure"
    add_batch(services)
    worker.run(before="persist_result")
    [attempt] = services.store.attempts.of_job(job_id())
    settling.persist_result(services, attempt.id)
    assert not services.store.attempts.get(attempt.id).uses_place
    talked = {**ENDS["no_agreement"], "disconnection_reason": "dial_failed", "end_timestamp": 1}
    webhooks.receive(services, "call_analyzed", {**provider.rings[0], **talked, "transcript": "User: Hola"})
    counted = services.store.attempts.get(attempt.id)
    assert (counted.outcome, counted.uses_place) == (Outcome.GOAL_NOT_MET, True)
    worker.inbox.clear()
    jobs.retry(services, job_id(), "ana@ejemplo.cl")
    provider.default = "no_answer"
    for _ in range(5):
        worker.run()
        jobs.retry(services, job_id(), "ana@ejemplo.cl")
    assert len(provider.rings) == 3
