"""What a simulated call can come to: a table of named outcomes, the usual mix of them, and scripts.

The mix and the timings are assumptions (retell-api.md, section 8), not measurements: both can be set.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Talk(StrEnum):
    """How long a call lasts once it is answered."""

    NONE = "none"
    """It is never answered."""
    CONVERSATION = "conversation"
    """Lognormal, 20 to 180 s."""
    MACHINE = "machine"
    """8 to 30 s of a voicemail's greeting."""
    SHORT = "short"
    """1 to 6 s: hung up at once."""
    ENDLESS = "endless"
    """Until somebody stops it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call with some outcome goes."""

    status: str
    reason: str
    ring: tuple[float, float] = (3, 30)  # seconds from the request to the answer, or to its failure
    talk: Talk = Talk.NONE
    rang: bool = True
    successful: bool = False
    says: str = ""  # what the person says, a key of `conversation.LINES`
    captured: str = ""  # what the agent writes down, a key of `conversation.CAPTURED`
    voicemail: bool = False
    only_analysed: bool = False  # what was captured is told by the analysis alone, not by the call's end
    analysis: tuple[float, float] | None = None  # seconds from the end to the analysis; None: as usual


LATE = (300, 900)  # an analysis that comes minutes after the end

OUTCOMES: dict[str, Ending] = {
    "promise": Ending(
        "ended", "agent_hangup", talk=Talk.CONVERSATION, successful=True, says="promise", captured="promise"
    ),
    "completed": Ending("ended", "agent_hangup", talk=Talk.CONVERSATION, successful=True, says="completed"),
    "no_agreement": Ending("ended", "user_hangup", talk=Talk.CONVERSATION, says="no_agreement"),
    "callback": Ending("ended", "user_hangup", talk=Talk.CONVERSATION, says="callback", captured="callback"),
    "opted_out": Ending(
        "ended", "agent_hangup", talk=Talk.CONVERSATION, says="opted_out", captured="opted_out"
    ),
    "wrong_person": Ending(
        "ended", "agent_hangup", talk=Talk.CONVERSATION, says="wrong_person", captured="wrong_person"
    ),
    "third_party": Ending(
        "ended", "agent_hangup", talk=Talk.CONVERSATION, says="third_party", captured="third_party"
    ),
    "user_hangup_early": Ending("ended", "user_hangup", talk=Talk.SHORT, says="hello"),
    "silent": Ending("ended", "inactivity", talk=Talk.MACHINE),
    "dnc": Ending("ended", "user_requested_dnc", talk=Talk.CONVERSATION, says="opted_out"),
    "user_callback": Ending(
        "ended",
        "user_requested_callback",
        talk=Talk.CONVERSATION,
        says="callback",
        captured="callback",
        only_analysed=True,
    ),
    **{
        f"late_{said}": Ending(
            "ended",
            "user_hangup",
            talk=Talk.CONVERSATION,
            says=said,
            captured=said,
            only_analysed=True,
            analysis=LATE,
        )
        for said in ("opted_out", "wrong_person", "third_party", "callback")
    },
    "voicemail": Ending("ended", "voicemail_reached", talk=Talk.MACHINE, voicemail=True),
    "in_voicemail_late": Ending("ended", "user_hangup", talk=Talk.MACHINE, voicemail=True),
    "no_answer": Ending("not_connected", "dial_no_answer", ring=(25, 30)),
    "busy": Ending("not_connected", "dial_busy", ring=(2, 6)),
    "declined": Ending("not_connected", "user_declined", ring=(3, 15)),
    "invalid": Ending("not_connected", "invalid_destination", ring=(1, 4), rang=False),
    "dial_failed": Ending("not_connected", "dial_failed", ring=(1, 6), rang=False),
    "sip_error": Ending("not_connected", "sip_routing_error", ring=(1, 6), rang=False),
    "spam": Ending("not_connected", "marked_as_spam", ring=(1, 6), rang=False),
    "error_llm": Ending("error", "error_llm_websocket_lost_connection", talk=Talk.SHORT),
    "error_unknown": Ending("error", "error_unknown", ring=(1, 4), rang=False),
    "concurrency_error": Ending("error", "concurrency_limit_reached", ring=(0.2, 1), rang=False),
    "no_valid_payment": Ending("error", "no_valid_payment", ring=(0.2, 1), rang=False),
    # They cut a conversation short: the phone had rung, and somebody was there.
    "credit_exhausted": Ending("ended", "credit_exhausted", talk=Talk.CONVERSATION, says="no_agreement"),
    "no_payment_in_call": Ending("error", "no_valid_payment", talk=Talk.CONVERSATION, says="hello"),
    "concurrency_in_call": Ending("error", "concurrency_limit_reached", talk=Talk.SHORT, says="hello"),
    "never_ends": Ending("ended", "manual_stopped", talk=Talk.ENDLESS, says="hello"),
    "unknown_enum": Ending("ended", "teleported_away", talk=Talk.SHORT, says="hello"),
}

