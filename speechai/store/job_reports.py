"""Jobs as people and programs look at them: pages, and a batch whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pymongo import ASCENDING

from speechai.core.states import JobState
from speechai.store.database import Db, Document

# Every state by name: five stretches of one index, merged, instead of a sort.
_ANY_STATE: Document = {"status": {"$in": [state.value for state in JobState]}}
# What lists do not show, and what is most of a job that was called: the call's transcript, costs, analysis.
_LISTED: Document = dict.fromkeys(("call_result", "counted", "promise", "variables", "offer"), 0)


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
            wanted |= {"batch_id": batch_id, **_ANY_STATE}
        if status:
            wanted["status"] = status.value
        if after:
            wanted["_id"] = {"$gt": after}
        return list(self._jobs.find(wanted, _LISTED).sort("_id", ASCENDING).limit(limit))

    def export(self, batch_id: str) -> Iterator[Document]:
        """Every job of a batch, in order, one at a time."""
        yield from self._jobs.find({"batch_id": batch_id, **_ANY_STATE}).sort("_id", ASCENDING)
