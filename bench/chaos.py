"""Everything dies again and again while people are called: `python bench/chaos.py [seed] [minutes]`.

Real processes on the embedded stack. The simulator loses replies, fails with 5xx, refuses re-posts of calls
that ring, fails and hangs lookups, analyses late, charges later, loses, delays and repeats webhooks, lists
calls late and ignores idempotency keys; meanwhile parts and servers are killed at random, processes die at
the failpoints of a call, and the broker is flushed. The simulator's ledger is the judge, with the books and
the logs: I1 to I9 as far as they show from outside (`tests/e2e/judge.py`). 1 if anything was violated.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import redis
import requests
from redis.exceptions import RedisError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.failpoints import PLACES  # noqa: E402 - this script runs from a checkout as it is
from speechai.retell.simulator.outcomes import USUAL_MIX  # noqa: E402
from speechai.stack import keeper, wait  # noqa: E402
from speechai.stack.errors import StackError  # noqa: E402
from speechai.stack.stack import Stack  # noqa: E402
from tests.e2e import judge  # noqa: E402
from tests.e2e.site import FAST, SIMULATOR, ZONE, Site, violations, write_people  # noqa: E402

VICTIMS = ("worker", "poller", "beat", "web", "mongod", "valkey")
FAULTS = {
    "ignore_idempotency": 1,
    "list_lag_s": 3,
    "lost_reply": 0.03,
    "create_500": 0.03,
    "create_500_created": 0.03,
    "create_429": 0.03,
    "create_401": 0.003,
    "create_402": 0.003,
    "repost_400": 0.1,
    "repost_401": 0.1,
    "repost_402": 0.1,
    "repost_429": 0.2,
    "repost_unreachable": 0.2,
    "unreachable_s": 1,
    "read_500": 0.05,
    "get_500": 0.1,
    "get_401": 0.02,
    "get_hangs": 0.02,
    "list_500": 0.1,
    "list_401": 0.02,
    "list_hangs": 0.02,
    "hang_s": 12,  # longer than a read waits for its answer
    "analysis_late": 0.1,
    "analysis_late_s": 40,  # longer than an analysis is waited for
    "cost_grows": 0.1,
    "cost_grows_s": 20,
    "webhook_loss": 0.2,
    "webhook_duplicate": 0.2,
    "webhook_late": 0.1,
    "webhook_reorder": 0.1,
    "unknown_enum": 0.01,
}
MIX = {
    **USUAL_MIX,
    "opted_out": 4,
    "late_opted_out": 3,
    "late_wrong_person": 2,
    "late_callback": 2,
    "user_callback": 2,
    "credit_exhausted": 0.5,
    "no_payment_in_call": 0.3,
    "concurrency_in_call": 1,
}
PEOPLE = 100  # of a batch
HOWS = ("500", "401", "hangs")  # lookups fail; not any more once all shall come to rest
CALM = 600  # seconds for the last calls to end and be settled, once nothing is killed any more


def main(seed: int, minutes: float) -> int:
    """Run, and print what was done and what was violated."""
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    keeper.LONGEST_PAUSE = 2.0  # so many deaths are this program's doing
    with tempfile.TemporaryDirectory() as directory:
        failpoints = Path(directory) / "failpoints"
        failpoints.mkdir()
        environment = {
            **FAST,
            "SPEECHAI_HOME": f"{directory}/home",
            "SPEECHAI_FAILPOINTS": str(failpoints),
            "WAVE_TIMES": "23:59",
            "DAILY_CONTACTS": str(PEOPLE),
        }
        with Stack(environment=environment, simulator=[*SIMULATOR, "--seed", str(seed)]) as stack:
            stack.wait_ready()
            site = Site(stack)
            site.simulator("mix", MIX)
            site.simulator("faults", FAULTS)
            on_account(site)
            closed = site.upload(write_people(Path(directory), 10).path, weekdays=other_days())["batch_id"]
            uploads = [site.upload(write_people(Path(directory), PEOPLE).path)]
            ends = time.monotonic() + 60 * minutes
            while time.monotonic() < ends:
                time.sleep(dice.uniform(0.5, 4))
                done[harm(site, failpoints, dice)] += 1
                if is_nearly_over(site, uploads[-1]["batch_id"]):
                    wait.until(site.is_well, seconds=120, what="the stack, for the next batch,")
                    uploads.append(site.upload(write_people(Path(directory), PEOPLE).path))
            unreached = list(failpoints.iterdir())
            for place in unreached:
                place.unlink()
            found = calm(site, uploads) + judge.closed(site, closed) + judge.secrets(site)
            rings = sum(len(site.ledger(upload["batch_id"])) for upload in uploads)
    kills = sum(done[victim] for victim in VICTIMS)
    deaths = sum(done[place] for place in PLACES) - len(unreached)
    print(
        f"seed {seed}, {minutes:g} minutes: {PEOPLE * len(uploads)} contacts, {rings} calls; {kills} kills, "
        f"{deaths} deaths at failpoints, {done['flush']} flushes; violations {len(found)}"
    )
    for violation in found:
        print("  " + violation)
    return int(bool(found))


def harm(site: Site, failpoints: Path, dice: random.Random) -> str:
    """Do one of the things that go wrong. Returns its name."""
    what = dice.choices(["kill", "failpoint", "flush"], weights=[5, 5, 1])[0]
    if what == "failpoint":
        place = dice.choice(PLACES)
        if (failpoints / place).exists():
            return "armed already"
        (failpoints / place).touch()
        return place
    if what == "flush":
        try:
            with redis.Redis.from_url(site.stack.environment["REDIS_URL"]) as broker:
                broker.flushall()
        except RedisError:
            return "flush of a dead broker"
        return "flush"
    victim = dice.choice(VICTIMS)
    if site.stack.supervisor.pid(victim):
        site.kill(victim)
    return victim


def on_account(site: Site) -> None:
    """Every call is paid from a balance that lasts: what is held and what is charged can be compared."""
    answer = site.request("PATCH", "/api/accounts/default", json={"plan": "credit_based"})
    if answer.status_code != 200:
        raise StackError(f"the account cannot be changed: {answer.text}")
    site.post("/api/accounts/default/topup", {"cents": 100_000_000, "reference": "chaos"})


def other_days() -> str:
    """Every weekday but yesterday's, today's and tomorrow's, as an upload says it."""
    today = datetime.now(ZONE).isoweekday()
    near = {(today + shift - 1) % 7 + 1 for shift in (-1, 0, 1)}
    return ",".join(str(day) for day in range(1, 8) if day not in near)


