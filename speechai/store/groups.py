"""The day's group of a batch: its places for different people, and who of the jobs has one."""

from __future__ import annotations

from datetime import date, datetime

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from speechai.core.states import JobState, WaitReason
from speechai.store.database import LONG_AGO, Db, Document

_EARLIEST_FIRST = [("next_attempt_at", ASCENDING), ("seq", ASCENDING)]


class GroupRepository:
    """Counts the places of each date, and gives them to waiting jobs."""

    def __init__(self, db: Db, jobs: str) -> None:
        self._days = db["batch_days"]
        self._jobs = db[jobs]

    # -- places ---------------------------------------------------------------------------------

    def take_place(self, batch_id: str, day: date, limit: int) -> bool:
        """Take one of the day's places for different people; False where all are taken."""
        key = f"{batch_id}|{day.isoformat()}"
        try:
            self._days.update_one(
                {"_id": key, "people": {"$lt": limit}},
                {
                    "$inc": {"people": 1},
                    "$currentDate": {"taken_at": True},
                    "$setOnInsert": {"batch_id": batch_id, "day": day.isoformat()},
                },
                upsert=True,
            )
        except DuplicateKeyError:
            return False  # the document is there and full: the upsert could not match it
        return True

    def give_back_place(self, batch_id: str, day: date) -> None:
        """Nobody took the place after all."""
        self._days.update_one({"_id": f"{batch_id}|{day.isoformat()}"}, {"$inc": {"people": -1}})

    def size(self, batch_id: str, day: date) -> int:
        """How many different people have a place on that date."""
        found = self._days.find_one({"_id": f"{batch_id}|{day.isoformat()}"})
        return int(found["people"]) if found else 0

    def recount(self, batch_id: str, day: date, quiet_seconds: float) -> int:
        """Count the day's people anew: whoever took a place and died before giving it away left it taken.

        Only once nobody has taken a place for `quiet_seconds`, by the database's clock, and once after each
        such time. Returns how many places are free again.
        """
        key = f"{batch_id}|{day.isoformat()}"
        quiet = {"$lt": ["$taken_at", {"$subtract": ["$$NOW", int(quiet_seconds * 1000)]}]}
        changed = {"$ne": ["$taken_at", "$counted_at"]}
        found = self._days.find_one({"_id": key, "$expr": {"$and": [quiet, changed]}})
        if found is None:
            return 0
        people = self._jobs.count_documents({"batch_id": batch_id, "group_date": day.isoformat()})
        counted = self._days.update_one(
            {"_id": key, "taken_at": found["taken_at"], "people": found["people"]},
            {"$set": {"people": people, "counted_at": found["taken_at"]}},
        )
        return int(found["people"]) - people if counted.modified_count else 0

    # -- people ---------------------------------------------------------------------------------

    def recruit_callback(self, batch_id: str, day: date, until: datetime) -> bool:
        """Give one person who asked to be called before `until` a place; False where nobody is left."""
        return self._recruit(
            batch_id,
            day,
            {
                "waiting_for": None,
                "exact": True,
                "group_date": {"$ne": day.isoformat()},
                "next_attempt_at": {"$lt": until},
            },
            _EARLIEST_FIRST,
        )

    def recruit_called_before(self, batch_id: str, day: date, until: datetime) -> bool:
        """Give one person of an earlier day, due by `until`, a place; False where nobody is left."""
        return self._recruit(
            batch_id,
            day,
            {
                "waiting_for": WaitReason.WAVE.value,
                "group_date": {"$nin": [day.isoformat(), None]},
                # The lower bound names the index's own condition: without it the plan sorts all of them.
                "next_attempt_at": {"$gt": LONG_AGO, "$lte": until},
            },
            _EARLIEST_FIRST,
        )

    def recruit_new(self, batch_id: str, day: date, instant: datetime) -> bool:
        """Give the file's next person whom nobody has called a place, due from `instant` on; False where
        nobody is left."""
        wanted = {"waiting_for": WaitReason.WAVE.value, "group_date": None}
        due = {"waiting_for": None, "next_attempt_at": instant}
        return self._recruit(batch_id, day, wanted, [("seq", ASCENDING)], due)

    def _recruit(
        self,
        batch_id: str,
        day: date,
        wanted: Document,
        order: list[tuple[str, int]],
        changes: Document | None = None,
    ) -> bool:
        waiting = {"batch_id": batch_id, "status": JobState.PENDING.value, **wanted}
        changes = {"$set": {"group_date": day.isoformat(), **(changes or {})}}
        return self._jobs.find_one_and_update(waiting, changes, sort=order) is not None

    def note_place(self, job_id: str, day: date) -> None:
        """Note that the job has a place in the group of `day`."""
        self._jobs.update_one({"_id": job_id}, {"$set": {"group_date": day.isoformat()}})

    def release(self, batch_id: str, day: date, instant: datetime) -> int:
        """Let the group's waiting people be called from `instant` on, if their own time has come."""
        return self._jobs.update_many(
            {
                "batch_id": batch_id,
                "group_date": day.isoformat(),
                "status": JobState.PENDING.value,
                "waiting_for": WaitReason.WAVE.value,
                "$or": [{"next_attempt_at": None}, {"next_attempt_at": {"$lte": instant}}],
            },
            {"$set": {"waiting_for": None, "next_attempt_at": instant}},
        ).modified_count

    def release_at_own_time(self, batch_id: str, day: date, instant: datetime) -> int:
        """Continuous batches: whoever has a place today waits only for the time of the next attempt."""
        return self._jobs.update_many(
            {
                "batch_id": batch_id,
                "group_date": day.isoformat(),
                "status": JobState.PENDING.value,
                "waiting_for": WaitReason.WAVE.value,
            },
            [{"$set": {"waiting_for": None, "next_attempt_at": {"$ifNull": ["$next_attempt_at", instant]}}}],
        ).modified_count
