"""What the server did, by its own profiler: which queries scanned, sorted, and how much they read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from speechai.store import Store

# Collections that stay small by their nature: scanning one is as good as any index.
BOUNDED = {
    "accounts": "who pays: tens, not thousands",
    "pacing": "one document per provider",
    "stops": "one document per use of the kill switch",
    "breakers": "one document per account at most",
    "registries": "one document per public register",
    "users": "who may log in",
    "api_keys": "keys of the API",
}


@contextlib.contextmanager
def profiled(store: Store) -> Iterator[list[dict[str, Any]]]:
    """What the server did meanwhile."""
    found: list[dict[str, Any]] = []
    store.db.command("profile", 0)
    store.db.drop_collection("system.profile")
    store.db.create_collection("system.profile", capped=True, size=64_000_000)
    store.db.command("profile", 2)
    try:
        yield found
    finally:
        store.db.command("profile", 0)
        found += store.db["system.profile"].find({"ns": {"$ne": f"{store.db.name}.system.profile"}})
        store.db.drop_collection("system.profile")


def slow(entries: list[dict[str, Any]]) -> list[str]:
    """Each query that read a whole collection, or sorted what it had read."""
    found = {}
    for entry in entries:
        collection = str(entry.get("ns", "")).partition(".")[2]
        if collection in BOUNDED or entry.get("command", {}).get("createIndexes"):
            continue
        if "COLLSCAN" in entry.get("planSummary", "") or entry.get("hasSortStage"):
            command = {
                name: entry["command"].get(name) for name in ("filter", "q", "query", "pipeline", "sort")
            }
            asked = {name: value for name, value in command.items() if value}
            how = entry.get("planSummary", "") + (" SORT" if entry.get("hasSortStage") else "")
            found[f"{collection}: {how} {asked}"] = None
    return list(found)


def examined(entries: list[dict[str, Any]], collection: str) -> int:
    """How many documents of the collection were read."""
    of_it = [entry for entry in entries if str(entry.get("ns", "")).endswith(f".{collection}")]
    return sum(entry.get("docsExamined", 0) for entry in of_it)
