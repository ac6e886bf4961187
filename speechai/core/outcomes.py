"""What an attempt came to: the table from the provider's words to ours.

A provider value that is not in the table is `unclassified`: settled, kept whole and alerted. The enum of
the provider grew from 31 to 39 values in a few months; it will grow again.
"""

from __future__ import annotations

from enum import StrEnum

from speechai.catalog.use_cases import Success
from speechai.core.call import (
    CALLBACK_END,
    FAILED_ENDS,
    FULL_ENDS,
    INVALID_ENDS,
    MACHINE_ENDS,
    NO_CREDIT_ENDS,
    OPTED_OUT_END,
    Call,
)
from speechai.core.captured import Captured
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

# disconnection_reason → outcome, where nobody was talked to, or the reason is what the person asked for.
# Source: reference/retell-api.md, section 2, and the outcomes table of the design.
BY_DISCONNECTION: dict[str, Outcome] = {
    **dict.fromkeys(MACHINE_ENDS, Outcome.VOICEMAIL),
    "dial_no_answer": Outcome.NO_ANSWER,
    "dial_busy": Outcome.BUSY,
    "user_declined": Outcome.DECLINED,
    **dict.fromkeys(INVALID_ENDS, Outcome.INVALID_NUMBER),
    **dict.fromkeys(FAILED_ENDS, Outcome.PROVIDER_FAILURE),
    **dict.fromkeys(FULL_ENDS, Outcome.CAPACITY_REFUSED),
    **dict.fromkeys(NO_CREDIT_ENDS, Outcome.NO_CREDIT),
    OPTED_OUT_END: Outcome.OPTED_OUT,
    CALLBACK_END: Outcome.CALLBACK_REQUESTED,
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

_SAID_BY_THE_REASON = frozenset({Outcome.VOICEMAIL, Outcome.OPTED_OUT, Outcome.CALLBACK_REQUESTED})
HEARD_MS = 10_000  # a call that somebody answered and left sooner told nobody anything


def is_known(call: Call) -> bool:
    """Whether the end of a call is one that we know: the others are alerted."""
    if call.reason is None:
        return call.status in ("ended", "error")
    return call.reason in BY_DISCONNECTION or call.reason in ANSWERED_ENDS or _is_error(call)


def classify(call: Call, success: Success = Success.PROMISE, promise: Promise | None = None) -> Outcome:
    """What an ended call came to. Never raises: what is not known is `unclassified`.

    Where somebody was talked to, what was said decides, whatever cut the call off: a promise made before the
    credit ran out is one (`Call.says_no_credit` still tells that it ran out).

    `success`: what the call was for. `promise`: what was promised on it, checked.
    """
    said = call.captured
    # What the person asked for binds whatever ended the call.
    if said.opted_out:
        return Outcome.OPTED_OUT
    outcome = BY_DISCONNECTION.get(call.reason or "")
    if outcome in _SAID_BY_THE_REASON:
        return outcome
    if call.reason in ANSWERED_ENDS or (call.reason is None and call.status == "ended"):
        return _classify_conversation(call, said, success, promise)
    if call.talked:
        spoken = _classify_conversation(call, said, success, promise)
        # Of an end that we do not know, only what is certain is believed.
        if spoken is not Outcome.GOAL_NOT_MET or (call.user_spoke and is_known(call)):
            return spoken
    if outcome is not None:
        return outcome
    return Outcome.PROVIDER_FAILURE if _is_error(call) else Outcome.UNCLASSIFIED


def _is_error(call: Call) -> bool:
    return call.status == "error" or (call.reason or "").startswith("error_")


def _classify_conversation(call: Call, said: Captured, success: Success, promise: Promise | None) -> Outcome:
    if call.in_voicemail:
        return Outcome.VOICEMAIL
    if said.wrong_person:
        return Outcome.WRONG_PERSON
    if said.third_party:
        return Outcome.THIRD_PARTY
    if said.asks_for_callback:
        return Outcome.CALLBACK_REQUESTED
    if call.is_successful:
        return Outcome.GOAL_MET
    if call.reason == "inactivity" and not call.user_spoke:
        return Outcome.NO_ANSWER  # somebody or something picked up and said nothing
    return Outcome.GOAL_MET if _succeeded(call, said, success, promise) else Outcome.GOAL_NOT_MET


def _succeeded(call: Call, said: Captured, success: Success, promise: Promise | None) -> bool:
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
            return call.user_spoke or call.duration_ms >= HEARD_MS
