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
from speechai.core.states import JOB_MOVES, JOB_REOPENINGS, OPEN_ATTEMPTS, JobReason, JobState
from speechai.core.waiting import AFTER_ACCOUNT, FOR_A_LINE, Waiting, WaitingFor
from speechai.store.database import (
    Db,
    Document,
    plus_seconds,
    sealed_later,
)
from speechai.store.job_documents import job_from, waiting_fields
from speechai.store.merging import ACTIVE_JOB, ActiveJob, Merge, active_job_from, merged_fields
from speechai.store.moves import moving_to
from speechai.store.tallies import MARK

ACTIVE = [state.value for state in JobState if not state.is_final]
_BY_ACCOUNT = {"$eq": "account", "$type": "string"}  # the index's own condition: else it is not used
_NOT_RELEASED = {  # no other dispatcher handed it out within the lease
    "$or": [{"released_until": None}, {"$expr": {"$lt": ["$released_until", "$$NOW"]}}]
}
_FOR_A_LINE = [kind.value for kind in FOR_A_LINE]
_FOR_THE_ACCOUNT = [kind.value for kind in AFTER_ACCOUNT]
_AT_REST = (JobState.PENDING, JobState.SUSPENDED)  # no attempt is open for it


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
        """Remove the jobs of an upload that was cut off, whom nobody called. Returns how many."""
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

    def active(self, batch_id: str, *, after: str | None = None, limit: int = 0) -> Iterator[Job]:
        """The jobs of the batch that are not final, one at a time: `limit` of them (0: all) after one."""
        wanted = {"batch_id": batch_id, "status": {"$in": ACTIVE}, "_id": {"$gt": after or ""}}
        for document in self._jobs.find(wanted).sort("_id", ASCENDING).limit(limit):
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
            "waiting_for": {"$in": _FOR_A_LINE},
            "next_attempt_at": {"$lte": instant},
            "schema_version": {"$exists": True},
            **_NOT_RELEASED,
        }

    # -- moves ----------------------------------------------------------------------------------

    def begin(self, job: Job, attempt_id: str, lease_seconds: float, worker: str) -> bool:
        """pending → in_progress under a lease.

        False where it is not as it was judged any more: an hour that was agreed meanwhile is kept.
        """
        return self._move(
            job.id,
            JobState.IN_PROGRESS,
            {
                "attempt_id": attempt_id,
                "worker_id": worker,
                "is_calling": True,
                "reserved_until": plus_seconds(lease_seconds),
                "released_until": None,
            },
            guard=_as_judged(job),
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

    def postpone(self, job: Job, waiting: Waiting, rules: Sequence[str]) -> None:
        """A pending job that these rules hold now: what it waits for instead.

        Not where it is due at another hour since it was judged: that was agreed, or decided by a call.
        """
        changes = {"held_by": list(rules), "released_until": None, **waiting_fields(waiting)}
        wanted = {"_id": job.id, "status": JobState.PENDING.value, **_as_judged(job)}
        self._jobs.update_one(wanted, {"$set": changes})

    def give_back(
        self, job_id: str, attempt_id: str, step: Step, instant: datetime, *, owed_since: datetime | None
    ) -> bool:
        """in_progress → where it goes on, or ends: its attempt was given back, nothing rang."""
        changes = {**_after(step, instant), "attempt_id": None, "is_calling": False}
        guard = {"attempt_id": attempt_id, **_as_paid(step.reason, owed_since)}
        return self._move(job_id, step.state, changes, guard=guard)

    def apply(
        self,
        job_id: str,
        step: Step,
        instant: datetime,
        *,
        attempt_id: str,
        attempts: int,
        owed_since: datetime | None = None,
        result: Document | None = None,
    ) -> bool:
        """Move the job as the rules decided, once: guarded by the attempt that led here, and where it ends as
        paid by the debt (`owed_since`) that was held against the payments."""
        changes = {
            **_after(step, instant),
            "attempts": attempts,
            "attempt_id": None,
            "last_attempt_id": attempt_id,
            "is_calling": False,
            "reserved_until": None,
            **(result or {}),
        }
        guard = {"attempt_id": attempt_id, **_as_paid(step.reason, owed_since)}
        return self._move(job_id, step.state, changes, guard=guard)

    def hold(self, job: Job, step: Step, instant: datetime) -> bool:
        """pending → what the rules decided before it was called, if it is still due as it was judged."""
        changes, sources = _after(step, instant), [JobState.PENDING]
        return self._move(job.id, step.state, changes, guard=_as_judged(job), only_from=sources)

    def refine(
        self, job_id: str, step: Step, instant: datetime, *, attempt_id: str, result: Document
    ) -> bool:
        """What its last attempt came to after all decides anew, where the job waits since that attempt, for
        its time or for money.

        False where it has moved on: called again, final, or an operator ordered something since.
        """
        changes = {**_after(step, instant), **result, "last_attempt_id": None}
        since = {"last_attempt_id": attempt_id}
        sources = [state for state in _AT_REST if step.state in JOB_MOVES[state]]
        if self._move(job_id, step.state, changes, guard=since, only_from=sources):
            return True
        if step.state is not JobState.PENDING:
            return False
        wanted = {"_id": job_id, "status": JobState.PENDING.value, **since}
        fields = {**_literal(changes), "updated_at": "$$NOW", **MARK}
        return self._jobs.update_one(wanted, [{"$set": fields}]).modified_count == 1

    def strike(self, job_id: str, number: str) -> None:
        """Note that a number is not this person's, or is none."""
        self._jobs.update_one({"_id": job_id}, {"$addToSet": {"struck_phones": number}})

    def finish(
        self,
        job_id: str,
        state: JobState,
        reason: JobReason,
        instant: datetime,
        *,
        owed_since: datetime | None = None,
    ) -> bool:
        """End a job that has no open attempt. False where it is final already, or being called; or is to end
        as paid, and owes something else by now than what was told of at `owed_since`."""
        changes, guard = _after(Step(state, reason), instant), _as_paid(reason, owed_since)
        return self._move(job_id, state, changes, guard=guard, only_from=_AT_REST)

    def finish_some(self, batch_id: str, reason: JobReason, instant: datetime, limit: int) -> int:
        """End up to `limit` jobs of a batch that are not being called: failed, with `reason`.

        Returns how many there were: fewer than `limit` means that none is left.
        """
        waiting = moving_to(JOB_MOVES, JobState.FAILED, _AT_REST)
        found = self._jobs.find({"batch_id": batch_id, **waiting}, {"_id": 1}).limit(limit)
        ids = [row["_id"] for row in found]
        fields = {**_literal(_after(Step(JobState.FAILED, reason), instant)), **_moved(JobState.FAILED)}
        self._jobs.update_many({"_id": {"$in": ids}, **waiting}, [{"$set": fields}])
        return len(ids)

    def suspend(self, job: Job, reason: JobReason) -> bool:
        """pending → suspended, where it is as it was judged: its account lacks something."""
        return self._suspend({"_id": job.id, **_as_judged(job)}, reason) == 1

    def suspend_due(self, batch_id: str, reason: JobReason, instant: datetime) -> int:
        """pending → suspended for every job of the batch that would be called now. Returns how many."""
        due = {
            "batch_id": batch_id,
            "waiting_for": {"$in": _FOR_A_LINE},
            "next_attempt_at": {"$lte": instant},
        }
        return self._suspend(due, reason)

    def _suspend(self, wanted: Document, reason: JobReason) -> int:
        fields = {
            "reason": reason.value,
            "released_until": None,
            "waiting_for": _cases({after: held for held, after in AFTER_ACCOUNT.items()}, WaitingFor.ACCOUNT),
            **_moved(JobState.SUSPENDED),
        }
        sources = moving_to(JOB_MOVES, JobState.SUSPENDED, [JobState.PENDING])
        return self._jobs.update_many(
            {**wanted, **sources, "schema_version": {"$exists": True}},
            [{"$set": fields}],
        ).modified_count

    def resume_account(self, account_id: str) -> int:
        """suspended → pending for everybody whom what the account lacked held. Returns how many."""
        held = {"account_id": account_id, "waiting_for": {"$in": _FOR_THE_ACCOUNT}}
        return self._resume(held, {"waiting_for": _cases(AFTER_ACCOUNT, WaitingFor.TURN)})

    def resume_suspended(self, instant: datetime) -> int:
        """suspended → pending for every job that an instant held which has come."""
        return self._resume({"next_attempt_at": {"$lte": instant}, "waiting_for": {"$in": _FOR_A_LINE}}, {})

    def _resume(self, wanted: Document, changes: Document) -> int:
        sources = moving_to(JOB_MOVES, JobState.PENDING, [JobState.SUSPENDED])
        fields = {"reason": None, **changes, **_moved(JobState.PENDING)}
        return self._jobs.update_many({**wanted, **sources}, [{"$set": fields}]).modified_count

    def accounts_suspended(self) -> list[str]:
        """Accounts some of whose jobs wait for what they lack."""
        held = {"status": JobState.SUSPENDED.value, "waiting_for": {"$in": _FOR_THE_ACCOUNT}}
        pipeline: list[Document] = [{"$match": held}, {"$group": {"_id": "$account_id"}}]
        return [row["_id"] for row in self._jobs.aggregate(pipeline, hint="suspended")]

    def reopen(
        self,
        job_id: str,
        by: str,
        why: str,
        instant: datetime,
        *,
        callback: datetime | None = None,
    ) -> bool:
        """A recorded reopening of a final job. Never of one that opted out, or was erased.

        It is a new beginning: attempts and days without an answer are counted from it. `callback`: the hour
        that was agreed; without it the job is due at once.
        """
        wanted = {
            "_id": job_id,
            **moving_to(JOB_REOPENINGS, JobState.PENDING),
            "reason": {"$ne": JobReason.OPTED_OUT.value},
            "erased_at": None,
        }
        fields: Document = {
            **_literal(_due(callback or instant)),
            **_appended("reopened", {"at": instant, "by": by, "why": why}),
            **_moved(JobState.PENDING),
            "reason": None,
            "finished_at": None,
            "attempts_before": "$attempts",
        }
        if callback:
            fields |= _appended("callbacks", {"at": instant, "by": by, "for": callback})
        return self._jobs.update_one(wanted, [{"$set": fields}]).modified_count == 1

    def bring_forward(self, job_id: str, instant: datetime) -> bool:
        """An operator wants a pending job called as soon as the rules allow."""
        turn = _cases({WaitingFor.HOUR: WaitingFor.HOUR}, WaitingFor.TURN)
        return self._order(job_id, {**_literal(_due(instant)), "waiting_for": turn})

    def call_back(self, job_id: str, at: datetime, by: str, instant: datetime) -> bool:
        """An operator agreed an hour with the person: due then, ahead of the waves."""
        agreed = {"at": instant, "by": by, "for": at}
        return self._order(job_id, {**_literal(_due(at)), **_appended("callbacks", agreed)})

    def _order(self, job_id: str, fields: Document) -> bool:
        """What an operator orders of a pending job; that ends its review, too."""
        wanted = {"_id": job_id, "status": JobState.PENDING.value}
        changes = [{"$set": {**fields, "reason": None, "updated_at": "$$NOW"}}]
        return self._jobs.update_one(wanted, changes).modified_count == 1

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
        """Add what the provider told later (analysis, cost) to the last result; moves nothing.

        A promise that payments have judged since stays as it was judged.
        """
        fields = {**_literal(result), **MARK}
        if promise := result.get("promise"):
            is_it = {"$eq": ["$promise.attempt_id", promise["attempt_id"]]}
            is_judged = {"$gt": ["$promise.judged_at", None]}
            fields["promise"] = {"$cond": [{"$and": [is_it, is_judged]}, "$promise", {"$literal": promise}]}
        self._jobs.update_one({"_id": job_id}, [{"$set": fields}])

    def _move(
        self,
        job_id: str,
        target: JobState,
        changes: Document,
        *,
        guard: Document | None = None,
        only_from: Sequence[JobState] | None = None,
        is_sealed_later: bool = False,
    ) -> bool:
        wanted: Document = {
            "_id": job_id,
            **moving_to(JOB_MOVES, target, only_from),
            "schema_version": {"$exists": True},
            **(guard or {}),
        }
        fields = {**_literal(changes), **_moved(target)}
        jobs = self._sealed_later if is_sealed_later else self._jobs
        return jobs.update_one(wanted, [{"$set": fields}]).modified_count == 1

    def stranded(self, attempts_collection: str, but: Sequence[str] = ()) -> list[Job]:
        """Jobs being called whose attempt is over, or is not there: a crash came between two writes."""
        calling: Document = {"status": JobState.IN_PROGRESS.value, "schema_version": {"$exists": True}}
        pipeline: list[Document] = [
            {"$match": {**calling, "_id": {"$nin": list(but)}}},
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


def _as_judged(job: Job) -> Document:
    """The guard of what a verdict leads to: the job is due, or waits, as it did when it was judged."""
    return waiting_fields(job.waiting)


def _as_paid(reason: JobReason | None, owed_since: datetime | None) -> Document:
    """The guard of an end as paid: no later upload has replaced the debt that the payments cover."""
    if reason is not JobReason.PAID:
        return {}
    return {"$expr": {"$eq": [{"$ifNull": ["$debt_replaced_at", "$created_at"]}, owed_since]}}


def _after(step: Step, instant: datetime) -> Document:
    """What a job waits for, or why it is over, after a step."""
    changes: Document = {
        "reason": step.reason.value if step.reason else None,
        **waiting_fields(step.waiting),
        "released_until": None,
        "held_by": [],
    }
    return changes | {"finished_at": instant} if step.state.is_final else changes


def _due(at: datetime) -> Document:
    """A job that an operator wants called at an instant: ahead of the waves, whatever it waited for."""
    return {
        **waiting_fields(Waiting(WaitingFor.HOUR, at)),
        "released_until": None,
        "last_attempt_id": None,
    }


def _moved(target: JobState) -> Document:
    return {"status": target.value, "updated_at": "$$NOW", **MARK}


def _appended(name: str, record: Document) -> Document:
    return {name: {"$concatArrays": [{"$ifNull": [f"${name}", []]}, [{"$literal": record}]]}}


def _cases(table: Mapping[WaitingFor, WaitingFor], otherwise: WaitingFor) -> Document:
    """What a job waits for next, by what it waits for."""
    branches = [
        {"case": {"$eq": ["$waiting_for", now.value]}, "then": then.value} for now, then in table.items()
    ]
    return {"$switch": {"branches": branches, "default": otherwise.value}}


def _literal(changes: Document) -> Document:
    """Values come from people's files, and "$…" in one must not be read as an expression."""
    return {name: value if _is_expression(value) else {"$literal": value} for name, value in changes.items()}


def _is_expression(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and "$add" in value
