"""Very many calls at once: `python bench/inflight.py [calls] [seconds]`, 2,000 of 150 to 300 s by itself.

All calls are in flight together, on the Procfile's one worker and one poller; once with webhooks, once
without any, where the poller looks at them in pages. Goals: memory of worker and poller together under
300 MB; no call lost; every result within one polling interval (15 s) of the call's end.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.stack import wait  # noqa: E402 - this script runs from a checkout as it is
from speechai.stack.stack import Stack  # noqa: E402
from speechai.store import Store  # noqa: E402
from tests.e2e.site import FAST, Site, write_people  # noqa: E402

CALLS, TALK = 2_000, 150.0  # how many, and seconds: long enough for all to be placed before the first ends
INTERVAL = 15.0
SLACK = 2.0  # seconds for a result to travel, on top of the interval
MEMORY = 300  # MB
PARTS = ("worker", "poller")


@dataclass
class Watched:
    """What was seen of the parts while the calls were in flight."""

    memory: dict[str, int] = field(default_factory=dict)  # most bytes, by part
    cpu_seconds: float = 0
    call_seconds: float = 0  # calls in flight × seconds


def main(calls: int, talk: float) -> int:
    """Print a line for each way. 1 if a goal was missed."""
    return max(
        measure("webhooks", calls, talk, []),
        measure("no webhooks", calls, talk, ["--fault", "webhook_loss=1"]),
    )


def measure(name: str, calls: int, talk: float, simulator: list[str]) -> int:
    """One run on a stack of its own."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **FAST,
            "SPEECHAI_HOME": directory,
            "MAX_CONCURRENT_CALLS": str(calls),
            "CALLS_PER_SECOND": "1000",
            "MAX_ATTEMPTS": "1",
            "DAILY_CONTACTS": str(calls),
            "LEASE_SECONDS": "120",
            "CALL_POLLING_INTERVAL": f"{INTERVAL:g}",
            "LOG_LEVEL": "WARNING",
        }
        with Stack(environment=environment, simulator=["--speed", "1", *simulator]) as stack:
            stack.wait_ready()
            site = Site(stack)
            people, dice = write_people(Path(directory), calls), random.Random(7)
            site.simulator("script", {number: [call_of(talk, dice)] for number in people.numbers})
            site.simulator("limits", {"concurrency": calls})
            store = site.store()
            with watching(site, store) as watched:
                batch_id = site.upload(people.path)["batch_id"]
                wait.until(lambda: is_completed(store, batch_id), seconds=3 * talk + calls / 5, what=batch_id)
            return report(name, site, store, batch_id, watched)


def call_of(talk: float, dice: random.Random) -> dict[str, object]:
    """A call of at least `talk` seconds, and up to twice as long: people do not hang up all together."""
    seconds = round(dice.uniform(talk, 2 * talk), 1)
    return {"outcome": "promise", "ring_s": 0.5, "talk_s": seconds, "analysis_s": 0.1}


def is_completed(store: Store, batch_id: str) -> bool:
    """Whether every job of the batch is final."""
    sums = store.tallies.read(batch_id)
    return sums.total == sums.final


@contextmanager
def watching(site: Site, store: Store) -> Iterator[Watched]:
    """Look at memory and CPU of the parts every second, while most of the calls are in flight."""
    watched, over = Watched(), threading.Event()
    processes = {part: psutil.Process(site.stack.supervisor.pid(part)) for part in PARTS}

    def look() -> None:
        before, at = None, 0.0
        while not over.wait(1):
            for part, process in processes.items():
                watched.memory[part] = max(watched.memory.get(part, 0), process.memory_info().rss)
            times = [process.cpu_times() for process in processes.values()]
            used, now = sum(one.user + one.system for one in times), time.monotonic()
            if before is not None:
                watched.cpu_seconds += used - before
                watched.call_seconds += store.attempts.live_count() * (now - at)
            before, at = used, now

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        over.set()
        thread.join()


def report(name: str, site: Site, store: Store, batch_id: str, watched: Watched) -> int:
    """What the ledger and the books say."""
    ledger = site.whole_ledger()
    ended = {
        call["metadata"]["attempt_id"]: datetime.fromtimestamp(call["ended_at"], UTC)
        for call in ledger["calls"]
        if call["metadata"].get("batch_id") == batch_id
    }
    attempts = list(store.attempts.export(batch_id))
    late = sorted(
        (attempt["settled_at"] - ended[attempt["_id"]]).total_seconds()
        for attempt in attempts
        if attempt["settled_at"] and attempt["_id"] in ended
    )
    lost = len(ended) - len(late)
    memory = {part: most / 1e6 for part, most in watched.memory.items()}
    asked = sum(ledger["requests"].values()) / len(ended)
    print(
        f"{name}: {len(ended)} calls, {ledger['max_concurrent']} at once; "
        + ", ".join(f"{part} {most:.0f} MB" for part, most in memory.items())
        + f" (goal {MEMORY} together); lost {lost}; results late p50 {late[len(late) // 2]:.1f} s, "
        f"most {late[-1]:.1f} s (goal {INTERVAL:g} and {SLACK:g}); "
        f"{1e6 * watched.cpu_seconds / watched.call_seconds:.0f} µs of CPU per call and second; "
        f"{asked:.1f} requests per call",
        flush=True,
    )
    well = sum(memory.values()) < MEMORY and lost == 0 and late[-1] <= INTERVAL + SLACK
    return int(not well)


if __name__ == "__main__":
    sys.exit(
        main(
            int(sys.argv[1]) if sys.argv[1:] else CALLS,
            float(sys.argv[2]) if sys.argv[2:] else TALK,
        )
    )
