"""Everything dies again and again while people are called: `python bench/chaos.py [seed] [minutes]`.

Real processes on the embedded stack. The simulator loses replies, fails with 5xx, loses, delays and repeats
webhooks, lists calls late and ignores idempotency keys; meanwhile parts and servers are killed at random,
processes die at the failpoints of a call, and the broker is flushed. The simulator's ledger is the judge:
rings per attempt, per person and day, calls at once, and every job final or scheduled. 1 if anything was
violated.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import redis
from redis.exceptions import RedisError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.failpoints import PLACES  # noqa: E402 - this script runs from a checkout as it is
from speechai.stack import keeper, wait  # noqa: E402
from speechai.stack.errors import StackError  # noqa: E402
from speechai.stack.stack import Stack  # noqa: E402
from tests.e2e.site import FAST, SIMULATOR, Site, violations, write_people  # noqa: E402

VICTIMS = ("worker", "poller", "beat", "web", "mongod", "valkey")
FAULTS = {
    "ignore_idempotency": 1,
    "list_lag_s": 3,
    "lost_reply": 0.03,
    "create_500": 0.03,
    "create_500_created": 0.03,
    "create_429": 0.03,
    "read_500": 0.05,
    "webhook_loss": 0.2,
    "webhook_duplicate": 0.2,
    "webhook_late": 0.1,
    "webhook_reorder": 0.1,
    "unknown_enum": 0.01,
}
PEOPLE = 100  # of a batch
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
            site.simulator("faults", FAULTS)
            batches = [site.upload(write_people(Path(directory), PEOPLE).path)["batch_id"]]
            ends = time.monotonic() + 60 * minutes
            while time.monotonic() < ends:
                time.sleep(dice.uniform(0.5, 4))
                done[harm(site, failpoints, dice)] += 1
                if site.status(batches[-1]) == "completed":
                    wait.until(site.is_well, seconds=120, what="the stack, for the next batch,")
                    batches.append(site.upload(write_people(Path(directory), PEOPLE).path)["batch_id"])
            unreached = [place.unlink() for place in failpoints.iterdir()]
            found = calm(site, batches)
            rings = sum(len(site.ledger(batch_id)) for batch_id in batches)
    kills = sum(done[victim] for victim in VICTIMS)
    deaths = sum(done[place] for place in PLACES) - len(unreached)
    print(
        f"seed {seed}, {minutes:g} minutes: {PEOPLE * len(batches)} contacts, {rings} calls; {kills} kills, "
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


def calm(site: Site, batches: list[str]) -> list[str]:
    """Let everything come to rest. Returns what is violated then."""
    found = []
    wait.until(site.is_well, seconds=120, what="the stack, when nothing is killed any more,")
    for batch_id in batches:
        try:
            wait.until(lambda b=batch_id: site.status(b) == "completed", seconds=CALM, what=batch_id)
        except StackError as error:
            found.append(f"I4: {error}: {site.counts(batch_id)}")
        found += violations(site, batch_id)
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 1, float(sys.argv[2]) if sys.argv[2:] else 5))
