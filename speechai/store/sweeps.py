"""The sweep's parts: who does one just now, and which items are set aside because they raise."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from pymongo import ASCENDING, ReturnDocument

from speechai.store.database import Db, Document, plus_seconds

FIRST_PAUSE = timedelta(minutes=1)


class SweepRepository:
    """Single flight per part over all workers, and what each part leaves alone for a while."""

    def __init__(self, db: Db) -> None:
        self._flights = db["sweeps"]
        self._aside = db["set_aside"]

    def take(self, part: str, worker: str, seconds: float) -> str | None:
        """Be the one who does the part, for `seconds` of the database's clock at the most.

        Returns the token to give it back with; None where somebody else does it.
        """
        token = f"{worker}|{uuid.uuid4().hex}"
        is_free = {"$lt": ["$until", "$$NOW"]}  # a date that is missing comes before every other
        taken = self._flights.find_one_and_update(
            {"_id": part},
            [
                {
                    "$set": {
                        "by": {"$cond": [is_free, {"$literal": token}, "$by"]},
                        "until": {"$cond": [is_free, plus_seconds(seconds), "$until"]},
                    }
                }
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return token if taken and taken["by"] == token else None

    def done(self, part: str, token: str) -> None:
        """The part is done, for now."""
        self._flights.update_one({"_id": part, "by": token}, {"$set": {"by": None, "until": None}})

    def set_aside(self, part: str, key: str, error: str, instant: datetime, longest: timedelta) -> datetime:
        """Leave an item alone that raised: for longer each time, up to `longest`. Returns until when."""
        name = f"{part}|{key}"
        times = int((self._aside.find_one({"_id": name}) or {}).get("times", 0))
        until = instant + min(FIRST_PAUSE * (1 << min(times, 16)), longest)
        self._aside.update_one(
            {"_id": name},
            {
                "$set": {"part": part, "key": key, "error": error, "until": until},
                "$setOnInsert": {"since": instant},
                "$inc": {"times": 1},
            },
            upsert=True,
        )
        return until

    def aside(self, part: str, instant: datetime) -> tuple[list[str], set[str]]:
        """Of a part: the items to leave alone for now, and every one that is on record as raising."""
        found = list(self._aside.find({"part": part}))
        return [row["key"] for row in found if row["until"] > instant], {row["key"] for row in found}

    def well(self, part: str, key: str) -> None:
        """The item does not raise any more."""
        self._aside.delete_one({"_id": f"{part}|{key}"})

    def size_of_aside(self) -> int:
        """How many items are on record as raising."""
        return self._aside.estimated_document_count()

    def all_aside(self, limit: int = 100) -> list[Document]:
        """What somebody has to look at: the items that raise, the oldest first."""
        return list(self._aside.find().sort("since", ASCENDING).limit(limit))
