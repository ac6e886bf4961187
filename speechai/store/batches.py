"""Batches and what their upload rejected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from speechai.catalog.policies import Consent
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.model import Batch
from speechai.core.states import BATCH_MOVES, BATCH_REOPENINGS, WAVE_MOVES, BatchState, WaveState
from speechai.store.database import LONG_AGO, SCHEMA_VERSION, Db, Document, plus_seconds, sealed_later
from speechai.store.moves import NOT_THERE, moving_to
from speechai.store.tallies import counters_document

_TRIES = 3  # at a batch that completes, or runs again, just then


def _no_reopening_since(batch: Batch) -> Document:
    """None is under way, and none began or ended: whoever found no active job may believe it."""
    return {"reopening.0": {"$exists": False}, "reopenings": batch.reopenings or None}


_NOT_OVER = [state.value for state in BatchState if not state.is_final and state is not BatchState.COMPLETED]

_SEEN: Document = {"status": {"$ne": BatchState.UPLOADING.value}}
_BEING_READ_IN: Document = {"status": BatchState.UPLOADING.value, "upload.given_up": False}
_ABANDONED: Document = {
    "status": BatchState.UPLOADING.value,
    "$or": [{"upload.given_up": True}, {"$expr": {"$lt": ["$upload.lease_until", "$$NOW"]}}],
}


class BatchRepository:
    """Reads and guarded writes of batches."""

    def __init__(self, db: Db) -> None:
        self._batches = db["batches"]
        self._rejections = db["rejections"]
        self._tallies = db["tallies"]

    def insert(self, document: Document) -> None:
        """Add a new batch (made by `batch_document`); its counters begin at nothing."""
        nothing = {"$setOnInsert": counters_document(document["_id"], {})}
        self._tallies.update_one({"_id": document["_id"]}, nothing, upsert=True)
        self._batches.insert_one(document)

    def get(self, batch_id: str) -> Batch | None:
        """The batch, or None."""
        document = self.document(batch_id)
        return batch_from(document) if document else None

    def document(self, batch_id: str) -> Document | None:
        """The whole document; None also while its file is still being read in."""
        return self._batches.find_one({"_id": batch_id, **_SEEN})

    def page(self, *, limit: int, before: str | None) -> list[Document]:
        """Up to `limit` batches, newest first, older than the cursor."""
        wanted = {"_id": {"$lt": before}, **_SEEN} if before else _SEEN
        return list(self._batches.find(wanted).sort("_id", DESCENDING).limit(limit))

    def ids(self) -> list[str]:
        """Every batch, oldest first."""
        return [row["_id"] for row in self._batches.find({}, {"_id": 1}).sort("_id", ASCENDING)]

    def running(self) -> list[Batch]:
        """Every running batch, the one that was served longest ago first."""
        found = self._batches.find({"status": BatchState.RUNNING.value})
        return [batch_from(row) for row in found.sort([("served_at", ASCENDING), ("_id", ASCENDING)])]

    def served(self, batch_id: str, instant: datetime) -> None:
        """Note that a call of the batch was handed out: the others come first now."""
        sealed_later(self._batches).update_one({"_id": batch_id}, {"$set": {"served_at": instant}})

    def change(self, batch_id: str, changes: Document, edit: Document) -> bool:
        """Write an operator's changes, on record. False where the batch is over."""
        over = [state.value for state in BatchState if state.is_final or state is BatchState.COMPLETED]
        written = self._batches.update_one(
            {"_id": batch_id, "status": {"$nin": over}}, {"$set": changes, "$push": {"edits": edit}}
        )
        return written.matched_count == 1

    def open_by_provider(self) -> dict[str, list[Document]]:
        """Batches that are not over, by the provider through which they are dialed, the newest first."""
        found: dict[str, list[Document]] = {}
        wanted = {"status": {"$in": _NOT_OVER}}
        for row in self._batches.find(wanted, {"file": 0}).sort("_id", DESCENDING):
            found.setdefault(row["provider"], []).append(row)
        return found

    def providers(self, batch_ids: Sequence[str]) -> dict[str, str]:
        """Through which provider each of these batches is dialed."""
        found = self._batches.find({"_id": {"$in": list(batch_ids)}}, {"provider": 1})
        return {row["_id"]: row["provider"] for row in found}

    def move_provider(self, batch_id: str, before: str, provider: str, edit: Document) -> bool:
        """Dial the batch through another provider, on record. False where it is over or was moved."""
        moved = self._batches.update_one(
            {"_id": batch_id, "provider": before, "status": {"$in": _NOT_OVER}},
            {"$set": {"provider": provider}, "$push": {"edits": edit}},
        )
        return moved.modified_count == 1

    def of_account(self, account_id: str) -> list[Batch]:
        """The account's batches that are not over."""
        over = [BatchState.COMPLETED.value, BatchState.CANCELLED.value]
        found = self._batches.find({"account_id": account_id, "status": {"$nin": over}})
        return [batch_from(row) for row in found]

    def move(
        self,
        batch_id: str,
        target: BatchState,
        changes: Document,
        *,
        only_from: BatchState | None = None,
        guard: Document | None = None,
    ) -> bool:
        """Move the batch, guarded by the table of moves. False where that move is not allowed."""
        sources = None if only_from is None else [only_from]
        wanted = {"_id": batch_id, **moving_to(BATCH_MOVES, target, sources), **(guard or {})}
        fields = {"$set": {**changes, "status": target.value}}
        return self._batches.update_one(wanted, fields).modified_count == 1

    def complete(self, batch: Batch, instant: datetime) -> bool:
        """running → completed. Not while one of its jobs is being reopened, or was since `batch` was read."""
        changes = {"completed_at": instant}
        return self.move(batch.id, BatchState.COMPLETED, changes, guard=_no_reopening_since(batch))

    def begin_reopening(self, batch_id: str, job_id: str, instant: datetime) -> bool:
        """Put on record that a job is being reopened: until `end_reopening` the batch does not close.

        A completed batch runs again. False where it is cancelled, or not there.
        """
        record = {"$push": {"reopening": {"job_id": job_id, "at": instant}}, "$inc": {"reopenings": 1}}
        closed = [BatchState.COMPLETED.value, BatchState.CANCELLED.value]
        for _ in range(_TRIES):
            if self._batches.update_one({"_id": batch_id, "status": {"$nin": closed}}, record).modified_count:
                return True
            runs = {"$set": {"status": BatchState.RUNNING.value, "active_since": instant}, **record}
            wanted = {"_id": batch_id, **moving_to(BATCH_REOPENINGS, BatchState.RUNNING)}
            if self._batches.update_one(wanted, runs).modified_count:
                return True
        return False

    def end_reopening(self, batch_id: str, job_id: str) -> None:
        """The job was reopened, or could not be."""
        self._batches.update_one(
            {"_id": batch_id}, {"$pull": {"reopening": {"job_id": job_id}}, "$inc": {"reopenings": 1}}
        )

    def wished(self) -> list[tuple[str, str]]:
        """(batch, `now` or `next_wave`) of drafts that their upload wished to be started."""
        wanted = {"status": BatchState.DRAFT.value, "start_wish": {"$type": "string"}}
        return [(row["_id"], row["start_wish"]) for row in self._batches.find(wanted, {"start_wish": 1})]

    def reopening(self) -> list[tuple[str, str, datetime]]:
        """(batch, job, since) of every reopening under way, and of those that a crash cut off."""
        # The bound repeats the index's own condition: without it the plan reads the collection.
        found = self._batches.find({"reopening.at": {"$gt": LONG_AGO}}, {"reopening": 1})
        return [(row["_id"], one["job_id"], one["at"]) for row in found for one in row["reopening"]]

    def ending(self) -> list[str]:
        """Cancelled batches some of whose jobs may not have ended yet."""
        return [row["_id"] for row in self._batches.find({"ending": True}, {"_id": 1})]

    def ended(self, batch: Batch) -> bool:
        """Every job of a cancelled batch is final, and none was reopened since `batch` was read."""
        guard = {"_id": batch.id, "ending": True, **_no_reopening_since(batch)}
        return self._batches.update_one(guard, {"$unset": {"ending": ""}}).modified_count == 1

    # -- uploads --------------------------------------------------------------------------------

    def with_file(self, account_id: str, sha256: str) -> str | None:
        """The id of a batch of the account made from the same content, unless it was cancelled.

        It may be one whose file is still being read in.
        """
        found = self._batches.find_one(
            {
                "account_id": account_id,
                "file.sha256": sha256,
                "status": {"$ne": BatchState.CANCELLED.value},
            },
            {"_id": 1},
        )
        return found["_id"] if found else None

    def that_call(self, account_id: str, provider: str) -> list[Batch]:
        """The account's batches that call through the provider, or will once they are started or resumed."""
        states = [BatchState.DRAFT.value, BatchState.RUNNING.value, BatchState.PAUSED.value]
        found = self._batches.find(
            {"account_id": account_id, "provider": provider, "status": {"$in": states}}
        )
        return [batch_from(row) for row in found]

    def begin_upload(self, document: Document, lease_seconds: float) -> bool:
        """Add a batch (made by `batch_document`) whose file is about to be read in, under a lease.

        False where another batch has the claim on the same content (`file.claim`): of two uploads at once
        one is made.
        """
        begun = {**document, "status": BatchState.UPLOADING.value}
        lease = {"lease_until": plus_seconds(lease_seconds), "given_up": False}
        try:
            self._batches.update_one(
                {"_id": document["_id"], **NOT_THERE},
                [{"$replaceWith": {"$mergeObjects": [{"$literal": begun}, {"upload": lease}]}}],
                upsert=True,
            )
        except DuplicateKeyError as error:
            if "_id" in (error.details or {}).get("keyPattern", {}):
                raise
            return False
        return True

    def keep_upload(self, batch_id: str, lease_seconds: float, *, seal: bool = False) -> bool:
        """Extend the lease of an upload. False where it was given up: what it writes is not wanted any more.

        With `seal` the answer waits until a majority has this, and all that was written before it.
        """
        batches = self._batches if seal else sealed_later(self._batches)
        lease = {"upload.lease_until": plus_seconds(lease_seconds)}
        kept = batches.update_one({"_id": batch_id, **_BEING_READ_IN}, [{"$set": lease}])
        return kept.matched_count == 1

    def finish_upload(self, batch_id: str, changes: Document) -> bool:
        """uploading → draft, with the counts: from now on the batch is there, whole. False if given up."""
        wanted = {"_id": batch_id, **_BEING_READ_IN, **moving_to(BATCH_MOVES, BatchState.DRAFT)}
        fields = {"$set": {**changes, "status": BatchState.DRAFT.value}, "$unset": {"upload": ""}}
        return self._batches.update_one(wanted, fields).modified_count == 1

    def give_up_upload(self, batch_id: str) -> None:
        """Whoever is reading it in has failed: it is abandoned from now on, and never finishes."""
        self._batches.update_one({"_id": batch_id, **_BEING_READ_IN}, {"$set": {"upload.given_up": True}})

    def abandoned_uploads(self) -> list[str]:
        """Batches whose upload was given up, or whose lease ended by the database's clock."""
        return [row["_id"] for row in self._batches.find(_ABANDONED, {"_id": 1})]

    def take_abandoned(self, batch_id: str) -> bool:
        """Make sure that an abandoned upload never finishes. False where it is not abandoned after all."""
        taken = self._batches.update_one({"_id": batch_id, **_ABANDONED}, {"$set": {"upload.given_up": True}})
        return taken.matched_count == 1

    def delete(self, batch_id: str) -> None:
        """Remove a batch that was being read in, and what it rejected; its jobs are gone by now."""
        self._rejections.delete_many({"batch_id": batch_id})
        self._tallies.delete_one({"_id": batch_id})
        self._batches.delete_one({"_id": batch_id, "status": BatchState.UPLOADING.value})

    def being_read_in(self) -> list[str]:
        """Batches whose file is being read in: a handful, whose jobs nobody is shown."""
        found = self._batches.find({"status": BatchState.UPLOADING.value}, {"_id": 1})
        return [row["_id"] for row in found]

    # -- rejected rows --------------------------------------------------------------------------

    def add_rejections(self, batch_id: str, rows: Sequence[Document]) -> None:
        """Keep the rows that became nothing."""
        if rows:
            self._rejections.insert_many([{**row, "batch_id": batch_id} for row in rows])

    def rejections(self, batch_id: str, limit: int = 0, after: int = 0) -> Iterator[Document]:
        """The rows that became nothing, in the file's order, from the one after row `after`."""
        wanted = {"batch_id": batch_id, "row": {"$gt": after}}
        yield from self._rejections.find(wanted, {"_id": 0}).sort("row", ASCENDING).limit(limit)


