"""Accounts: who pays for the calls and through which agent and numbers they go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_ACCOUNT = "default"


class Plan(StrEnum):
    """How an account pays."""

    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays: plan, Retell agent, from-numbers."""

    id: str
    name: str
    plan: Plan
    tz_name: str
    agent_id: str | None  # None: RETELL_AGENT_ID
    from_numbers: tuple[str, ...]  # empty: RETELL_FROM_NUMBER
    slots: int | None = None  # its share of the provider's slots; None: all of them
