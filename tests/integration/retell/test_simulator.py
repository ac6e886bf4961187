"""The simulator over HTTP: the official SDK for every endpoint it serves, our client, webhooks, faults."""

from __future__ import annotations

import pytest
import requests
import retell
from retell.lib.webhook_auth import verify as sdk_verifies

from speechai.retell.client import CallRequest
from speechai.retell.errors import NotFound, Refused, Throttled, UnknownResult
from tests.integration.retell.conftest import FROM, KEY, TO, TOLD, Receiver, a_request


def analysed(receiver):
    return receiver.next("call_analyzed")[2]["call"]


def test_the_sdk_places_a_call_and_reads_what_came_of_it(sdk, simulator, receiver):
    simulator.control("script", {TO: ["promise"]})
    made = sdk.call.create_phone_call(
        from_number=FROM,
        to_number=TO,
        override_agent_id="agent_1",
        metadata={"attempt_id": "att-1"},
        retell_llm_dynamic_variables=TOLD,
        idempotency_key="att-1",
    )
    assert (made.call_status, made.call_type, made.direction) == ("registered", "phone_call", "outbound")
    assert made.metadata == {"attempt_id": "att-1"}
    analysed(receiver)
    call = sdk.call.retrieve(made.call_id)
    assert (call.call_status, call.disconnection_reason) == ("ended", "agent_hangup")
    assert call.end_timestamp - call.start_timestamp == call.duration_ms
    assert call.call_analysis.call_successful is True
    assert call.collected_dynamic_variables["monto_pago_cliente"]
    assert call.call_cost.combined_cost == pytest.approx(
        sum(item.cost for item in call.call_cost.product_costs)
    )
    assert call.transcript.startswith("Agent: ") and "Ana" in call.transcript
    assert call.transcript_object[0].words[0].word
    assert call.recording_url and call.recording_multi_channel_url and call.public_log_url
    assert call.latency.e2e.p50 > 0


def test_the_sdk_lists_calls_in_stable_pages(sdk, simulator):
    simulator.control("script", {"*": ["never_ends"]})
    ids = [
        sdk.call.create_phone_call(from_number=FROM, to_number=TO, metadata={"n": str(n)}).call_id
        for n in range(7)
    ]
    first = sdk.call.list(limit=3, include_total=True)
    assert (first.has_more, first.total) == (True, 7)
    ids.append(sdk.call.create_phone_call(from_number=FROM, to_number=TO).call_id)  # in the middle of paging
    second = sdk.call.list(limit=3, pagination_key=first.pagination_key)
    third = sdk.call.list(limit=3, pagination_key=second.pagination_key)
    listed = [call.call_id for page in (first, second, third) for call in page.items]
    assert listed == list(reversed(ids[:7])) and not third.has_more
    assert not hasattr(first.items[0], "transcript_object") or first.items[0].transcript_object is None
    found = sdk.call.list(
        filter_criteria={"metadata": [{"type": "string", "key": "n", "op": "eq", "value": "3"}]}
    )
    assert [call.call_id for call in found.items] == [ids[3]]


def test_the_sdk_stops_updates_and_deletes(sdk, simulator, receiver):
    simulator.control("script", {TO: ["never_ends"]})
    made = sdk.call.create_phone_call(from_number=FROM, to_number=TO)
    receiver.next("call_started")
    with pytest.raises(retell.BadRequestError):
        sdk.call.update(made.call_id, metadata={"x": "1"})
    sdk.call.stop(made.call_id)
    _, _, body = receiver.next("call_ended")
    assert body["call"]["disconnection_reason"] == "manual_stopped"
    assert sdk.call.update(made.call_id, metadata={"x": "1"}).metadata == {"x": "1"}
    sdk.call.delete(made.call_id)
    with pytest.raises(retell.NotFoundError):
        sdk.call.retrieve(made.call_id)


def test_the_sdk_reads_the_workspace(sdk, simulator):
    simulator.control("script", {TO: ["never_ends"]})
    sdk.call.create_phone_call(from_number=FROM, to_number=TO)
    concurrency = sdk.concurrency.retrieve()
    assert (concurrency.current_concurrency, concurrency.concurrency_limit) == (1, 20)
    agent = sdk.agent.retrieve("agent_1")
    assert (agent.agent_id, agent.ring_duration_ms) == ("agent_1", 30000)
    assert sdk.phone_number.retrieve(FROM).phone_number == FROM
    simulator.control("limits", {"from_numbers": [FROM]})
    assert [number.phone_number for number in sdk.phone_number.list().items] == [FROM]
    simulator.control("limits", {"from_numbers": []})