def batch_document(
    *,
    batch_id: str,
    account_id: str,
    name: str,
    use_case: UseCaseId,
    country: Country,
    policy_id: str,
    provider: str,
    wave_times: Sequence[time],
    tz_name: str,
    daily_contacts: int,
    company: str | None,
    deadline_days: int | None,
    final_deadline_days: int | None,
    max_attempts: int,
    agent_id: str | None,
    flow_id: str,
    priority: int,
    weekdays: Sequence[int] | None,
    retries: Document,
    purpose: str,
    legal_basis: str,
    consent: Consent,
    created_by: str,
    instant: datetime,
    file: Document,
) -> Document:
    """A new batch as it is stored: a draft, its jobs still to come."""
    return {
        "_id": batch_id,
        "batch_id": batch_id,
        "schema_version": SCHEMA_VERSION,
        "account_id": account_id,
        "name": name,
        "status": BatchState.DRAFT.value,
        "use_case": use_case.value,
        "country": country.value,
        "policy": policy_id,
        "provider": provider,
        "continuous": False,
        "wave_times": [f"{clock:%H:%M}" for clock in wave_times],
        "tz_name": tz_name,
        "daily_contacts": daily_contacts,
        "company": company,
        "deadline_days": deadline_days,
        "final_deadline_days": final_deadline_days,
        "max_attempts": max_attempts,
        "agent_id": agent_id,
        "flow": flow_id,
        "priority": priority,
        "weekdays": sorted(weekdays) if weekdays else None,
        "retries": retries,
        "purpose": purpose,
        "legal_basis": legal_basis,
        "consent": consent.value,
        "file": file,
        "created_at": instant,
        "created_by": created_by,
        "active_since": None,
        "served_at": None,
    }


