"""Circuit breakers, one document per account; an account without one is well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from speechai.core.breaker import CLOSED, Breaker
from speechai.store.database import Db, Document

_TRIES = 20  # at a write that another worker was quicker with


class BreakerRepository:
    """Every worker sees the same breaker; writes are guarded by what was read."""

    def __init__(self, db: Db) -> None:
        self._breakers = db["breakers"]

    def get(self, account_id: str) -> Breaker:
        """The account's breaker."""
        return breaker_from(self._breakers.find_one({"_id": account_id}))

    def open_ones(self) -> dict[str, Breaker]:
        """The breakers that are open, by account."""
        return {row["_id"]: breaker_from(row) for row in self._breakers.find({"opened_at": {"$ne": None}})}

    def take_probe(self, account_id: str, breaker: Breaker, patience: timedelta, instant: datetime) -> bool:
        """Be the one that tries an open breaker. Another may after `patience`, should this one die."""
        return (
            self._breakers.update_one(
                {"_id": account_id, "failures": breaker.failures, "probe_at": breaker.probe_at},
                {"$set": {"probe_at": instant + patience}},
            ).modified_count
            == 1
        )

    def failed(self, account_id: str, instant: datetime, error: str, *, probe: bool = False) -> Breaker:
        """Count a failure, `probe` where the breaker was open already. Returns the breaker as it is now."""
        return self._after(account_id, lambda breaker: breaker.failed(instant, error, probe=probe))

    def refused(self, account_id: str, instant: datetime, error: str, *, probe: bool = False) -> Breaker:
        """The provider refuses the account. Returns the breaker as it is now."""
        return self._after(account_id, lambda breaker: breaker.refused_at(instant, error, probe=probe))

    def _after(self, account_id: str, step: Callable[[Breaker], Breaker]) -> Breaker:
        for _ in range(_TRIES):
            before = self._breakers.find_one({"_id": account_id})
            after = step(breaker_from(before))
            if after == breaker_from(before):
                return after
            fields = {
                "failures": after.failures,
                "opened_at": after.opened_at,
                "probe_at": after.probe_at,
                "last_error": after.last_error,
                "refused": after.refused,
            }
            if before is None:
                self._breakers.update_one({"_id": account_id}, {"$setOnInsert": fields}, upsert=True)
                return after
            guard = {"_id": account_id, "failures": before["failures"], "probe_at": before["probe_at"]}
            if self._breakers.update_one(guard, {"$set": fields}).matched_count:
                return after
        return self.get(account_id)  # so many others failed meanwhile that one more says nothing

    def succeeded(self, account_id: str) -> bool:
        """The provider answers. True where the breaker was open."""
        before = self._breakers.find_one_and_delete({"_id": account_id})
        return breaker_from(before).is_open


def breaker_from(document: Document | None) -> Breaker:
    """The breaker as it was stored."""
    if document is None:
        return CLOSED
    return Breaker(
        failures=document["failures"],
        opened_at=document["opened_at"],
        probe_at=document["probe_at"],
        last_error=document["last_error"],
        refused=document["refused"],
    )
