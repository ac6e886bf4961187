"""The collection of attempts, `call_logs`: one dial of one number for one job. Never deleted.

An attempt's unique keys *are* the daily limits: (person, local day, 1…n) and (number, local day, 1…n).
Inserting it takes the places; a dial that rang nothing gives them back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from speechai.core.call import Call
from speechai.core.model import Attempt
from speechai.core.outcomes import Outcome
from speechai.core.states import ATTEMPT_MOVES, OPEN_ATTEMPTS, AttemptState
from speechai.store.attempt_documents import (
    AlreadyOpenError,
    Around,
    LookAgainError,
    Reservation,
    Wanted,
    attempt_from,
    free_place,
    reserved_document,
)
from speechai.store.database import (
    Db,
    Document,
    money,
    plus_seconds,
    sealed_later,
)
from speechai.store.moves import NOT_THERE, moving_to
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
    "strikes",
    "to_number",
)
_OPEN = [state.value for state in OPEN_ATTEMPTS]
_FIRST_POST: Document = {"posts": {"$lte": 1}}  # no earlier request of it may have rung


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
                {"_id": wanted.attempt_id, **NOT_THERE},
                [{"$replaceWith": {"$mergeObjects": [{"$literal": document}, lease]}}],
                upsert=True,
            )
        except DuplicateKeyError as error:
            if {"open_person", "open_number"} & set((error.details or {}).get("keyPattern", {})):
                raise AlreadyOpenError from error
            raise LookAgainError from error

    def around(self, wanted: Sequence[Wanted], *, look_back_days: int = 1) -> list[Around]:
        """What is taken of many people's and their numbers' days, and which numbers are struck, in one read.

        With `look_back_days`, the calls of that many dates, today included.
        """
        if not wanted:
            return []
        back = timedelta(days=look_back_days - 1)
        people = [one.person_id for one in wanted]
        keys = sorted({key for one in wanted for key in one.numbers})
        person_since = min(one.person_day for one in wanted) - back
        number_since = min((day for one in wanted for day in one.numbers.values()), default=person_since)
        found = self._attempts.find(
            {
                "$or": [
                    {
                        "person_id": {"$in": people},
                        "person_day": {"$gte": person_since.isoformat()},
                        "person_place": {"$exists": True},
                    },
                    {
                        "number_key": {"$in": keys},
                        "number_day": {"$gte": (number_since - back).isoformat()},
                        "number_place": {"$exists": True},
                    },
                    {"open_person": {"$in": people}},
                    {"open_number": {"$in": keys}},
                    {"person_id": {"$in": people}, "strikes": True},
                ]
            },
            dict.fromkeys(_TAKEN_FIELDS, 1),
        )
        of_person: dict[str, list[Document]] = defaultdict(list)
        of_number: dict[str, list[Document]] = defaultdict(list)
        for row in found:
            of_person[row["person_id"]].append(row)
            of_number[row["number_key"]].append(row)
        return [Around(one, of_person[one.person_id], of_number, look_back_days) for one in wanted]

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
        if not job_ids:  # most of a new batch's: nobody has called them
            return by_job
        for row in self._attempts.find({"job_id": {"$in": list(job_ids)}}, {"call": 0, "verdict": 0}):
            by_job[row["job_id"]].append(attempt_from(row))
        return by_job

    def documents_of_job(self, job_id: str) -> list[Document]:
        """Every attempt of the job as stored, oldest first."""
        return list(self._attempts.find({"job_id": job_id}).sort("reserved_at", ASCENDING))

    def expired(self, state: AttemptState, but: Sequence[str] = (), limit: int = 500) -> list[Attempt]:
        """Attempts in an open state whose lease has ended, by the database's clock; the longest ago first."""
        ended = {"$expr": {"$lt": ["$lease_until", "$$NOW"]}, "_id": {"$nin": list(but)}}
        found = self._attempts.find({"status": state.value, **ended}).sort("lease_until", ASCENDING)
        return [attempt_from(document) for document in found.limit(limit)]

    def live_count(self) -> int:
        """How many calls of all batches are not over."""
        return self._attempts.count_documents({"status": {"$in": _OPEN}, "ended_at": None})

    def in_state(self, state: AttemptState, but: Sequence[str] = (), limit: int = 500) -> list[Attempt]:
        """Attempts in an open state, those whose lease ends first."""
        found = self._attempts.find({"status": state.value, "_id": {"$nin": list(but)}})
        return [attempt_from(row) for row in found.sort("lease_until", ASCENDING).limit(limit)]

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
        changes = {"posted_at": instant, "last_posted_at": instant, "posts": 1}
        return self._move(
            attempt_id,
            AttemptState.DIALING,
            instant,
            changes,
            only_from=AttemptState.RESERVED,
            lease_seconds=lease_seconds,
        )

    def dial_again(self, before: Attempt, instant: datetime, lease_seconds: float) -> bool:
        """unknown → dialing: the same request again, under the same key.

        Guarded by what was read: of two that looked for it side by side only one posts, however the other's
        post ended meanwhile.
        """
        return self._move(
            before.id,
            AttemptState.DIALING,
            instant,
            {"last_posted_at": instant, "looks": 0, "posts": before.posts + 1},
            only_from=AttemptState.UNKNOWN,
            guard={"posts": before.posts, "last_posted_at": before.last_posted_at},
            lease_seconds=lease_seconds,
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

    def searched(self, attempt_id: str, instant: datetime, *, answered: bool, lease_seconds: float) -> None:
        """An unknown attempt was looked for: counted where the provider answered. Its lease runs from now."""
        looked: Document = {"lease_until": plus_seconds(lease_seconds)}
        if answered:
            looked |= {"looks": {"$add": ["$looks", 1]}, "looked_at": instant}
        self._attempts.update_one(
            {"_id": attempt_id, "status": AttemptState.UNKNOWN.value}, [{"$set": looked}]
        )

    def release(
        self, attempt_id: str, why: str, due: datetime, instant: datetime, *, before: AttemptState
    ) -> bool:
        """Give an attempt back: nothing rang, its places are free again.

        `before`: `reserved` where nothing was sent, `dialing` where the answer to its first post says so. An
        earlier post may have rung. `due`: from when its job may be called again.
        """
        changes = {"uses_place": False, "released_because": why, "job_due": due}
        return self._move(
            attempt_id, AttemptState.RELEASED, instant, changes, only_from=before, guard=_FIRST_POST
        )

    def refuse(self, attempt_id: str, outcome: Outcome, refusal: Document, instant: datetime) -> bool:
        """dialing → settled: the provider refused the first post, so nothing rang and no place is used."""
        changes = {
            "outcome": outcome.value,
            "uses_place": False,
            "settled_at": instant,
            "details_due": None,
            "call": {"refused": refusal},
        }
        return self._move(
            attempt_id,
            AttemptState.SETTLED,
            instant,
            changes,
            only_from=AttemptState.DIALING,
            guard=_FIRST_POST,
        )

    def settle(
        self,
        before: Attempt,
        outcome: Outcome,
        *,
        rang: bool,
        cost_cents: Decimal,
        instant: datetime,
        details_due: datetime | None,
    ) -> bool:
        """ongoing → settled, once, if no other answer came in since `before` was read.

        A dial that rang nothing gives its places back. `details_due`: when to ask for the cost or analysis
        that is still missing.
        """
        changes: Document = {
            "details_due": details_due,
            "outcome": outcome.value,
            "uses_place": rang,
            "cost_cents": money(cost_cents),
            "settled_at": instant,
        }
        return self._move(
            before.id,
            AttemptState.SETTLED,
            instant,
            changes,
            only_from=AttemptState.ONGOING,
            guard={"revision": before.revision},
            sealed_later=True,
        )

    def needs_review(self, before: Attempt, instant: datetime) -> bool:
        """→ needs_review: counted as a ring, for a person to look at.

        Guarded by what was read: whoever looked for it in vain knows less than an answer that came meanwhile.
        """
        if before.status.is_final:
            return False
        changes = {"outcome": Outcome.NEEDS_REVIEW.value, "settled_at": instant}
        return self._move(
            before.id,
            AttemptState.NEEDS_REVIEW,
            instant,
            changes,
            only_from=before.status,
            guard={"revision": before.revision, "posts": before.posts},
        )

    def _move(
        self,
        attempt_id: str,
        target: AttemptState,
        instant: datetime,
        changes: Document,
        *,
        only_from: AttemptState | None = None,
        guard: Document | None = None,
        lease_seconds: float | None = None,
        sealed_later: bool = False,
    ) -> bool:
        sources = None if only_from is None else [only_from]
        fields: dict[str, Any] = {name: {"$literal": value} for name, value in changes.items()}
        fields |= {"status": target.value, **MARK}
        fields["history"] = {"$concatArrays": ["$history", [{"at": instant, "status": target.value}]]}
        if lease_seconds is not None:
            fields["lease_until"] = plus_seconds(lease_seconds)
        gone: list[str] = []
        if changes.get("uses_place") is False:
            gone += ["person_place", "number_place"]
        if target.is_final:
            gone += ["open_person", "open_number"]
            fields["ended_at"] = {"$ifNull": ["$ended_at", instant]}
        stages: list[Document] = [{"$set": fields}, *([{"$unset": gone}] if gone else [])]
        wanted = {"_id": attempt_id, **moving_to(ATTEMPT_MOVES, target, sources), **(guard or {})}
        attempts = self._sealed_later if sealed_later else self._attempts
        return attempts.update_one(wanted, stages).modified_count == 1

    # -- what the provider tells ----------------------------------------------------------------

    def observe(
        self, before: Attempt, call: Call, instant: datetime, *, ended: bool, lease_seconds: float
    ) -> bool:
        """Keep the provider's latest answer, without moving the attempt. The first end seen stays the end.

        False where another answer came in since `before` was read: read again, or the richer one is lost.
        """
        fields: Document = {
            "call": {"$literal": call.kept},
            "seen_at": instant,
            "revision": before.revision + 1,
            "lease_until": plus_seconds(lease_seconds),
            **MARK,
        }
        if ended:
            fields["ended_at"] = {"$ifNull": ["$ended_at", instant]}
        if call.call_id:
            fields["call_id"] = {"$literal": call.call_id}
        wanted = {"_id": before.id, "status": {"$in": _OPEN}, "revision": before.revision}
        return self._attempts.update_one(wanted, [{"$set": fields}]).matched_count == 1

    def amend(
        self,
        before: Attempt,
        call: Call,
        cost_cents: Decimal,
        instant: datetime,
        details_due: datetime | None,
        refined: Outcome | None,
    ) -> bool:
        """A final attempt's later analysis or cost: kept, without reopening it. False as in `observe`.

        `refined`: what it came to after all; that changes once, on record. Until `applied` says so, what the
        news mean for the person, the money and the job is still to be done.
        """
        changes: Document = {
            "call": call.kept,
            "cost_cents": money(cost_cents),
            "amended_at": instant,
            "details_due": details_due,
            "revision": before.revision + 1,
            **MARK,
        }
        if call != before.call or refined is not None:
            changes["unapplied"] = True
        if refined is not None:
            was = before.outcome.value if before.outcome else None
            changes |= {"outcome": refined.value, "refined": {"at": instant, "from": was}}
            if call.rang and not before.uses_place:
                # It rang after all: a place of its own, beyond those that are given away, counts as they do.
                place = round(instant.timestamp() * 1000)
                changes |= {"uses_place": True, "person_place": place, "number_place": place}
        wanted = {"_id": before.id, "status": before.status.value, "revision": before.revision}
        return self._attempts.update_one(wanted, {"$set": changes}).matched_count == 1

    def applied(self, attempt_id: str, revision: int) -> bool:
        """What the news up to `revision` mean was done. False where there are newer ones."""
        wanted = {"_id": attempt_id, "revision": revision}
        return self._attempts.update_one(wanted, {"$unset": {"unapplied": ""}}).matched_count == 1

    def unapplied(self, but: Sequence[str] = (), limit: int = 500) -> list[Attempt]:
        """Final attempts of whose later news not everything was done yet."""
        found = self._attempts.find({"unapplied": True, "_id": {"$nin": list(but)}})
        return [attempt_from(row) for row in found.sort("reserved_at", ASCENDING).limit(limit)]

    def strike(self, attempt_id: str) -> None:
        """The number that was dialed is not this person's, or is none: no batch of the account dials it."""
        self._attempts.update_one({"_id": attempt_id}, {"$set": {"strikes": True}})

    def awaiting_details(self, instant: datetime, but: Sequence[str] = (), limit: int = 200) -> list[Attempt]:
        """Settled attempts whose missing cost or analysis should be asked for by now."""
        # The type repeats the index's own condition: without it the plan reads the collection.
        due = {"details_due": {"$lte": instant, "$type": "date"}, "_id": {"$nin": list(but)}}
        found = self._attempts.find(due)
        return [attempt_from(row) for row in found.sort("details_due", ASCENDING).limit(limit)]

    # -- leases ---------------------------------------------------------------------------------

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
