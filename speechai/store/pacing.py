"""The provider's slots: one document per provider, with the owner of every slot in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ReturnDocument

from speechai.core.watching import Traffic
from speechai.store.database import Db, Document, sealed_later

_TRAFFIC = {"used": 1, "heard_at": 1, "missed_at": 1}


@dataclass(frozen=True, slots=True)
class Slots:
    """How many slots are in use, and how many there are; by account where it has a share."""

    used: int
    limit: int
    used_by: dict[str, int]

    @property
    def free(self) -> int:
        """How many are free (0 where a lowered limit is exceeded: nobody is hung up)."""
        return max(0, self.limit - self.used)


class PacingRepository:
    """Slots as leases with an owner: whoever holds one is named, so none can leak unseen."""

    def __init__(self, db: Db) -> None:
        self._pacing = db["pacing"]
        self._sealed_later = sealed_later(self._pacing)

    def ensure(self, provider: str) -> None:
        """Make the provider's document, once."""
        new = {"used": 0, "used_by": {}, "open": {}, "limit": None, "provider_limit": None}
        self._pacing.update_one({"_id": provider}, {"$setOnInsert": new}, upsert=True)

    def take_slot(
        self, provider: str, attempt_id: str, limit: int, account_id: str, share: int | None = None
    ) -> Traffic | None:
        """Take a slot. None where all are taken, or all of the account's `share`.

        `limit` holds unless an operator set another, or the provider said that there are fewer.
        """
        mine = f"$used_by.{account_id}"
        room: list[Document] = [{"$lt": ["$used", _effective(limit)]}]
        if share is not None:
            room.append({"$lt": [{"$ifNull": [mine, 0]}, share]})
        taken = self._sealed_later.find_one_and_update(
            {"_id": provider, f"open.{attempt_id}": {"$exists": False}, "$expr": {"$and": room}},
            [
                {
                    "$set": {
                        "used": {"$add": ["$used", 1]},
                        f"used_by.{account_id}": {"$add": [{"$ifNull": [mine, 0]}, 1]},
                        f"open.{attempt_id}": {"since": "$$NOW", "account": {"$literal": account_id}},
                    }
                }
            ],
            projection=_TRAFFIC,
            return_document=ReturnDocument.AFTER,
        )
        return _traffic(taken) if taken else None

    def free_slot(
        self,
        provider: str,
        attempt_id: str,
        account_id: str,
        *,
        heard_at: datetime | None = None,
        missed_at: datetime | None = None,
    ) -> bool:
        """Give the attempt's slot back, once: a second time changes nothing.

        `heard_at`, `missed_at`: a webhook told of the call's end, or none did.
        """
        notes = {name: at for name, at in (("heard_at", heard_at), ("missed_at", missed_at)) if at}
        changes: Document = {
            "$inc": {"used": -1, f"used_by.{account_id}": -1},
            "$unset": {f"open.{attempt_id}": ""},
        }
        if notes:
            changes["$set"] = notes
        freed = self._sealed_later.update_one(
            {"_id": provider, f"open.{attempt_id}": {"$exists": True}}, changes
        )
        return freed.modified_count == 1

    def traffic(self, provider: str) -> Traffic:
        """What is known of the provider's calls."""
        return _traffic(self._pacing.find_one({"_id": provider}, _TRAFFIC) or {})

    def slots(self, provider: str, limit: int) -> Slots:
        """The provider's slots, where `limit` holds unless another was set."""
        fields = {"used": 1, "used_by": 1, "limit": _effective(limit)}
        document = self._pacing.find_one({"_id": provider}, fields) or {}
        return Slots(
            used=document.get("used", 0),
            limit=document.get("limit", limit),
            used_by=document.get("used_by", {}),
        )

    def set_limit(self, provider: str, limit: int | None) -> None:
        """An operator's limit, from now on; None: that of the settings again."""
        self._pacing.update_one({"_id": provider}, {"$set": {"limit": limit}})

    def set_provider_limit(self, provider: str, limit: int | None) -> None:
        """What the provider itself says that it allows."""
        self._pacing.update_one({"_id": provider}, {"$set": {"provider_limit": limit}})

    def provider_limit(self, provider: str) -> int | None:
        """What the provider itself said, where that is less than ours."""
        document = self._pacing.find_one({"_id": provider}, {"provider_limit": 1}) or {}
        return document.get("provider_limit")

    def may_ask(self, provider: str, instant: datetime, every: timedelta) -> bool:
        """Whether it is time to ask the provider for its limit: once in `every`, over all workers."""
        asked = self._pacing.update_one(
            {"_id": provider, "asked_at": {"$not": {"$gt": instant - every}}}, {"$set": {"asked_at": instant}}
        )
        return asked.modified_count == 1

    def open_attempts(self, provider: str) -> set[str]:
        """Every attempt that holds a slot."""
        document = self._pacing.find_one({"_id": provider}, {"open": 1}) or {}
        return set(document.get("open", {}))

    def holders(self, older_than_seconds: float) -> list[tuple[str, str, str]]:
        """(provider, attempt, account) of every slot held for longer than that, by the database's clock."""
        pipeline: list[Document] = [
            {"$project": {"held": {"$objectToArray": "$open"}}},
            {"$unwind": "$held"},
            {
                "$match": {
                    "$expr": {
                        "$lt": ["$held.v.since", {"$subtract": ["$$NOW", int(older_than_seconds * 1000)]}]
                    }
                }
            },
        ]
        rows = self._pacing.aggregate(pipeline)
        return [(row["_id"], row["held"]["k"], row["held"]["v"]["account"]) for row in rows]


def _effective(limit: int) -> Document:
    """The operator's limit or `limit`, and never more than the provider says."""
    wanted = {"$ifNull": ["$limit", limit]}
    return {"$min": [wanted, {"$ifNull": ["$provider_limit", wanted]}]}


def _traffic(document: Document) -> Traffic:
    return Traffic(document.get("used", 0), document.get("heard_at"), document.get("missed_at"))
