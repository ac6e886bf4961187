"""What a call may cost, and whether the account can pay for one more. All amounts are exact decimals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from speechai.catalog.accounts import Account, AccountStatus, Plan
from speechai.core.states import JobReason

NOTHING = Decimal(0)


class EntryKind(StrEnum):
    """What an entry of the ledger is."""

    TOP_UP = "top_up"
    CALL = "call"
    ADJUSTMENT = "adjustment"
    """By an operator, with the reason."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one call costs, or may cost at worst."""

    cents: Decimal  # US cents
    units: Decimal  # in the plan's unit: US cents, or seconds of talk


@dataclass(frozen=True, slots=True)
class Funds:
    """What an account has, and what its calls in flight hold of it."""

    balance: Decimal = NOTHING  # in the plan's unit; the sum of the ledger's entries
    held: Decimal = NOTHING  # of the balance, for calls in flight
    held_cents: Decimal = NOTHING  # of the day's budget, likewise
    spent_cents: Decimal = NOTHING  # on `day`
    day: date | None = None  # local to the account

    def spent_on(self, today: date) -> Decimal:
        """What was spent on that date, in US cents."""
        return self.spent_cents if self.day == today else NOTHING


def worst_case(account: Account, minutes: float, cents_per_minute: Decimal) -> Price:
    """What the longest possible call costs."""
    cents = cents_per_minute * Decimal(str(minutes))
    seconds = Decimal(math.ceil(minutes * 60))
    return Price(cents, seconds if account.plan is Plan.MINUTES else cents)


def price_of(plan: Plan, cents: Decimal, duration_ms: int) -> Price:
    """What a call that is over cost. Talk time is counted in seconds begun."""
    seconds = Decimal(math.ceil(duration_ms / 1000))
    return Price(cents, seconds if plan is Plan.MINUTES else cents)


def estimate(duration_ms: int, cents_per_minute: Decimal) -> Decimal:
    """What a call of that length costs at the price we reckon with: the provider never said."""
    return cents_per_minute * Decimal(duration_ms) / Decimal(60_000)


def lacking(account: Account, funds: Funds, price: Price, today: date) -> JobReason | None:
    """What the account lacks for one more such call, whatever calls in flight hold; None: nothing."""
    if account.status is AccountStatus.SUSPENDED:
        return JobReason.ACCOUNT_SUSPENDED
    if account.plan is not Plan.UNLIMITED and funds.balance < price.units:
        return JobReason.NO_CREDIT
    budget = account.daily_budget_cents
    if budget is not None and funds.spent_on(today) + price.cents > budget:
        return JobReason.DAILY_BUDGET
    return None


def is_tied_up(account: Account, funds: Funds, price: Price, today: date) -> bool:
    """Whether calls in flight hold what one more would need: most of it comes back when they end."""
    free = replace(
        funds,
        balance=funds.balance - funds.held,
        spent_cents=funds.spent_on(today) + funds.held_cents,
        day=today,
    )
    return lacking(account, free, price, today) is not None


def crossed(thresholds: tuple[Decimal, ...], before: Decimal, after: Decimal) -> Decimal | None:
    """The lowest alert threshold that the balance fell below."""
    return min((limit for limit in thresholds if after < limit <= before), default=None)
