"""People over all batches: who turned out to be the same, and the salt of their evidence."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from speechai.catalog.accounts import plain_of
from speechai.store.database import Db, Document
from speechai.store.do_not_call import DoNotCallRepository

MOST_PLACES = 200  # in a day; far above what any limit allows


class PersonRepository:
    """Persons, and the joining of two histories into one."""

    def __init__(self, db: Db, jobs: str, attempts: str) -> None:
        self._persons = db["persons"]
        self._jobs = db[jobs]
        self._attempts = db[attempts]
        self._do_not_call = DoNotCallRepository(db)
        self._links = db["evidence"]

    # -- who is who -------------------------------------------------------------------------------

    def any_by_number(self) -> bool:
        """Whether anybody is known only by a number."""
        return self._jobs.find_one({"person_id": {"$gte": "TEL:", "$lt": "TEL;"}}, {"_id": 1}) is not None

    def known(self, person_ids: Sequence[str]) -> set[str]:
        """Which of these have jobs."""
        return set(self._jobs.distinct("person_id", {"person_id": {"$in": list(person_ids)}}))

    def joined_into(self, person_ids: Iterable[str]) -> dict[str, str]:
        """Whom some of these turned out to be."""
        found = self._persons.find({"_id": {"$in": list(person_ids)}, "joined_into": {"$type": "string"}})
        return {row["_id"]: row["joined_into"] for row in found}

    def join(self, alias: str, person_id: str, by: str, instant: datetime) -> None:
        """`alias` is `person_id`: one history from now on. Again and again, it changes nothing more."""
        first = {"joined_at": instant, "joined_by": by}  # the alias may have a document: its salt
        once = {name: {"$ifNull": [f"${name}", {"$literal": value}]} for name, value in first.items()}
        self._persons.update_one(
            {"_id": alias}, [{"$set": {"joined_into": {"$literal": person_id}, **once}}], upsert=True
        )
        self._jobs.update_many({"person_id": alias}, {"$set": {"person_id": person_id, "person_was": alias}})
        key = plain_of(person_id)  # entries are about people, whichever account keeps their histories
        said = self._do_not_call.in_force_about([alias, plain_of(alias)])
        moved = [{**entry, "_id": f"{entry['scope']}|{key}", "key": key} for entry in said]
        self._do_not_call.add(moved, once=True)
        for attempt in self._attempts.find({"person_id": alias}).sort("reserved_at", ASCENDING):
            self._rename(attempt, person_id)

    def rejoin(self, alias: str, person_id: str, instant: datetime) -> None:
        """Join them once more, unless the person was erased since they were joined."""
        if self._persons.find_one({"_id": alias, "joined_into": person_id}, {"_id": 1}):
            self.join(alias, person_id, "sweep", instant)

    def recent_joins(self, since: datetime) -> list[tuple[str, str]]:
        """(alias, person) joined since then: a dial that was on its way meanwhile is taken along later."""
        found = self._persons.find({"joined_at": {"$type": "date", "$gte": since}})
        return [(row["_id"], row["joined_into"]) for row in found]

    def _rename(self, attempt: Document, person_id: str) -> None:
        """Under the person's own name, in the first free place of that day, however full it is."""
        changes: Document = {"person_id": person_id, "person_was": attempt["person_id"]}
        if "open_person" in attempt:
            changes["open_person"] = person_id
        first = attempt.get("person_place")
        places = [None] if first is None else range(1, MOST_PLACES)
        for place in places:
            if place is not None:
                changes["person_place"] = place
            try:
                self._attempts.update_one(
                    {"_id": attempt["_id"], "person_id": attempt["person_id"]}, {"$set": changes}
                )
                return
            except DuplicateKeyError as error:
                if "open_person" in (error.details or {}).get("keyPattern", {}):
                    return  # both are being called: the sweep comes again when one call is over

    # -- history ----------------------------------------------------------------------------------

    def document(self, person_id: str) -> Document:
        """What is kept of the person as such."""
        return self._persons.find_one({"_id": person_id}) or {"_id": person_id}

    def aliases(self, person_id: str) -> list[str]:
        """Under which names the person was known."""
        return [row["_id"] for row in self._persons.find({"joined_into": person_id})]

    def jobs(self, person_id: str) -> list[Document]:
        """Every job of the person, newest first."""
        return list(self._jobs.find({"person_id": person_id}).sort("created_at", DESCENDING))

    def attempts(self, person_id: str) -> list[Document]:
        """Every attempt at the person, oldest first."""
        return list(self._attempts.find({"person_id": person_id}).sort("reserved_at", ASCENDING))

    def salt(self, person_id: str) -> str | None:
        """The salt of the person's digests, made at first use; None where it was erased."""
        made = {"$ifNull": ["$salt", secrets.token_hex(32)]}
        kept = self._persons.find_one_and_update(
            {"_id": person_id},
            [{"$set": {"salt": {"$cond": [{"$ifNull": ["$erased_at", False]}, None, made]}}}],
            upsert=True,
            projection={"salt": 1},
            return_document=ReturnDocument.AFTER,
        )
        return kept["salt"] if kept else None

    def forget_unused(self, person_id: str) -> None:
        """Take back a salt that was made for nobody: whoever it was for was erased at that moment."""
        if self._attempts.find_one({"person_id": person_id}, {"_id": 1}) is None:
            self._persons.delete_one({"_id": person_id, "joined_into": None, "erased_at": None})
