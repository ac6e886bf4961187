"""What an attempt came to: the table from the provider's words to ours, and what was captured.

A provider value that is not in the table is `unclassified`: settled, kept whole and alerted. The enum of
the provider grew from 31 to 39 values in a few months; it will grow again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from speechai.catalog.use_cases import Success
from speechai.core.promises import Promise, PromiseState


class Outcome(StrEnum):
    """What one attempt came to."""

    GOAL_MET = "goal_met"
    GOAL_NOT_MET = "goal_not_met"
    CALLBACK_REQUESTED = "callback_requested"
    OPTED_OUT = "opted_out"
    WRONG_PERSON = "wrong_person"
    THIRD_PARTY = "third_party"
    VOICEMAIL = "voicemail"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    DECLINED = "declined"
    INVALID_NUMBER = "invalid_number"
    PROVIDER_FAILURE = "provider_failure"
    CAPACITY_REFUSED = "capacity_refused"
    NO_CREDIT = "no_credit"
    ACCOUNT_REFUSED = "account_refused"
    UNCLASSIFIED = "unclassified"
    NEEDS_REVIEW = "needs_review"


CONVERSATIONS = frozenset(
    {
        Outcome.GOAL_MET,
        Outcome.GOAL_NOT_MET,
        Outcome.CALLBACK_REQUESTED,
        Outcome.OPTED_OUT,
        Outcome.WRONG_PERSON,
        Outcome.THIRD_PARTY,
    }
)
"""Outcomes in which a person spoke: such a day is not a day without an answer."""

# disconnection_reason → outcome, for calls in which nobody has to be asked what was said.
# Source: reference/retell-api.md, section 2, and the outcomes table of the design.
BY_DISCONNECTION: dict[str, Outcome] = {
    "voicemail_reached": Outcome.VOICEMAIL,
    "ivr_reached": Outcome.VOICEMAIL,
    "dial_no_answer": Outcome.NO_ANSWER,
    "dial_busy": Outcome.BUSY,
    "user_declined": Outcome.DECLINED,
    "invalid_destination": Outcome.INVALID_NUMBER,
    "dial_failed": Outcome.PROVIDER_FAILURE,
    "telephony_provider_permission_denied": Outcome.PROVIDER_FAILURE,
    "telephony_provider_unavailable": Outcome.PROVIDER_FAILURE,
    "sip_routing_error": Outcome.PROVIDER_FAILURE,
    "marked_as_spam": Outcome.PROVIDER_FAILURE,
    "network_blocked": Outcome.PROVIDER_FAILURE,
    "scam_detected": Outcome.PROVIDER_FAILURE,
    "registered_call_timeout": Outcome.PROVIDER_FAILURE,
    "concurrency_limit_reached": Outcome.CAPACITY_REFUSED,
    "no_concurrency_fallback": Outcome.CAPACITY_REFUSED,
    "no_valid_payment": Outcome.NO_CREDIT,
    "credit_exhausted": Outcome.NO_CREDIT,
    "budget_reached": Outcome.NO_CREDIT,
    "user_requested_dnc": Outcome.OPTED_OUT,
    "user_requested_callback": Outcome.CALLBACK_REQUESTED,
}

# Ends of a call that was answered: what was said decides.
ANSWERED_ENDS = frozenset(
    {
        "user_hangup",
        "agent_hangup",
        "call_transfer",
        "inactivity",
        "max_duration_reached",
        "manual_stopped",
        "call_take_over",
        "transfer_bridged",
        "transfer_cancelled",
    }
)

TERMINAL_STATUSES = frozenset({"ended", "not_connected", "error"})
LIVE_STATUSES = frozenset({"registered", "ongoing"})

# Names under which agents capture the same thing, in the order they are looked at.
CAPTURED_NAMES: dict[str, tuple[str, ...]] = {
    "payment_date": ("fecha_pago_cliente", "fecha_pago", "payment_date"),
    "payment_amount": ("monto_pago_cliente", "monto_pago", "payment_amount"),
    "callback_at": ("callback_at", "fecha_callback", "fecha_rellamada", "callback_time"),
    "callback": ("solicita_callback", "callback_requested", "callback", "reagendar"),
    "opted_out": ("opt_out", "opted_out", "no_llamar", "do_not_call"),
    "wrong_person": ("wrong_person", "persona_equivocada", "numero_equivocado"),
    "third_party": ("third_party", "tercero", "contesta_tercero"),
    "interest": ("interesado", "interested", "acepta_oferta"),
    "answered": ("encuesta_completa", "survey_completed"),
    "confirmed": ("confirma", "confirmado", "confirmed"),
}
HEARD_MS = 10_000  # a call that somebody answered and left sooner told nobody anything
_YES = frozenset({"true", "1", "yes", "y", "si", "sí", "verdadero"})


@dataclass(frozen=True, slots=True)
class Captured:
    """What the agent wrote down during the call, as it wrote it."""

    payment_date: str | None = None
    payment_amount: str | None = None
    callback_at: str | None = None
    callback: bool = False
    opted_out: bool = False
    wrong_person: bool = False
    third_party: bool = False
    interest: bool = False
    answered: bool = False
    confirmed: bool = False


def is_terminal(call: Mapping[str, Any]) -> bool:
    """Whether the provider's call has ended, by a status we know or by an end time it carries."""
    status = call.get("call_status")
    if status in TERMINAL_STATUSES:
        return True
    return status not in LIVE_STATUSES and bool(call.get("disconnection_reason") or call.get("end_timestamp"))


