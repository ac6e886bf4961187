"""Who may come in: the panel's users and the API's keys."""

from __future__ import annotations

import hashlib
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from speechai.store.database import Db, Document


class UserRepository:
    """Who may log in to the panel, by e-mail; passwords are kept as hashes made by the web layer."""

    def __init__(self, db: Db) -> None:
        self._users = db["users"]

    def add(self, email: str, password_hash: str, instant: datetime) -> bool:
        """Add a user. False where the e-mail is taken."""
        try:
            self._users.insert_one(
                {
                    "_id": email.lower(),
                    "email": email.lower(),
                    "password_hash": password_hash,
                    "created_at": instant,
                }
            )
        except DuplicateKeyError:
            return False
        return True

    def set_password(self, email: str, password_hash: str) -> bool:
        """Change a user's password. False where there is no such user."""
        changed = self._users.update_one({"_id": email.lower()}, {"$set": {"password_hash": password_hash}})
        return changed.matched_count == 1

    def get(self, email: str) -> Document | None:
        """The user, or None."""
        return self._users.find_one({"_id": email.lower()})

    def all(self) -> list[Document]:
        """Every user, without the hashes."""
        return list(self._users.find({}, {"password_hash": 0}).sort("_id", 1))

    def remove(self, email: str) -> bool:
        """Take a user's access away."""
        return self._users.delete_one({"_id": email.lower()}).deleted_count == 1


class ApiKeyRepository:
    """Keys of the API. Only their SHA-256 is stored: they are long and random, so that is enough."""

    def __init__(self, db: Db) -> None:
        self._keys = db["api_keys"]

    @staticmethod
    def fingerprint(key: str) -> str:
        """What is stored of a key."""
        return hashlib.sha256(key.encode()).hexdigest()

    def add(self, key: str, name: str, instant: datetime) -> None:
        """Let a key in."""
        self._keys.update_one(
            {"_id": self.fingerprint(key)},
            {"$setOnInsert": {"name": name, "created_at": instant}},
            upsert=True,
        )

    def name_of(self, key: str) -> str | None:
        """Whose key it is, or None for one that is not ours."""
        found = self._keys.find_one({"_id": self.fingerprint(key)})
        return found["name"] if found else None

    def all(self) -> list[Document]:
        """Every key's name and fingerprint."""
        return list(self._keys.find().sort("name", 1))

    def remove(self, name: str) -> int:
        """Shut out the keys of that name."""
        return self._keys.delete_many({"name": name}).deleted_count