def batch_from(document: Document) -> Batch:
    """The batch as it was stored."""
    return Batch(
        id=document["_id"],
        account_id=document["account_id"],
        name=document["name"],
        status=BatchState(document["status"]),
        use_case=UseCaseId(document["use_case"]),
        country=Country(document["country"]),
        policy_id=document["policy"],
        provider=document["provider"],
        continuous=document["continuous"],
        wave_times=tuple(time.fromisoformat(text) for text in document["wave_times"]),
        zone=ZoneInfo(document["tz_name"]),
        daily_contacts=document["daily_contacts"],
        company=document.get("company"),
        deadline_days=document.get("deadline_days"),
        final_deadline_days=document.get("final_deadline_days"),
        max_attempts=document["max_attempts"],
        agent_id=document.get("agent_id"),
        active_since=document.get("active_since"),
        flow_id=document["flow"],
        priority=document["priority"],
        weekdays=frozenset(document["weekdays"]) if document["weekdays"] else None,
        retries=document["retries"],
        consent=Consent(document.get("consent", Consent.NONE)),
        reopenings=document.get("reopenings", 0),
    )


class WaveRepository:
    """Waves: one batch × one date × one slot. The unique key makes two Beats harmless."""

    def __init__(self, db: Db) -> None:
        self._waves = db["waves"]

    def record(self, batch_id: str, day: date, slot: str, status: WaveState, details: dict[str, Any]) -> bool:
        """Make the wave's document. False where it exists: somebody else opened it, or it was missed."""
        try:
            self._waves.insert_one(
                {
                    "_id": f"{batch_id}|{day.isoformat()}|{slot}",
                    "schema_version": SCHEMA_VERSION,
                    "batch_id": batch_id,
                    "day": day.isoformat(),
                    "slot": slot,
                    "status": status.value,
                    **details,
                }
            )
        except DuplicateKeyError:
            return False
        return True

    def get(self, batch_id: str, day: date, slot: str) -> Document | None:
        """The wave, or None."""
        return self._waves.find_one({"_id": f"{batch_id}|{day.isoformat()}|{slot}"})

    def move(self, batch_id: str, day: date, slot: str, target: WaveState, changes: dict[str, Any]) -> bool:
        """Write what became of an open wave. False where somebody else wrote it."""
        wanted = {"_id": f"{batch_id}|{day.isoformat()}|{slot}", **moving_to(WAVE_MOVES, target)}
        fields = {"$set": {**changes, "status": target.value}}
        return self._waves.update_one(wanted, fields).modified_count == 1

    def unfinished(self) -> list[Document]:
        """Waves that were begun and whose people were not all released: a crash came between."""
        return list(self._waves.find({"status": WaveState.OPEN.value}))

    def of_batch(self, batch_id: str, limit: int = 30) -> list[Document]:
        """The batch's waves, newest first."""
        found = self._waves.find({"batch_id": batch_id})
        return list(found.sort([("day", DESCENDING), ("slot", DESCENDING)]).limit(limit))
