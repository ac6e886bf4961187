"""A batch is dialed through the provider it was made for; only an operator moves it, on record."""

from __future__ import annotations

import pytest

from speechai.operation.calling import following, pacing
from speechai.operation.calling.dialing import dial
from speechai.operation.campaigns import batches, eligibility, jobs, providers
from speechai.operation.campaigns.batches import BatchNotFoundError, MoveRefusedError
from speechai.operation.campaigns.configuring import RefusedOptionError
from speechai.operation.recovery import sweep
from tests.integration.operation.conftest import add_batch, job_id, job_of

REAL = {"retell_base_url": "https://api.retellai.com"}


def test_a_rotated_key_changes_nothing_while_calls_are_in_flight(make, provider):
    before = make(max_concurrent_calls=3)
    provider.default = "never_ends"
    add_batch(before, 5)
    before.nudges.run(before="poll_call")
    assert pacing.state(before)["used"] == len(provider.rings) == 3

    after = make(max_concurrent_calls=3, retell_api_key="key_rotated")
    assert pacing.state(after)["used"] == 3
    assert sweep(after)["dispatched"] == 0, "every slot is taken, by calls of the old key"
    assert eligibility.of_job(after, job_id(number=5))["allowed"] is True
    for call in provider.rings:
        call["scripted"] = "promise"
    for attempt in after.store.db["call_logs"].find({"status": "ongoing"}):
        look = following.look(after, attempt["_id"], attempt["poll_token"])
        assert look.next is not None
        after.nudges.persist_result(attempt["_id"])
    provider.default = "promise"
    after.nudges.run()
    assert len(provider.rings) == 5
    assert pacing.state(after)["used"] == 0
    assert batches.view(after, "batch-1")["counts"]["done"] == 5
    assert after.store.db["pacing"].count_documents({}) == 1


@pytest.mark.parametrize(("made_for", "in_use"), [({}, REAL), (REAL, {})])
def test_a_rehearsed_batch_rings_nobody_for_real_and_the_reverse(make, provider, made_for, in_use):
    add_batch(make(**made_for), 2, policy="house")
    after = make(**in_use)
    after.nudges.tick()
    assert dial(after, job_id()).attempt_id is None
    sweep(after)
    after.nudges.run()
    assert provider.rings == []
    assert batches.view(after, "batch-1")["held_by_provider"] is True
    rules = eligibility.of_job(after, job_id(number=2))["rules"]
    assert [rule["rule"] for rule in rules if not rule["allowed"]] == ["provider"]
    for number in (1, 2):  # one that somebody tried to dial, and one that waits
        assert jobs.view(after, job_id(number=number))["reason"] == "other_provider"


def test_an_operator_moves_a_batch_on_record_and_it_goes_on(make, provider):
    add_batch(make(), 2, policy="house")
    after = make(**REAL)
    before = job_of(after)["status"]
    assert providers.move(after, ["batch-1"], "ana", "es") == ["batch-1"]
    moved_at = after.clock.now()
    after.nudges.tick()
    assert (before, len(provider.rings)) == ("pending", 2)
    edit = after.store.batches.document("batch-1")["edits"][-1]
    assert edit == {
        "at": moved_at,
        "by": "ana",
        "changes": {
            "provider": {"from": "simulator http://127.0.0.1:9", "to": "real https://api.retellai.com"}
        },
    }
    assert batches.view(after, "batch-1")["held_by_provider"] is False
    assert jobs.view(after, job_id())["reason"] != "other_provider"
    with pytest.raises(providers.SameProviderError):
        providers.move(after, ["batch-1"], "ana", "es")


def test_what_cannot_be_moved_is_refused_and_nothing_moves(make, provider):
    before = make()
    add_batch(before, policy="house")
    add_batch(
        before, batch_id="batch-2", policy="anytime", person_ids=["CL:RUT:2"], phones=[["+56922222222"]]
    )
    add_batch(before, batch_id="batch-3", policy="house", start=None)
    batches.cancel(before, "batch-3")
    after = make(**REAL)
    with pytest.raises(BatchNotFoundError):
        providers.move(after, ["batch-1", "batch-9"], "ana", "es")
    with pytest.raises(RefusedOptionError) as refused:  # its policy would ring at any hour
        providers.move(after, ["batch-1", "batch-2"], "ana", "es")
    assert refused.value.field == "policy"
    with pytest.raises(MoveRefusedError):
        providers.move(after, ["batch-1", "batch-3"], "ana", "es")
    assert {row["provider"] for row in after.store.db["batches"].find()} == {before.settings.provider_key}


def test_calls_in_flight_are_waited_for(make, provider):
    """What the other provider has could never be looked up here, and would be posted once more."""
    before = make()
    provider.default = "never_ends"
    add_batch(before, policy="house")
    before.nudges.run(before="poll_call")
    with pytest.raises(providers.CallsInFlightError):
        providers.move(make(**REAL), ["batch-1"], "ana", "es")


def test_the_overview_names_what_is_held(make):
    add_batch(make(), policy="house")
    after = make(**REAL)
    add_batch(after, batch_id="batch-2", policy="house", person_ids=["CL:RUT:2"], phones=[["+56922222222"]])
    found = providers.overview(after)
    assert (found["provider"], found["kind"]) == ("real https://api.retellai.com", "real")
    assert [(row["batch_id"], row["held"]) for row in found["batches"]] == [
        ("batch-2", False),
        ("batch-1", True),
    ]
