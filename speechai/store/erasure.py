"""Forgetting a person: one write per collection, each of which may be repeated.

The first write notes under which pseudonym, so a crash half-way is finished by doing it again; the last takes
the person's own id out of that note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from speechai.core.call import IMPERSONAL
from speechai.core.states import AttemptState, JobState
from speechai.store.database import Db, Document
from speechai.store.tallies import MARK

_PERSONAL_OF_JOB = (
    "rut",
    "document_label",
    "to_number",
    "last_phone_tried",
    "person_was",
    "offer",
    "variables",
    "call_result",
    "promise",
    "debt",
    "monto_total",
    "fecha_pago_cliente",
    "monto_pago_cliente",
    "notes",
)
_PERSONAL_OF_ATTEMPT = ("owed", "number_place", "person_was", "poll_token")
_FINAL_JOBS = [state.value for state in JobState if state.is_final]
_FINAL_ATTEMPTS = [state.value for state in AttemptState if state.is_final]


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person who is being forgotten, and what they are called from then on."""

    pseudonym: str
    person_id: str
    aliases: tuple[str, ...]  # under which else the person was known
    begun_at: datetime

    @property
    def renamed(self) -> Iterator[tuple[str, str]]:
        """Each name and its pseudonym: an alias keeps a chain of evidence of its own."""
        yield self.person_id, self.pseudonym
        for number, alias in enumerate(self.aliases, start=1):
            yield alias, f"{self.pseudonym}/{number}"


@dataclass(frozen=True, slots=True)
class Traces:
    """By what a person can be recognised in what names them only as text."""

    names: frozenset[str]
    documents: frozenset[str]
    phones: frozenset[str]

    @property
    def patterns(self) -> list[str]:
        """Regular expressions that find them in a text, however their digits are written apart."""
        digits = [number[-8:] for number in self.phones]
        apart = ["[^0-9]{0,2}".join(text) for text in (*self.documents, *digits) if len(text) >= 7]
        return [*apart, *(re.escape(name) for name in self.names if len(name) >= 5)]