def test_the_sdks_errors(sdk, simulator):
    with pytest.raises(retell.AuthenticationError):
        retell.Retell(api_key="key_other", base_url=simulator.url).concurrency.retrieve()
    with pytest.raises(retell.BadRequestError):
        sdk.call.create_phone_call(from_number=FROM, to_number="911111111")
    simulator.control("limits", {"out_of_credit": True})
    with pytest.raises(retell.APIStatusError) as raised:
        sdk.call.create_phone_call(from_number=FROM, to_number=TO)
    assert raised.value.status_code == 402


def test_the_sdk_verifies_the_webhooks_in_their_order(sdk, simulator, receiver):
    simulator.control("script", {TO: ["promise"]})
    sdk.call.create_phone_call(from_number=FROM, to_number=TO)
    seen = [receiver.next() for _ in range(3)]
    assert [content["event"] for _, _, content in seen] == ["call_started", "call_ended", "call_analyzed"]
    assert all(sdk_verifies(body.decode(), KEY, signature) for signature, body, _ in seen)
    ended, analysed_call = seen[1][2]["call"], seen[2][2]["call"]
    assert "call_analysis" not in ended and ended["transcript"]
    assert analysed_call["call_analysis"]["call_successful"] is True


def test_a_call_never_connected_is_not_started_but_ended_and_analysed(sdk, simulator, receiver):
    simulator.control("script", {TO: ["busy"]})
    sdk.call.create_phone_call(from_number=FROM, to_number=TO)
    seen = [receiver.next()[2] for _ in range(2)]
    assert [content["event"] for content in seen] == ["call_ended", "call_analyzed"]
    call = seen[1]["call"]
    assert (call["call_status"], call["duration_ms"], call["transcript"]) == ("not_connected", 0, "")
    assert call["call_cost"] == {"product_costs": [], "combined_cost": 0}
    assert call["call_analysis"]["user_sentiment"] == "Unknown"
    assert "start_timestamp" not in call


def test_a_webhook_that_is_refused_comes_again(sdk, simulator, receiver):
    receiver.answers = [500, 503]
    simulator.control("script", {TO: ["busy"]})
    sdk.call.create_phone_call(from_number=FROM, to_number=TO)
    events = [receiver.next()[2]["event"] for _ in range(4)]
    assert sorted(events) == ["call_analyzed", "call_analyzed", "call_ended", "call_ended"]


def test_a_call_names_its_own_webhook_address(simulator, client):
    other = Receiver()
    simulator.control("script", {TO: ["busy"]})
    override = {"agent": {"webhook_url": other.url}}
    client.create_phone_call(CallRequest(FROM, TO, "att-1", "j", "b", agent_override=override))
    assert other.next()[2]["event"] == "call_ended"
    other.close()


def test_the_same_key_is_the_same_call(client, simulator):
    first = client.create_phone_call(a_request())
    again = client.create_phone_call(a_request())
    assert again["call_id"] == first["call_id"]
    assert simulator.ledger()["creates"] == 1
    simulator.control("faults", {"ignore_idempotency": 1})
    assert client.create_phone_call(a_request())["call_id"] != first["call_id"]
    assert simulator.ledger()["creates"] == 2


def test_a_lost_reply_is_unknown_and_found_by_its_attempt(client, simulator):
    simulator.control("script", {TO: ["never_ends"]})
    simulator.control("faults", {"lost_reply": 1})
    with pytest.raises(UnknownResult):
        client.create_phone_call(a_request())
    assert [call["metadata"]["attempt_id"] for call in client.find_by_attempt("att-1")] == ["att-1"]
    assert client.find_by_attempt("att-2") == []


@pytest.mark.parametrize(("fault", "made"), [("create_500", 0), ("create_500_created", 1)])
def test_a_500_on_a_create_is_unknown_either_way(client, simulator, fault, made):
    simulator.control("faults", {fault: 1})
    with pytest.raises(UnknownResult):
        client.create_phone_call(a_request())
    assert simulator.ledger()["creates"] == made


def test_a_slow_create_is_unknown(client, simulator):
    simulator.control("faults", {"slow_create": 1, "slow_create_s": 4})
    with pytest.raises(UnknownResult):
        client.create_phone_call(a_request())
    assert simulator.ledger()["creates"] == 1


def test_new_calls_may_be_missing_from_lists_for_a_while(client, simulator):
    simulator.control("faults", {"list_lag_s": 3600})
    client.create_phone_call(a_request())
    assert client.find_by_attempt("att-1") == []