def rang(call: Mapping[str, Any]) -> bool:
    """Whether a phone rang. What cannot be told counts as a ring: the rule errs on the person's side."""
    if call.get("duration_ms") or call.get("start_timestamp"):
        return True  # somebody picked up, whatever ended it: the money may have run out in mid-sentence
    outcome = BY_DISCONNECTION.get(str(call.get("disconnection_reason")))
    if outcome in (Outcome.INVALID_NUMBER, Outcome.CAPACITY_REFUSED, Outcome.NO_CREDIT):
        return False
    if outcome is Outcome.PROVIDER_FAILURE:
        return bool(call.get("start_timestamp") or call.get("duration_ms") or call.get("transcript"))
    if call.get("call_status") == "error":
        return bool(call.get("start_timestamp") or call.get("duration_ms"))
    return True


def awaits_analysis(call: Mapping[str, Any]) -> bool:
    """Whether what was said is still being analysed: somebody answered and the analysis is not there yet."""
    if call.get("call_status") != "ended" or call.get("call_analysis"):
        return False
    return BY_DISCONNECTION.get(str(call.get("disconnection_reason"))) is None


def lacks_details(call: Mapping[str, Any]) -> bool:
    """Whether an answered call still misses its cost or its analysis: both come some time after its end."""
    if not (call.get("start_timestamp") or call.get("duration_ms")):
        return False
    analysed = bool(call.get("call_analysis")) or call.get("call_status") != "ended"
    return not (call.get("call_cost") and analysed)


def captured(call: Mapping[str, Any]) -> Captured:
    """What the agent captured, from the call's variables and from its analysis (the analysis wins)."""
    said = _said(call)
    found = {
        field: next((said[name] for name in names if said.get(name) not in (None, "")), None)
        for field, names in CAPTURED_NAMES.items()
    }
    return Captured(
        payment_date=_text(found["payment_date"]),
        payment_amount=_text(found["payment_amount"]),
        callback_at=_text(found["callback_at"]),
        callback=_yes(found["callback"]),
        opted_out=_yes(found["opted_out"]),
        wrong_person=_yes(found["wrong_person"]),
        third_party=_yes(found["third_party"]),
        interest=_yes(found["interest"]),
        answered=_yes(found["answered"]),
        confirmed=_yes(found["confirmed"]),
    )