class ErasureRepository:
    """The steps of forgetting a person."""

    def __init__(self, db: Db, jobs: str, attempts: str) -> None:
        self._persons = db["persons"]
        self._jobs = db[jobs]
        self._attempts = db[attempts]
        self._links = db["evidence"]
        self._payments = db["payments"]
        self._rejections = db["rejections"]

    def begin(
        self, person_id: str, aliases: Sequence[str], pseudonym: str, by: str, why: str, instant: datetime
    ) -> Erasure:
        """Note that the person is being forgotten; one that was begun already goes on as it was."""
        note = {
            "_id": pseudonym,
            "erasing": person_id,
            "erasing_aliases": list(aliases),
            "erased_at": instant,
            "erased_by": by,
            "erased_because": why,
        }
        try:
            self._persons.insert_one(note)
        except DuplicateKeyError:
            if begun := self.unfinished_of(person_id):
                return begun
            raise
        return _erasure(note)

    def unfinished_of(self, name: str) -> Erasure | None:
        """The erasure of this person that was begun and not finished, if there is one."""
        for field in ("erasing", "erasing_aliases"):
            if note := self._persons.find_one({field: name}):
                return _erasure(note)
        return None

    def unfinished(self) -> list[Erasure]:
        """Every erasure that was begun and not finished."""
        return [_erasure(note) for note in self._persons.find({"erasing": {"$gt": ""}})]

    def is_called(self, person_id: str) -> bool:
        """Whether a job of the person is not over, or a call to them is not."""
        job = {"person_id": person_id, "status": {"$nin": _FINAL_JOBS}}
        attempt = {"person_id": person_id, "status": {"$nin": _FINAL_ATTEMPTS}}
        return bool(self._jobs.find_one(job, {"_id": 1}) or self._attempts.find_one(attempt, {"_id": 1}))

    def traces(self, erasure: Erasure) -> Traces:
        """By what the person is recognised elsewhere."""
        jobs = list(self._jobs.find(self._jobs_of(erasure)))
        attempts = self._attempts.find({"person_id": erasure.person_id}, {"to_number": 1})
        phones = {phone for job in jobs for phone in job.get("try_phones", ())}
        ids = (name.partition("@")[0] for name, _ in erasure.renamed)
        known = {name.rpartition(":")[2] for name in ids if not name.startswith("TEL:")}
        return Traces(
            names=frozenset(job["nombre"] for job in jobs if job.get("nombre")),
            documents=frozenset(known | {job["rut"] for job in jobs if job.get("rut")}),
            phones=frozenset(filter(None, phones | {row["to_number"] for row in attempts})),
        )

    # -- the steps ------------------------------------------------------------------------------

    def rejections(self, traces: Traces) -> int:
        """The words of rejected rows that name them; the row and why it was rejected stay."""
        if not traces.patterns:
            return 0
        named = [{"value": {"$regex": pattern, "$options": "i"}} for pattern in traces.patterns]
        wanted = {"batch_id": {"$gt": ""}, "$or": named}
        return self._rejections.update_many(wanted, {"$set": {"value": None, "erased": True}}).modified_count

    def payments(self, erasure: Erasure) -> int:
        """What they paid. The bare id stays, so that a repeated list brings nothing back."""
        wanted = {"person_id": erasure.person_id, "at": {"$lte": erasure.begun_at}}
        bare = {"_id": "$_id", "erased_at": erasure.begun_at}
        return self._payments.update_many(wanted, [{"$replaceWith": bare}]).modified_count

    def links(self, erasure: Erasure) -> int:
        """Whose chains of evidence they are; a digest names nobody, once its salt is gone."""
        return sum(
            self._links.update_many({"person_id": name}, {"$set": {"person_id": pseudonym}}).modified_count
            for name, pseudonym in erasure.renamed
        )

    def attempts(self, erasure: Erasure) -> int:
        """Numbers, transcripts and recordings. Whoever read the call before has to read it again."""
        kept: Document = {
            "$arrayToObject": {
                "$filter": {
                    "input": {"$objectToArray": "$call"},
                    "cond": {"$in": ["$$this.k", list(IMPERSONAL)]},
                }
            }
        }
        changes = {
            "erased_at": erasure.begun_at,
            "person_id": erasure.pseudonym,
            "to_number": "",
            "number_key": "",
            "call": kept,
            "revision": {"$add": [{"$ifNull": ["$revision", 0]}, 1]},
            **MARK,
        }
        return self._attempts.update_many(
            {"person_id": erasure.person_id, "reserved_at": {"$lte": erasure.begun_at}},
            [{"$set": changes}, {"$unset": list(_PERSONAL_OF_ATTEMPT)}],
        ).modified_count

    def jobs(self, erasure: Erasure) -> int:
        """Names, documents, numbers, debts, promises and what the file said of them."""
        gone = {"erased_at": erasure.begun_at, "person_id": erasure.pseudonym, **MARK}
        return self._jobs.update_many(
            self._jobs_of(erasure),
            {
                "$set": {**gone, "nombre": "", "try_phones": [], "struck_phones": []},
                "$unset": dict.fromkeys(_PERSONAL_OF_JOB, ""),
            },
        ).modified_count

    def names(self, erasure: Erasure) -> int:
        """The person's own document, with the salt, and each name they were joined from."""
        for _, pseudonym in list(erasure.renamed)[1:]:
            self._persons.update_one(
                {"_id": pseudonym},
                {"$set": {"joined_into": erasure.pseudonym, "erased_at": erasure.begun_at}},
                upsert=True,
            )
        known = [name for name, _ in erasure.renamed]
        return self._persons.delete_many({"_id": {"$in": known}}).deleted_count

    def finish(self, erasure: Erasure) -> None:
        """Everything is done: the note keeps who asked, when and why, and not about whom."""
        self._persons.update_one(
            {"_id": erasure.pseudonym}, {"$unset": {"erasing": "", "erasing_aliases": ""}}
        )

    def _jobs_of(self, erasure: Erasure) -> Document:
        # What is uploaded after the demand is a new history.
        return {
            "person_id": erasure.person_id,
            "status": {"$in": _FINAL_JOBS},
            "created_at": {"$lte": erasure.begun_at},
        }


def matches(texts: Iterable[str], traces: Traces) -> bool:
    """Whether one of the texts names them."""
    found = [re.compile(pattern, re.IGNORECASE) for pattern in traces.patterns]
    return any(pattern.search(text) for text in texts for pattern in found)


def _erasure(note: Document) -> Erasure:
    return Erasure(note["_id"], note["erasing"], tuple(note["erasing_aliases"]), note["erased_at"])
