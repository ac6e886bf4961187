"""The simulated world's own arithmetic: mixes, scripts, costs, transcripts, filters."""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.core.call import Call
from speechai.core.outcomes import Outcome, classify
from speechai.retell.simulator.conversation import (
    analysis_of,
    captured_variables,
    transcript_fields,
    turns_of,
)
from speechai.retell.simulator.costs import cost_of
from speechai.retell.simulator.faults import FAULTS, SECONDS, Faults, UnknownFaultError
from speechai.retell.simulator.outcomes import OUTCOMES, USUAL_MIX, Casting, Talk, UnknownOutcomeError
from speechai.retell.simulator.queries import BadFilterError, matches_v2, matches_v3

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
TOLD = {
    "nombre": "Ana",
    "empresa": "Casa Ejemplo",
    "monto_total": "104050",
    "cuotas_adeudadas": "2",
    "fecha_limite": "2026-11-26",
}


def test_the_same_seed_gives_the_same_outcomes_whatever_the_order():
    numbers = [f"+5691111{n:04d}" for n in range(200)]
    one, other = Casting(seed=7), Casting(seed=7)
    forward = {number: one.plan(number, 0) for number in numbers}
    backward = {number: other.plan(number, 0) for number in reversed(numbers)}
    assert forward == backward
    assert forward != {number: Casting(seed=8).plan(number, 0) for number in numbers}


def test_the_usual_mix_comes_out_about_right():
    casting = Casting(seed=1)
    drawn = Counter(casting.plan(f"+5691{n:07d}", 0).outcome for n in range(5000))
    assert abs(drawn["no_answer"] / 5000 - 0.25) < 0.03
    assert abs(drawn["voicemail"] / 5000 - 0.15) < 0.03
    assert sum(USUAL_MIX.values()) == 100


def test_a_script_gives_one_outcome_per_call_and_repeats_the_last():
    casting = Casting()
    casting.set_scripts({"+1": ["no_answer", {"outcome": "promise", "talk_s": 5, "ring_s": 1}]})
    plans = [casting.plan("+1", n) for n in range(4)]
    assert [plan.outcome for plan in plans] == ["no_answer", "promise", "promise", "promise"]
    assert (plans[1].talk_s, plans[1].ring_s) == (5, 1)


def test_a_name_that_there_is_not_is_refused():
    with pytest.raises(UnknownOutcomeError, match="promise"):
        Casting().set_scripts({"+1": ["promised"]})
    with pytest.raises(UnknownOutcomeError):
        Casting().set_mix({"nothing": 1})
    with pytest.raises(UnknownFaultError, match="lost_reply"):
        Faults().set({"gremlins": 1})


def test_the_documentation_names_every_outcome_and_fault():
    text = (Path(__file__).resolve().parents[3] / "docs" / "simulator.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+)`", text))
    assert {*OUTCOMES, *FAULTS, *SECONDS} <= named


EXPECTED = {
    "promise": Outcome.GOAL_MET,
    "completed": Outcome.GOAL_MET,
    "no_agreement": Outcome.GOAL_NOT_MET,
    "callback": Outcome.CALLBACK_REQUESTED,
    "user_callback": Outcome.CALLBACK_REQUESTED,
    "opted_out": Outcome.OPTED_OUT,
    "dnc": Outcome.OPTED_OUT,
    "wrong_person": Outcome.WRONG_PERSON,
    "third_party": Outcome.THIRD_PARTY,
    "user_hangup_early": Outcome.GOAL_NOT_MET,
    "silent": Outcome.NO_ANSWER,
    "voicemail": Outcome.VOICEMAIL,
    "in_voicemail_late": Outcome.VOICEMAIL,
    "no_answer": Outcome.NO_ANSWER,
    "busy": Outcome.BUSY,
    "declined": Outcome.DECLINED,
    "invalid": Outcome.INVALID_NUMBER,
    "dial_failed": Outcome.PROVIDER_FAILURE,
    "sip_error": Outcome.PROVIDER_FAILURE,
    "spam": Outcome.PROVIDER_FAILURE,
    "error_llm": Outcome.PROVIDER_FAILURE,
    "error_unknown": Outcome.PROVIDER_FAILURE,
    "concurrency_error": Outcome.CAPACITY_REFUSED,
    "no_valid_payment": Outcome.NO_CREDIT,
    "late_opted_out": Outcome.OPTED_OUT,
    "late_wrong_person": Outcome.WRONG_PERSON,
    "late_third_party": Outcome.THIRD_PARTY,
    "late_callback": Outcome.CALLBACK_REQUESTED,
    "credit_exhausted": Outcome.GOAL_NOT_MET,
    "no_payment_in_call": Outcome.GOAL_NOT_MET,
    "concurrency_in_call": Outcome.GOAL_NOT_MET,
    "never_ends": Outcome.GOAL_NOT_MET,
    "unknown_enum": Outcome.UNCLASSIFIED,
}


