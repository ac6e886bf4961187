"""What the simulator can be told to do wrong: each as a client of the real API would meet it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from retell.lib.webhook_auth import verify as sdk_verifies

from speechai.clock import ManualClock
from speechai.retell.client import RetellClient
from speechai.retell.errors import Refused, Retryable, Throttled, UnknownResult
from speechai.retell.simulator.api import create_app
from speechai.retell.simulator.delivery import Delivery
from speechai.retell.simulator.process import SimulatorServer
from speechai.retell.simulator.world import World
from speechai.retell.webhook import SignatureError, verify
from speechai.stack import wait
from tests.builders import MONDAY_NOON
from tests.integration.retell.conftest import FROM, KEY, TO, a_request

CALL = {"from_number": FROM, "to_number": TO, "metadata": {"attempt_id": "att-1"}}
REFUSALS = {"400": Refused, "401": Refused, "402": Refused, "403": Refused, "429": Throttled}


# -- who signs -----------------------------------------------------------------------------------------


def test_without_options_a_calls_webhooks_are_signed_with_the_key_that_made_it(receiver):
    with SimulatorServer(["--speed", "200", "--webhook", receiver.url], api_key=None) as simulator:
        simulator.control("script", {"*": ["busy"]})
        for key in ("key_of_ana", "key_of_berta"):
            client = RetellClient(key, simulator.url)
            made = client.create_phone_call(a_request())
            for event in ("call_ended", "call_analyzed"):
                signature, body, content = receiver.next(event)
                assert content["call"]["call_id"] == made["call_id"]
                assert sdk_verifies(body.decode(), key, signature)
            client.close()
            requests.post(
                f"{simulator.url}/_simulator/reset", timeout=5
            )  # the key of the attempt is used again


@pytest.fixture
def world():
    made = World(speed=200, clock=ManualClock(MONDAY_NOON))
    yield made
    made.close()


def test_a_webhook_key_that_is_given_signs_instead(world, receiver):
    delivery = Delivery(world, "key_of_webhooks")
    world.webhook_url = receiver.url
    world.casting.set_scripts({"*": ["busy"]})
    client = create_app(world, None).test_client()
    assert client.post("/v2/create-phone-call", json=CALL, headers=bearer()).status_code == 201
    signature, body, _ = receiver.next("call_ended")
    at = int(signature.partition(",")[0].removeprefix("v="))
    assert at == MONDAY_NOON.timestamp() * 1000
    assert _signs(body, "key_of_webhooks", signature) and not _signs(body, KEY, signature)
    delivery.close()


def _signs(body: bytes, key: str, signature: str) -> bool:
    try:
        verify(body, key, signature, MONDAY_NOON)
    except SignatureError:
        return False
    return True


def bearer(key: str = KEY) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# -- posts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", REFUSALS)
def test_a_repost_is_refused_though_the_first_post_rings(client, simulator, status):
    simulator.control("script", {TO: ["never_ends"]})
    simulator.control("faults", {"lost_reply": 1, f"repost_{status}": 1})
    with pytest.raises(UnknownResult):
        client.create_phone_call(a_request())
    for _ in range(2):
        with pytest.raises(REFUSALS[status]) as raised:
            client.create_phone_call(a_request())
        assert raised.value.status == int(status)
    ledger = simulator.ledger()
    assert (ledger["creates"], ledger["rings"], ledger["live"]) == (1, 1, 1)
    simulator.control("faults", {"lost_reply": 0})
    assert client.create_phone_call(a_request("att-2"))["call_id"], "a first post is not refused"


def test_whoever_believes_a_lagging_list_cannot_connect_to_post_again(client, simulator):
    simulator.control("script", {TO: ["never_ends"]})
    faults = {"lost_reply": 1, "list_lag_s": 3600, "repost_unreachable": 1, "unreachable_s": 0.5}
    simulator.control("faults", faults)
    assert client.find_by_attempt("att-1") == [], "nothing lags: the door stays open"
    with pytest.raises(UnknownResult):
        client.create_phone_call(a_request())
    assert client.find_by_attempt("att-1") == []
    with pytest.raises(Retryable):
        client.create_phone_call(a_request())

    def answers() -> bool:
        try:
            return bool(simulator.ledger()["creates"] == 1)
        except requests.ConnectionError:
            return False

    wait.until(answers, seconds=20, what="the simulator, after a while,")
    assert simulator.ledger()["rings"] == 1


@pytest.mark.parametrize("status", REFUSALS)
def test_a_first_post_is_refused_and_makes_no_call(client, simulator, status):
    simulator.control("faults", {f"create_{status}": 1})
    with pytest.raises(REFUSALS[status]) as raised:
        client.create_phone_call(a_request())
    assert raised.value.status == int(status)
    assert simulator.ledger()["creates"] == 0


# -- lookups -------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(simulator):
    """A client that does not wait long for an answer."""
    made = RetellClient(KEY, simulator.url, read_timeout=(2, 0.2), sleep=lambda seconds: None)
    yield made
    made.close()


@pytest.mark.parametrize(("fault", "error"), [("500", Retryable), ("401", Refused), ("hangs", Retryable)])
@pytest.mark.parametrize("lookup", ["get", "list"])
def test_a_lookup_always_fails_while_everything_else_answers(hasty, simulator, lookup, fault, error):
    simulator.control("script", {"*": ["never_ends"]})
    simulator.control("faults", {f"{lookup}_{fault}": 1, "hang_s": 1})
    made = hasty.create_phone_call(a_request())
    lookups = {
        "get": lambda: hasty.get_call(made["call_id"])["call_id"],
        "list": lambda: hasty.find_by_attempt("att-1")[0]["call_id"],
    }
    failing = lookups.pop(lookup)
    for _ in range(2):
        with pytest.raises(error):
            failing()
    [answering] = lookups.values()
    assert answering() == made["call_id"]
    assert hasty.create_phone_call(a_request("att-2"))["call_id"]
    hasty.stop_call(made["call_id"])
    assert simulator.ledger()["live"] == 1


def test_a_list_lags_by_as_many_seconds_as_it_is_told(world):
    world.faults.set({"list_lag_s": 10})
    client = create_app(world, None).test_client()
    made = client.post("/v2/create-phone-call", json=CALL, headers=bearer()).json
    condition = {"type": "string", "key": "attempt_id", "op": "eq", "value": "att-1"}

    def listed() -> list[str]:
        answer = client.post(
            "/v3/list-calls", json={"filter_criteria": {"metadata": [condition]}}, headers=bearer()
        )
        return [call["call_id"] for call in answer.json["items"]]

    assert listed() == []
    world.clock.advance(timedelta(seconds=9))
    assert listed() == []
    world.clock.advance(timedelta(seconds=1))
    assert listed() == [made["call_id"]]


# -- what is known late --------------------------------------------------------------------------------

WORDS = {
    "late_opted_out": "opt_out",
    "late_wrong_person": "wrong_person",
    "late_third_party": "third_party",
    "late_callback": "callback_at",
    "user_callback": "callback_at",
}


@pytest.mark.parametrize("outcome", WORDS)
def test_some_words_are_in_the_analysis_alone(client, simulator, receiver, outcome):
    simulator.control("script", {TO: [{"outcome": outcome, "analysis_s": 60}]})
    client.create_phone_call(a_request())
    ended = receiver.next("call_ended")[2]["call"]
    assert ended["collected_dynamic_variables"] == {}
    analysed = receiver.next("call_analyzed")[2]["call"]
    assert analysed["call_analysis"]["custom_analysis_data"][WORDS[outcome]]
    assert analysed["collected_dynamic_variables"] == {}
    [entry] = simulator.ledger()["calls"]
    assert entry["analysed_at"] - entry["ended_at"] >= 0.29 and entry["captured"][WORDS[outcome]]


def test_every_analysis_may_come_late_whatever_was_said(client, simulator, receiver):
    simulator.control("script", {TO: ["opted_out"]})
    simulator.control("faults", {"analysis_late": 1, "analysis_late_s": 0.4})
    client.create_phone_call(a_request())
    assert receiver.next("call_ended")[2]["call"]["collected_dynamic_variables"] == {}
    analysed = receiver.next("call_analyzed")[2]["call"]
    assert analysed["call_analysis"]["custom_analysis_data"] == {"opt_out": "true"}
    [entry] = simulator.ledger()["calls"]
    assert entry["analysed_at"] - entry["ended_at"] >= 0.39


def test_a_cost_grows_after_the_end_and_nobody_is_told(client, simulator, receiver):
    simulator.control("script", {TO: [{"outcome": "no_agreement", "talk_s": 60, "analysis_s": 5}]})
    simulator.control("faults", {"cost_grows": 1, "cost_grows_s": 0.3})
    made = client.create_phone_call(a_request())
    before = receiver.next("call_analyzed")[2]["call"]["call_cost"]["combined_cost"]

    def cost() -> float:
        return float(client.get_call(made["call_id"])["call_cost"]["combined_cost"])

    wait.until(lambda: cost() > before, seconds=10, what="a higher cost")
    assert cost() == pytest.approx(before * 1.5, abs=1e-3)
    products = client.get_call(made["call_id"])["call_cost"]["product_costs"]
    assert sum(product["cost"] for product in products) == pytest.approx(cost())
    [entry] = simulator.ledger()["calls"]
    assert entry["costs"] == [before, cost()] and entry["cost_cents"] == cost()


# -- ends and words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("credit_exhausted", "credit_exhausted"),
        ("no_payment_in_call", "no_valid_payment"),
        ("concurrency_in_call", "concurrency_limit_reached"),
    ],
)
def test_an_end_that_is_the_providers_own_follows_talk(client, simulator, receiver, outcome, reason):
    simulator.control("script", {TO: [outcome]})
    client.create_phone_call(a_request())
    receiver.next("call_started")
    call = receiver.next("call_ended")[2]["call"]
    assert call["disconnection_reason"] == reason and call["duration_ms"] > 0 and call["transcript"]
    [entry] = simulator.ledger()["calls"]
    assert entry["rang"] and entry["answered_at"]


def test_a_script_says_what_the_agent_writes_down(client, simulator, receiver):
    words = {"opt_out": "Sí, pidió que no lo llamen más", "callback_at": "9999-12-31", "monto": None}
    simulator.control("script", {TO: [{"outcome": "no_agreement", "captured": words}]})
    client.create_phone_call(a_request())
    assert receiver.next("call_ended")[2]["call"]["collected_dynamic_variables"] == words


@pytest.mark.parametrize(
    "entry", [{"outcome": "promise", "mood": "bad"}, {"talk_s": 3}, {"outcome": "promise", "captured": "x"}]
)
def test_a_script_that_says_something_unknown_is_refused(simulator, entry):
    answer = requests.put(f"{simulator.url}/_simulator/script", json={TO: [entry]}, timeout=5)
    assert answer.status_code == 400 and answer.json()["message"]
