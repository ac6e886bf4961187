"""A simulated call, what the workspace allows, and how the API refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from speechai.retell.simulator.outcomes import Plan

LIVE = frozenset({"registered", "ongoing"})


class RefusedError(Exception):
    """The API refuses; `status` and `message` are what it answers."""

    def __init__(self, status: int, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


@dataclass(slots=True)
class Limits:
    """What the workspace allows; all of it can be changed while it runs."""

    concurrency: int = 20
    calls_per_second: float = 0  # per from-number; 0: no limit
    concurrency_refusal: str = "429"  # or "call_error": accepted, then call_status error
    out_of_credit: bool = False
    agents: tuple[str, ...] = ()  # empty: every agent is known
    from_numbers: tuple[str, ...] = ()  # empty: every number is ours


@dataclass(slots=True)
class Call:
    """One call: what the API shows of it, and what really happened."""

    seq: int
    public: dict[str, Any]
    plan: Plan
    told: dict[str, str]
    webhook_url: str | None
    created_at: datetime
    key: str = ""  # that made it: its webhooks are signed with it
    captured: dict[str, Any] = field(default_factory=dict)
    deleted: bool = False
    rang: bool = False
    ring_at: datetime | None = None
    answered_at: datetime | None = None
    over_at: datetime | None = None
    analysed_at: datetime | None = None
    costs: list[float] = field(default_factory=list)  # in cents: first, and as it grew
    is_late: bool = False  # its analysis

    @property
    def id(self) -> str:
        """The provider's id of the call."""
        return str(self.public["call_id"])

    @property
    def is_live(self) -> bool:
        """Whether it holds a slot."""
        return self.public["call_status"] in LIVE

    def entry(self) -> dict[str, Any]:
        """What really happened, for the ledger."""
        metadata = self.public.get("metadata") or {}
        return {
            "call_id": self.id,
            "metadata": metadata,
            "attempt_id": metadata.get("attempt_id"),
            "from_number": self.public["from_number"],
            "to_number": self.public["to_number"],
            "outcome": self.plan.outcome,
            "call_status": self.public["call_status"],
            "disconnection_reason": self.public.get("disconnection_reason"),
            "rang": self.rang,
            "created_at": self.created_at.timestamp(),
            "ring_at": _epoch(self.ring_at),
            "answered_at": _epoch(self.answered_at),
            "ended_at": _epoch(self.over_at),
            "analysed_at": _epoch(self.analysed_at),
            "cost_cents": self.costs[-1] if self.costs else None,
            "costs": self.costs,
            "captured": self.captured,
        }


def _epoch(instant: datetime | None) -> float | None:
    return instant.timestamp() if instant else None
