"""Money: held for the worst case before a call, charged at the provider's cost after it, resumed on a top-up.

Only metered accounts come here: those with a balance or a daily budget.
"""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from speechai.catalog.accounts import Account, AccountStatus, Plan
from speechai.core.model import Attempt
from speechai.core.money import EntryKind, crossed, estimate, is_tied_up, lacking, price_of
from speechai.core.states import AttemptState, JobReason
from speechai.core.zones import local_day
from speechai.operation.services import Services
from speechai.store.funds import Entry
from speechai.store.standing import Standing

log = logging.getLogger(__name__)


def means(services: Services, standing: Standing, instant: datetime) -> tuple[JobReason | None, bool]:
    """What the batch's account lacks for one more call, and whether calls in flight hold what it has."""
    account = standing.account
    if account is None or not (account.is_metered or account.status is AccountStatus.SUSPENDED):
        return None, False
    today, price = local_day(instant, ZoneInfo(account.tz_name)), services.worst_case(account)
    lacks = lacking(account, standing.funds, price, today)
    return lacks, is_tied_up(account, standing.funds, price, today)


def hold_funds(services: Services, account: Account, attempt_id: str, instant: datetime) -> bool:
    """Hold what the longest call could cost. False where the account cannot pay for it."""
    today = local_day(instant, ZoneInfo(account.tz_name))
    return services.store.funds.hold(account, attempt_id, services.worst_case(account), today)


def charge(services: Services, attempt: Attempt) -> bool:
    """Charge a call that is over, once its cost is known or is not waited for any more.

    False where there is nothing to charge, yet or any more.
    """
    if not attempt.is_metered or not attempt.status.is_final:
        return False
    if attempt.status is AttemptState.RELEASED:
        return services.store.funds.release(attempt.account_id, attempt.id)
    if attempt.details_due is not None and attempt.call.cost is None:
        return False  # it rang, and what it cost is still to come
    account = services.store.accounts.get(attempt.account_id)
    if account is None:
        return False
    cents = attempt.cost_cents
    if attempt.call.cost is None:
        cents = estimate(attempt.call.duration_ms, services.settings.cost_per_minute_cents)
    price = price_of(account.plan, cents, attempt.call.duration_ms)
    if not price.cents and not price.units:
        return services.store.funds.release(attempt.account_id, attempt.id)
    instant = services.clock.now()
    entry = Entry(
        id=f"call:{attempt.id}",
        kind=EntryKind.CALL,
        amount=Decimal(0) if account.plan is Plan.UNLIMITED else -price.units,
        by="call",
        at=instant,
        attempt_id=attempt.id,
        cents=cents,
    )
    today = local_day(instant, ZoneInfo(account.tz_name))
    funds = services.store.funds
    before = funds.charge(account.id, attempt.id, entry, today)
    if before is None:  # it was charged before: at what it cost by then
        before = funds.charge_rest(account.id, entry, today)
    if before is None:
        return False
    if limit := crossed(account.alert_below, before.balance, before.balance + entry.amount):
        log.warning("the balance fell below %s", limit, extra={"account_id": account.id})
    services.nudges.dispatch()  # what was held beyond the price is free for the next call
    return True


def resume(services: Services, account_id: str) -> int:
    """Go on with whom the account's money held, if it can pay for a call again. Returns how many."""
    account = services.store.accounts.get(account_id)
    if account is None:
        return 0
    today = local_day(services.clock.now(), ZoneInfo(account.tz_name))
    funds = services.store.funds.of(account_id)
    if lacking(account, funds, services.worst_case(account), today):
        return 0
    resumed = services.store.jobs.resume_account(account_id)
    if resumed:
        log.info("%d jobs go on", resumed, extra={"account_id": account_id})
        services.nudges.dispatch()
    return resumed


def heal_hold(services: Services, held: tuple[str, str]) -> int:
    """Money that is held for a call that is over, or whose owner died before reserving it."""
    account_id, attempt_id = held
    store = services.store
    attempt = store.attempts.get(attempt_id)
    if attempt is not None:
        return charge(services, attempt)
    if attempt_id in store.pacing.open_attempts(services.settings.provider_key):
        return 0
    return store.funds.release(account_id, attempt_id)
