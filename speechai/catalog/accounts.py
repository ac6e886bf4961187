"""Accounts: who pays for the calls, through which agent and numbers they go, and by which own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

DEFAULT_ACCOUNT = "default"


class Plan(StrEnum):
    """How an account pays."""

    UNLIMITED = "unlimited"
    """Whatever it costs; there is no balance."""
    CREDIT = "credit_based"
    """A balance in US cents, topped up in advance."""
    MINUTES = "minutes_based"
    """A balance of talk time, kept in seconds, topped up in advance."""


class AccountStatus(StrEnum):
    """Whether the account's people are called."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """By an operator: nobody is called until it is active again."""


class Legal(StrEnum):
    """What happens where a policy is laxer than the law of a contact's country."""

    WARN = "warn"
    """The policy holds; the upload, the batch and the panel say which rule of the law it does not keep."""
    ENFORCE = "enforce"
    """Policy and law hold together, strictest wins."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays: plan, Retell agent, from-numbers, limits, and the account's own rules."""

    id: str
    name: str
    plan: Plan
    tz_name: str
    agent_id: str | None  # None: RETELL_AGENT_ID
    from_numbers: tuple[str, ...]  # rotated; empty: RETELL_FROM_NUMBER
    slots: int | None = None  # its share of the provider's slots; None: all of them
    status: AccountStatus = AccountStatus.ACTIVE
    calls_per_second: float | None = None  # from each of its numbers; None: CALLS_PER_SECOND
    daily_budget_cents: Decimal | None = None  # US cents a local day; None: no budget
    alert_below: tuple[Decimal, ...] = ()  # balances (cents or seconds) under which somebody is told
    legal: Legal = Legal.WARN
    caller_id_statement: str | None = None  # how it meets the caller-ID prefix rules, in its own words
    isolated: bool = False  # its people are not the people of other accounts: histories stay apart
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # its own, by id
    flows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # its own, by id
    retries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # changes to the retry table

    @property
    def is_metered(self) -> bool:
        """Whether money or time is held for each of its calls."""
        return self.plan is not Plan.UNLIMITED or self.daily_budget_cents is not None

    def key_of(self, person_or_number: str) -> str:
        """Under which name a person's or a number's history is kept: apart, where the account is isolated."""
        return f"{person_or_number}@{self.id}" if self.isolated else person_or_number


def plain_of(key: str) -> str:
    """The person or number itself, under whichever account's name (`Account.key_of`) its history is kept."""
    return key.partition("@")[0]
