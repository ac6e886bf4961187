"""Who is not to be called, and when each public register was last consulted. Nothing is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pymongo import DESCENDING, UpdateOne

from speechai.store.database import Db, Document


class DoNotCallRepository:
    """Entries about a person or a number, each for a scope: everybody, all marketing, or one creditor."""

    def __init__(self, db: Db) -> None:
        self._entries = db["do_not_call"]
        self._registries = db["registries"]

    def add(self, entries: Sequence[Document]) -> int:
        """Add entries, by their ids; an undone one is in force again. Returns how many were not in force."""
        if not entries:
            return 0
        new = [
            UpdateOne({"_id": entry["_id"]}, {"$setOnInsert": {**entry, "in_force": True}}, upsert=True)
            for entry in entries
        ]
        added = self._entries.bulk_write(new, ordered=False).upserted_count
        ids = [entry["_id"] for entry in entries]
        again = self._entries.update_many(
            {"_id": {"$in": ids}, "in_force": False}, {"$set": {"in_force": True}}
        )
        return added + again.modified_count

    def about(self, keys: Sequence[str], scopes: Sequence[str]) -> dict[str, Document]:
        """The entries in force about these people and numbers in one of the scopes, by key."""
        found = self._entries.find(
            {"key": {"$in": list(keys)}, "in_force": True, "scope": {"$in": list(scopes)}}
        )
        return {row["key"]: row for row in found}

    def all_about(self, keys: Sequence[str]) -> list[Document]:
        """Every entry about these people and numbers, undone ones too, oldest first."""
        return sorted(self._entries.find({"key": {"$in": list(keys)}}), key=lambda entry: entry["at"])

    def undo(self, entry_id: str, by: str, why: str, instant: datetime) -> bool:
        """Take an entry out of force, on record. False where none is in force."""
        undone = self._entries.update_one(
            {"_id": entry_id, "in_force": True},
            {"$set": {"in_force": False}, "$push": {"undone": {"by": by, "why": why, "at": instant}}},
        )
        return undone.modified_count == 1

    def page(self, *, limit: int, before: str | None) -> list[Document]:
        """Up to `limit` entries in force, after the cursor."""
        wanted: Document = {"in_force": True}
        if before:
            wanted["_id"] = {"$lt": before}
        return list(self._entries.find(wanted).sort("_id", DESCENDING).limit(limit))

    def consulted(self, registry: str, by: str, instant: datetime) -> None:
        """Note that a public register was consulted."""
        self._registries.update_one(
            {"_id": registry}, {"$set": {"consulted_at": instant, "by": by}}, upsert=True
        )

    def registries(self) -> dict[str, datetime]:
        """When each register was last consulted."""
        return {row["_id"]: row["consulted_at"] for row in self._registries.find()}
