"""A batch's sums by reading all of it: the judge of its counters, which shares no code with them."""

from __future__ import annotations

from decimal import Decimal

from speechai.core.states import OPEN_ATTEMPTS, JobState
from speechai.core.tallies import Sums
from speechai.store import Store

OPEN = [state.value for state in OPEN_ATTEMPTS]


def summed(store: Store, batch_id: str) -> Sums:
    """What the batch's jobs and attempts say, added up by the database."""
    jobs, attempts = store.db[store.jobs_name], store.db[store.logs_name]

    def count(by: str, **wanted: object) -> dict[str, int]:
        pipeline = [{"$match": {"batch_id": batch_id, **wanted}}, {"$group": {"_id": by, "n": {"$sum": 1}}}]
        return {row["_id"]: row["n"] for row in jobs.aggregate(pipeline)}

    believed = {"promise.status": {"$in": ["promised", "kept", "partly_kept", "broken"]}}
    amounts = jobs.aggregate(
        [
            {"$match": {"batch_id": batch_id, **believed, "promise.amount_minor": {"$gt": 0}}},
            {"$group": {"_id": "$promise.currency", "minor": {"$sum": "$promise.amount_minor"}}},
        ]
    )
    made = {"batch_id": batch_id, "status": {"$ne": "released"}}
    rows = list(
        attempts.aggregate(
            [
                {"$match": made},
                {
                    "$group": {
                        "_id": {"$ifNull": ["$outcome", "open"]},
                        "dials": {"$sum": 1},
                        "rings": {"$sum": {"$cond": ["$uses_place", 1, 0]}},
                        "cost": {"$sum": "$cost_cents"},
                        "duration_ms": {"$sum": "$call.duration_ms"},
                    }
                },
            ]
        )
    )
    by_state = count("$status")
    return Sums(
        jobs={state: by_state.get(state.value, 0) for state in JobState},
        reasons=count("$reason", reason={"$nin": [None]}),
        outcomes={row["_id"]: row["dials"] for row in rows},
        dials=sum(row["dials"] for row in rows),
        rings=sum(row["rings"] for row in rows),
        in_flight=attempts.count_documents({**made, "status": {"$in": OPEN}, "ended_at": None}),
        duration_ms=int(sum(row["duration_ms"] for row in rows)),
        cost_cents=sum((Decimal(str(row["cost"])) for row in rows), Decimal(0)),
        promises=count("$promise.currency", **believed),
        promised_minor={row["_id"]: row["minor"] for row in amounts},
    )


def is_counted(store: Store) -> bool:
    """Whether every batch's counters say what its documents say; raises AssertionError where they differ."""
    batches = {
        batch_id
        for name in (store.jobs_name, store.logs_name)
        for batch_id in store.db[name].distinct("batch_id")
        if batch_id
    }
    counted = store.tallies.read_many(sorted(batches))
    for batch_id, sums in counted.items():
        assert sums == summed(store, batch_id), batch_id
    return True
