"""Accounts: who pays. Their money is in `funds`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pymongo.errors import DuplicateKeyError

from speechai.catalog.accounts import Account, AccountStatus, Legal, Plan
from speechai.store.database import Db, Document, decimal_of, money


class AccountRepository:
    """Accounts: who pays."""

    def __init__(self, db: Db) -> None:
        self._accounts = db["accounts"]

    def ensure(self, account: Account, instant: datetime) -> None:
        """Make the account, once; an existing one stays as it is."""
        new = {**account_document(account), "created_at": instant}
        self._accounts.update_one({"_id": account.id}, {"$setOnInsert": new}, upsert=True)

    def insert(self, account: Account, instant: datetime) -> bool:
        """Add an account. False where its id is taken."""
        try:
            self._accounts.insert_one({"_id": account.id, **account_document(account), "created_at": instant})
        except DuplicateKeyError:
            return False
        return True

    def get(self, account_id: str) -> Account | None:
        """The account, or None."""
        document = self._accounts.find_one({"_id": account_id})
        return account_from(document) if document else None

    def document(self, account_id: str) -> Document | None:
        """The whole document."""
        return self._accounts.find_one({"_id": account_id})

    def versioned(self, account_id: str) -> tuple[Account, int] | None:
        """The account and which edit of it this is, for `change`; None where there is no such account."""
        document = self._accounts.find_one({"_id": account_id})
        return (account_from(document), document.get("edits", 0)) if document else None

    def change(self, before: Account, edits: int, account: Account, instant: datetime) -> bool:
        """Write what differs from `before`, unless somebody edited the account since: then False.

        Its money is not touched, nor is any field that stays as it was.
        """
        known = account_document(before)
        changes = {name: value for name, value in account_document(account).items() if value != known[name]}
        written = self._accounts.update_one(
            {"_id": account.id, "edits": edits or {"$in": [0, None]}},
            {"$set": {**changes, "updated_at": instant}, "$inc": {"edits": 1}},
        )
        return written.matched_count == 1

    def set_slots(self, account_id: str, slots: int | None) -> bool:
        """The account's share of the provider's slots; None: all. False where there is no such account."""
        written = self._accounts.update_one(
            {"_id": account_id}, {"$set": {"slots": slots}, "$inc": {"edits": 1}}
        )
        return written.matched_count == 1

    def all(self) -> list[Account]:
        """Every account, by name."""
        return [account_from(document) for document in self._accounts.find().sort("name", 1)]


def account_document(account: Account) -> Document:
    """The account as it is stored."""
    budget = account.daily_budget_cents
    return {
        "account_id": account.id,
        "name": account.name,
        "plan": account.plan.value,
        "status": account.status.value,
        "tz_name": account.tz_name,
        "agent_id": account.agent_id,
        "from_numbers": list(account.from_numbers),
        "slots": account.slots,
        "calls_per_second": account.calls_per_second,
        "daily_budget_cents": None if budget is None else money(budget),
        "alert_below": [money(limit) for limit in account.alert_below],
        "legal": account.legal.value,
        "caller_id_statement": account.caller_id_statement,
        "isolated": account.isolated,
        "policies": _plain(account.policies),
        "flows": _plain(account.flows),
        "retries": _plain(account.retries),
    }


def account_from(document: Document) -> Account:
    """The account as it was stored."""
    budget = document.get("daily_budget_cents")
    return Account(
        id=document["_id"],
        name=document["name"],
        plan=Plan(document["plan"]),
        tz_name=document["tz_name"],
        agent_id=document.get("agent_id"),
        from_numbers=tuple(document.get("from_numbers", ())),
        slots=document.get("slots"),
        status=AccountStatus(document.get("status", AccountStatus.ACTIVE)),
        calls_per_second=document.get("calls_per_second"),
        daily_budget_cents=None if budget is None else decimal_of(budget),
        alert_below=tuple(decimal_of(limit) for limit in document.get("alert_below", ())),
        legal=Legal(document.get("legal", Legal.WARN)),
        caller_id_statement=document.get("caller_id_statement"),
        isolated=document.get("isolated", False),
        policies=document.get("policies") or {},
        flows=document.get("flows") or {},
        retries=document.get("retries") or {},
    )


def _plain(value: Any) -> Any:
    """What MongoDB can keep of an operator's JSON."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value
