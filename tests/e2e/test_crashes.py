"""Processes die at every named step of a call, messages and replies are lost, and nobody is harmed.

The simulator's ledger is the judge, and it ignores idempotency keys: whatever is posted twice rings twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from speechai.failpoints import PLACES
from speechai.stack import wait
from speechai.stack.stack import Stack
from tests.e2e.site import FAST, SIMULATOR, Site, invariants_hold, write_people

HEALED = (
    240  # seconds for a batch with crashes: the lease, two looks at the list, the minute before a re-post
)


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
    }
    faults = ["--fault", "ignore_idempotency=1", "--fault", "list_lag_s=3", "--fault", "lost_reply=0.05"]
    with Stack(environment=environment, simulator=[*SIMULATOR, *faults]) as stack:
        stack.wait_ready()
        yield Site(stack)


def test_a_crash_at_every_step_of_a_call(rough: Site, failpoints: Path, tmp_path):
    rough.simulator("faults", {"webhook_loss": 1})  # so that what is unknown must be looked for
    places = [place for place in PLACES if place != "wave_begun"]
    for place in places:
        (failpoints / place).touch()
    batch_id = rough.upload(write_people(tmp_path, 30).path)["batch_id"]
    rough.completed(batch_id, HEALED)
    assert [place.name for place in failpoints.iterdir()] == [], "steps that nobody came by"
    rough.simulator("faults", {"webhook_loss": 0.3, "webhook_duplicate": 0.3})
    invariants_hold(rough, batch_id)


def test_a_crash_in_the_middle_of_a_wave(rough: Site, failpoints: Path, tmp_path):
    batch_id = rough.upload(write_people(tmp_path, 8).path, start="next_wave")["batch_id"]
    (failpoints / "wave_begun").touch()
    day = rough.today()
    rough.celery("call", "tasks.waves.run_wave", "--args", f'["{batch_id}", "{day}", "09:00"]')
    wait.until(lambda: len(rough.ledger(batch_id)) >= 8, seconds=120, what="the rest of the wave")
    rough.post(f"/api/batches/{batch_id}/cancel")
    wait.until(
        lambda: rough.counts(batch_id)["in_progress"] == 0, seconds=HEALED, what="the end of the calls"
    )
    assert not list(failpoints.iterdir())
    invariants_hold(rough, batch_id)


@pytest.mark.parametrize("victims", [("valkey",), ("mongod",), ("beat", "web", "worker", "poller")])
def test_servers_and_parts_are_killed_in_the_middle_of_a_batch(rough: Site, tmp_path, victims):
    batch_id = rough.upload(write_people(tmp_path, 25).path)["batch_id"]
    wait.until(lambda: len(rough.ledger(batch_id)) >= 6, seconds=30, what="the first calls")
    for victim in victims:
        rough.kill(victim)
    wait.until(rough.is_well, seconds=60, what="the stack after the kill")
    rough.completed(batch_id, HEALED)
    invariants_hold(rough, batch_id)


def test_the_broker_forgets_everything(rough: Site, tmp_path):
    batch_id = rough.upload(write_people(tmp_path, 25).path)["batch_id"]
    wait.until(lambda: len(rough.ledger(batch_id)) >= 6, seconds=30, what="the first calls")
    with redis.Redis.from_url(rough.stack.environment["REDIS_URL"]) as broker:
        broker.flushall()
    rough.completed(batch_id, HEALED)
    invariants_hold(rough, batch_id)
