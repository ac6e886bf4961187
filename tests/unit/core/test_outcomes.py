"""The outcomes table, row by row, and the merge of answers that come in any order."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.use_cases import Success
from speechai.core.outcomes import (
    BY_DISCONNECTION,
    Outcome,
    awaits_analysis,
    callback_instant,
    captured,
    classify,
    is_terminal,
    merge_calls,
    rang,
)
from speechai.core.promises import check
from tests.builders import SANTIAGO


def ended(reason="agent_hangup", **call):
    return {"call_status": "ended", "disconnection_reason": reason, **call}


def analysed(reason="agent_hangup", variables=None, **analysis):
    return ended(reason, call_analysis={**analysis, "custom_analysis_data": variables or {}})


TABLE = [
    (analysed(call_successful=True), Outcome.GOAL_MET),
    (analysed(call_successful=False), Outcome.GOAL_NOT_MET),
    (analysed("user_hangup", call_successful=False), Outcome.GOAL_NOT_MET),
    (ended(), Outcome.GOAL_NOT_MET),  # the analysis never came
    (analysed(variables={"solicita_callback": "true"}), Outcome.CALLBACK_REQUESTED),
    (analysed(variables={"callback_at": "2026-11-24T10:30:00-03:00"}), Outcome.CALLBACK_REQUESTED),
    (ended("user_requested_callback"), Outcome.CALLBACK_REQUESTED),
    (analysed(variables={"opt_out": "sí"}, call_successful=True), Outcome.OPTED_OUT),
    (ended("user_requested_dnc"), Outcome.OPTED_OUT),
    (analysed(variables={"wrong_person": "true"}, call_successful=True), Outcome.WRONG_PERSON),
    (analysed(variables={"third_party": "1"}), Outcome.THIRD_PARTY),
    (ended("voicemail_reached"), Outcome.VOICEMAIL),
    (ended("ivr_reached"), Outcome.VOICEMAIL),
    (analysed(in_voicemail=True, call_successful=True), Outcome.VOICEMAIL),
    ({"call_status": "not_connected", "disconnection_reason": "dial_no_answer"}, Outcome.NO_ANSWER),
    ({"call_status": "not_connected", "disconnection_reason": "dial_busy"}, Outcome.BUSY),
    ({"call_status": "not_connected", "disconnection_reason": "user_declined"}, Outcome.DECLINED),
    ({"call_status": "not_connected", "disconnection_reason": "invalid_destination"}, Outcome.INVALID_NUMBER),
    ({"call_status": "not_connected", "disconnection_reason": "dial_failed"}, Outcome.PROVIDER_FAILURE),
    ({"call_status": "not_connected", "disconnection_reason": "sip_routing_error"}, Outcome.PROVIDER_FAILURE),
    ({"call_status": "error", "disconnection_reason": "error_llm_websocket_open"}, Outcome.PROVIDER_FAILURE),
    ({"call_status": "error", "disconnection_reason": "error_made_up_later"}, Outcome.PROVIDER_FAILURE),
    ({"call_status": "error", "disconnection_reason": "concurrency_limit_reached"}, Outcome.CAPACITY_REFUSED),
    ({"call_status": "error", "disconnection_reason": "no_valid_payment"}, Outcome.NO_CREDIT),
    ({"call_status": "error", "disconnection_reason": "credit_exhausted"}, Outcome.NO_CREDIT),
    (
        ended("inactivity", transcript="Agent: ¿Aló?\n", call_analysis={"call_successful": False}),
        Outcome.NO_ANSWER,
    ),
    (
        ended("inactivity", transcript="Agent: ¿Aló?\nUser: Sí\n", call_analysis={"call_successful": False}),
        Outcome.GOAL_NOT_MET,
    ),
    (ended("a_reason_of_next_year"), Outcome.UNCLASSIFIED),
    ({"call_status": "not_connected", "disconnection_reason": "quantum_decay"}, Outcome.UNCLASSIFIED),
]


@pytest.mark.parametrize(("call", "outcome"), TABLE)
def test_outcome_of(call, outcome):
    assert classify(call) is outcome


BELIEVED = check(date(2026, 11, 30), 5000, "CLP", 104_050, date(2026, 11, 23))
TOO_MUCH = check(date(2026, 11, 30), 500_000, "CLP", 104_050, date(2026, 11, 23))


@pytest.mark.parametrize(
    ("success", "call", "promise", "outcome"),
    [
        (Success.PROMISE, analysed(), BELIEVED, Outcome.GOAL_MET),
        (Success.PROMISE, analysed(), TOO_MUCH, Outcome.GOAL_NOT_MET),
        (Success.PROMISE, analysed(call_successful=True), TOO_MUCH, Outcome.GOAL_MET),  # the agent's word
        (Success.INTEREST, analysed(variables={"interesado": "sí"}), None, Outcome.GOAL_MET),
        (Success.INTEREST, analysed(variables={"interesado": "no"}), None, Outcome.GOAL_NOT_MET),
        (Success.ANSWERED, analysed(variables={"encuesta_completa": "true"}), None, Outcome.GOAL_MET),
        (Success.ANSWERED, analysed(), None, Outcome.GOAL_NOT_MET),
        (Success.CONFIRMED, analysed(variables={"confirma": "si"}), None, Outcome.GOAL_MET),
        (Success.CONFIRMED, analysed(), BELIEVED, Outcome.GOAL_NOT_MET),
        (Success.DELIVERED, ended(duration_ms=30_000), None, Outcome.GOAL_MET),
        (Success.DELIVERED, ended(duration_ms=2_000), None, Outcome.GOAL_NOT_MET),
        (Success.DELIVERED, ended(duration_ms=2_000, transcript="User: Sí\n"), None, Outcome.GOAL_MET),
        (Success.DELIVERED, ended("voicemail_reached", duration_ms=30_000), None, Outcome.VOICEMAIL),
    ],
)
def test_what_counts_as_success_is_the_use_cases(success, call, promise, outcome):
    assert classify(call, success, promise) is outcome


@given(
    st.dictionaries(
        st.sampled_from(
            ["call_status", "disconnection_reason", "call_analysis", "transcript", "transcript_object"]
        ),
        st.one_of(
            st.none(),
            st.integers(),
            st.text("añ1 ", max_size=4),
            st.lists(st.none() | st.text("x", max_size=1)),
            st.sampled_from(["ended", "error", "inactivity", *sorted(BY_DISCONNECTION)]),
        ),
    )
)
def test_no_answer_of_the_provider_makes_it_raise(call):
    assert isinstance(classify(call), Outcome)
    assert isinstance(rang(call), bool)
    captured(call)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"call_status": "ended"}, True),
        ({"call_status": "not_connected"}, True),
        ({"call_status": "error"}, True),
        ({"call_status": "registered"}, False),
        ({"call_status": "ongoing"}, False),
        ({"call_status": "ascended", "disconnection_reason": "new"}, True),
        ({"call_status": "warming_up"}, False),
        ({}, False),
    ],
)
def test_a_call_is_over(call, expected):
    assert is_terminal(call) is expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"call_status": "not_connected", "disconnection_reason": "dial_no_answer"}, True),
        ({"call_status": "not_connected", "disconnection_reason": "invalid_destination"}, False),
        ({"call_status": "not_connected", "disconnection_reason": "dial_failed"}, False),
        ({"call_status": "not_connected", "disconnection_reason": "dial_failed", "start_timestamp": 1}, True),
        ({"call_status": "error", "disconnection_reason": "concurrency_limit_reached"}, False),
        ({"call_status": "error", "disconnection_reason": "error_asr", "duration_ms": 900}, True),
        ({"call_status": "error", "disconnection_reason": "error_retell"}, False),
        (ended(), True),
        (ended("a_reason_of_next_year"), True),
    ],
)
def test_whether_it_rang(call, expected):
    assert rang(call) is expected


def test_analysis_is_awaited_only_where_somebody_answered():
    assert awaits_analysis(ended("user_hangup"))
    assert not awaits_analysis(analysed("user_hangup"))
    assert not awaits_analysis(ended("voicemail_reached"))
    assert not awaits_analysis({"call_status": "not_connected", "disconnection_reason": "dial_busy"})
    assert not awaits_analysis({"call_status": "ongoing"})


def test_the_analysis_wins_over_what_was_captured_in_the_call():
    call = {
        "collected_dynamic_variables": {"monto_pago_cliente": "1", "fecha_pago_cliente": "2026-12-01"},
        "call_analysis": {"custom_analysis_data": {"monto_pago_cliente": 2}},
    }
    assert captured(call).payment_amount == "2"
    assert captured(call).payment_date == "2026-12-01"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-24T10:30:00-03:00", datetime(2026, 11, 24, 13, 30, tzinfo=UTC)),
        ("2026-11-24T13:30:00Z", datetime(2026, 11, 24, 13, 30, tzinfo=UTC)),
        ("2026-11-24T10:30", datetime(2026, 11, 24, 13, 30, tzinfo=UTC)),  # no zone: the person's
        ("mañana", None),
        ("", None),
    ],
)
def test_when_the_person_asked_to_be_called(text, instant):
    call = analysed(variables={"callback_at": text})
    assert callback_instant(call, SANTIAGO) == instant


ANSWERS = [
    {"call_id": "c", "call_status": "registered"},
    {"call_id": "c", "call_status": "ongoing", "start_timestamp": 1},
    {"call_id": "c", "call_status": "ended", "disconnection_reason": "user_hangup", "end_timestamp": 9},
    {
        "call_id": "c",
        "call_status": "ended",
        "disconnection_reason": "user_hangup",
        "end_timestamp": 9,
        "call_analysis": {"call_successful": True},
        "call_cost": {"combined_cost": 15.37},
    },
]


@given(st.permutations(ANSWERS), st.integers(0, 3))
def test_answers_in_any_order_and_number_come_to_the_same(order, repeated):
    call = {}
    for answer in [*order, order[repeated]]:
        call = merge_calls(call, answer)
    assert call == {**ANSWERS[3], "start_timestamp": 1}


def test_an_end_is_never_undone():
    call = merge_calls(ANSWERS[2], ANSWERS[1])
    assert call["call_status"] == "ended"


@given(
    st.sampled_from([*BY_DISCONNECTION, "a_reason_nobody_knows"]),
    st.sampled_from(["ended", "error", "not_connected"]),
    st.integers(1, 3_600_000),
)
def test_what_was_talked_about_has_rung_whatever_ended_it(reason: str, status: str, duration_ms: int) -> None:
    assert rang({"call_status": status, "disconnection_reason": reason, "duration_ms": duration_ms})