@pytest.mark.parametrize(("silent", "wait"), [(0, 1.0), (1, None)])
def test_429_with_and_without_a_time_to_wait(client, simulator, silent, wait):
    simulator.control("faults", {"create_429": 1, "no_retry_after": silent})
    with pytest.raises(Throttled) as raised:
        client.create_phone_call(a_request())
    assert raised.value.retry_after == wait


def test_calls_per_second_are_counted_per_number(client, simulator):
    simulator.control("limits", {"calls_per_second": 2})
    for attempt in ("a", "b"):
        client.create_phone_call(a_request(attempt))
    with pytest.raises(Throttled):
        client.create_phone_call(a_request("c"))
    client.create_phone_call(CallRequest("+56600999999", TO, "d", "j", "b"))


def test_when_it_is_full(client, simulator, receiver):
    simulator.control("script", {"*": ["never_ends"]})
    simulator.control("limits", {"concurrency": 1})
    first = client.create_phone_call(a_request("a"))
    with pytest.raises(Throttled):
        client.create_phone_call(a_request("b"))
    simulator.control("limits", {"concurrency_refusal": "call_error"})
    second = client.create_phone_call(a_request("c"))
    _, _, body = receiver.next("call_ended")
    assert body["call"]["call_id"] == second["call_id"]
    assert body["call"]["disconnection_reason"] == "concurrency_limit_reached"
    client.stop_call(first["call_id"])
    assert client.get_concurrency()["current_concurrency"] == 0
    assert simulator.ledger()["max_concurrent"] == 1


@pytest.mark.parametrize("shape", ["message", "error_message"])
def test_both_shapes_of_an_error(client, simulator, shape):
    simulator.control("limits", {"error_shape": shape})
    with pytest.raises(Refused, match="to_number"):
        client.create_phone_call(a_request(to="123"))


def test_an_unknown_call(client):
    with pytest.raises(NotFound):
        client.get_call("call_nobody")


def test_many_calls_at_once(client, simulator):
    simulator.control("script", {"*": ["never_ends"]})
    ids = [client.create_phone_call(a_request(f"att-{n}"))["call_id"] for n in range(5)]
    assert {call["call_id"] for call in client.get_calls([*ids[:4], "call_nobody"])} == set(ids[:4])


@pytest.mark.parametrize("fault", ["webhook_bad_signature", "webhook_stale"])
def test_a_spoiled_webhook_is_not_verified_and_a_right_one_follows(client, simulator, receiver, fault):
    simulator.control("script", {TO: ["busy"]})
    simulator.control("faults", {fault: 1})
    client.create_phone_call(a_request())
    verdicts = [
        sdk_verifies(body.decode(), KEY, signature)
        for signature, body, _ in (receiver.next("call_ended") for _ in range(2))
    ]
    assert sorted(verdicts) == [False, True]


def test_duplicates_and_unknown_values(client, simulator, receiver):
    simulator.control("script", {TO: ["promise"]})
    simulator.control("faults", {"webhook_duplicate": 1, "unknown_enum": 1, "extra_fields": 1})
    client.create_phone_call(a_request())
    twice = [receiver.next("call_ended")[2]["call"] for _ in range(2)]
    assert twice[0] == twice[1]
    assert twice[0]["disconnection_reason"] == "a_reason_nobody_knows"
    assert twice[0]["quantum_state"] == "superposed"


def test_the_ledger_is_exact(client, simulator, receiver):
    simulator.control("script", {TO: ["busy"], "+56922222222": ["invalid"]})
    client.create_phone_call(a_request("a"))
    client.create_phone_call(a_request("b", to="+56922222222"))
    for _ in range(2):
        receiver.next("call_ended")
    ledger = simulator.ledger()
    assert (ledger["creates"], ledger["rings"]) == (2, 1)
    by_attempt = {entry["attempt_id"]: entry for entry in ledger["calls"]}
    assert by_attempt["a"]["rang"] and not by_attempt["b"]["rang"]
    assert by_attempt["a"]["ring_at"] <= by_attempt["a"]["ended_at"]


def test_version_2_of_the_list_is_a_bare_array(client, simulator):
    made = client.create_phone_call(a_request())
    answer = requests.post(
        f"{simulator.url}/v2/list-calls",
        json={"filter_criteria": {"call_id": [made["call_id"]]}},
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=5,
    ).json()
    assert [call["call_id"] for call in answer] == [made["call_id"]]
