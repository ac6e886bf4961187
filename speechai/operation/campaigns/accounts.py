"""Accounts: made, changed, topped up and looked at. A change binds the next call."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from speechai.catalog.accounts import Account, AccountStatus, Legal, Plan
from speechai.catalog.flows import flow_of
from speechai.catalog.presets import OverrideError
from speechai.core.money import EntryKind, Funds, lacking
from speechai.core.retry_table import RETRIES, RetryTableError, changed, described
from speechai.core.zones import local_day
from speechai.ingest.messages import Language
from speechai.operation.campaigns.configuring import (
    RefusedOptionError,
    check_policy,
    check_rules,
    field_of,
    require_flow,
    require_policy,
)
from speechai.operation.records.charging import resume
from speechai.operation.services import Services
from speechai.settings import E164
from speechai.store.database import Document
from speechai.store.funds import Entry

log = logging.getLogger(__name__)

MOST = Decimal(10**9)  # cents or seconds: more than anybody pays at once is a typing error
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


_Balance = Annotated[Decimal, Field(ge=0, le=MOST)]


class AccountNotFoundError(LookupError):
    """There is no such account."""


class AccountExistsError(Exception):
    """The id is taken."""


class AccountWish(BaseModel):
    """What may be said of an account; the original's names are understood too."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, validation_alias=AliasChoices("name", "account_name")
    )
    plan: Plan | None = Field(None, validation_alias=AliasChoices("plan", "plan_type"))
    status: AccountStatus | None = None
    tz_name: str | None = Field(None, validation_alias=AliasChoices("tz_name", "timezone"))
    agent_id: Annotated[str, Field(max_length=200)] | None = None
    from_numbers: Annotated[tuple[str, ...], Field(max_length=100)] | None = None
    slots: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, validation_alias=AliasChoices("slots", "max_concurrent_calls")
    )
    calls_per_second: Annotated[float, Field(gt=0, le=1000)] | None = None
    daily_budget_cents: Annotated[Decimal, Field(ge=0, le=MOST)] | None = None
    alert_below: Annotated[tuple[_Balance, ...], Field(max_length=10)] | None = None
    legal: Legal | None = None
    caller_id_statement: Annotated[str, Field(max_length=2000)] | None = None
    isolated: bool | None = None
    policies: Annotated[dict[str, dict[str, Any]], Field(max_length=50)] | None = None
    flows: Annotated[dict[str, dict[str, Any]], Field(max_length=50)] | None = None
    retries: dict[str, dict[str, Any]] | None = None

    @field_validator("tz_name")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        try:
            return ZoneInfo(value).key if value else None
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not a time zone such as America/Santiago") from error

    @field_validator("from_numbers")
    @classmethod
    def _numbers(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for number in value or ():
            if not E164.fullmatch(number):
                raise ValueError(f"{number!r} is not a number in E.164 form, such as +56600123456")
        return value

    @field_validator("policies", "flows")
    @classmethod
    def _ids(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        for name in value or ():
            if not _ID.fullmatch(name):
                raise ValueError(f"{name!r}: an id has lower-case letters, digits and hyphens")
        return value


def make(
    services: Services, account_id: str | None, given: Mapping[str, Any], by: str, language: Language
) -> Document:
    """Make an account. Raises RefusedOptionError, AccountExistsError."""
    wish = _read(given)
    new_id = account_id or f"acc-{uuid.uuid4().hex[:12]}"
    if not _ID.fullmatch(new_id):
        raise RefusedOptionError("account_id", "lower-case letters, digits and hyphens, at most 40")
    if not wish.name:
        raise RefusedOptionError("name", "is needed")
    blank = Account(
        id=new_id,
        name=wish.name,
        plan=Plan.UNLIMITED,
        tz_name=services.settings.zone.key,
        agent_id=None,
        from_numbers=(),
    )
    account = _applied(services, blank, wish, given, language)
    if not services.store.accounts.insert(account, services.clock.now()):
        raise AccountExistsError(new_id)
    log.info("account made by %s", by, extra={"account_id": new_id})
    return view(services, new_id)


def change(
    services: Services, account_id: str, given: Mapping[str, Any], by: str, language: Language
) -> Document:
    """Change an account; the next call obeys. Raises AccountNotFoundError, RefusedOptionError."""
    wish = _read(given)
    while True:
        found = services.store.accounts.versioned(account_id)
        if found is None:
            raise AccountNotFoundError(account_id)
        before, edits = found
        account = _applied(services, before, wish, given, language)
        if account.isolated != before.isolated or account.plan is not before.plan:
            _refuse_while_used(services, before)
        if services.store.accounts.change(before, edits, account, services.clock.now()):
            break  # else somebody edited it meanwhile: the wish is judged against what it is now
    log.warning("account changed by %s: %s", by, ", ".join(sorted(given)), extra={"account_id": account_id})
    resume(services, account_id)
    services.nudges.dispatch()
    return view(services, account_id)


def top_up(
    services: Services, account_id: str, given: Mapping[str, Any], by: str, *, is_adjustment: bool = False
) -> Document:
    """Add to the balance: `{"cents" | "credits" (US$) | "minutes": n, "reference"?, "note"?}`.

    The same `reference` counts once. An adjustment may be negative, and needs a note.
    Raises AccountNotFoundError, RefusedOptionError.
    """
    account = _require(services, account_id)
    name, amount = _amount(account, given, is_adjustment)
    note = str(given.get("note") or "")[:500]
    if is_adjustment and not note:
        raise RefusedOptionError("note", "an adjustment needs its reason")
    reference = str(given.get("reference") or uuid.uuid4().hex)[:100]
    kind = EntryKind.ADJUSTMENT if is_adjustment else EntryKind.TOP_UP
    entry = Entry(
        id=f"{kind.value}:{account_id}:{reference}",
        kind=kind,
        amount=amount,
        by=by,
        at=services.clock.now(),
        note=note,
    )
    posted = services.store.funds.post(account_id, entry)
    log.info("%s of %s %s by %s", kind.value, amount, name, by, extra={"account_id": account_id})
    resume(services, account_id)
    return {**view(services, account_id), "posted": posted}


def view(services: Services, account_id: str) -> Document:
    """The account with its money. Raises AccountNotFoundError."""
    account = _require(services, account_id)
    return describe(services, account, services.store.funds.of(account_id))


def describe(services: Services, account: Account, funds: Funds) -> Document:
    """The account as API and panel show it."""
    today = local_day(services.clock.now(), ZoneInfo(account.tz_name))
    has_balance = account.plan is not Plan.UNLIMITED
    available = funds.balance - funds.held
    lacks = lacking(account, funds, services.worst_case(account), today)
    return {
        "account_id": account.id,
        "name": account.name,
        "plan": account.plan.value,
        "status": account.status.value,
        "unit": {Plan.MINUTES: "seconds", Plan.CREDIT: "cents", Plan.UNLIMITED: None}[account.plan],
        "balance": funds.balance if has_balance else None,
        "held": funds.held if has_balance else None,
        "available": available if has_balance else None,
        "spent_today_cents": funds.spent_on(today) if account.is_metered else None,
        "daily_budget_cents": account.daily_budget_cents,
        "lacks": lacks.value if lacks else None,
        "alerts": [limit for limit in account.alert_below if has_balance and available < limit],
        "alert_below": list(account.alert_below),
        "tz_name": account.tz_name,
        "agent_id": account.agent_id,
        "from_numbers": list(account.from_numbers),
        "slots": account.slots,
        "calls_per_second": account.calls_per_second,
        "legal": account.legal.value,
        "caller_id_statement": account.caller_id_statement,
        "isolated": account.isolated,
        "policies": account.policies,
        "flows": account.flows,
        "retries": described(changed(RETRIES, account.retries)),
    }


def listed(services: Services) -> list[Document]:
    """Every account, by name."""
    funds = services.store.funds
    return [describe(services, account, funds.of(account.id)) for account in services.store.accounts.all()]


def _require(services: Services, account_id: str) -> Account:
    account = services.store.accounts.get(account_id)
    if account is None:
        raise AccountNotFoundError(account_id)
    return account


def _read(given: Mapping[str, Any]) -> AccountWish:
    try:
        return AccountWish.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "account"
        raise RefusedOptionError(field, first["msg"].removeprefix("Value error, ")) from error


def _applied(
    services: Services, account: Account, wish: AccountWish, given: Mapping[str, Any], language: Language
) -> Account:
    """The account with what is wished, checked as a whole: no batch may be left without a valid rule."""
    changes = {name: getattr(wish, name) for name in wish.model_fields_set}
    needed = {"name", "plan", "status", "tz_name", "legal", "isolated"}
    empty: dict[str, Any] = {
        "from_numbers": (),
        "alert_below": (),
        "policies": {},
        "flows": {},
        "retries": {},
    }
    for name, value in list(changes.items()):
        if value is None and name in needed:
            raise RefusedOptionError(name, "cannot be empty")
        if value is None and name in empty:
            changes[name] = empty[name]
    made = replace(account, **changes)
    for policy_id in made.policies:
        check_policy(services, made, policy_id, language)
    for flow_id in made.flows:
        try:
            flow_of(made, flow_id)
        except OverrideError as error:
            raise RefusedOptionError(field_of("flows", flow_id, error), str(error)) from error
    try:
        changed(RETRIES, made.retries)
    except RetryTableError as error:
        raise RefusedOptionError("retries", str(error)) from error
    for batch in services.store.batches.of_account(account.id):
        require_policy(services, made, batch.policy_id, language)
        require_flow(made, batch.flow_id, batch.use_case, language)
        check_rules(
            made,
            batch.country,
            batch.use_case,
            policy_id=batch.policy_id,
            weekdays=batch.weekdays,
            retries=batch.retries,
            language=language,
        )
    return made


def _refuse_while_used(services: Services, account: Account) -> None:
    """Histories and balances are kept under what an account was; it changes only while nothing uses it."""
    funds = services.store.funds.of(account.id)
    if services.store.batches.of_account(account.id) or funds.held or funds.balance:
        raise RefusedOptionError(
            "plan", "plan and isolation change only without open batches and with a balance of 0"
        )


def _amount(account: Account, given: Mapping[str, Any], is_adjustment: bool) -> tuple[str, Decimal]:
    units = {Plan.CREDIT: {"cents": 1, "credits": 100}, Plan.MINUTES: {"minutes": 60, "seconds": 1}}
    known = units.get(account.plan)
    if known is None:
        raise RefusedOptionError("plan", "an unlimited account has no balance to add to")
    named = [name for name in known if name in given]
    if len(named) != 1:
        raise RefusedOptionError(next(iter(known)), f"give one of {', '.join(known)}")
    name = named[0]
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RefusedOptionError(name, "must be a number")
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise RefusedOptionError(name, "must be a number")
    amount *= known[name]
    if amount == 0 or (amount < 0 and not is_adjustment):
        raise RefusedOptionError(name, "must be more than 0")
    if abs(amount) > MOST:
        raise RefusedOptionError(name, f"is absurd: at most {MOST / known[name]}")
    return name, amount