def is_nearly_over(site: Site, batch_id: str) -> bool:
    """Whether there are lines for another batch. False while the web or its database is away."""
    try:
        answer = site.request("GET", f"/api/batches/{batch_id}")
    except requests.ConnectionError:
        return False
    if answer.status_code != 200:
        return False
    counts = answer.json()["counts"]
    return bool(counts["done"] + counts["failed"] > 0.9 * PEOPLE)


def is_at_rest(site: Site, batch_id: str) -> bool:
    """Whether nothing more will come of the batch soon. Who asked for a later hour is called now."""
    now = datetime.now(UTC)
    for job in site.get("/api/jobs", batch_id=batch_id, status="pending", limit=500)["items"]:
        if job["waiting_for"] == "hour" and datetime.fromisoformat(job["next_attempt_at"]) > now:
            site.request("POST", f"/api/jobs/{job['job_id']}/retry")  # refused where it moved meanwhile
    return judge.is_at_rest(site, batch_id)


def calm(site: Site, uploads: list[dict[str, Any]]) -> list[str]:
    """Let everything come to rest. Returns what is violated then."""
    found = []
    wait.until(site.is_well, seconds=120, what="the stack, when nothing is killed any more,")
    site.simulator(
        "faults", dict.fromkeys((*(f"get_{how}" for how in HOWS), *(f"list_{how}" for how in HOWS)), 0)
    )
    for upload in uploads:
        batch_id = upload["batch_id"]
        try:
            wait.until(partial(is_at_rest, site, batch_id), seconds=CALM, what=batch_id)
        except StackError as error:
            found.append(f"I4: {error}: {site.counts(batch_id)}")
        found += violations(site, batch_id) + judge.judged(site, upload)
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 1, float(sys.argv[2]) if sys.argv[2:] else 5))
