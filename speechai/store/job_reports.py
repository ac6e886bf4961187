"""Jobs as people and programs look at them: pages, counts and sums of a batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pymongo import ASCENDING

from speechai.core.promises import PromiseState
from speechai.core.states import JobState
from speechai.core.variables import plain_amount
from speechai.store.database import Db, Document


class JobReportRepository:
    """Reads the collection of jobs; writes nothing."""

    def __init__(self, db: Db, jobs: str) -> None:
        self._jobs = db[jobs]

    def page(
        self,
        *,
        batch_id: str | None,
        status: JobState | None,
        limit: int,
        after: str | None,
        hidden: Collection[str] = (),
    ) -> list[Document]:
        """Up to `limit` jobs after the cursor, in the order of their ids (which is the file's order).

        None of the `hidden` batches: those whose files are still being read in.
        """
        if batch_id in hidden:
            return []
        wanted: Document = {"schema_version": {"$exists": True}}
        if hidden:
            wanted["batch_id"] = {"$nin": list(hidden)}
        if batch_id:
            wanted["batch_id"] = batch_id
            # Every state by name: five stretches of one index, merged, instead of a sort.
            wanted["status"] = {"$in": list(JobState)}
        if status:
            wanted["status"] = status.value
        if after:
            wanted["_id"] = {"$gt": after}
        return list(self._jobs.find(wanted).sort("_id", ASCENDING).limit(limit))

    def counts(self, batch_id: str) -> dict[JobState, int]:
        """How many jobs of the batch are in each state."""
        found = dict.fromkeys(JobState, 0)
        pipeline: list[Document] = [
            {"$match": {"batch_id": batch_id}},
            {"$group": {"_id": "$status", "n": {"$sum": 1}}},
        ]
        for row in self._jobs.aggregate(pipeline):
            found[JobState(row["_id"])] = row["n"]
        return found

    def reasons(self, batch_id: str) -> dict[str, int]:
        """How many final or suspended jobs of the batch have each reason."""
        pipeline = [
            {"$match": {"batch_id": batch_id, "reason": {"$ne": None}}},
            {"$group": {"_id": "$reason", "n": {"$sum": 1}}},
        ]
        return {row["_id"]: row["n"] for row in self._jobs.aggregate(pipeline)}

    def promised(self, batch_id: str) -> Document:
        """How many people of the batch promised to pay, and how much per currency (in its own unit)."""
        believed = [state.value for state in PromiseState if state is not PromiseState.FLAGGED]
        pipeline: list[Document] = [
            {"$match": {"batch_id": batch_id, "promise.status": {"$in": believed}}},
            {
                "$group": {
                    "_id": "$promise.currency",
                    "people": {"$sum": 1},
                    "amount_minor": {"$sum": "$promise.amount_minor"},
                }
            },
        ]
        rows = list(self._jobs.aggregate(pipeline))
        return {
            "promises": sum(row["people"] for row in rows),
            "amounts": {row["_id"]: plain_amount(row["amount_minor"], row["_id"]) for row in rows},
        }

    def export(self, batch_id: str) -> Iterator[Document]:
        """Every job of a batch, in order, one at a time."""
        yield from self._jobs.find({"batch_id": batch_id}).sort("_id", ASCENDING)
