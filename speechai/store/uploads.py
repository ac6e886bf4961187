"""Files between their preview and the operator's confirmation (GridFS: any web process may be asked next)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gridfs import GridFSBucket
from gridfs.errors import CorruptGridFile, NoFile

from speechai.store.database import LONG_AGO, Db

BUCKET = "uploads"


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """A kept file's name and the options it was previewed with, as the form wrote them."""

    filename: str
    options: dict[str, str]


class UploadRepository:
    """Keeps a file under a token that cannot be guessed, until it is confirmed or a day has passed."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._files = db[f"{BUCKET}.files"]
        self._chunks = db[f"{BUCKET}.chunks"]

    @property
    def _bucket(self) -> GridFSBucket:
        return GridFSBucket(self._db, bucket_name=BUCKET)

    def save(self, path: Path, filename: str, options: Mapping[str, str], instant: datetime) -> str:
        """Keep the file. Returns its token."""
        token = secrets.token_urlsafe(24)
        metadata = {"options": dict(options), "saved_at": instant, "claimed_at": None}
        with path.open("rb") as source:
            self._bucket.upload_from_stream_with_id(token, filename, source, metadata=metadata)
        return token

    def fetch(self, token: str, to_path: Path) -> StoredUpload | None:
        """Write the file to `to_path`. None where there is no such file (any more)."""
        try:
            with self._bucket.open_download_stream(token) as stored, to_path.open("wb") as target:
                while chunk := stored.read(1 << 20):
                    target.write(chunk)
                metadata = stored.metadata or {}
                return StoredUpload(stored.filename or "", dict(metadata.get("options", {})))
        except NoFile:
            return None
        except CorruptGridFile:  # somebody died while deleting it
            self.delete(token)
            return None

    def tokens(self) -> list[str]:
        """Every kept file."""
        return [row["_id"] for row in self._files.find({"metadata.saved_at": {"$gt": LONG_AGO}}, {"_id": 1})]

    def claim(self, token: str, instant: datetime) -> bool:
        """Take the file for confirmation, once: a second click finds it taken."""
        changed = self._files.update_one(
            {"_id": token, "metadata.claimed_at": None}, {"$set": {"metadata.claimed_at": instant}}
        )
        return changed.modified_count == 1

    def unclaim(self, token: str) -> None:
        """The confirmation came to nothing: it may be tried again."""
        self._files.update_one({"_id": token}, {"$set": {"metadata.claimed_at": None}})

    def delete(self, token: str) -> bool:
        """Forget the file, its content first. False where it was gone."""
        self._chunks.delete_many({"files_id": token})
        try:
            self._bucket.delete(token)
        except NoFile:
            return False
        return True

    def delete_halves(self) -> None:
        """Forget content without a file: somebody died while saving it."""
        self._chunks.delete_many(
            {"files_id": {"$in": self._chunks.distinct("files_id"), "$nin": self.tokens()}}
        )

    def purge(self, before: datetime) -> int:
        """Forget every file kept since before that instant. Returns how many."""
        stale = [row["_id"] for row in self._files.find({"metadata.saved_at": {"$lt": before}}, {"_id": 1})]
        return sum(self.delete(token) for token in stale)
