"""The collection of jobs, `call_jobs`: one contact in one batch.

Field names that the original system documented keep their names and forms, so that what already reads
that database goes on reading it. A document without `schema_version` is never dialed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, UpdateOne

from speechai.core.model import Job
from speechai.core.next_step import Step
from speechai.core.states import JOB_MOVES, OPEN_ATTEMPTS, JobReason, JobState, WaitReason
from speechai.store.database import (
    Db,
    Document,
    plus_seconds,
    sealed_later,
)
from speechai.store.job_documents import job_from
from speechai.store.merging import ACTIVE_JOB, ActiveJob, Merge, active_job_from, merged_fields

ACTIVE = [state.value for state in JobState if not state.is_final]
_NOT_RELEASED = {  # no other dispatcher handed it out within the lease
    "$or": [{"released_until": None}, {"$expr": {"$lt": ["$released_until", "$$NOW"]}}]
}


def sources_of(target: JobState) -> list[str]:
    """The states from which `target` may be entered: the guard of every write."""
    return [state.value for state, moves in JOB_MOVES.items() if target in moves]


class JobRepository:
    """Reads and guarded writes of jobs."""

    def __init__(self, db: Db, collection: str) -> None:
        self._jobs = db[collection]
        self._sealed_later = sealed_later(self._jobs)

    # -- making ---------------------------------------------------------------------------------

    def insert_many(self, documents: Sequence[Document]) -> None:
        """Add new jobs (made by `job_document`). What makes their batch whole waits for the majority."""
        if documents:
            self._sealed_later.insert_many(documents, ordered=False)

    def size(self, batch_id: str) -> int:
        """How many jobs the batch has: read from an index, but one entry for each of them."""
        return self._jobs.count_documents({"batch_id": batch_id})

    def delete_batch(self, batch_id: str) -> int:
        """Remove the jobs of an upload that failed half-way. Returns how many."""
        return self._jobs.delete_many({"batch_id": batch_id, "attempts": 0}).deleted_count

    # -- reading --------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job | None:
        """The job, or None where there is none of ours."""
        document = self.document(job_id)
        return job_from(document) if document else None

    def document(self, job_id: str) -> Document | None:
        """The whole document."""
        return self._jobs.find_one({"_id": job_id, "schema_version": {"$exists": True}})

    def has_active(self, batch_id: str) -> bool:
        """Whether any job of the batch is not final."""
        return self._jobs.find_one({"batch_id": batch_id, "status": {"$in": ACTIVE}}, {"_id": 1}) is not None

    def active_people(self, batch_ids: Collection[str], person_ids: Iterable[str]) -> dict[str, ActiveJob]:
        """Which of these people have an active job in one of the batches: person id → job (the newest).

        Found by person: one looks up a few people among any number of jobs.
        """
        if not batch_ids:
            return {}
        found = self._jobs.find(
            {
                "person_id": {"$in": list(person_ids)},
                "status": {"$in": ACTIVE},
                "batch_id": {"$in": list(batch_ids)},
            },
            ACTIVE_JOB,
        ).hint("person")
        newest_last = sorted(found, key=lambda row: (row["created_at"], row["_id"]))
        return {row["person_id"]: active_job_from(row) for row in newest_last}

    def active(self, batch_id: str) -> Iterator[Job]:
        """Every job of the batch that is not final, one at a time."""
        found = self._jobs.find({"batch_id": batch_id, "status": {"$in": ACTIVE}})
        for document in found.sort("_id", ASCENDING):
            yield job_from(document)

    # -- dispatch -------------------------------------------------------------------------------

    def hand_out(self, batch_id: str, instant: datetime, lease_seconds: float) -> str | None:
        """Take the next due job of the batch for `lease_seconds`, so that nobody else hands it out too.

        It stays `pending`: should its message be lost, it is due again when the lease ends.
        """
        document = self._sealed_later.find_one_and_update(
            self._due(batch_id, instant),
            [{"$set": {"released_until": plus_seconds(lease_seconds)}}],
            projection={"_id": 1},
            sort=[("next_attempt_at", ASCENDING), ("seq", ASCENDING)],
        )
        return document["_id"] if document else None

    def handed_out(self) -> int:
        """How many jobs are handed out and not yet taken up."""
        return self._jobs.count_documents(
            {
                "released_until": {"$type": "date"},
                "status": JobState.PENDING.value,
                "$expr": {"$gt": ["$released_until", "$$NOW"]},
            }
        )

    def take_back(self, job_id: str) -> None:
        """Make a handed-out job due again at once."""
        self._sealed_later.update_one(
            {"_id": job_id, "status": JobState.PENDING.value}, {"$set": {"released_until": None}}
        )

    @staticmethod
    def _due(batch_id: str, instant: datetime) -> Document:
        return {
            "batch_id": batch_id,
            "status": JobState.PENDING.value,
            "waiting_for": None,
            "next_attempt_at": {"$lte": instant},
            "schema_version": {"$exists": True},
            **_NOT_RELEASED,
        }

    # -- moves ----------------------------------------------------------------------------------

    def begin(self, job_id: str, attempt_id: str, lease_seconds: float, worker: str) -> bool:
        """pending → in_progress under a lease. False where it is not pending any more."""
        return self._move(
            job_id,
            JobState.IN_PROGRESS,
            {
                "attempt_id": attempt_id,
                "worker_id": worker,
                "is_calling": True,
                "reserved_until": plus_seconds(lease_seconds),
                "released_until": None,
                "waiting_for": None,
            },
            is_sealed_later=True,
        )

    def placed(
        self,
        job_id: str,
        attempt_id: str,
        call_id: str,
        to_number: str,
        instant: datetime,
        lease_seconds: float,
    ) -> None:
        """Note the provider's call on the job; its lease covers the longest call."""
        changes: Document = {
            "call_id": {"$literal": call_id},
            "call_started_at": instant,
            "last_phone_tried": {"$literal": to_number},
            "reserved_until": plus_seconds(lease_seconds),
        }
        self._sealed_later.update_one({"_id": job_id, "attempt_id": attempt_id}, [{"$set": changes}])

    def postpone(self, job_id: str, until: datetime | None, rules: list[str], *, wave: bool) -> None:
        """A job that may not be called now: due again at `until`, or waiting for a wave."""
        changes: Document = {"held_by": rules, "released_until": None}
        if until is not None:
            changes |= {"next_attempt_at": until}
        if wave:
            changes |= {"waiting_for": WaitReason.WAVE.value}
        self._jobs.update_one({"_id": job_id, "status": JobState.PENDING.value}, {"$set": changes})

    def back_to_pending(self, job_id: str, attempt_id: str, next_attempt_at: datetime) -> bool:
        """in_progress → pending: the attempt was given back, nothing rang."""
        return self._move(
            job_id,
            JobState.PENDING,
            {"next_attempt_at": next_attempt_at, "attempt_id": None, "is_calling": False},
            attempt_id=attempt_id,
        )

    def apply(
        self,
        job_id: str,
        step: Step,
        instant: datetime,
        *,
        attempt_id: str | None,
        attempts: int,
        result: Document | None = None,
    ) -> bool:
        """Move the job as the rules decided, once: guarded by the attempt that led here."""
        changes: Document = {
            "reason": step.reason.value if step.reason else None,
            "waiting_for": step.waiting_for.value if step.waiting_for else None,
            "next_attempt_at": step.next_attempt_at,
            "exact": step.exact,
            "attempts": attempts,
            "attempt_id": None,
            "is_calling": False,
            "reserved_until": None,
            "released_until": None,
            "held_by": [],
            **(result or {}),
        }
        if step.state.is_final:
            changes["finished_at"] = instant  # and the number stays, for a reopening
        else:
            changes["next_phone"] = step.next_phone
        return self._move(job_id, step.state, changes, attempt_id=attempt_id, strike=step.strike)

    def finish(self, job_id: str, state: JobState, reason: JobReason, instant: datetime) -> bool:
        """End a job that has no open attempt. False where it is final already, or being called."""
        return self._move(
            job_id,
            state,
            {
                "reason": reason.value,
                "finished_at": instant,
                "waiting_for": None,
                "next_attempt_at": None,
                "is_calling": False,
            },
            only_from=[JobState.PENDING, JobState.SUSPENDED],
        )

    def finish_batch(self, batch_id: str, reason: JobReason, instant: datetime) -> int:
        """End every job of a batch that is not being called: failed, with `reason`."""
        return self._jobs.update_many(
            {"batch_id": batch_id, "status": {"$in": [JobState.PENDING.value, JobState.SUSPENDED.value]}},
            {
                "$set": {
                    "status": JobState.FAILED.value,
                    "reason": reason.value,
                    "suspended_by": None,
                    "finished_at": instant,
                    "updated_at": instant,
                    "waiting_for": None,
                    "next_attempt_at": None,
                }
            },
        ).modified_count

    def suspend(self, job_id: str, reason: JobReason) -> bool:
        """pending → suspended: its account lacks something. What it waits for is kept for its return."""
        return self._suspend({"_id": job_id}, reason) == 1

    def suspend_due(self, batch_id: str, reason: JobReason, instant: datetime) -> int:
        """pending → suspended for every job of the batch that would be called now. Returns how many."""
        due = {"batch_id": batch_id, "waiting_for": None, "next_attempt_at": {"$lte": instant}}
        return self._suspend(due, reason)

    def _suspend(self, wanted: Document, reason: JobReason) -> int:
        return self._jobs.update_many(
            {**wanted, "status": JobState.PENDING.value, "schema_version": {"$exists": True}},
            {
                "$set": {
                    "status": JobState.SUSPENDED.value,
                    "reason": reason.value,
                    "suspended_by": "account",
                    "released_until": None,
                },
                "$currentDate": {"updated_at": True},
            },
        ).modified_count

    def resume_account(self, account_id: str) -> int:
        """suspended → pending for everybody whom the account's money held. Returns how many."""
        return self._jobs.update_many(
            {
                "account_id": account_id,
                "suspended_by": "account",
                "status": JobState.SUSPENDED.value,
            },
            {
                "$set": {"status": JobState.PENDING.value, "reason": None, "suspended_by": None},
                "$currentDate": {"updated_at": True},
            },
        ).modified_count

    def accounts_suspended(self) -> list[str]:
        """Accounts some of whose jobs their money holds."""
        return list(self._jobs.distinct("account_id", {"suspended_by": "account"}))

    def resume_suspended(self, instant: datetime) -> int:
        """suspended → pending for every job whose time has come; those that money holds wait for money."""
        return self._jobs.update_many(
            {
                "status": JobState.SUSPENDED.value,
                "next_attempt_at": {"$lte": instant},
                "suspended_by": None,
            },
            {"$set": {"status": JobState.PENDING.value, "reason": None, "updated_at": instant}},
        ).modified_count

    def reopen(self, job_id: str, by: str, why: str, instant: datetime) -> bool:
        """A recorded reopening of a final job by an operator. Never of one that opted out."""
        return (
            self._jobs.update_one(
                {
                    "_id": job_id,
                    "status": {"$in": [JobState.DONE.value, JobState.FAILED.value]},
                    "reason": {"$ne": JobReason.OPTED_OUT.value},
                },
                {
                    "$set": {
                        "status": JobState.PENDING.value,
                        "reason": None,
                        "next_attempt_at": instant,
                        "waiting_for": None,
                        "released_until": None,
                        "exact": True,
                        "updated_at": instant,
                        "finished_at": None,
                    },
                    "$push": {"reopened": {"at": instant, "by": by, "why": why}},
                },
            ).modified_count
            == 1
        )

    def bring_forward(self, job_id: str, instant: datetime) -> bool:
        """An operator wants a pending job called as soon as the rules allow."""
        return (
            self._jobs.update_one(
                {"_id": job_id, "status": JobState.PENDING.value},
                {
                    "$set": {
                        "next_attempt_at": instant,
                        "waiting_for": None,
                        "released_until": None,
                        "updated_at": instant,
                    }
                },
            ).modified_count
            == 1
        )

    def call_back(self, job_id: str, at: datetime, by: str, instant: datetime) -> bool:
        """An operator agreed an hour with the person: due then, ahead of the waves."""
        return (
            self._jobs.update_one(
                {"_id": job_id, "status": JobState.PENDING.value},
                {
                    "$set": {
                        "next_attempt_at": at,
                        "exact": True,
                        "waiting_for": None,
                        "released_until": None,
                        "updated_at": instant,
                    },
                    "$push": {"callbacks": {"at": instant, "by": by, "for": at}},
                },
            ).modified_count
            == 1
        )

    def set_waiting(
        self, batch_id: str, before: WaitReason, after: WaitReason | None, due: datetime | None
    ) -> int:
        """All pending jobs of a batch that wait for one thing wait for another (None: for their time)."""
        return self._jobs.update_many(
            {"batch_id": batch_id, "status": JobState.PENDING.value, "waiting_for": before.value},
            {"$set": {"waiting_for": after.value if after else None, "next_attempt_at": due}},
        ).modified_count

    def replace_debts(self, merges: Mapping[str, Merge], batch_id: str, instant: datetime) -> set[str]:
        """What a newer upload (which makes `batch_id`) says of active people goes into their jobs.

        What they owe is replaced, new numbers come after the known ones, what was dialed stays as it is.
        Doing it twice is doing it once. Returns the jobs that were final by then: they took nothing.
        """
        changes = [
            UpdateOne(
                {"_id": job_id, "status": {"$in": ACTIVE}},
                {
                    "$set": merged_fields(merge, batch_id, instant),
                    "$addToSet": {"try_phones": {"$each": list(merge.phones)}},
                },
            )
            for job_id, merge in merges.items()
        ]
        if self._jobs.bulk_write(changes, ordered=False).matched_count == len(changes):
            return set()
        wanted = {"_id": {"$in": list(merges)}, "merged_from.batch_id": batch_id}
        return set(merges) - {job["_id"] for job in self._jobs.find(wanted, {"_id": 1})}

    def amend_result(self, job_id: str, result: Document) -> None:
        """Add what the provider told later (analysis, cost) to the last result; moves nothing."""
        if result:
            self._jobs.update_one({"_id": job_id}, {"$set": result})

    def _move(
        self,
        job_id: str,
        target: JobState,
        changes: Document,
        *,
        attempt_id: str | None = None,
        strike: str | None = None,
        only_from: list[JobState] | None = None,
        is_sealed_later: bool = False,
    ) -> bool:
        sources = [state.value for state in only_from] if only_from else sources_of(target)
        wanted: Document = {
            "_id": job_id,
            "status": {"$in": sources},
            "schema_version": {"$exists": True},
        }
        if attempt_id is not None:
            wanted["attempt_id"] = attempt_id
        # $literal: values come from people's files, and "$…" in one must not be read as an expression.
        fields: Document = {
            name: value if _is_expression(value) else {"$literal": value} for name, value in changes.items()
        }
        fields |= {"status": target.value, "updated_at": "$$NOW", "suspended_by": None}
        if strike:
            known = {"$ifNull": ["$struck_phones", []]}
            fields["struck_phones"] = {"$setUnion": [known, [{"$literal": strike}]]}
        jobs = self._sealed_later if is_sealed_later else self._jobs
        return jobs.update_one(wanted, [{"$set": fields}]).modified_count == 1

    def stranded(self, attempts_collection: str) -> list[Job]:
        """Jobs being called whose attempt is over, or is not there: a crash came between two writes."""
        pipeline: list[Document] = [
            {"$match": {"status": JobState.IN_PROGRESS.value, "schema_version": {"$exists": True}}},
            {
                "$lookup": {
                    "from": attempts_collection,
                    "localField": "attempt_id",
                    "foreignField": "_id",
                    "pipeline": [{"$match": {"status": {"$in": [state.value for state in OPEN_ATTEMPTS]}}}],
                    "as": "open_attempt",
                }
            },
            {"$match": {"open_attempt": []}},
        ]
        return [job_from(document) for document in self._jobs.aggregate(pipeline)]


def _is_expression(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and "$add" in value
