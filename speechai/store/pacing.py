"""The provider's slots: one document per provider key, with the owner of every slot in it."""

from __future__ import annotations

from pymongo import ReturnDocument

from speechai.store.database import Db, Document


class PacingRepository:
    """Slots as leases with an owner: whoever holds one is named, so none can leak unseen."""

    def __init__(self, db: Db) -> None:
        self._pacing = db["pacing"]

    def ensure(self, provider: str) -> None:
        """Make the provider's document, once."""
        self._pacing.update_one(
            {"_id": provider}, {"$setOnInsert": {"used": 0, "open": {}, "limit": None}}, upsert=True
        )

    def take_slot(self, provider: str, attempt_id: str, limit: int) -> bool:
        """Take a slot. False where all are taken. `limit` holds unless an operator set another."""
        return (
            self._pacing.find_one_and_update(
                {
                    "_id": provider,
                    f"open.{attempt_id}": {"$exists": False},
                    "$expr": {"$lt": ["$used", {"$ifNull": ["$limit", limit]}]},
                },
                [{"$set": {"used": {"$add": ["$used", 1]}, f"open.{attempt_id}": "$$NOW"}}],
                projection={"_id": 1},
                return_document=ReturnDocument.AFTER,
            )
            is not None
        )

    def free_slot(self, provider: str, attempt_id: str) -> bool:
        """Give the attempt's slot back, once: a second time changes nothing."""
        return (
            self._pacing.update_one(
                {"_id": provider, f"open.{attempt_id}": {"$exists": True}},
                {"$inc": {"used": -1}, "$unset": {f"open.{attempt_id}": ""}},
            ).modified_count
            == 1
        )

    def free_slots(self, provider: str, limit: int) -> int:
        """How many slots are free (0 where a lowered limit is exceeded: nobody is hung up)."""
        document = self._pacing.find_one({"_id": provider}, {"used": 1, "limit": 1}) or {}
        wanted = document.get("limit")
        return max(0, int(limit if wanted is None else wanted) - int(document.get("used", 0)))

    def holders(self, older_than_seconds: float) -> list[tuple[str, str]]:
        """(provider, attempt id) of every slot held for longer than that, by the database's clock."""
        pipeline: list[Document] = [
            {"$project": {"held": {"$objectToArray": "$open"}}},
            {"$unwind": "$held"},
            {
                "$match": {
                    "$expr": {"$lt": ["$held.v", {"$subtract": ["$$NOW", int(older_than_seconds * 1000)]}]}
                }
            },
        ]
        return [(row["_id"], row["held"]["k"]) for row in self._pacing.aggregate(pipeline)]
