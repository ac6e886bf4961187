"""The sums of batches as counters, exact at every instant and read without reading the batch.

Whoever changes what a job or an attempt adds to its batch marks the document `uncounted` in the same write.
Each document keeps `counted`, what of it is in its batch's counters. `fold` brings counters and documents up
to date in one transaction; `read` adds what is not folded in yet. So always

    counters of a batch = Σ `counted` of its documents,

whatever is killed, and the sums are the counters and, of the few uncounted, what they add now less `counted`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bson.decimal128 import Decimal128
from pymongo import UpdateMany
from pymongo.collection import Collection

from speechai.core.states import JobState
from speechai.core.tallies import Sums, Tally, add, sums_of, tally_of_attempt, tally_of_job
from speechai.store.database import (
    Db,
    Document,
    Session,
    T,
    decimal_of,
    in_one_view,
    in_transaction,
    money,
    sealed_later,
)

AT_ONCE = 1000  # documents of one kind in one transaction
UNCOUNTED = "uncounted"
"""The index of the marked documents, and the mark itself."""
MARK = {UNCOUNTED: True}
"""For every write that may change what a document adds to its batch."""


class _NoCountersError(Exception):
    """The batch has no counters: it is new, or from before there were any."""


@dataclass(frozen=True, slots=True)
class _Uncounted:
    """Documents that add the same now and are counted the same."""

    batch_id: str
    now: Tally
    counted: Tally
    documents: int
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Source:
    """A collection whose documents are counted, and what of them it takes."""

    documents: Collection[Document]
    basis: Document
    tally_of: Callable[[Mapping[str, Any]], Tally]

    def uncounted(
        self, batch_ids: Sequence[str], session: Session, *, limit: int | None = None
    ) -> list[_Uncounted]:
        """The marked documents of some batches, alike ones together; with `limit`, with their ids."""
        pipeline: list[Document] = [{"$match": {**MARK, "batch_id": {"$in": list(batch_ids)}}}]
        alike: Document = {
            "_id": {"batch_id": "$batch_id", "now": self.basis, "counted": "$counted"},
            "documents": {"$sum": 1},
        }
        if limit is not None:
            pipeline.append({"$limit": limit})
            alike["ids"] = {"$push": "$_id"}
        found = self.documents.aggregate([*pipeline, {"$group": alike}], session=session, hint=UNCOUNTED)
        return [
            _Uncounted(
                batch_id=row["_id"]["batch_id"],
                now=self.tally_of(_read(row["_id"]["now"])),
                counted=_read(row["_id"].get("counted") or {}),
                documents=row["documents"],
                ids=row.get("ids", ()),
            )
            for row in found
        ]

    def count(self, found: Iterable[_Uncounted], session: Session) -> None:
        """Write down that what they add now is counted."""
        by_tally: dict[frozenset[tuple[str, Any]], list[str]] = defaultdict(list)
        for alike in found:
            by_tally[frozenset(alike.now.items())] += alike.ids
        changes = [
            UpdateMany(
                {"_id": {"$in": ids}},
                {"$set": {"counted": _stored(dict(now))}, "$unset": {UNCOUNTED: ""}},
            )
            for now, ids in by_tally.items()
        ]
        if changes:
            self.documents.bulk_write(changes, ordered=False, session=session)


class TallyRepository:
    """The counters of batches, and how new jobs come to be counted."""

    def __init__(self, db: Db, jobs: str, attempts: str) -> None:
        self._tallies = db["tallies"]
        self._jobs = _Source(
            db[jobs],
            {
                "status": "$status",
                "reason": "$reason",
                "promise": {
                    "status": "$promise.status",
                    "currency": "$promise.currency",
                    "amount_minor": "$promise.amount_minor",
                },
            },
            tally_of_job,
        )
        self._attempts = _Source(
            db[attempts],
            {
                "status": "$status",
                "outcome": "$outcome",
                "uses_place": "$uses_place",
                "ended_at": "$ended_at",
                "duration_ms": "$call.duration_ms",
                "cost_cents": "$cost_cents",
            },
            tally_of_attempt,
        )
        self._sources = (self._jobs, self._attempts)

    # -- reading --------------------------------------------------------------------------------

    def read(self, batch_id: str) -> Sums:
        """What the batch came to so far."""
        return self.read_many([batch_id])[batch_id]

    def read_many(self, batch_ids: Sequence[str]) -> dict[str, Sums]:
        """The same for many batches, in three reads."""

        def all_of(session: Session) -> tuple[dict[str, Tally], list[_Uncounted]]:
            counters: dict[str, Tally] = {}
            for row in self._tallies.find({"_id": {"$in": list(batch_ids)}}, session=session):
                counters[row["_id"]] = _read(row["sums"])
            rest = [alike for source in self._sources for alike in source.uncounted(batch_ids, session)]
            return counters, rest

        counters, rest = in_one_view(self._tallies, all_of) if batch_ids else ({}, [])
        if missing := [batch_id for batch_id in batch_ids if batch_id not in counters]:
            for batch_id in missing:
                self.rebuild(batch_id)
            return self.read_many(batch_ids)
        for alike in rest:
            add(counters[alike.batch_id], alike.now, alike.documents)
            add(counters[alike.batch_id], alike.counted, -alike.documents)
        return {batch_id: sums_of(counters[batch_id]) for batch_id in batch_ids}

    def uncounted_batches(self) -> list[str]:
        """Batches in which something is not folded in yet."""
        found = [source.documents.distinct("batch_id", MARK) for source in self._sources]
        return sorted({batch_id for batches in found for batch_id in batches})

    # -- counting -------------------------------------------------------------------------------

    def fold(self, batch_id: str, limit: int = AT_ONCE) -> int:
        """Count up to `limit` marked jobs and as many attempts of the batch. Returns how many were folded."""

        def piece(session: Session) -> int:
            total: Tally = {}
            documents = 0
            for source in self._sources:
                found = source.uncounted([batch_id], session, limit=limit)
                source.count(found, session)
                for alike in found:
                    documents += alike.documents
                    add(total, alike.now, alike.documents)
                    add(total, alike.counted, -alike.documents)
            if documents:
                self._add(batch_id, total, session)
            return documents

        return self._with_counters(batch_id, piece)

    def rebuild(self, batch_id: str) -> None:
        """Count the whole batch anew, from what its documents say, whatever was written meanwhile.

        Afterwards the counters hold even if they, a document's `counted` or a mark had been lost.
        """
        for source in self._sources:
            source.documents.update_many({"batch_id": batch_id}, {"$set": MARK})

        def sum_up(session: Session) -> None:
            total: Tally = {}
            for source in self._sources:
                for row in source.documents.aggregate(_counted_of(batch_id), session=session):
                    add(total, _read({row["_id"]: row["amount"]}))
            counters = counters_document(batch_id, total)
            self._tallies.replace_one({"_id": batch_id}, counters, upsert=True, session=session)

        in_transaction(self._tallies, sum_up)
        while self.fold(batch_id):
            pass

    # -- new jobs -------------------------------------------------------------------------------

    def insert_new(self, documents: Sequence[Document]) -> None:
        """Add the jobs of a batch whose file is being read in (made by `job_document`), each counted already.

        Nobody sees the batch before `count_new` has begun its counters. What makes it whole waits for the
        majority.
        """
        for document in documents:
            document.pop(UNCOUNTED, None)
            document["counted"] = _NEW
        if documents:
            sealed_later(self._jobs.documents).insert_many(documents, ordered=False)

    def count_new(self, batch_id: str, jobs: int) -> bool:
        """Begin the counters of a batch that has so many jobs, all of them new. Again, it changes nothing."""
        total: Tally = {}
        add(total, _NEW_TALLY, jobs)
        counters = counters_document(batch_id, total)
        return self._tallies.replace_one({"_id": batch_id}, counters, upsert=True).acknowledged

    def _add(self, batch_id: str, total: Tally, session: Session) -> None:
        more = {f"sums.{name}": amount for name, amount in _stored(total).items()}
        changed = self._tallies.update_one({"_id": batch_id}, {"$inc": more}, session=session)
        if not changed.matched_count:
            raise _NoCountersError(batch_id)

    def _with_counters(self, batch_id: str, work: Callable[[Session], T]) -> T:
        try:
            return in_transaction(self._tallies, work)
        except _NoCountersError:
            self.rebuild(batch_id)
            return in_transaction(self._tallies, work)


def counters_document(batch_id: str, tally: Tally) -> Document:
    """A batch's counters as they are stored."""
    return {"_id": batch_id, "sums": _stored(tally)}


def _counted_of(batch_id: str) -> list[Document]:
    """Σ `counted` over the documents of a batch, by name."""
    return [
        {"$match": {"batch_id": batch_id, "counted": {"$type": "object"}}},
        {"$project": {"counted": {"$objectToArray": "$counted"}}},
        {"$unwind": "$counted"},
        {"$group": {"_id": "$counted.k", "amount": {"$sum": "$counted.v"}}},
    ]


def _stored(tally: Tally) -> Document:
    return {name: money(value) if isinstance(value, Decimal) else value for name, value in tally.items()}


def _read(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: decimal_of(value) if isinstance(value, Decimal128) else value
        for name, value in document.items()
    }


_NEW_TALLY = tally_of_job({"status": JobState.PENDING.value})
_NEW = _stored(_NEW_TALLY)
