"""From a due job to its end, on the real mongod, with a scripted provider."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.core.states import AttemptState
from speechai.operation.calling import dialing, settling, unwinding
from speechai.operation.calling.placing import DialResult
from speechai.operation.calling.settling import Told
from speechai.operation.campaigns import batches, eligibility, jobs
from speechai.operation.recovery import sweep
from speechai.retell.errors import Refused, Retryable, Throttled, UnknownResult
from speechai.store.attempt_documents import Wanted
from speechai.store.database import decimal_of
from tests.builders import MONDAY_NOON
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone
from tests.integration.operation.writes import KilledError, dies


def places_used(services, job):
    today = MONDAY_NOON.date()
    [around] = services.store.attempts.around([Wanted(job["person_id"], today, {})])
    return len(around.taken("").person_places)


def statuses(services, batch_id="batch-1"):
    return batches.view(services, batch_id)["counts"]


def test_a_promise_ends_the_job_and_the_batch(services, worker, provider):
    provider.script[phone(1)] = ["promise"]
    add_batch(services)
    worker.run()
    job = job_of(services)
    assert (job["status"], job["reason"], job["attempts"]) == ("done", "goal_met", 1)
    assert job["fecha_pago_cliente"] == "2026-11-27"
    assert job["monto_pago_cliente"] == 104050
    assert job["call_duration_seconds"] == 60
    assert job["is_calling"] is False and job["reserved_until"] is None
    assert job["call_result"]["success"] is True
    summary = job["call_result"]["summary"]
    assert summary["call_cost"] == {"combined_cost": 15.37}
    assert summary["transcript"].startswith("Agent:")
    assert str(decimal_of(job["cost_cents"])) == "15.37"
    assert batches.view(services, "batch-1")["status"] == "completed"
    assert services.store.pacing.slots(services.settings.provider_key, 20).free == 20


def test_the_request_carries_the_attempt_and_only_what_the_agent_needs(services, worker, provider):
    add_batch(services)
    worker.run()
    body = provider.requests[0].to_body()
    attempt = services.store.attempts.of_job(job_id())[0]
    assert body["idempotency_key"] == attempt.id
    assert body["metadata"] == {"attempt_id": attempt.id, "job_id": job_id(), "batch_id": "batch-1"}
    assert body["to_number"] == phone(1) and body["from_number"] == "+56600123456"
    variables = body["retell_llm_dynamic_variables"]
    assert variables["nombre"] == "Persona 1" and variables["monto_total"] == "104050"
    assert not {"person_id", "account_id"} & set(variables)


def test_numbers_rotate_and_history_is_kept(make, provider):
    services = make(no_answer_retry_minutes=0, max_attempts=3)
    provider.script = {phone(1): ["no_answer"], phone(2): ["voicemail"], phone(3): ["promise"]}
    add_batch(services, phones=[[phone(1), phone(2), phone(3)]])
    services.nudges.run()
    view = jobs.view(services, job_id())
    assert [attempt["to_number"] for attempt in view["attempts"]] == [phone(1), phone(2), phone(3)]
    assert [attempt["outcome"] for attempt in view["attempts"]] == ["no_answer", "voicemail", "goal_met"]
    assert view["status"] == "done"
    assert view["to_number"] == phone(1)
    # Each attempt keeps the provider's whole answer and the verdict that allowed it.
    assert view["attempts"][1]["call"]["disconnection_reason"] == "voicemail_reached"
    assert {rule["rule"] for rule in view["attempts"][0]["verdict"]["rules"]} >= {
        "window",
        "person_calls_per_day",
    }


def test_at_most_three_calls_a_day_to_a_person_then_the_next_day(make, provider):
    services = make(no_answer_retry_minutes=0)
    add_batch(services)
    services.nudges.run()
    assert len(provider.rings) == 3
    job = job_of(services)
    assert job["status"] == "pending" and job["waiting_for"] == "wave"
    services.clock.set(MONDAY_NOON + timedelta(days=1))
    services.nudges.tick()
    assert len(provider.rings) == 6
    services.clock.set(MONDAY_NOON + timedelta(days=2))
    services.nudges.tick()
    assert len(provider.rings) == 9
    job = job_of(services)
    assert (job["status"], job["reason"]) == ("failed", "no_answer")


def test_three_calls_a_day_bind_over_all_batches_and_numbers(make, provider):
    services = make(no_answer_retry_minutes=0)
    same = ["CL:RUT:11111111"]
    add_batch(services, batch_id="batch-1", phones=[[phone(1), phone(2)]], person_ids=same)
    add_batch(services, batch_id="batch-2", phones=[[phone(3)]], person_ids=same)
    services.nudges.run()
    assert len(provider.rings) == 3


def test_a_number_shared_by_two_people_rings_three_times_a_day(make, provider):
    services = make(no_answer_retry_minutes=0)
    add_batch(services, people=2, phones=[[phone(7)], [phone(7)]])
    services.nudges.run()
    assert len(provider.rings) == 3


def test_an_invalid_number_uses_no_place(services, worker, provider):
    provider.script = {phone(1): ["invalid"], phone(2): ["promise"]}
    add_batch(services, phones=[[phone(1), phone(2)]])
    worker.run()
    job = job_of(services)
    assert (job["status"], job["attempts"]) == ("done", 1)
    assert job["struck_phones"] == [phone(1)]
    assert places_used(services, job) == 1


def test_numbers_run_out(services, worker, provider):
    provider.default = "invalid"
    add_batch(services, phones=[[phone(1), phone(2)]])
    worker.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "no_phones")
    assert len(provider.rings) == 2


def test_an_opt_out_is_final_and_cannot_be_reopened(services, worker, provider):
    provider.default = "opted_out"
    add_batch(services)
    worker.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "opted_out")
    with pytest.raises(jobs.JobRefusedError):
        jobs.retry(services, job_id(), "ana@ejemplo.cl")


def test_a_message_delivered_twice_dials_once(services, worker, provider):
    worker.twice = True
    add_batch(services, people=5)
    worker.run()
    by_attempt = [call["metadata"]["attempt_id"] for call in provider.rings]
    assert len(by_attempt) == len(set(by_attempt)) == 5


def test_slots_bound_the_calls_in_flight(make, provider):
    services = make(max_concurrent_calls=2)
    add_batch(services, people=5, start=None)
    batches.start(services, "batch-1", "now")
    services.nudges.inbox.clear()
    results = [dialing.dial(services, job_id(number=number)).result for number in range(1, 6)]
    assert results.count(DialResult.PLACED) == 2
    assert results.count(DialResult.NO_SLOT) == 3
    assert services.store.pacing.slots(services.settings.provider_key, 2).free == 0


def test_a_settled_call_releases_the_next_contact(make, provider):
    services = make(max_concurrent_calls=1)
    provider.default = "promise"
    add_batch(services, people=4)
    services.nudges.run()
    assert statuses(services)["done"] == 4


def test_two_batches_take_turns(make, provider):
    services = make(max_concurrent_calls=1)
    provider.default = "promise"
    add_batch(services, people=3, batch_id="batch-1", start=None)
    add_batch(
        services,
        people=3,
        batch_id="batch-2",
        start=None,
        person_ids=[f"CL:RUT:2{n}" for n in range(3)],
        phones=[[phone(50 + n)] for n in range(3)],
    )
    for batch_id in ("batch-1", "batch-2"):
        batches.start(services, batch_id, "now")
    services.nudges.run()
    order = [call["metadata"]["batch_id"] for call in provider.rings]
    assert order in (["batch-1", "batch-2"] * 3, ["batch-2", "batch-1"] * 3)


def test_the_analysis_is_waited_for_but_not_for_ever(services, worker, provider):
    provider.script[phone(1)] = ["not_analysed"]
    add_batch(services)
    worker.run()
    attempt = services.store.attempts.of_job(job_id())[0]
    assert attempt.status is AttemptState.SETTLED and attempt.outcome.value == "goal_not_met"
    waited = attempt.settled_at - attempt.ended_at
    assert timedelta(seconds=60) <= waited < timedelta(seconds=90)
    job = job_of(services)
    assert job["status"] == "pending"


def test_the_analysis_is_looked_for_soon_and_then_less_and_less_often(services, worker, provider):
    provider.script[phone(1)] = ["not_analysed"]
    looks = []
    get_call = provider.get_call
    provider.get_call = lambda call_id: (looks.append(services.clock.now()), get_call(call_id))[1]
    add_batch(services)
    worker.run()
    ended = services.store.attempts.of_job(job_id())[0].ended_at
    after = [(look - ended).total_seconds() for look in looks if look > ended]
    assert after[:6] == [2, 4, 8, 16, 31, 46]  # never further apart than the polling interval


def test_a_slot_is_free_before_the_analysis_is_in(make, provider):
    services = make(max_concurrent_calls=1)
    provider.default = "not_analysed"
    add_batch(services, people=2)
    services.nudges.run()
    first, second = (services.store.attempts.of_job(job_id(number=number))[0] for number in (1, 2))
    assert second.reserved_at < first.settled_at


@pytest.mark.parametrize(
    ("error", "job_status", "reason"),
    [
        (Refused("Trial has ended", status=402), "suspended", "no_credit"),
        (Refused("API key is missing or invalid.", status=401), "suspended", "provider_refused"),
        (Refused("Cannot find requested asset", status=422), "suspended", "provider_refused"),
        (Refused("request/body/to_number is not valid", status=400), "failed", "no_phones"),
    ],
)
def test_a_definite_refusal_is_final_for_the_attempt_and_rings_nobody(
    services, worker, provider, error, job_status, reason
):
    provider.fail_creates.append(error)
    add_batch(services, start=None)
    batches.start(services, "batch-1", "now")
    dialing.dial(services, job_id())
    job = job_of(services)
    assert (job["status"], job["reason"], job["attempts"]) == (job_status, reason, 0)
    attempt = services.store.attempts.of_job(job_id())[0]
    assert attempt.status is AttemptState.SETTLED and not attempt.uses_place
    assert services.store.pacing.slots(services.settings.provider_key, 20).free == 20


def test_a_suspended_job_comes_back_by_itself(services, worker, provider):
    provider.fail_creates.append(Refused("Trial has ended", status=402))
    add_batch(services)
    worker.run()
    services.clock.advance(timedelta(minutes=6))
    provider.default = "promise"
    sweep(services)
    worker.run()
    assert job_of(services)["status"] == "done"


@pytest.mark.parametrize("error", [Throttled("slow down", retry_after=3), Retryable("connection refused")])
def test_throttling_and_outages_use_up_no_attempt(services, worker, provider, error):
    provider.fail_creates.append(error)
    provider.default = "promise"
    add_batch(services)
    worker.run()
    assert job_of(services)["attempts"] == 1
    assert job_of(services)["status"] == "done"
    states = [attempt.status for attempt in services.store.attempts.of_job(job_id())]
    assert states == [AttemptState.RELEASED, AttemptState.SETTLED]


def test_a_lost_reply_is_read_before_anything_else(services, worker, provider):
    provider.default = "promise"
    provider.lose_replies.append(UnknownResult("read timed out"))
    add_batch(services)
    worker.run(before="reconcile")
    attempt = services.store.attempts.of_job(job_id())[0]
    assert attempt.status is AttemptState.UNKNOWN
    assert job_of(services)["status"] == "in_progress"
    worker.inbox.clear()  # the message is lost: the sweep does the same
    services.clock.advance(timedelta(seconds=20))
    sweep(services)
    worker.run()
    assert job_of(services)["status"] == "done"
    assert len(provider.rings) == 1


def test_an_unknown_attempt_is_looked_for_without_waiting_for_the_sweep(services, worker, provider):
    provider.default = "promise"
    provider.lose_replies.append(UnknownResult("read timed out"))
    add_batch(services)
    worker.run()
    assert job_of(services)["status"] == "done"
    assert len(provider.rings) == 1


def test_what_never_reached_the_provider_is_posted_again_under_the_same_key(services, worker, provider):
    provider.default = "promise"
    provider.fail_creates.append(UnknownResult("500"))
    add_batch(services)
    worker.run()
    assert job_of(services)["status"] == "done"
    assert len(provider.rings) == 1
    keys = {request.to_body()["idempotency_key"] for request in provider.requests}
    assert len(keys) == 1 and len(provider.requests) == 2


def test_what_nobody_can_tell_is_reviewed_and_counts_as_a_ring(services, worker, provider):
    provider.fail_creates.append(UnknownResult("500"))
    add_batch(services)
    worker.run(before="reconcile")
    services.clock.advance(timedelta(seconds=20))
    provider.list_lag = True
    sweep(services)
    services.clock.advance(timedelta(minutes=51))
    sweep(services)
    job = job_of(services)
    assert (job["status"], job["waiting_for"], job["attempts"]) == ("pending", "review", 1)
    assert len(provider.requests) == 1


def test_a_call_that_never_ends_is_stopped_and_then_reviewed(make, provider):
    services = make(call_max_duration_minutes=1)
    provider.default = "never_ends"
    add_batch(services)
    services.nudges.run()
    assert len(provider.stopped) == 1
    assert job_of(services)["waiting_for"] == "review"
    assert services.store.pacing.slots(services.settings.provider_key, 20).free == 20


def test_lost_messages_are_healed_by_the_sweep(make, provider):
    services = make(lease_seconds=10)
    provider.default = "promise"
    services.nudges.lost = True
    add_batch(services, people=3)
    services.nudges.lost = False
    sweep(services)
    services.nudges.run()
    assert statuses(services)["done"] == 3


def test_a_call_whose_polling_was_lost_is_followed_again(services, worker, provider):
    provider.default = "promise"
    add_batch(services, people=2)
    worker.run(before="poll_call")
    worker.inbox.clear()  # the chains are gone, say with the broker
    for attempt in services.store.attempts.in_state(AttemptState.ONGOING):
        services.store.attempts.extend_lease(attempt.id, -1)  # and time has passed, by the database's clock
    assert sweep(services)["calls"] == 2
    worker.run()
    assert statuses(services)["done"] == 2


def test_a_value_nobody_knows_is_settled_and_kept_whole(services, worker, provider, caplog):
    provider.default = "unheard_of"
    add_batch(services)
    worker.run()
    attempt = services.store.attempts.of_job(job_id())[0]
    assert attempt.outcome.value == "unclassified"
    kept = jobs.view(services, job_id())["attempts"][0]["call"]
    assert kept["disconnection_reason"] == "mercury_retrograde"
    assert any("we do not know" in record.message for record in caplog.records)


def test_later_analysis_adds_to_a_settled_attempt_and_reopens_nothing(services, worker, provider):
    provider.default = "voicemail"
    add_batch(services)
    worker.run()
    before = job_of(services)
    attempt = services.store.attempts.get(services.store.attempts.of_job(job_id())[0].id)
    late = {**attempt.call, "call_analysis": {"call_summary": "Buzón"}, "call_cost": {"combined_cost": 3.5}}
    settling.observe(services, attempt, late, Told.BY_WEBHOOK)
    after = job_of(services)
    assert after["status"] == before["status"] and after["next_attempt_at"] == before["next_attempt_at"]
    assert after["call_result"]["summary"]["call_analysis"] == {"call_summary": "Buzón"}
    assert str(decimal_of(after["cost_cents"])) == "3.5"


def test_pause_stops_new_calls_and_resume_goes_on(make, provider):
    services = make(max_concurrent_calls=1)
    provider.default = "promise"
    add_batch(services, people=3)
    batches.pause(services, "batch-1")
    services.nudges.run()
    assert len(provider.rings) == 0
    batches.resume(services, "batch-1")
    services.nudges.run()
    assert statuses(services)["done"] == 3


def test_cancel_is_final(services, worker, provider):
    add_batch(services, people=3)
    batches.cancel(services, "batch-1")
    worker.run()
    assert len(provider.rings) == 0
    assert statuses(services)["failed"] == 3
    assert job_of(services)["reason"] == "cancelled"
    with pytest.raises(batches.MoveRefusedError):
        batches.start(services, "batch-1", "now")


def test_a_draft_is_not_dialed_even_by_hand(services, worker, provider):
    add_batch(services, start=None)
    assert dialing.dial(services, job_id()).result is DialResult.HELD
    assert provider.requests == []


def test_the_command_line_obeys_the_rules(services, worker, provider):
    add_batch(services, policy="house", start="next_wave")
    services.clock.set(MONDAY_NOON + timedelta(hours=9))
    assert dialing.dial(services, job_id()).result is DialResult.HELD
    assert provider.requests == []
    services.clock.set(MONDAY_NOON + timedelta(days=1))
    assert dialing.dial(services, job_id()).result is DialResult.PLACED


def test_a_rehearsed_batch_is_never_dialed_for_real(services, make, worker, provider):
    add_batch(services)
    real = make(retell_base_url="https://api.retellai.com")
    assert dialing.dial(real, job_id()).result is DialResult.HELD
    assert provider.requests == []
    assert job_of(services)["status"] == "suspended"


def test_eligibility_is_what_the_dialer_would_decide(services, worker):
    add_batch(services, policy="house", start="next_wave")
    services.clock.set(MONDAY_NOON + timedelta(hours=9))
    answer = eligibility.of_job(services, job_id())
    assert answer["allowed"] is False
    assert {rule["rule"] for rule in answer["rules"] if not rule["allowed"]} == {"window"}


def test_a_final_job_is_reopened_on_record_and_called_again(services, worker, provider):
    provider.script[phone(1)] = ["promise", "promise"]
    add_batch(services)
    worker.run()
    jobs.retry(services, job_id(), "ana@ejemplo.cl")
    worker.run()
    job = job_of(services)
    assert job["reopened"][0]["by"] == "ana@ejemplo.cl"
    assert (job["status"], job["attempts"]) == ("done", 2)


def test_how_long_the_provider_says_to_wait_outlives_a_crash(services, worker, provider, monkeypatch):
    """Killed between the attempt that is given back and its job."""

    provider.fail_creates.append(Throttled("HTTP 429", retry_after=3600))
    add_batch(services)
    with monkeypatch.context() as crash:
        crash.setattr(unwinding, "give_back", dies)
        with pytest.raises(KilledError):
            worker.run()
    sweep(services)
    worker.run()
    assert len(provider.requests) == 1
    assert job_of(services)["next_attempt_at"] >= MONDAY_NOON + timedelta(hours=1)
