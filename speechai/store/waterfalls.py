"""How far the judging of each large batch's jobs has come, and what the last one that was whole found."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from pymongo import ReturnDocument

from speechai.store.database import Db, Document


class WaterfallRepository:
    """One document per batch that somebody asked about."""

    def __init__(self, db: Db) -> None:
        self._waterfalls = db["waterfalls"]

    def ask(self, batch_id: str, instant: datetime) -> Document:
        """Note that somebody looks, and return what there is: `revision`, and `walk` and `found`, if any."""
        known = self._waterfalls.find_one_and_update(
            {"_id": batch_id},
            {"$set": {"asked_at": instant}, "$setOnInsert": {"revision": 0}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return cast(Document, known)  # it is made where there is none

    def asked_since(self, instant: datetime) -> list[str]:
        """The batches that somebody asked about since then."""
        return [row["_id"] for row in self._waterfalls.find({"asked_at": {"$gte": instant}}, {"_id": 1})]

    def get(self, batch_id: str) -> Document | None:
        """What there is, or None."""
        return self._waterfalls.find_one({"_id": batch_id})

    def write(self, batch_id: str, revision: int, changes: Document) -> bool:
        """Write how far it came. False where somebody else did since `revision` was read."""
        written = self._waterfalls.update_one(
            {"_id": batch_id, "revision": revision}, {"$set": changes, "$inc": {"revision": 1}}
        )
        return written.modified_count == 1
