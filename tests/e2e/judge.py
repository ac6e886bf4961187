"""What a rough run broke: the database, the logs and the simulator's ledger held against each other.

Looked at from outside and when nothing is on its way any more; `site.violations` sees I1, I2, I4 and I5 of a
batch, this the rest as far as it shows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from speechai.core.states import ATTEMPT_MOVES, AttemptState
from speechai.operation.calling.reconciling import MOST_POSTS
from speechai.stack import wait
from speechai.stack.errors import StackError
from speechai.store.database import decimal_of
from tests.e2e.site import Site

AFTER_OPT_OUT = timedelta(seconds=30).total_seconds()  # a verdict's age, and the longest create
COSTS_COME = 240  # seconds after the last call within which its cost is in, and nothing is held for it
ROUNDING = 0.011  # US cents
_NUMBER = re.compile(r"\+56\d{9}")


def opt_outs(site: Site, batch_id: str) -> list[str]:
    """Who asked not to be called is on the list, and is not rung once the list says so."""
    ledger = [call for call in site.ledger(batch_id) if call["rang"]]
    entries = _entries(site)
    found = []
    for call in ledger:
        if call["captured"].get("opt_out") and call["analysed_at"] and call["to_number"] not in entries:
            found.append(f"opt-out: {call['call_id']} ({call['outcome']}) is on no list")
    for call in ledger:
        since = entries.get(call["to_number"])
        if since and call["ring_at"] > since + AFTER_OPT_OUT:
            found.append(f"I7: {call['call_id']} rang {call['ring_at'] - since:.0f} s after the opt-out")
    return found


def _entries(site: Site) -> dict[str, float]:
    entries: dict[str, float] = {}
    cursor = None
    while True:
        page = site.get("/api/do-not-call", limit=500, **({"cursor": cursor} if cursor else {}))
        for entry in page["items"]:
            entries[entry["key"]] = datetime.fromisoformat(entry["at"]).timestamp()
        cursor = page["next_cursor"]
        if cursor is None:
            return entries


def moves(attempts: Iterable[Mapping[str, Any]]) -> list[str]:
    """I7: every attempt moved by the table, and left no final state."""
    found = []
    for attempt in attempts:
        states = [AttemptState(entry["status"]) for entry in attempt["history"]]
        for before, after in zip(states, states[1:], strict=False):
            if after is not before and after not in ATTEMPT_MOVES[before]:
                found.append(f"I7: {attempt['_id']} went from {before} to {after}")
    return found


def money(site: Site, batch_id: str, attempts: list[Mapping[str, Any]]) -> list[str]:
    """I6: what is booked for a call is what it cost, now or before it grew; nothing stays held."""
    costs: dict[str, list[float]] = defaultdict(list)
    for call in site.ledger(batch_id):
        costs[call["attempt_id"]] += call["costs"]
    found = []
    for attempt in attempts:
        booked = float(decimal_of(attempt["cost_cents"]))
        possible = [0.0, *costs[attempt["_id"]]]
        if not any(abs(booked - cost) < ROUNDING for cost in possible) and attempt["call"].get("call_cost"):
            found.append(f"I6: {attempt['_id']} is booked with {booked}, it cost {possible[1:]}")
    store, open_ones = site.store(), set(undecided(site, batch_id))

    def held() -> set[str]:
        ours = {attempt["_id"] for attempt in attempts}
        return {attempt_id for _, attempt_id in store.funds.holders()} & ours - open_ones

    try:
        wait.until(lambda: not held(), seconds=COSTS_COME, what="the last costs")
    except StackError:
        found += [f"I6: money is still held for {attempt_id}" for attempt_id in held()]
    return found


def undecided(site: Site, batch_id: str) -> list[str]:
    """The attempts that only time decides: posted as often as may be, and the provider shows no trace of
    them, so that for 50 minutes nobody can tell whether they rang."""
    return [
        attempt["_id"]
        for attempt in site.store().attempts.export(batch_id)
        if attempt["status"] == AttemptState.UNKNOWN and attempt["posts"] >= MOST_POSTS
    ]


def is_at_rest(site: Site, batch_id: str) -> bool:
    """Whether every job of the batch is final, but for those whose attempt only time decides."""
    counts = site.counts(batch_id)
    waiting = counts["pending"] + counts["suspended"]
    return not waiting and counts["in_progress"] == len(undecided(site, batch_id))


def rows(upload: Mapping[str, Any], jobs: int) -> list[str]:
    """I8: every row is a job, merged into one, or rejected; and the jobs are there."""
    found = []
    if upload["rows"] != upload["jobs_created"] + upload["merged"] + len(upload["rejected"]):
        found.append(f"I8: {upload['batch_id']}: rows that became nothing: {upload}")
    if jobs != upload["jobs_created"]:
        found.append(f"I8: {upload['batch_id']}: {jobs} jobs of {upload['jobs_created']}")
    return found


def secrets(site: Site) -> list[str]:
    """I9: no key and no whole phone number in any log."""
    keys = [site.stack.environment["RETELL_API_KEY"], site.environment.get("SPEECHAI_API_KEY")]
    found = []
    for log in sorted(site.stack.home.logs.glob("*")):
        text = log.read_text("utf-8", errors="replace")
        if number := _NUMBER.search(text):
            found.append(f"I9: {log.name} holds a phone number: …{number[0][-4:]}")
        found += [f"I9: {log.name} holds a key" for key in keys if key and key in text]
    return found


def closed(site: Site, batch_id: str) -> list[str]:
    """I3: nobody of a batch that may call on no weekday of now is called."""
    rung = [call for call in site.ledger(batch_id) if call["rang"]]
    return [f"I3: {len(rung)} calls of {batch_id}, which is closed today"] if rung else []


def judged(site: Site, upload: Mapping[str, Any]) -> list[str]:
    """Everything of this page, of one uploaded batch."""
    batch_id = str(upload["batch_id"])
    attempts = list(site.store().attempts.export(batch_id))
    return [
        *opt_outs(site, batch_id),
        *moves(attempts),
        *money(site, batch_id, attempts),
        *rows(upload, len(site.jobs(batch_id))),
    ]
