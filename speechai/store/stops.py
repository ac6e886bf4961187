"""The kill switch: whether all dialing is stopped, by whom, and the record of every time it was."""

from __future__ import annotations

import uuid
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from speechai.store.database import Db, Document


class StopRepository:
    """One document per stop. At most one is in force: a unique key holds that."""

    def __init__(self, db: Db) -> None:
        self._stops = db["stops"]

    def current(self) -> Document | None:
        """The stop in force, or None: `by`, `at`."""
        return self._stops.find_one({"in_force": True})

    def begin(self, by: str, instant: datetime) -> Document:
        """Stop. Where it is stopped already, that stop stays, with its author."""
        stop: Document = {
            "_id": uuid.uuid4().hex,
            "in_force": True,
            "by": by,
            "at": instant,
            "ended_by": None,
            "ended_at": None,
        }
        try:
            self._stops.insert_one(stop)
        except DuplicateKeyError:
            return self.current() or self.begin(by, instant)
        return stop

    def end(self, by: str, instant: datetime) -> bool:
        """Go on. False where it was not stopped."""
        ended = {"$unset": {"in_force": ""}, "$set": {"ended_by": by, "ended_at": instant}}
        return self._stops.update_one({"in_force": True}, ended).modified_count == 1
