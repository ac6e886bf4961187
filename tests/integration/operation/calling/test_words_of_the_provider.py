"""What the provider says, however oddly it says it: nothing of it is lost, and nothing of it raises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from speechai.core.states import AttemptState
from speechai.operation.calling import dialing, settling, webhooks
from tests.fakes import ENDS
from tests.integration.operation.conftest import add_batch, job_id, job_of

TWO_MINUTES = {
    "call_status": "error",
    "disconnection_reason": "credit_exhausted",
    "duration_ms": 120_000,
    "transcript": "Agent: Buenos días\nUser: Diga\n",
    "call_cost": {"combined_cost": 30},
}


def attempt_of(services):
    return services.store.attempts.get(services.store.attempts.of_job(job_id())[0].id)


def called(services, worker, provider, monkeypatch, end):
    """A batch of one whose call ends so."""
    monkeypatch.setitem(ENDS, "odd", end)
    provider.default = "odd"
    add_batch(services)
    worker.run()
    return attempt_of(services)


def analysed(**said):
    return {"call_analysis": {"custom_analysis_data": said}}


def test_what_rang_before_the_credit_ran_out_rang(services, worker, provider, monkeypatch):
    attempt = called(services, worker, provider, monkeypatch, {**TWO_MINUTES, **analysed()})
    assert attempt.uses_place
    assert attempt.outcome.value == "goal_not_met"
    assert attempt.call.says_no_credit


def test_an_opt_out_said_before_the_credit_ran_out_binds(services, worker, provider, monkeypatch):
    said = analysed(opt_out="Sí, pidió que no lo llamen más")
    attempt = called(services, worker, provider, monkeypatch, {**TWO_MINUTES, **said})
    assert attempt.outcome.value == "opted_out" and attempt.uses_place
    assert services.store.do_not_call.page(limit=10, before=None)


def test_a_promise_made_before_the_credit_ran_out_is_kept(services, worker, provider, monkeypatch):
    said = analysed(fecha_pago_cliente="2026-11-27", monto_pago_cliente="104050")
    attempt = called(services, worker, provider, monkeypatch, {**TWO_MINUTES, **said})
    assert attempt.outcome.value == "goal_met"
    assert job_of(services)["promise"]["due"] == "2026-11-27"


@pytest.mark.parametrize("nothing", ["N/A", "No aplica", "-", "null", "sin información"])
def test_words_for_nothing_are_no_promise_and_no_callback(services, worker, provider, monkeypatch, nothing):
    said = analysed(
        fecha_pago_cliente=nothing, monto_pago_cliente=nothing, callback_at=nothing, solicita_callback="No"
    )
    attempt = called(services, worker, provider, monkeypatch, {**ENDS["no_agreement"], **said})
    assert attempt.outcome.value == "goal_not_met"
    assert "promise" not in job_of(services)


@pytest.mark.parametrize("said", ["9999-12-31T23:59:59-03:00", "2020-01-01T10:00", "2027-06-01", "tarde"])
def test_a_callback_that_cannot_be_is_one_without_an_hour(services, worker, provider, monkeypatch, said):
    attempt = called(
        services, worker, provider, monkeypatch, {**ENDS["callback"], **analysed(callback_at=said)}
    )
    assert attempt.outcome.value == "callback_requested"
    due = job_of(services)["next_attempt_at"]
    assert timedelta(hours=1) < due - attempt.ended_at < timedelta(days=1)


def test_a_callback_waits_for_its_hour(services):
    services.nudges.lost = True  # only the webhooks tell
    add_batch(services)
    dialing.dial(services, job_id())
    attempt = attempt_of(services)
    call = {**attempt.call, "call_status": "ended", "disconnection_reason": "user_requested_callback"}
    webhooks.receive(services, "call_ended", call)
    assert not settling.persist_result(services, attempt.id)
    webhooks.receive(services, "call_analyzed", {**call, **analysed(callback_at="2026-11-24T16:30:00-03:00")})
    assert settling.persist_result(services, attempt.id)
    assert attempt_of(services).outcome.value == "callback_requested"
    assert job_of(services)["next_attempt_at"] == datetime(2026, 11, 24, 19, 30, tzinfo=UTC)


def test_what_no_database_can_keep_is_kept_as_text(services, worker, provider, monkeypatch):
    odd = {"quantum": 10**30, "na\0me": 1, "half": "\ud800", "end_timestamp": "soon", "duration_ms": 10**30}
    said = analysed(fecha_pago_cliente="\ud800", motivo_no_pago=10**30)
    attempt = called(services, worker, provider, monkeypatch, {**ENDS["no_agreement"], **odd, **said})
    assert attempt.status is AttemptState.SETTLED
    assert attempt.call["quantum"] == str(10**30)
    assert job_of(services)["call_result"]["fields"]["motivo_no_pago"] == str(10**30)
