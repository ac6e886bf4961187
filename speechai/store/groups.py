"""The day's group of a batch: its places for different people, and who of the jobs has one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from speechai.core.states import JobState
from speechai.core.waiting import WaitingFor
from speechai.store.database import LONG_AGO, Db, Document, Session, in_transaction

AT_ONCE = 1000  # people picked in one transaction
_EARLIEST_FIRST = [("next_attempt_at", ASCENDING), ("seq", ASCENDING)]


class GroupRepository:
    """Counts the places of each date, and gives them to waiting jobs."""

    def __init__(self, db: Db, jobs: str) -> None:
        self._days = db["batch_days"]
        self._jobs = db[jobs]

    # -- places ---------------------------------------------------------------------------------

    def take_place(self, batch_id: str, day: date, limit: int) -> bool:
        """Take one of the day's places for different people; False where all are taken."""
        free = {"_id": _key(batch_id, day), "people": {"$lt": limit}}
        try:
            self._days.update_one(free, _add_people(batch_id, day, 1), upsert=True)
        except DuplicateKeyError:
            return False  # the document is there and full: the upsert could not match it
        return True

    def size(self, batch_id: str, day: date) -> int:
        """How many different people have a place on that date."""
        return self._people(batch_id, day)

    def _people(self, batch_id: str, day: date, session: Session | None = None) -> int:
        found = self._days.find_one({"_id": _key(batch_id, day)}, session=session)
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

    def sizes(self, days: Mapping[str, date]) -> dict[str, int]:
        """The same for many batches, each on its own date."""
        keys = {_key(batch_id, day): batch_id for batch_id, day in days.items()}
        people = {keys[row["_id"]]: row["people"] for row in self._days.find({"_id": {"$in": list(keys)}})}
        return {batch_id: people.get(batch_id, 0) for batch_id in days}

    # -- people ---------------------------------------------------------------------------------

    def recruit_callbacks(self, batch_id: str, day: date, limit: int, until: datetime) -> int:
        """Give who has an hour of their own before `until` the places left of `limit`. Returns how many."""
        asked = {
            "waiting_for": WaitingFor.HOUR.value,
            "group_date": {"$ne": day.isoformat()},
            "next_attempt_at": {"$lt": until},
        }
        return self._recruit(batch_id, day, limit, asked, _EARLIEST_FIRST)

    def recruit_called_before(self, batch_id: str, day: date, limit: int, until: datetime) -> int:
        """The same for people of an earlier day who are due by `until`."""
        called = {
            "waiting_for": WaitingFor.WAVE.value,
            "group_date": {"$nin": [day.isoformat(), None]},
            # The lower bound names the index's own condition: without it the plan sorts all of them.
            "next_attempt_at": {"$gt": LONG_AGO, "$lte": until},
        }
        return self._recruit(batch_id, day, limit, called, _EARLIEST_FIRST)

    def recruit_new(self, batch_id: str, day: date, limit: int, instant: datetime) -> int:
        """The same for the file's next people whom nobody has called, who are due from `instant` on."""
        new = {"waiting_for": WaitingFor.WAVE.value, "group_date": None}
        due = {"waiting_for": WaitingFor.TURN.value, "next_attempt_at": instant}
        return self._recruit(batch_id, day, limit, new, [("seq", ASCENDING)], due)

    def _recruit(
        self,
        batch_id: str,
        day: date,
        limit: int,
        wanted: Document,
        order: list[tuple[str, int]],
        due: Document | None = None,
    ) -> int:
        """In pieces, each one transaction: a place that is counted is somebody's, whatever is killed."""
        waiting = {"batch_id": batch_id, "status": JobState.PENDING.value, **wanted}

        def one_piece(session: Session) -> int:
            free = min(AT_ONCE, limit - self._people(batch_id, day, session))
            if free <= 0:
                return 0
            found = self._jobs.find(waiting, {"_id": 1}, session=session).sort(order).limit(free)
            if ids := [job["_id"] for job in found]:
                changes = {"$set": {"group_date": day.isoformat(), **(due or {})}}
                self._jobs.update_many({"_id": {"$in": ids}}, changes, session=session)
                self._days.update_one(
                    {"_id": _key(batch_id, day)},
                    _add_people(batch_id, day, len(ids)),
                    upsert=True,
                    session=session,
                )
            return len(ids)

        recruited = 0
        while piece := in_transaction(self._days, one_piece):
            recruited += piece
        return recruited

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
                "waiting_for": WaitingFor.WAVE.value,
                "$or": [{"next_attempt_at": None}, {"next_attempt_at": {"$lte": instant}}],
            },
            {"$set": {"waiting_for": WaitingFor.TURN.value, "next_attempt_at": instant}},
        ).modified_count

    def release_at_own_time(self, batch_id: str, day: date, instant: datetime) -> int:
        """Continuous batches: whoever has a place today waits only for the time of the next attempt."""
        return self._jobs.update_many(
            {
                "batch_id": batch_id,
                "group_date": day.isoformat(),
                "status": JobState.PENDING.value,
                "waiting_for": WaitingFor.WAVE.value,
            },
            [
                {
                    "$set": {
                        "waiting_for": WaitingFor.TURN.value,
                        "next_attempt_at": {"$ifNull": ["$next_attempt_at", instant]},
                    }
                }
            ],
        ).modified_count


def _key(batch_id: str, day: date) -> str:
    return f"{batch_id}|{day.isoformat()}"


def _add_people(batch_id: str, day: date, people: int) -> Document:
    return {
        "$inc": {"people": people},
        "$currentDate": {"taken_at": True},
        "$setOnInsert": {"batch_id": batch_id, "day": day.isoformat()},
    }
