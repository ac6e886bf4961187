"""The chain of evidence: one link per attempt, per person. Links hold digests, never personal data."""

from __future__ import annotations

from datetime import datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from speechai.core.states import ATTEMPT_MOVES
from speechai.store.database import Db, Document

_FINAL = [state.value for state in ATTEMPT_MOVES if state.is_final]


class EvidenceRepository:
    """Links, appended and never changed."""

    def __init__(self, db: Db, attempts: str) -> None:
        self._links = db["evidence"]
        self._attempts = db[attempts]

    def unlinked(self, person_id: str | None = None, limit: int = 1000) -> list[Document]:
        """Final attempts that have no link yet, oldest first."""
        wanted: Document = {"unlinked": True, "status": {"$in": _FINAL}}
        if person_id is not None:
            wanted["person_id"] = person_id
        return list(self._attempts.find(wanted, {"call": 0}).sort("reserved_at", ASCENDING).limit(limit))

    def head(self, person_id: str) -> Document | None:
        """The person's last link."""
        return self._links.find_one({"person_id": person_id}, sort=[("seq", DESCENDING)])

    def append(self, link: Document) -> bool:
        """Add a link. False where somebody else added one at this place, or one for this attempt."""
        try:
            self._links.insert_one(link)
        except DuplicateKeyError:
            return False
        return True

    def linked(self, attempt_id: str, person_id: str) -> bool:
        """The attempt has its link. False where it is not at this person any more."""
        changed = self._attempts.update_one(
            {"_id": attempt_id, "person_id": person_id}, {"$unset": {"unlinked": ""}}
        )
        return changed.matched_count == 1

    def withdraw(self, attempt_id: str, person_id: str) -> None:
        """Take back a link that was given under the name of a person who was erased at that moment."""
        self._links.delete_one({"_id": attempt_id, "person_id": person_id})

    def attempt(self, attempt_id: str) -> Document | None:
        """The attempt as it is now, without the provider's answer."""
        return self._attempts.find_one({"_id": attempt_id}, {"call": 0})

    def has_link(self, attempt_id: str) -> bool:
        """Whether there is a link for the attempt."""
        return self._links.find_one({"_id": attempt_id}, {"_id": 1}) is not None

    def chain(self, person_id: str) -> list[Document]:
        """The person's links, in order."""
        return list(self._links.find({"person_id": person_id}).sort("seq", ASCENDING))


def link_document(
    *, person_id: str, seq: int, attempt_id: str, digest: str, previous: str, link: str, instant: datetime
) -> Document:
    """A link as it is stored."""
    return {
        "_id": attempt_id,
        "person_id": person_id,
        "seq": seq,
        "attempt_id": attempt_id,
        "digest": digest,
        "previous": previous,
        "link": link,
        "at": instant,
    }