USUAL_MIX: dict[str, float] = {
    "promise": 18,
    "no_agreement": 14,
    "callback": 3,
    "opted_out": 2,
    "wrong_person": 3,
    "third_party": 2,
    "user_hangup_early": 3,
    "no_answer": 25,
    "voicemail": 15,
    "busy": 5,
    "declined": 3,
    "invalid": 3,
    "dial_failed": 2,
    "sip_error": 1,
    "error_llm": 0.5,
    "error_unknown": 0.5,
}

ANALYSIS_NEVER = 0.01  # of answered calls


# What a script may say of a call besides its outcome; seconds are simulated ones.
WISHES = frozenset({"outcome", "ring_s", "talk_s", "analysis_s", "captured"})


class UnknownOutcomeError(ValueError):
    """A mix or a script names an outcome, or something of a call, that there is not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one call will go: fixed when it is created. Seconds are simulated ones."""

    outcome: str
    ending: Ending
    ring_s: float
    talk_s: float | None  # None: until it is stopped
    analysis_s: float | None  # None: it never comes
    cost_s: float
    captured: Mapping[str, Any] | None = None  # what the agent writes down, instead of the outcome's


@dataclass(slots=True)
class Casting:
    """Who decides what each call comes to: a script per number, else a draw from the mix.

    A draw depends only on the seed, the number and how often it was called, so that a run can be repeated
    whatever the order of its calls.
    """

    seed: int = 0
    mix: dict[str, float] = field(default_factory=lambda: dict(USUAL_MIX))
    scripts: dict[str, list[Any]] = field(default_factory=dict)
    ring_cap_s: float = 30.0

    def set_mix(self, mix: Mapping[str, float]) -> None:
        """Replace the mix. Raises UnknownOutcomeError."""
        _check(mix)
        self.mix = {name: float(weight) for name, weight in mix.items()}

    def set_scripts(self, scripts: Mapping[str, Sequence[Any]]) -> None:
        """Replace the scripts: number → outcomes, one per call, the last repeated.

        Raises UnknownOutcomeError.
        """
        for outcomes in scripts.values():
            _check([entry.get("outcome") if isinstance(entry, Mapping) else entry for entry in outcomes])
            _check_wishes([entry for entry in outcomes if isinstance(entry, Mapping)])
        self.scripts = {number: list(outcomes) for number, outcomes in scripts.items() if outcomes}

    def plan(self, to_number: str, nth: int) -> Plan:
        """How the `nth` call (from 0) to `to_number` will go."""
        draw = random.Random(f"{self.seed}|{to_number}|{nth}")
        script = self.scripts.get(to_number) or self.scripts.get("*")
        entry: Any
        if script:
            entry = script[min(nth, len(script) - 1)]
        else:
            entry = draw.choices(list(self.mix), weights=list(self.mix.values()))[0]
        wishes: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {"outcome": entry}
        ending = OUTCOMES[wishes["outcome"]]
        ring = min(draw.uniform(*ending.ring), self.ring_cap_s)
        talk = _talk_seconds(ending.talk, draw)
        analysis = 2 + draw.expovariate(1 / 6)  # 2 to 30 s, with a long tail
        if ending.talk is not Talk.NONE and draw.random() < ANALYSIS_NEVER:
            analysis = -1
        if ending.analysis:
            analysis = draw.uniform(*ending.analysis)
        wanted = float(wishes.get("analysis_s", analysis))
        return Plan(
            outcome=wishes["outcome"],
            ending=ending,
            ring_s=float(wishes.get("ring_s", ring)),
            talk_s=None if ending.talk is Talk.ENDLESS else float(wishes.get("talk_s", talk)),
            analysis_s=wanted if wanted >= 0 else None,
            cost_s=draw.uniform(0.5, 3),
            captured=wishes.get("captured"),
        )


def _talk_seconds(talk: Talk, draw: random.Random) -> float:
    match talk:
        case Talk.CONVERSATION:
            return min(180.0, max(20.0, draw.lognormvariate(4.0, 0.5)))
        case Talk.MACHINE:
            return draw.uniform(8, 30)
        case Talk.SHORT:
            return draw.uniform(1, 6)
        case _:
            return 0.0


def _check_wishes(entries: Sequence[Mapping[str, Any]]) -> None:
    for entry in entries:
        if unknown := set(entry) - WISHES:
            raise UnknownOutcomeError(f"unknown {sorted(unknown)} of a call; there are {sorted(WISHES)}")
        if not isinstance(entry.get("captured", {}), Mapping):
            raise UnknownOutcomeError("`captured` is an object: variable → what the agent wrote")


def _check(names: Any) -> None:
    if unknown := [name for name in names if name not in OUTCOMES]:
        raise UnknownOutcomeError(f"unknown outcomes {unknown}; there are {sorted(OUTCOMES)}")
