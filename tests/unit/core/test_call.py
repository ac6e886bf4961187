"""One call as the provider tells of it: whatever it sends can be read, and answers come in any order."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import bson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speechai.catalog.use_cases import Success
from speechai.core.call import MOST_CENTS, Call, ProductCost
from speechai.core.captured import CAPTURED_NAMES, Captured
from speechai.core.outcomes import BY_DISCONNECTION, Outcome, classify, is_known
from tests.builders import SANTIAGO

ENDED_AT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def ended(reason="agent_hangup", **call):
    return {"call_status": "ended", "disconnection_reason": reason, **call}


def analysed(reason="agent_hangup", variables=None, **analysis):
    return ended(reason, call_analysis={**analysis, "custom_analysis_data": variables or {}})


# -- nothing that comes raises ------------------------------------------------------------------------------

NAMES = [name for names in CAPTURED_NAMES.values() for name in names]
WORDS = st.sampled_from(
    ["", "N/A", "Sí", "No", "1e999", "9999-12-31", "31/02/2026", "ended", "error", "-1", "nan", "User: Sí"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**30, 10**31),
    st.floats(),
    st.text(max_size=5),
    WORDS,
    st.sampled_from(sorted(BY_DISCONNECTION)),
)
GARBAGE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
CAPTURES = GARBAGE | st.dictionaries(st.sampled_from(NAMES), GARBAGE, max_size=6)
FIELDS = {
    "call_id": GARBAGE,
    "call_status": GARBAGE,
    "disconnection_reason": GARBAGE,
    "start_timestamp": GARBAGE,
    "end_timestamp": GARBAGE,
    "duration_ms": GARBAGE,
    "transcript": GARBAGE,
    "transcript_object": GARBAGE | st.lists(st.fixed_dictionaries({"role": GARBAGE, "content": GARBAGE})),
    "metadata": GARBAGE | st.fixed_dictionaries({"attempt_id": GARBAGE}),
    "collected_dynamic_variables": CAPTURES,
    "call_analysis": GARBAGE
    | st.fixed_dictionaries(
        {"custom_analysis_data": CAPTURES, "call_successful": GARBAGE, "in_voicemail": GARBAGE}
    ),
    "call_cost": GARBAGE
    | st.fixed_dictionaries(
        {
            "combined_cost": GARBAGE,
            "product_costs": GARBAGE
            | st.lists(st.fixed_dictionaries({"product": GARBAGE, "cost": GARBAGE}), max_size=3),
        }
    ),
}
CALLS = st.fixed_dictionaries({}, optional=FIELDS)


@given(GARBAGE | CALLS)
@example({"duration_ms": 10**5000, "call_cost": {"combined_cost": 10**5000}, "call_id": 10**5000})
def test_whatever_the_provider_sends_can_be_read(raw):
    call = Call.of(raw)
    if isinstance(raw, dict):
        assert call.raw is raw
    for name in dir(Call):
        if not name.startswith("_") and name not in ("of", "named", "callback", "merge"):
            getattr(call, name)
    assert call.duration_ms >= 0
    assert call.cost is None or 0 <= call.cost <= MOST_CENTS * 3
    assert call.call_id is None or isinstance(call.call_id, str)
    callback = call.callback(SANTIAGO, ENDED_AT)
    assert callback.at is None or (callback.at > ENDED_AT and callback.flaw is None)
    for success in Success:
        assert isinstance(classify(call, success), Outcome)
    is_known(call)


@given(CALLS, CALLS)
def test_whatever_two_answers_say_can_be_merged_and_no_end_is_undone(one, other):
    merged = Call(one).merge(Call(other))
    assert merged.is_terminal is (Call(one).is_terminal or Call(other).is_terminal)
    for name in set(FIELDS) - {"call_status"}:
        assert (merged.raw.get(name) is None) is (one.get(name) is None and other.get(name) is None)


# -- amounts and times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "cents"),
    [
        ({"combined_cost": 15.37}, "15.37"),
        ({"combined_cost": "15.37"}, "15.37"),
        ({"combined_cost": 0}, "0"),
        ({"combined_cost": 7}, "7"),
        ({"combined_cost": -1}, None),
        ({"combined_cost": True}, None),
        ({"combined_cost": float("nan")}, None),
        ({"combined_cost": float("inf")}, None),
        ({"combined_cost": "1e7000"}, None),
        ({"combined_cost": 10**30}, None),
        ({"combined_cost": "much"}, None),
        ({"product_costs": [], "combined_cost": 0}, "0"),
        ({"product_costs": [{"product": "llm", "cost": 1.5}, {"cost": 0.25}, {"cost": "?"}, 7]}, "1.75"),
        ({}, None),
        ("free", None),
        (None, None),
    ],
)
def test_what_it_cost_is_exact_or_not_said(cost, cents):
    assert Call({"call_cost": cost}).cost == (None if cents is None else Decimal(cents))


def test_a_cost_of_very_many_digits_is_one_that_can_be_kept():
    cost = Call({"call_cost": {"combined_cost": "0." + "3" * 80}}).cost
    assert cost == Decimal("0.333333333333")


def test_what_each_product_cost():
    call = Call({"call_cost": {"product_costs": [{"product": "llm", "cost": 1.5}, {"cost": 2}]}})
    assert call.products == (ProductCost("llm", Decimal("1.5")), ProductCost("?", Decimal(2)))


@pytest.mark.parametrize(
    ("call", "ms"),
    [
        ({"duration_ms": 900}, 900),
        ({"duration_ms": "900"}, 900),
        ({"duration_ms": 900.4}, 900),
        ({"duration_ms": -5}, 0),
        ({"duration_ms": True}, 0),
        ({"duration_ms": float("nan")}, 0),
        ({"duration_ms": 10**30}, 0),
        ({"duration_ms": 10**30, "start_timestamp": 1000, "end_timestamp": 3500}, 2500),
        ({"start_timestamp": "1000", "end_timestamp": 3500}, 2500),
        ({"start_timestamp": 3500, "end_timestamp": 1000}, 0),
        ({}, 0),
    ],
)
def test_how_long_was_talked(call, ms):
    assert Call(call).duration_ms == ms


def test_our_attempt_is_named_in_the_metadata():
    assert Call({"metadata": {"attempt_id": "a"}}).attempt_id == "a"
    assert Call({"metadata": ["a"]}).attempt_id is None
    assert Call({"metadata": {"attempt_id": ["a"]}}).attempt_id is None


# -- what follows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"call_status": "ended"}, True),
        ({"call_status": "not_connected"}, True),
        ({"call_status": "error"}, True),
        ({"call_status": "registered"}, False),
        ({"call_status": "ongoing"}, False),
        ({"call_status": "ascended", "disconnection_reason": "new"}, True),
        ({"call_status": ["ascended"], "end_timestamp": 5}, True),
        ({"call_status": "warming_up"}, False),
        ({}, False),
    ],
)
def test_a_call_is_over(call, expected):
    assert Call(call).is_terminal is expected


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
        ({"call_status": "error", "disconnection_reason": "no_valid_payment", "duration_ms": 0}, False),
        (ended(), True),
        (ended("a_reason_of_next_year"), True),
    ],
)
def test_whether_it_rang(call, expected):
    assert Call(call).rang is expected


TALK = st.sampled_from(
    [
        {"duration_ms": 120_000},
        {"duration_ms": "900"},
        {"duration_ms": 10**30},
        {"start_timestamp": 1000, "end_timestamp": 1001},
        {"transcript": "Agent: ¿Aló?\nUser: Sí\n"},
        {"transcript_object": [{"role": "user", "content": "Sí"}]},
    ]
)


@given(
    st.sampled_from(["ended", "error", "not_connected", "ascended"]),
    st.sampled_from([*sorted(BY_DISCONNECTION), "error_asr", "a_reason_of_next_year"]),
    TALK,
)
def test_an_end_that_follows_talk_time_is_a_ring_whatever_its_reason(status, reason, talk):
    call = Call({"call_status": status, "disconnection_reason": reason, **talk})
    assert call.rang and call.lacks_details
    # … and what was said is waited for, but where nothing more is to be learnt from it.
    assert call.awaits_analysis is (reason not in ("voicemail_reached", "ivr_reached", "user_requested_dnc"))


def test_the_account_without_credit_is_told_whatever_was_said():
    assert Call(ended("credit_exhausted", duration_ms=120_000)).says_no_credit
    assert not Call(ended()).says_no_credit


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (ended("user_hangup"), True),
        (ended("user_requested_callback"), True),  # the hour is in the analysis
        (ended("a_reason_of_next_year"), True),
        (analysed("user_hangup"), False),
        (analysed("user_requested_callback"), False),
        (ended("user_requested_dnc", duration_ms=30_000), False),
        (ended("voicemail_reached", duration_ms=9_000), False),
        ({"call_status": "not_connected", "disconnection_reason": "dial_busy"}, False),
        ({"call_status": "error", "disconnection_reason": "credit_exhausted"}, False),
        ({"call_status": "error", "disconnection_reason": "credit_exhausted", "duration_ms": 1}, True),
        ({"call_status": "ongoing", "duration_ms": 5000}, False),
    ],
)
def test_analysis_is_awaited_only_where_somebody_answered(call, expected):
    assert Call(call).awaits_analysis is expected


# -- what was captured --------------------------------------------------------------------------------------


def test_the_analysis_wins_over_what_was_captured_in_the_call_where_it_says_something():
    call = Call(
        {
            "collected_dynamic_variables": {
                "monto_pago_cliente": "1",
                "fecha_pago_cliente": "2026-12-01",
                "persona_equivocada": "Sí",
                "confirma": "Sí",
            },
            "call_analysis": {
                "custom_analysis_data": {
                    "monto_pago_cliente": 2,
                    "fecha_pago_cliente": "N/A",
                    "persona_equivocada": False,
                    "confirma": "sin información",
                }
            },
        }
    )
    assert call.captured == Captured(payment_amount="2", payment_date="2026-12-01", confirmed=True)


def test_an_opt_out_binds_wherever_it_was_captured():
    call = {**analysed(variables={"opt_out": "No"}), "collected_dynamic_variables": {"opt_out": "Sí"}}
    assert Call(call).captured.opted_out
    both = {"opt_out": "No", "no_llamar": "pidió que no lo llamen"}
    assert Call(analysed(variables=both)).captured.opted_out


def test_the_use_cases_own_fields_are_kept_as_they_were_written():
    call = Call(analysed(variables={"interesado": "no", "comentario": "N/A", "puntaje": 7, "producto": ""}))
    assert call.named(("interesado", "comentario", "puntaje", "producto", "otro")) == {
        "interesado": "no",
        "comentario": "N/A",
        "puntaje": "7",
    }


def test_the_callback_hour_is_among_what_was_captured():
    call = Call(analysed(variables={"callback_at": "2026-11-24T10:30"}))
    assert call.captured.asks_for_callback
    assert call.callback(SANTIAGO, ENDED_AT).at == datetime(2026, 11, 24, 13, 30, tzinfo=UTC)


# -- answers in any order -----------------------------------------------------------------------------------

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
    call = Call({})
    for answer in [*order, order[repeated]]:
        call = call.merge(Call(answer))
    assert call.raw == {**ANSWERS[3], "start_timestamp": 1}


def test_an_end_is_never_undone():
    assert Call(ANSWERS[2]).merge(Call(ANSWERS[1])).status == "ended"


def test_merging_changes_neither_answer():
    before = json.dumps(ANSWERS)
    Call(ANSWERS[1]).merge(Call(ANSWERS[3]))
    assert json.dumps(ANSWERS) == before


# -- what is kept -------------------------------------------------------------------------------------------


def bottomless(levels):
    nested = []
    for _ in range(levels):
        nested = [nested]
    return nested


@given(CALLS)
@example({"quantum": 10**30, "depth": bottomless(300), "half\ud800": "\ud800", "na\0me": {"a\0": 10**5000}})
def test_whatever_comes_can_be_kept_and_nothing_is_left_out(raw):
    kept = Call(raw).kept
    bson.encode(kept)
    assert len(kept) == len(raw)
    assert Call(kept).kept == kept


def test_what_a_database_can_keep_is_kept_as_it_came():
    raw = {"a": 1, "b": [1.5, None, {"c": "ñ"}], "d": "\N{GRINNING FACE}", "call_weather": {"sky": "clear"}}
    assert Call(raw).kept == raw
