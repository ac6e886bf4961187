"""The accounts' money: balances, what calls in flight hold of them, and the ledger.

The balance is the sum of the ledger's entries. Both change in one write to the account's document, where a
new entry waits until it is copied into the ledger; after a crash in between, the sweep copies it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument, UpdateOne

from speechai.catalog.accounts import Account, Plan
from speechai.core.money import NOTHING, EntryKind, Funds, Price
from speechai.store.database import Db, Document, day_of, decimal_of, money, sealed_later


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an account's ledger."""

    id: str  # unique: the same entry is posted once
    kind: EntryKind
    amount: Decimal  # in the plan's unit; a call's is negative
    by: str
    at: datetime
    note: str = ""
    attempt_id: str | None = None
    cents: Decimal = Decimal(0)  # what a call cost in US cents, whatever the plan's unit


class FundsRepository:
    """Guarded writes of accounts' money."""

    def __init__(self, db: Db) -> None:
        self._accounts = db["accounts"]
        self._ledger = db["ledger"]
        self._held_later = sealed_later(self._accounts)

    def of(self, account_id: str) -> Funds:
        """What the account has."""
        found = self._accounts.find_one({"_id": account_id}, {"funds": 1})
        return funds_from((found or {}).get("funds"))

    def hold(self, account: Account, attempt_id: str, price: Price, today: date) -> bool:
        """Hold the price of one call in the attempt's name. False where the account cannot pay for it."""
        free: list[Document] = [{"$eq": ["$status", "active"]}]
        if account.plan is not Plan.UNLIMITED:
            left = {"$subtract": [_field("balance"), _field("held")]}
            free.append({"$gte": [left, money(price.units)]})
        if account.daily_budget_cents is not None:
            would = {"$add": [_spent_on(today), _field("held_cents"), money(price.cents)]}
            free.append({"$lte": [would, money(account.daily_budget_cents)]})
        held = self._held_later.update_one(
            {"_id": account.id, f"funds.holds.{attempt_id}": {"$exists": False}, "$expr": {"$and": free}},
            {
                "$inc": {"funds.held": money(price.units), "funds.held_cents": money(price.cents)},
                "$set": {
                    f"funds.holds.{attempt_id}": {"units": money(price.units), "cents": money(price.cents)}
                },
            },
        )
        return held.modified_count == 1

    def release(self, account_id: str, attempt_id: str) -> bool:
        """Give back what is held for a call that never was."""
        return self._take_hold(account_id, attempt_id, None, None) is not None

    def charge(self, account_id: str, attempt_id: str, entry: Entry, today: date) -> Funds | None:
        """Take what a call that is over cost, and give back the rest of what was held.

        Returns the funds before it; None where nothing is held for the attempt: it was charged before.
        """
        before = self._take_hold(account_id, attempt_id, entry, today)
        if before is not None:
            self.post_waiting(account_id)
        return before

    def charge_rest(self, account_id: str, entry: Entry, today: date) -> Funds | None:
        """Take what a call that was charged costs beyond that: its price has grown since.

        `entry` is the call's own; what is posted is the difference, under an id of its own. Returns the funds
        before it; None where nothing is missing. Looks as `post` does, and for the same reason.
        """
        while True:
            found = self._accounts.find_one({"_id": account_id}, {"funds": 1})
            if found is None:
                return None
            funds = found.get("funds") or {}
            rows = {row["_id"]: row for row in funds.get("waiting") or [] if row["_id"].startswith(entry.id)}
            rows |= {row["_id"]: row for row in self._ledger.find(_entries_of(entry))}
            rest = replace(
                entry,
                id=f"{entry.id}:{len(rows) + 1}",
                amount=min(NOTHING, entry.amount - sum(decimal_of(row["amount"]) for row in rows.values())),
                cents=max(NOTHING, entry.cents - sum(decimal_of(row["cents"]) for row in rows.values())),
            )
            if not rest.amount and not rest.cents:
                return None
            guard = {"_id": account_id, "funds.posts": funds.get("posts")}
            fields = {
                **_spent(account_id, rest, today),
                "funds.posts": {"$add": [{"$ifNull": ["$funds.posts", 0]}, 1]},
            }
            if self._accounts.update_one(guard, [{"$set": fields}]).modified_count:
                self.post_waiting(account_id)
                return funds_from(funds)

    def post(self, account_id: str, entry: Entry) -> bool:
        """Add an entry that no call made. False where an entry of that id is there already.

        An entry is in the account's document or in the ledger, and goes from the one to the other; so it is
        missed by nobody who looks in this order and then writes only if no other was posted since.
        """
        while True:
            found = self._accounts.find_one({"_id": account_id}, {"funds.waiting._id": 1, "funds.posts": 1})
            if found is None:
                return False
            funds = found.get("funds") or {}
            if any(row["_id"] == entry.id for row in funds.get("waiting") or []):
                self.post_waiting(account_id)
                return False
            if self._ledger.find_one({"_id": entry.id}, {"_id": 1}):
                return False
            posted = self._accounts.update_one(
                {"_id": account_id, "funds.posts": funds.get("posts")},
                {
                    "$inc": {"funds.balance": money(entry.amount), "funds.posts": 1},
                    "$push": {"funds.waiting": _entry_document(account_id, entry)},
                },
            )
            if posted.modified_count == 1:
                self.post_waiting(account_id)
                return True

    def post_waiting(self, account_id: str) -> int:
        """Copy the entries that wait into the ledger. Returns how many."""
        found = self._accounts.find_one({"_id": account_id}, {"funds.waiting": 1}) or {}
        waiting = (found.get("funds") or {}).get("waiting") or []
        if waiting:
            self._ledger.bulk_write(
                [UpdateOne({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True) for row in waiting],
                ordered=False,
            )
            ids = [row["_id"] for row in waiting]
            self._accounts.update_one(
                {"_id": account_id}, {"$pull": {"funds.waiting": {"_id": {"$in": ids}}}}
            )
        return len(waiting)

    def accounts_with_waiting(self) -> list[str]:
        """Accounts some of whose entries are not in the ledger yet."""
        return [row["_id"] for row in self._accounts.find({"funds.waiting.0": {"$exists": True}}, {"_id": 1})]

    def holders(self) -> list[tuple[str, str]]:
        """(account, attempt) of everything that is held."""
        pipeline: list[Document] = [
            {"$match": {"funds.holds": {"$exists": True}}},
            {"$project": {"held": {"$objectToArray": "$funds.holds"}}},
            {"$unwind": "$held"},
        ]
        return [(row["_id"], row["held"]["k"]) for row in self._accounts.aggregate(pipeline)]

    def ledger(self, account_id: str, *, limit: int, before: str | None) -> list[Document]:
        """Up to `limit` entries, newest first, after the cursor."""
        wanted: Document = {"account_id": account_id}
        if before:
            at, _, entry_id = before.partition("|")
            moment = datetime.fromisoformat(at)
            wanted["$or"] = [{"at": {"$lt": moment}}, {"at": moment, "_id": {"$lt": entry_id}}]
        return list(self._ledger.find(wanted).sort([("at", DESCENDING), ("_id", DESCENDING)]).limit(limit))

    def ledger_sum(self, account_id: str) -> Decimal:
        """The sum of the ledger's entries: what the balance must be."""
        rows = self._ledger.find({"account_id": account_id}, {"amount": 1}).sort("at", ASCENDING)
        return sum((decimal_of(row["amount"]) for row in rows), Decimal(0))

    def _take_hold(
        self, account_id: str, attempt_id: str, entry: Entry | None, spent: date | None
    ) -> Funds | None:
        """One write: the hold goes, and an entry, of a call charged on the date `spent`, the balance
        falls and the entry waits for the ledger."""
        mine = f"$funds.holds.{attempt_id}"
        fields: Document = {
            "funds.held": {"$subtract": [_field("held"), f"{mine}.units"]},
            "funds.held_cents": {"$subtract": [_field("held_cents"), f"{mine}.cents"]},
        }
        if entry and spent:
            fields |= _spent(account_id, entry, spent)
        found = self._accounts.find_one_and_update(
            {"_id": account_id, f"funds.holds.{attempt_id}": {"$exists": True}},
            [{"$set": fields}, {"$unset": f"funds.holds.{attempt_id}"}],
            projection={"funds": 1},
            return_document=ReturnDocument.BEFORE,
        )
        return funds_from(found.get("funds")) if found else None


def funds_from(stored: Any) -> Funds:
    """The funds as they were stored."""
    document: Document = stored or {}
    return Funds(
        balance=decimal_of(document.get("balance")),
        held=decimal_of(document.get("held")),
        held_cents=decimal_of(document.get("held_cents")),
        spent_cents=decimal_of(document.get("spent_cents")),
        day=day_of(document.get("day")),
    )


def _field(name: str) -> Document:
    return {"$ifNull": [f"$funds.{name}", money(Decimal(0))]}


def _spent_on(today: date) -> Document:
    return {"$cond": [{"$eq": ["$funds.day", today.isoformat()]}, _field("spent_cents"), money(Decimal(0))]}


def _spent(account_id: str, entry: Entry, today: date) -> Document:
    """The fields of an account after a call was charged on `today`."""
    waits = [{"$literal": _entry_document(account_id, entry)}]
    return {
        "funds.balance": {"$add": [_field("balance"), money(entry.amount)]},
        "funds.spent_cents": {"$add": [_spent_on(today), money(entry.cents)]},
        "funds.day": today.isoformat(),
        "funds.waiting": {"$concatArrays": [{"$ifNull": ["$funds.waiting", []]}, waits]},
    }


def _entries_of(entry: Entry) -> Document:
    """All that was posted for a call: its own entry, and those of what it cost beyond."""
    return {"_id": {"$gte": entry.id, "$lt": f"{entry.id};"}}  # the character after the colon


def _entry_document(account_id: str, entry: Entry) -> Document:
    return {
        "_id": entry.id,
        "account_id": account_id,
        "kind": entry.kind.value,
        "amount": money(entry.amount),
        "cents": money(entry.cents),
        "attempt_id": entry.attempt_id,
        "by": entry.by,
        "note": entry.note,
        "at": entry.at,
    }