@pytest.mark.parametrize("name", list(OUTCOMES))
def test_every_outcome_is_understood_by_the_dialer_and_agrees_on_what_rang(name):
    casting = Casting()
    casting.set_scripts({"+1": [name]})
    plan, ending = casting.plan("+1", 0), OUTCOMES[name]
    said = captured_variables(plan, TOLD, NOW, NOW + timedelta(hours=2), random.Random(1))
    talk = plan.talk_s if plan.talk_s is not None else 60
    call = {
        "call_status": ending.status,
        "disconnection_reason": ending.reason,
        "duration_ms": round(talk * 1000),
        "call_analysis": analysis_of(plan, said, TOLD),
    }
    if ending.talk is not Talk.NONE:
        call |= {"start_timestamp": 1, **transcript_fields(turns_of(ending, TOLD, said), talk)}
    assert classify(Call(call)) is EXPECTED[name]
    assert Call(call).rang is ending.rang


def test_a_late_analysis_is_minutes_late_and_never_lost():
    casting = Casting()
    casting.set_scripts({"*": ["late_opted_out"]})
    waits = [casting.plan(f"+5691{n:07d}", 0).analysis_s for n in range(500)]
    assert all(wait is not None and 300 <= wait <= 900 for wait in waits)


def test_a_promise_is_within_what_the_agent_was_told():
    casting = Casting()
    casting.set_scripts({"+1": ["promise"]})
    for seed in range(50):
        said = captured_variables(casting.plan("+1", 0), TOLD, NOW, NOW, random.Random(seed))
        assert "2026-11-23" <= said["fecha_pago_cliente"] <= "2026-11-26"
        assert 0 < int(said["monto_pago_cliente"]) <= 104050
        text = transcript_fields(turns_of(OUTCOMES["promise"], TOLD, said), 60)["transcript"]
        assert said["monto_pago_cliente"] in text and "Ana" in text and "Casa Ejemplo" in text


def test_a_variable_that_was_not_given_is_spoken_by_its_name():
    text = transcript_fields(turns_of(OUTCOMES["no_agreement"], {}, {}), 30)["transcript"]
    assert "{{nombre}}" in text


@given(st.floats(1, 200))
def test_words_fit_into_the_call(talk_s):
    fields = transcript_fields(turns_of(OUTCOMES["no_agreement"], TOLD, {}), talk_s)
    words = [word for turn in fields["transcript_object"] for word in turn["words"]]
    assert words[-1]["end"] <= talk_s + 0.01
    assert all(word["start"] <= word["end"] for word in words)
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)


@given(st.floats(0.1, 600), st.booleans())
def test_costs_add_up(talk_s, analysed):
    cost = cost_of(talk_s, analysed=analysed)
    assert cost["combined_cost"] == pytest.approx(sum(item["cost"] for item in cost["product_costs"]))
    prices = [item["unit_price"] for item in cost["product_costs"] if "unit_price" in item]
    assert cost["total_duration_unit_price"] == pytest.approx(sum(prices))
    for item in cost["product_costs"]:
        if "unit_price" in item:
            assert item["cost"] == pytest.approx(
                item["unit_price"] * cost["total_duration_seconds"], abs=1e-4
            )


def test_a_call_never_answered_costs_nothing_and_has_no_totals():
    assert cost_of(0, analysed=False) == {"product_costs": [], "combined_cost": 0}


CALL = {
    "call_id": "call_1",
    "call_status": "ended",
    "to_number": "+56911111111",
    "start_timestamp": 1000,
    "metadata": {"attempt_id": "a"},
    "agent_id": "agent_1",
    "call_analysis": {"call_successful": True, "custom_analysis_data": {"x": "y"}},
    "call_cost": {"combined_cost": 5.0},
}


@pytest.mark.parametrize(
    ("criteria", "fits"),
    [
        ({}, True),
        ({"call_id": {"type": "enum", "op": "in", "value": ["call_1", "call_2"]}}, True),
        ({"call_id": {"type": "string", "op": "eq", "value": "call_2"}}, False),
        ({"call_status": {"type": "enum", "op": "in", "value": ["ongoing"]}}, False),
        ({"metadata": [{"type": "string", "key": "attempt_id", "op": "eq", "value": "a"}]}, True),
        ({"metadata": [{"type": "string", "key": "attempt_id", "op": "eq", "value": "b"}]}, False),
        ({"start_timestamp": {"type": "range", "op": "bt", "value": [900, 1100]}}, True),
        ({"start_timestamp": {"type": "number", "op": "gt", "value": 1000}}, False),
        ({"to_number": {"type": "string", "op": "sw", "value": "+569"}}, True),
        ({"call_successful": {"type": "boolean", "op": "eq", "value": True}}, True),
        ({"combined_cost": {"type": "number", "op": "le", "value": 5}}, True),
        ({"custom_analysis_data": [{"type": "string", "key": "x", "op": "co", "value": "y"}]}, True),
        ({"agent": [{"agent_id": "agent_2"}]}, False),
        ({"transfer": {"type": "present", "op": "np"}}, True),
    ],
)
def test_filters_of_version_3(criteria, fits):
    assert matches_v3(CALL, criteria) is fits


def test_an_unknown_condition_is_refused():
    with pytest.raises(BadFilterError, match="call_id"):
        matches_v3(CALL, {"call_id": ["call_1"]})  # version 2's shape


@pytest.mark.parametrize(
    ("criteria", "fits"),
    [
        ({"call_id": ["call_1"]}, True),
        ({"call_status": ["ongoing"]}, False),
        ({"metadata.attempt_id": ["a"]}, True),
        ({"start_timestamp": {"lower_threshold": 1001}}, False),
    ],
)
def test_filters_of_version_2(criteria, fits):
    assert matches_v2(CALL, criteria) is fits
