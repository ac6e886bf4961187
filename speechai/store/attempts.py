"""The collection of attempts, `call_logs`: one dial of one number for one job. Never deleted.

An attempt's unique keys *are* the daily limits: (person, local day, 1…n) and (number, local day, 1…n).
Inserting it takes the places; a dial that rang nothing gives them back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from speechai.core.model import Attempt, Taken
from speechai.core.outcomes import Outcome
from speechai.core.states import ATTEMPT_MOVES, OPEN_ATTEMPTS, AttemptState
from speechai.store.attempt_documents import (
    AlreadyOpenError,
    LookAgainError,
    Reservation,
    Wanted,
    attempt_from,
    free_place,
    reserved_document,
    taken_from,
)
from speechai.store.database import (
    Db,
    Document,
    money,
    plus_seconds,
    sealed_later,
)
from speechai.store.tallies import MARK

_TAKEN_FIELDS = (
    "account_id",
    "number_day",
    "number_key",
    "number_place",
    "open_number",
    "open_person",
    "outcome",
    "person_day",
    "person_id",
    "person_place",
    "reserved_at",
    "to_number",
)
_OPEN = [state.value for state in OPEN_ATTEMPTS]


class AttemptRepository:
    """Reads and guarded writes of attempts."""

    def __init__(self, db: Db, collection: str) -> None:
        self._attempts = db[collection]
        self._sealed_later = sealed_later(self._attempts)

    # -- reserve --------------------------------------------------------------------------------

    def reserve(self, wanted: Reservation) -> None:
        """Insert the attempt in the first free places of the person's and of the number's day.

        Raises NoPlaceLeftError, AlreadyOpenError and LookAgainError; then nothing was written. The unique
        indexes decide, so it holds under any number of workers: a place that was free when `wanted.taken`
        was read and is not any more means that the verdict is out of date, whichever cap it was about.
        """
        document = reserved_document(
            wanted,
            free_place("person", wanted.taken.person_places, wanted.calls_per_day),
            free_place("number", wanted.taken.number_places, wanted.calls_per_day),
        )
        lease = {"lease_until": plus_seconds(wanted.lease_seconds)}
        try:
            # An upsert rather than an insert: only so can the lease start from the database's clock.
            self._sealed_later.update_one(
                {"_id": wanted.attempt_id},
                [{"$replaceWith": {"$mergeObjects": [{"$literal": document}, lease]}}],
                upsert=True,
            )
        except DuplicateKeyError as error:
            if {"open_person", "open_number"} & set((error.details or {}).get("keyPattern", {})):
                raise AlreadyOpenError from error
            raise LookAgainError from error

    def taken(
        self, person_id: str, person_day: date, number: str, number_day: date, *, look_back_days: int = 1
    ) -> Taken:
        """What of the person's and of the number's day is taken, and whether a call to either is open.

        `number` is its key: the number itself, or its name within an isolated account. With
        `look_back_days`, the calls of that many dates too, today included.
        """
        wanted = Wanted(person_id, person_day, number, number_day)
        return self.taken_of([wanted], look_back_days=look_back_days)[0]

    def taken_of(self, wanted: Sequence[Wanted], *, look_back_days: int = 1) -> list[Taken]:
        """The same for many people at once, in one read."""
        if not wanted:
            return []
        back = timedelta(days=look_back_days - 1)
        people = [one.person_id for one in wanted]
        numbers = [one.number for one in wanted]
        person_since = min(one.person_day for one in wanted) - back
        number_since = min(one.number_day for one in wanted) - back
        found = self._attempts.find(
            {
                "$or": [
                    {
                        "person_id": {"$in": people},
                        "person_day": {"$gte": person_since.isoformat()},
                        "person_place": {"$exists": True},
                    },
                    {
                        "number_key": {"$in": numbers},
                        "number_day": {"$gte": number_since.isoformat()},
                        "number_place": {"$exists": True},
                    },
                    {"open_person": {"$in": people}},
                    {"open_number": {"$in": numbers}},
                ]
            },
            dict.fromkeys(_TAKEN_FIELDS, 1),
        )
        of_person: dict[str, list[Document]] = defaultdict(list)
        of_number: dict[str, list[Document]] = defaultdict(list)
        for row in found:
            of_person[row["person_id"]].append(row)
            of_number[row["number_key"]].append(row)
        return [
            taken_from(one, of_person.get(one.person_id, ()), of_number.get(one.number, ()), look_back_days)
            for one in wanted
        ]

    # -- reading --------------------------------------------------------------------------------

    def get(self, attempt_id: str) -> Attempt | None:
        """The attempt, or None."""
        document = self._attempts.find_one({"_id": attempt_id})
        return attempt_from(document) if document else None

    def by_call(self, call_id: str) -> Attempt | None:
        """The attempt whose call the provider calls so."""
        document = self._attempts.find_one({"call_id": {"$eq": call_id, "$type": "string"}})
        return attempt_from(document) if document else None

    def of_job(self, job_id: str) -> list[Attempt]:
        """Every attempt of the job, oldest first, without the provider's answers."""
        found = self._attempts.find({"job_id": job_id}, {"call": 0}).sort("reserved_at", ASCENDING)
        return [attempt_from(document) for document in found]

    def days_of_jobs(self, job_ids: Sequence[str]) -> dict[str, list[Attempt]]:
        """The attempts of many jobs, by job, without the provider's answers."""
        by_job: dict[str, list[Attempt]] = defaultdict(list)
        for row in self._attempts.find({"job_id": {"$in": list(job_ids)}}, {"call": 0, "verdict": 0}):
            by_job[row["job_id"]].append(attempt_from(row))
        return by_job

    def documents_of_job(self, job_id: str) -> list[Document]:
        """Every attempt of the job as stored, oldest first."""
        return list(self._attempts.find({"job_id": job_id}).sort("reserved_at", ASCENDING))

    def expired(self, state: AttemptState, limit: int = 500) -> list[Attempt]:
        """Attempts in an open state whose lease has ended, by the database's clock; the longest ago first."""
        found = self._attempts.find(
            {"status": state.value, "$expr": {"$lt": ["$lease_until", "$$NOW"]}}
        ).sort("lease_until", ASCENDING)
        return [attempt_from(document) for document in found.limit(limit)]

    def live_count(self) -> int:
        """How many calls of all batches are not over."""
        return self._attempts.count_documents({"status": {"$in": _OPEN}, "ended_at": None})

    def in_state(self, state: AttemptState, limit: int = 500) -> list[Attempt]:
        """Attempts in an open state, whose lease ends first first."""
        found = self._attempts.find({"status": state.value}).sort("lease_until", ASCENDING).limit(limit)
        return [attempt_from(document) for document in found]

    def open_ids(self, attempt_ids: Iterable[str]) -> set[str]:
        """Which of these attempts are open and have not ended: the rightful owners of slots."""
        found = self._attempts.find(
            {"_id": {"$in": list(attempt_ids)}, "status": {"$in": _OPEN}, "ended_at": None}, {"_id": 1}
        )
        return {row["_id"] for row in found}

    def export(self, batch_id: str) -> Iterator[Document]:
        """Every attempt of a batch, oldest first, one at a time."""
        yield from self._attempts.find({"batch_id": batch_id}).sort("reserved_at", ASCENDING)

    def latest(self, batch_id: str, limit: int) -> list[Document]:
        """The batch's last attempts, newest first, without the provider's answers."""
        found = self._attempts.find({"batch_id": batch_id}, {"call": 0, "verdict": 0})
        return list(found.sort("reserved_at", DESCENDING).limit(limit))

    # -- moves ----------------------------------------------------------------------------------

    def begin_dialing(self, attempt_id: str, instant: datetime, lease_seconds: float) -> bool:
        """reserved → dialing: from here on it may ring."""
        return self._move(
            attempt_id,
            AttemptState.DIALING,
            instant,
            {"posted_at": instant, "last_posted_at": instant},
            lease_seconds=lease_seconds,
            only_from=AttemptState.RESERVED,
        )

    def dial_again(self, attempt_id: str, instant: datetime, lease_seconds: float) -> bool:
        """unknown → dialing: the same request again, under the same key."""
        return self._move(
            attempt_id,
            AttemptState.DIALING,
            instant,
            {"last_posted_at": instant, "looks": 0},
            lease_seconds=lease_seconds,
            only_from=AttemptState.UNKNOWN,
        )

    def placed(
        self, attempt_id: str, call: Document, poll_token: str, instant: datetime, lease_seconds: float
    ) -> bool:
        """dialing or unknown → ongoing: the provider has the call."""
        return self._move(
            attempt_id,
            AttemptState.ONGOING,
            instant,
            {"call_id": call["call_id"], "call": call, "placed_at": instant, "poll_token": poll_token},
            lease_seconds=lease_seconds,
        )

    def unknown(self, attempt_id: str, why: str, instant: datetime, lease_seconds: float) -> bool:
        """dialing → unknown: it may have rung."""
        return self._move(
            attempt_id, AttemptState.UNKNOWN, instant, {"unknown_because": why}, lease_seconds=lease_seconds
        )

    def missing_since(self, attempt_id: str, instant: datetime) -> None:
        """Count from `instant` for how long an unknown attempt is missing."""
        self._attempts.update_one(
            {"_id": attempt_id, "status": AttemptState.UNKNOWN.value}, {"$set": {"last_posted_at": instant}}
        )

    def searched(self, attempt_id: str, instant: datetime) -> None:
        """Count one more look for an unknown attempt at the provider."""
        self._attempts.update_one(
            {"_id": attempt_id, "status": AttemptState.UNKNOWN.value},
            {"$inc": {"looks": 1}, "$set": {"looked_at": instant}},
        )

    def release(self, attempt_id: str, why: str, instant: datetime) -> bool:
        """Give an attempt back: nothing rang, its places are free again."""
        return self._move(
            attempt_id,
            AttemptState.RELEASED,
            instant,
            {"uses_place": False, "released_because": why},
            give_back_places=True,
        )

    def settle(
        self,
        attempt_id: str,
        outcome: Outcome,
        *,
        rang: bool,
        cost_cents: Decimal,
        instant: datetime,
        call: Document | None = None,
        revision: int | None = None,
        details_due: datetime | None = None,
    ) -> bool:
        """→ settled, once. A dial that rang nothing gives its places back.

        With `revision`, only if no other answer came in since that one was read. `call` replaces what is
        known of the call. `details_due`: when to ask for the cost or analysis that is still missing.
        """
        changes: Document = {
            "details_due": details_due,
            "outcome": outcome.value,
            "uses_place": rang,
            "cost_cents": money(cost_cents),
            "settled_at": instant,
        }
        if call is not None:
            changes |= {"call": call}
            if call.get("call_id"):
                changes |= {"call_id": call["call_id"]}
        return self._move(
            attempt_id,
            AttemptState.SETTLED,
            instant,
            changes,
            give_back_places=not rang,
            ended=True,
            revision=revision,
            sealed_later=True,
        )

    def needs_review(self, attempt_id: str, instant: datetime) -> bool:
        """→ needs_review: counted as a ring, for a person to look at."""
        changes = {"outcome": Outcome.NEEDS_REVIEW.value, "settled_at": instant}
        return self._move(attempt_id, AttemptState.NEEDS_REVIEW, instant, changes, ended=True)

    def observe(
        self, before: Attempt, call: Document, instant: datetime, *, ended: bool, lease_seconds: float
    ) -> bool:
        """Keep the provider's latest answer, without moving the attempt. The first end seen stays the end.

        False where another answer came in since `before` was read: read again, or the richer one is lost.
        """
        fields: Document = {
            "call": {"$literal": call},
            "seen_at": instant,
            "revision": before.revision + 1,
            "lease_until": plus_seconds(lease_seconds),
            **MARK,
        }
        if ended:
            fields["ended_at"] = {"$ifNull": ["$ended_at", instant]}
        if call.get("call_id"):
            fields["call_id"] = {"$literal": call["call_id"]}
        wanted = {"_id": before.id, "status": {"$in": _OPEN}, "revision": before.revision}
        return self._attempts.update_one(wanted, [{"$set": fields}]).matched_count == 1

    def amend(
        self,
        before: Attempt,
        call: Document,
        cost_cents: Decimal,
        instant: datetime,
        details_due: datetime | None,
    ) -> bool:
        """A final attempt's later analysis or cost: kept, without reopening it. False as in `observe`."""
        changes = {
            "call": call,
            "cost_cents": money(cost_cents),
            "amended_at": instant,
            "details_due": details_due,
            "revision": before.revision + 1,
            **MARK,
        }
        wanted = {"_id": before.id, "status": before.status.value, "revision": before.revision}
        return self._attempts.update_one(wanted, {"$set": changes}).matched_count == 1

    def awaiting_details(self, instant: datetime, limit: int = 200) -> list[Attempt]:
        """Settled attempts whose missing cost or analysis should be asked for by now."""
        found = self._attempts.find({"details_due": {"$type": "date", "$lte": instant}})
        return [attempt_from(row) for row in found.sort("details_due", ASCENDING).limit(limit)]

    def extend_lease(self, attempt_id: str, seconds: float) -> None:
        """Its owner is alive: the lease runs from now."""
        self._sealed_later.update_one(
            {"_id": attempt_id, "status": {"$in": _OPEN}},
            [{"$set": {"lease_until": plus_seconds(seconds)}}],
        )

    def watch_over(self, attempt_ids: Sequence[str], seconds: float) -> None:
        """Calls that are looked at in pages: their leases run from now, and their own chains end."""
        self._sealed_later.update_many(
            {"_id": {"$in": list(attempt_ids)}, "status": AttemptState.ONGOING.value, "ended_at": None},
            [{"$set": {"lease_until": plus_seconds(seconds), "poll_token": None}}],
        )

    def new_poll_token(self, attempt_id: str, token: str, lease_seconds: float) -> bool:
        """Only the polling chain that carries this token goes on; an older one stops."""
        changes = {"poll_token": {"$literal": token}, "lease_until": plus_seconds(lease_seconds)}
        moved = self._sealed_later.update_one(
            {"_id": attempt_id, "status": AttemptState.ONGOING.value}, [{"$set": changes}]
        )
        return moved.modified_count == 1

    def stop_requested(self, attempt_id: str, instant: datetime) -> None:
        """Note that the provider was asked to end the call, by the watchdog or by an operator."""
        self._attempts.update_one({"_id": attempt_id}, {"$set": {"stop_requested_at": instant}})

    def _move(
        self,
        attempt_id: str,
        target: AttemptState,
        instant: datetime,
        changes: Document,
        *,
        lease_seconds: float | None = None,
        give_back_places: bool = False,
        ended: bool = False,
        only_from: AttemptState | None = None,
        revision: int | None = None,
        sealed_later: bool = False,
    ) -> bool:
        sources = [state.value for state, moves in ATTEMPT_MOVES.items() if target in moves]
        if only_from is not None:
            sources = [only_from.value]
        fields: dict[str, Any] = {name: {"$literal": value} for name, value in changes.items()}
        fields |= {"status": target.value, **MARK}
        fields["history"] = {"$concatArrays": ["$history", [{"at": instant, "status": target.value}]]}
        if lease_seconds is not None:
            fields["lease_until"] = plus_seconds(lease_seconds)
        if ended:
            fields["ended_at"] = {"$ifNull": ["$ended_at", instant]}
        stages: list[Document] = [{"$set": fields}]
        gone = ["person_place", "number_place"] if give_back_places else []
        if not ATTEMPT_MOVES[target]:
            gone += ["open_person", "open_number"]
        if gone:
            stages.append({"$unset": gone})
        wanted: Document = {"_id": attempt_id, "status": {"$in": sources}}
        if revision is not None:
            wanted["revision"] = revision
        attempts = self._sealed_later if sealed_later else self._attempts
        return attempts.update_one(wanted, stages).modified_count == 1
