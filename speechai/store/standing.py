"""What the dialing of a batch depends on beside its jobs, in one read instead of four."""

from __future__ import annotations

from dataclasses import dataclass

from pymongo import ASCENDING

from speechai.catalog.accounts import Account
from speechai.core.breaker import Breaker
from speechai.core.model import Batch
from speechai.core.money import Funds
from speechai.core.states import BatchState
from speechai.store.accounts import account_from
from speechai.store.batches import batch_from
from speechai.store.breakers import breaker_from
from speechai.store.database import Db, Document
from speechai.store.funds import funds_from

_AROUND: list[Document] = [
    {"$lookup": {"from": "accounts", "localField": "account_id", "foreignField": "_id", "as": "account"}},
    {"$lookup": {"from": "breakers", "localField": "account_id", "foreignField": "_id", "as": "breaker"}},
    {"$lookup": {"from": "stops", "pipeline": [{"$match": {"in_force": True}}], "as": "stop"}},
]


@dataclass(frozen=True, slots=True)
class Standing:
    """A batch, its account and money, whether its provider answers, and who stopped all dialing, if any."""

    batch: Batch
    account: Account | None
    breaker: Breaker
    stopped_by: str | None
    funds: Funds


class StandingRepository:
    """Reads over several collections; it writes nothing."""

    def __init__(self, db: Db) -> None:
        self._batches = db["batches"]

    def of(self, batch_id: str) -> Standing | None:
        """How the batch stands, or None where there is none."""
        found = self._batches.aggregate([{"$match": {"_id": batch_id}}, *_AROUND])
        return next((_standing(row) for row in found), None)

    def running(self, provider: str) -> list[Standing]:
        """Every running batch made for the provider, the one that was served longest ago first."""
        pipeline: list[Document] = [
            {"$match": {"status": BatchState.RUNNING.value, "provider": provider}},
            {"$sort": {"served_at": ASCENDING, "_id": ASCENDING}},
            *_AROUND,
        ]
        return [_standing(row) for row in self._batches.aggregate(pipeline)]


def _standing(row: Document) -> Standing:
    return Standing(
        batch=batch_from(row),
        account=account_from(row["account"][0]) if row["account"] else None,
        breaker=breaker_from(row["breaker"][0] if row["breaker"] else None),
        stopped_by=row["stop"][0]["by"] if row["stop"] else None,
        funds=funds_from(row["account"][0].get("funds") if row["account"] else None),
    )
