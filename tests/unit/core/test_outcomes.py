"""The outcomes table, row by row."""

from datetime import date

import pytest

from speechai.catalog.use_cases import Success
from speechai.core.call import Call
from speechai.core.outcomes import BY_DISCONNECTION, Outcome, classify, is_known
from speechai.core.promises import check


def ended(reason="agent_hangup", **call):
    return {"call_status": "ended", "disconnection_reason": reason, **call}


def analysed(reason="agent_hangup", variables=None, **analysis):
    return ended(reason, call_analysis={**analysis, "custom_analysis_data": variables or {}})


def talk(reason, variables=None, **call):
    """Two minutes in which the person spoke, however they ended."""
    said = {"duration_ms": 120_000, "transcript": "Agent: ¿Aló?\nUser: Sí\n"}
    return {**analysed(reason, variables), **said, **call}


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
    # What is said before the line is cut off decides; without words, what cut it off.
    (talk("credit_exhausted"), Outcome.GOAL_NOT_MET),
    (talk("credit_exhausted", transcript=""), Outcome.NO_CREDIT),
    (talk("credit_exhausted", {"opt_out": "Sí."}, transcript=""), Outcome.OPTED_OUT),
    (talk("credit_exhausted", {"wrong_person": "Sí."}, transcript=""), Outcome.WRONG_PERSON),
    (talk("budget_reached", {"callback_at": "mañana"}), Outcome.CALLBACK_REQUESTED),
    (talk("dial_failed", {"third_party": True}), Outcome.THIRD_PARTY),
    (talk("error_asr", call_status="error"), Outcome.GOAL_NOT_MET),
    (talk("error_asr", call_status="error", transcript="Agent: Hola\n"), Outcome.PROVIDER_FAILURE),
    (talk("credit_exhausted", call_analysis={"in_voicemail": True}), Outcome.VOICEMAIL),
    (talk("voicemail_reached"), Outcome.VOICEMAIL),
    (talk("a_reason_of_next_year"), Outcome.UNCLASSIFIED),
    (talk("a_reason_of_next_year", {"wrong_person": "Sí"}), Outcome.WRONG_PERSON),
    (analysed(variables={"callback_at": "N/A", "solicita_callback": "No"}), Outcome.GOAL_NOT_MET),
    (analysed(variables={"opt_out": "Sí, pidió que no lo llamen más"}), Outcome.OPTED_OUT),
    (analysed(call_successful="false"), Outcome.GOAL_NOT_MET),
    (ended("a_reason_of_next_year"), Outcome.UNCLASSIFIED),
    (ended(["a", "list"]), Outcome.UNCLASSIFIED),
    ({"call_status": "not_connected", "disconnection_reason": "quantum_decay"}, Outcome.UNCLASSIFIED),
]


@pytest.mark.parametrize(("call", "outcome"), TABLE)
def test_outcome_of(call, outcome):
    assert classify(Call(call)) is outcome


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
    assert classify(Call(call), success, promise) is outcome


def test_a_promise_made_before_the_credit_ran_out_is_one_and_the_credit_is_out_all_the_same():
    call = Call(talk("credit_exhausted"))
    assert classify(call, Success.PROMISE, BELIEVED) is Outcome.GOAL_MET
    assert call.says_no_credit


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        *((ended(reason), True) for reason in BY_DISCONNECTION),
        (ended(), True),
        (ended(None), True),
        (ended("error_of_next_year"), True),
        (ended("a_reason_of_next_year"), False),
        (ended({"a": "mapping"}), False),
        ({"call_status": "ascended", "end_timestamp": 1}, False),
    ],
)
def test_an_end_that_we_do_not_know_is_told_apart(call, expected):
    assert is_known(Call(call)) is expected
