"""Processes die at every named step of a call, messages and replies are lost, and nobody is harmed.

The simulator's ledger is the judge, and it ignores idempotency keys: whatever is posted twice rings twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import redis

from speechai.clock import monotonic
from speechai.failpoints import PLACES
from speechai.stack import keeper, wait
from speechai.stack.stack import Stack
from tests.e2e import judge
from tests.e2e.site import FAST, SIMULATOR, Site, invariants_hold, write_people

HEALED = 240  # seconds for a batch in which every step was once the last of a process
RECOVERY = int(FAST["LEASE_SECONDS"]) + 60  # seconds from a death to the end of what it left behind


@pytest.fixture(scope="module")
def failpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("failpoints")


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory, failpoints: Path) -> Iterator[Site]:
    """A stack that dies on demand, with a provider that rings for every request it gets and lists late."""
    environment = {
        **FAST,
        "SPEECHAI_HOME": str(tmp_path_factory.mktemp("rough")),
        "SPEECHAI_FAILPOINTS": str(failpoints),
        "WAVE_TIMES": "23:00",
        "MAX_ATTEMPTS": "1",
    }
    faults = ["--fault", "ignore_idempotency=1", "--fault", "list_lag_s=3", "--fault", "lost_reply=0.05"]
    with pytest.MonkeyPatch.context() as patch:
        # A dozen deaths within minutes are this test's doing: pauses of up to 30 s would only take time.
        patch.setattr(keeper, "LONGEST_PAUSE", 1.0)
        with Stack(environment=environment, simulator=[*SIMULATOR, *faults]) as stack:
            stack.wait_ready()
            yield Site(stack)


def test_a_crash_at_every_step_of_a_wave_and_its_calls(rough: Site, failpoints: Path, tmp_path):
    rough.simulator("faults", {"webhook_loss": 1})  # so that what is unknown must be looked for
    batch_id = rough.upload(write_people(tmp_path, 20).path, start="next_wave")["batch_id"]
    for place in PLACES:
        (failpoints / place).touch()
    arguments = json.dumps([batch_id, rough.today(), "09:00"])
    rough.celery("call", "tasks.waves.run_wave", "--args", arguments)
    wait.until(partial(judge.is_at_rest, rough, batch_id), seconds=HEALED, what=batch_id)
    # Where both posts of one attempt died on their way, nobody can tell for 50 minutes whether it rang.
    assert len(judge.undecided(rough, batch_id)) <= 1
    missed = {place.name for place in failpoints.iterdir()}
    # Whether news come late is the provider's luck; `test_late_news` dies there for certain.
    assert missed <= {"news_kept"}, "steps that nobody came by"
    for place in failpoints.iterdir():
        place.unlink()
    invariants_hold(rough, batch_id)


@pytest.mark.parametrize(
    "victims", [["mongod"], ["worker", "poller", "beat", "web"], ["valkey"]], ids="+".join
)
def test_the_calls_of_what_is_killed_are_made_up_for_in_time(rough: Site, tmp_path, victims):
    batch_id, in_flight = calls_in_flight(rough, tmp_path)
    killed_at = monotonic()
    before = {victim: rough.kill(victim) for victim in victims}
    wait.until(partial(rough.has_recovered, before), seconds=60, what=f"the stack without {victims}")
    wait.until(partial(rough.are_final, in_flight), seconds=RECOVERY, what=f"the calls of {victims}")
    assert monotonic() - killed_at < RECOVERY
    rough.completed(batch_id, HEALED)
    invariants_hold(rough, batch_id)


def test_the_broker_forgets_everything_and_nobody_is_forgotten(rough: Site, tmp_path):
    batch_id, _ = calls_in_flight(rough, tmp_path)
    with redis.Redis.from_url(rough.stack.environment["REDIS_URL"]) as broker:
        broker.flushall()
    rough.completed(batch_id, HEALED)
    invariants_hold(rough, batch_id)


def calls_in_flight(rough: Site, directory: Path) -> tuple[str, list[str]]:
    """A batch some of whose calls are in flight, and their attempts."""
    rough.simulator("faults", {"webhook_loss": 0.3, "webhook_duplicate": 0.3})
    # Four seconds at the simulator's speed: none ends while we look.
    rough.simulator("script", {"*": [{"outcome": "promise", "talk_s": 240}]})
    batch_id = rough.upload(write_people(directory, 16).path)["batch_id"]
    wait.until(partial(rough.has_rung, batch_id, 6), seconds=120, what="six calls")
    in_flight = rough.open_attempts(batch_id)
    assert in_flight
    return batch_id, in_flight