def result_fields(call: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """What the agent captured under the use case's own names, as it wrote it."""
    said = _said(call)
    return {name: str(said[name]) for name in names if said.get(name) not in (None, "")}


def classify(
    call: Mapping[str, Any], success: Success = Success.PROMISE, promise: Promise | None = None
) -> Outcome:
    """What an ended call came to. Never raises: what is not known is `unclassified`.

    `success`: what the call was for. `promise`: what was promised on it, checked.
    """
    said = captured(call)
    # What the person asked for binds whatever ended the call.
    if said.opted_out:
        return Outcome.OPTED_OUT
    reason = str(call.get("disconnection_reason") or "")
    outcome = BY_DISCONNECTION.get(reason)
    if outcome is not None:
        return outcome
    if call.get("call_status") == "error" or reason.startswith("error_"):
        return Outcome.PROVIDER_FAILURE
    if reason in ANSWERED_ENDS or (not reason and call.get("call_status") == "ended"):
        return _classify_conversation(call, said, success, promise)
    return Outcome.UNCLASSIFIED


def _classify_conversation(
    call: Mapping[str, Any], said: Captured, success: Success, promise: Promise | None
) -> Outcome:
    analysis = _mapping(call.get("call_analysis"))
    if analysis.get("in_voicemail"):
        return Outcome.VOICEMAIL
    if said.wrong_person:
        return Outcome.WRONG_PERSON
    if said.third_party:
        return Outcome.THIRD_PARTY
    if said.callback or said.callback_at:
        return Outcome.CALLBACK_REQUESTED
    if analysis.get("call_successful"):
        return Outcome.GOAL_MET
    if call.get("disconnection_reason") == "inactivity" and not _user_spoke(call):
        return Outcome.NO_ANSWER  # somebody or something picked up and said nothing
    return Outcome.GOAL_MET if _succeeded(call, said, success, promise) else Outcome.GOAL_NOT_MET


def _succeeded(call: Mapping[str, Any], said: Captured, success: Success, promise: Promise | None) -> bool:
    match success:
        case Success.PROMISE:
            return promise is not None and promise.state is PromiseState.PROMISED
        case Success.INTEREST:
            return said.interest
        case Success.ANSWERED:
            return said.answered
        case Success.CONFIRMED:
            return said.confirmed
        case Success.DELIVERED:
            return _user_spoke(call) or int(call.get("duration_ms") or 0) >= HEARD_MS


def _said(call: Mapping[str, Any]) -> dict[str, Any]:
    """The call's variables and its analysis' (the analysis wins)."""
    analysis = _mapping(call.get("call_analysis"))
    return {
        **_mapping(call.get("collected_dynamic_variables")),
        **_mapping(analysis.get("custom_analysis_data")),
    }


def _user_spoke(call: Mapping[str, Any]) -> bool:
    turns = call.get("transcript_object")
    utterances = [_mapping(turn) for turn in turns] if isinstance(turns, list) else []
    if any(turn.get("role") == "user" and turn.get("content") for turn in utterances):
        return True
    return bool(re.search(r"^User:\s*\S", str(call.get("transcript") or ""), re.MULTILINE))


def callback_instant(call: Mapping[str, Any], zone: ZoneInfo) -> datetime | None:
    """When the person asked to be called, if it was captured (a time without a zone is the person's)."""
    text = captured(call).callback_at
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)


def merge_calls(known: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """Everything two answers about one call say, in whichever order they came.

    The answer that is further on (ended over live, analysed over not) wins field by field; the other
    fills what it lacks. An end is never undone by a late, earlier answer.
    """
    ahead, behind = (known, news) if _progress(known) > _progress(news) else (news, known)
    merged = {**behind, **{name: value for name, value in ahead.items() if value is not None}}
    for name in ("call_analysis", "call_cost", "collected_dynamic_variables"):
        if not ahead.get(name) and behind.get(name):
            merged[name] = behind[name]
    return merged


def _progress(call: Mapping[str, Any]) -> tuple[int, int, int]:
    analysed = 1 if call.get("call_analysis") else 0
    return (1 if is_terminal(call) else 0, analysed, int(call.get("end_timestamp") or 0))


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value).strip() or None


def _yes(value: Any) -> bool:
    return str(value).strip().lower() in _YES if value is not None else False
