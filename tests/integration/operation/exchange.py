"""The provider of the random histories: it rings for every request it gets, and tells of it as it likes.

Its look-ups fail, and what was said on a call becomes known in stages: that it ended, what was said, what it
cost, what it cost after all. It is one of two kinds: either it knows no idempotency keys, and its list lags a
little; or it knows them, and nobody can tell when its list shows a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from speechai.clock import Clock
from speechai.retell.client import CallRequest
from speechai.retell.errors import ProviderError, Refused, Retryable, Throttled, UnknownResult
from tests.fakes import ENDS, FakeProvider

TRANSCRIPT = "Agent: Buenos días\nUser: Pago el viernes\n"
SAID = {"call_status": "ended", "disconnection_reason": "user_hangup", "duration_ms": 20_000}
HISTORY_ENDS: dict[str, dict[str, Any]] = {
    **{name: ENDS[name] for name in ("promise", "no_agreement", "callback", "opted_out", "no_answer")},
    **{name: ENDS[name] for name in ("invalid", "voicemail", "failure", "full", "no_money", "unheard_of")},
    "wrong_person": {**SAID, "call_analysis": {"custom_analysis_data": {"wrong_person": "true"}}},
    "tomorrow": {**SAID, "call_analysis": {"custom_analysis_data": {"callback_at": "mañana a las 11:00"}}},
    "cut_off": {**SAID, "disconnection_reason": "credit_exhausted", "transcript": TRANSCRIPT},
}
LAG = timedelta(seconds=40)  # of the list: within the time after which a call may be posted again …
LONG_LAG = timedelta(minutes=20)  # … and beyond it
STAGES = 4
COST = 12.5


@dataclass
class Ring:
    """One ring of a phone, by the provider's own ledger."""

    call: dict[str, Any]
    at: datetime
    stage: int = 0  # how much of it is known to the provider

    @property
    def attempt_id(self) -> str:
        return str(self.call["metadata"]["attempt_id"])

    @property
    def number(self) -> str:
        return str(self.call["to_number"])

    def told(self, stage: int | None = None) -> dict[str, Any]:
        """The call as the provider tells of it, at its stage or at an earlier one."""
        stage = min(self.stage, self.stage if stage is None else stage)
        call = {name: value for name, value in self.call.items() if name != "scripted"}
        if stage == 0:
            return {**call, "call_status": "ongoing"}
        end = dict(HISTORY_ENDS[self.call["scripted"]])
        cost = end.pop("call_cost", {"combined_cost": COST})["combined_cost"]
        analysis = end.pop("call_analysis", None)
        if stage >= 2 and analysis:
            end["call_analysis"] = analysis
        if stage >= 3:
            end["call_cost"] = {"combined_cost": cost * (stage - 2)}
        return {**call, **end}


@dataclass
class Exchange(FakeProvider):
    """A provider with a ledger of rings. `point` is where processes may die around a create."""

    clock: Clock = field(kw_only=True)
    point: Callable[[], None] = field(kw_only=True)
    rung: Callable[[Ring, CallRequest], None] = field(kw_only=True)
    ledger: list[Ring] = field(default_factory=list)
    failing_looks: int = 0
    knows_keys: bool = False
    is_well: bool = False  # every call ends at once, and everything of it is known

    def create_phone_call(self, request: CallRequest) -> dict[str, Any]:
        self.point()
        if self.knows_keys and not self.fail_creates and (known_as := self._of_attempt(request.attempt_id)):
            return known_as.told(0)
        known = len(self.calls)
        try:
            return super().create_phone_call(request)
        finally:
            if len(self.calls) > known:
                ring = Ring(self.rings[-1], self.clock.now(), STAGES if self.is_well else 0)
                self.ledger.append(ring)
                self.rung(ring, request)
                self.point()

    def heal(self) -> None:
        """From now on it answers everything, and whoever is called promises to pay."""
        self.fail_creates.clear()
        self.lose_replies.clear()
        self.failing_looks, self.default, self.is_well = 0, "promise", True
        for ring in self.ledger:
            ring.stage = STAGES

    def _look(self) -> None:
        if self.failing_looks:
            self.failing_looks -= 1
            raise Retryable("HTTP 500", status=500)

    def _ring(self, call_id: str) -> Ring | None:
        return next((ring for ring in self.ledger if ring.call["call_id"] == call_id), None)

    def _of_attempt(self, attempt_id: str) -> Ring | None:
        return next((ring for ring in self.ledger if ring.attempt_id == attempt_id), None)

    def get_call(self, call_id: str) -> dict[str, Any]:
        self._look()
        ring = self._ring(call_id)
        assert ring is not None, "a call that never was"
        return ring.told()

    def get_calls(self, call_ids: Sequence[str]) -> list[dict[str, Any]]:
        self._look()
        return [ring.told() for ring in self.ledger if ring.call["call_id"] in call_ids]

    def find_by_attempt(self, attempt_id: str) -> list[dict[str, Any]]:
        self._look()
        seen = self.clock.now() - (LONG_LAG if self.knows_keys and not self.is_well else LAG)
        return [ring.told() for ring in self.ledger if ring.attempt_id == attempt_id and ring.at <= seen]

    def stop_call(self, call_id: str) -> None:
        super().stop_call(call_id)
        if ring := self._ring(call_id):
            ring.stage = max(ring.stage, 1)


def refusals() -> dict[str, Callable[[], ProviderError]]:
    """What a create may be answered with instead of a call, by name."""
    return {
        "full": lambda: Throttled("HTTP 429", retry_after=3),
        "full for an hour": lambda: Throttled("HTTP 429", retry_after=3600),
        "not sent": lambda: Retryable("connection refused"),
        "lost on the way": lambda: UnknownResult("HTTP 500", status=500),
        "a bad number": lambda: Refused("HTTP 400: to_number is invalid", status=400),
        "no money": lambda: Refused("HTTP 402", status=402),
        "a bad key": lambda: Refused("HTTP 401", status=401),
    }
