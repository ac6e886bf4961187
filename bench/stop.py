"""How long after the kill switch a call may still begin: `python bench/stop.py`.

Twenty slots are kept busy with short calls. Again and again everything is stopped over the API; the
simulator's ledger says when the last call began after that. The bound that holds in any case is the age that
a verdict may have (5 s) and the time-out of the request (20 s); this measures what it is in practice.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.stack import wait  # noqa: E402 - this script runs from a checkout as it is
from speechai.stack.stack import Stack  # noqa: E402
from tests.e2e.site import FAST, Site, write_people  # noqa: E402

TIMES, SLOTS, PEOPLE = 10, 20, 1_000
GOAL = 1.0  # seconds
SCRIPT = {"*": [{"outcome": "promise", "ring_s": 0.2, "talk_s": 0.6, "analysis_s": 0.1}]}


def main() -> int:
    """Print the longest time. 1 if the goal was missed."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **FAST,
            "SPEECHAI_HOME": directory,
            "MAX_CONCURRENT_CALLS": str(SLOTS),
            "CALLS_PER_SECOND": "1000",
            "MAX_ATTEMPTS": "1",
            "DAILY_CONTACTS": str(PEOPLE),
            "LOG_LEVEL": "WARNING",
        }
        with Stack(environment=environment, simulator=["--speed", "1"]) as stack:
            stack.wait_ready()
            site = Site(stack)
            site.simulator("script", SCRIPT)
            batch_id = site.upload(write_people(Path(directory), PEOPLE).path)["batch_id"]
            after, answered = [], []
            for _ in range(TIMES):
                known = len(site.ledger(batch_id))
                wait.until(partial(site.has_rung, batch_id, known + SLOTS), seconds=60, what="calls")
                asked_at = time.time()
                site.post("/api/stop")
                answered.append(time.time() - asked_at)
                wait.until(lambda: is_quiet(site), seconds=60, what="the end of the last call")
                after.append(max(call["created_at"] for call in site.ledger(batch_id)) - asked_at)
                site.post("/api/resume")
    longest = max(after)
    print(
        f"{TIMES} stops with {SLOTS} slots busy: the last call began {1000 * longest:.0f} ms after the stop "
        f"was asked for (goal {1000 * GOAL:.0f}); the answer took {1000 * max(answered):.0f} ms at most"
    )
    return int(longest > GOAL)


def is_quiet(site: Site) -> bool:
    """Whether nobody is being called any more, nor about to be."""
    return bool(site.get("/api/stop")["live_calls"] == 0)


if __name__ == "__main__":
    sys.exit(main())
