"""Who is not to be called, and when each public register was last consulted. Nothing is deleted."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

from pymongo import DESCENDING, UpdateOne

from speechai.store.database import Db, Document

AT_ONCE = 5000  # entries in one write
_ORIGIN = ("at", "by", "reason", "source")  # who said it, when and where


class DoNotCallRepository:
    """Entries about a person or a number, each for a scope: everybody, all marketing, or one creditor."""

    def __init__(self, db: Db) -> None:
        self._entries = db["do_not_call"]
        self._registries = db["registries"]
        self._secrets = db["secrets"]
        self._pepper: bytes | None = None

    def add(self, entries: Sequence[Document], *, once: bool = False) -> int:
        """Add entries, by their ids. Returns how many of them were not in force.

        One that was undone is in force anew, from its new origin; who said it before is kept in `earlier`, in
        step with `undone`. With `once`, what the same source said before is a repeat, and changes nothing.
        """
        return sum(
            self._add(entries[start : start + AT_ONCE], once) for start in range(0, len(entries), AT_ONCE)
        )

    def _add(self, entries: Sequence[Document], once: bool) -> int:
        writes = []
        for entry in entries:
            undone: Document = {"_id": entry["_id"], "in_force": False}
            if once:
                undone |= {"source": {"$ne": entry["source"]}, "earlier.source": {"$ne": entry["source"]}}
            new = {name: {"$literal": entry[name]} for name in _ORIGIN}
            former = {name: f"${name}" for name in _ORIGIN}
            earlier = {"$concatArrays": [{"$ifNull": ["$earlier", []]}, [former]]}
            writes += [
                UpdateOne({"_id": entry["_id"]}, {"$setOnInsert": {**entry, "in_force": True}}, upsert=True),
                UpdateOne(undone, [{"$set": {"earlier": earlier, **new, "in_force": True}}]),
            ]
        written = self._entries.bulk_write(writes, ordered=True)
        return written.upserted_count + written.modified_count

    def about(self, keys: Sequence[str], scopes: Sequence[str]) -> dict[str, Document]:
        """The entries in force about these people and numbers in one of the scopes, by key."""
        names = self._names(keys)
        found = self._entries.find(
            {"key": {"$in": list(names)}, "in_force": True, "scope": {"$in": list(scopes)}}
        )
        return {names[row["key"]]: row for row in found}

    def all_about(self, keys: Sequence[str]) -> list[Document]:
        """Every entry about these people and numbers, undone ones too, oldest first."""
        found = self._entries.find({"key": {"$in": list(self._names(keys))}})
        return sorted(found, key=lambda entry: entry["at"])

    def in_force_about(self, keys: Sequence[str]) -> list[Document]:
        """The entries in force about these people and numbers, whatever their scope."""
        return list(self._entries.find({"key": {"$in": list(self._names(keys))}, "in_force": True}))

    def pseudonymise(self, keys: Sequence[str]) -> int:
        """Keep the entries about these people and numbers under names that tell nobody whom they are about.

        They bind as before: whoever is to be called is looked for under both names.
        """
        moved = 0
        for entry in list(self._entries.find({"key": {"$in": list(keys)}})):
            name = self._pseudonym(entry["key"])
            kept = {**entry, "_id": f"{entry['scope']}|{name}", "key": name, "undone": []}
            self._entries.update_one({"_id": kept["_id"]}, {"$setOnInsert": kept}, upsert=True)
            moved += self._entries.delete_one({"_id": entry["_id"]}).deleted_count
        return moved

    def _names(self, keys: Sequence[str]) -> dict[str, str]:
        """Under which names there may be entries, and whom each is about."""
        return {name: key for key in keys if key for name in (key, self._pseudonym(key))}

    def _pseudonym(self, key: str) -> str:
        """The name of somebody who was erased: always the same; only who can read the pepper can guess it."""
        if self._pepper is None:
            made = {"$setOnInsert": {"pepper": secrets.token_bytes(32)}}
            self._secrets.update_one({"_id": "do_not_call"}, made, upsert=True)
            self._pepper = bytes((self._secrets.find_one({"_id": "do_not_call"}) or {})["pepper"])
        return f"ERASED:{hmac.new(self._pepper, key.encode(), hashlib.sha256).hexdigest()[:32]}"

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
