"""Random histories of one contact: messages late, twice and lost, webhooks, sweeps, clock jumps, deaths.

Whatever happens, in any order, it ends in the same state, and the provider has rung once. The provider here
rings for every request it gets: it knows no idempotency keys.
"""

from __future__ import annotations

import contextlib
import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechai import failpoints
from speechai.core.states import AttemptState, BatchState
from speechai.operation.calling import webhooks
from speechai.operation.recovery import sweep
from speechai.retell.errors import Throttled, UnknownResult
from tests.fakes import ENDS, FakeProvider, Worker, make_services
from tests.integration.operation.conftest import add_batch, job_id, phone
from tests.integration.store.summed import is_counted

LONGEST = timedelta(minutes=30)
PLACES = [place for place in failpoints.PLACES if not place.startswith("wave")]


class DiedError(BaseException):
    """The process ended here. Not an Exception: nothing in the product may catch it."""


EVENTS = st.one_of(
    st.tuples(st.sampled_from(["deliver", "twice", "lose"]), st.integers(0, 3)),
    st.tuples(st.just("webhook"), st.sampled_from(["call_started", "call_ended", "call_analyzed"])),
    st.tuples(st.just("die at"), st.sampled_from(PLACES)),
    st.tuples(st.just("sweep"), st.just(0)),
    st.tuples(st.just("later"), st.integers(1, 90)),
    st.tuples(st.just("clock jumps"), st.integers(-3600, 3600)),
    st.tuples(st.just("leases end"), st.just(0)),
    st.tuples(st.just("reply lost"), st.just(0)),
    st.tuples(st.just("not sent"), st.just(0)),
    st.tuples(st.just("provider full"), st.just(0)),
)


class History:
    """One contact on the real mongod, and everything that may happen to it."""

    def __init__(self, mongo_uri: str, database: str, directory: Path, outcome: str) -> None:
        # A refused re-post ends otherwise, for a person to see: `test_reposts` is about those.
        self.provider = FakeProvider(default=outcome, takes_reposts=True)
        self.services = make_services(mongo_uri, database, provider=self.provider, max_attempts=1)
        assert isinstance(self.services.nudges, Worker)
        self.worker = self.services.nudges
        self.directory = directory
        for armed in directory.iterdir():
            armed.unlink()
        self.latest = self.began = self.services.clock.now()
        for name in self.services.store.db.list_collection_names():
            if name not in ("accounts", "pacing") and not name.startswith("system."):
                self.services.store.db[name].delete_many({})
        self.services.store.db["pacing"].update_many({}, {"$set": {"used": 0, "used_by": {}, "open": {}}})
        self._survive(lambda: add_batch(self.services, max_attempts=1))

    def happen(self, what: str, which: int | str) -> None:
        inbox = self.worker.inbox
        if what in ("deliver", "twice", "lose") and inbox:
            inbox.rotate(-(int(which) % len(inbox)))  # in any order
            if what == "twice":
                inbox.append(inbox[0])
            if what == "lose":
                inbox.popleft()
            else:
                self._survive(self._deliver)
        elif what == "webhook" and self.provider.rings:
            self._survive(lambda: self._webhook(str(which)))
        elif what == "die at":
            (self.directory / str(which)).touch()
        elif what == "sweep":
            self._survive(lambda: sweep(self.services))
        elif what in ("later", "clock jumps"):
            # Beyond 50 minutes nothing may be posted again: another ending, for a person to see.
            seconds = min(int(which), (self.began + LONGEST - self.services.clock.now()).total_seconds())
            self.services.clock.advance(timedelta(seconds=seconds))
            self.latest = max(self.latest, self.services.clock.now())
        elif what == "leases end":
            self._end_leases()
        elif what == "reply lost":
            self.provider.lose_replies.append(UnknownResult("read timed out"))
        elif what == "not sent":
            self.provider.fail_creates.append(UnknownResult("500"))
        elif what == "provider full":
            self.provider.fail_creates.append(Throttled("full", status=429))

    def come_to_rest(self) -> None:
        """Nothing more goes wrong but the deaths to come: time passes, Beat sweeps, messages arrive."""
        self.provider.fail_creates.clear()
        self.provider.lose_replies.clear()
        self.services.clock.advance(max(timedelta(0), self.latest - self.services.clock.now()))
        for _ in range(30):
            self.services.clock.advance(timedelta(seconds=45))
            self._end_leases()
            self._survive(lambda: sweep(self.services))
            self._survive(self.worker.run)
            job = self.services.store.jobs.get(job_id())
            assert job is not None
            if job.status.is_final and self._is_at_rest():
                return
        raise AssertionError(f"it does not come to rest: {self.services.store.jobs.document(job_id())}")

    def _is_at_rest(self) -> bool:
        """Whether nothing is left to heal."""
        slots = self.services.store.pacing.slots(self.services.settings.provider_key, 20)
        batch = self.services.store.batches.get("batch-1")
        return slots.used == 0 and batch is not None and batch.status is BatchState.COMPLETED

    def state(self) -> dict[str, object]:
        """What it came to, without times and ids."""
        store, provider_key = self.services.store, self.services.settings.provider_key
        job = store.jobs.document(job_id()) or {}
        attempts = store.attempts.of_job(job_id())
        return {
            "job": [job[name] for name in ("status", "reason", "attempts", "is_calling", "attempt_id")],
            "outcome": job["last_outcome"],
            "cost": str(job["cost_cents"]),
            "promised": job.get("monto_pago_cliente"),
            "success": job["call_result"]["success"],
            "batch": store.batches.get(job["batch_id"]).status.value,
            "settled": [attempt.outcome for attempt in attempts if attempt.status is AttemptState.SETTLED],
            "open": [attempt.id for attempt in attempts if not attempt.status.is_final],
            "slots": store.pacing.slots(provider_key, 20).used,
        }

    def _survive(self, work) -> None:
        with contextlib.suppress(DiedError):  # another process goes on, with what is on record
            work()

    def _deliver(self) -> None:
        name, args, delay = self.worker.inbox.popleft()
        self.services.clock.advance(timedelta(seconds=delay))
        getattr(self.worker, f"_{name}")(*args)

    def _webhook(self, event: str) -> None:
        call = self.provider.rings[-1]
        end = dict(ENDS[call["scripted"]])
        if event == "call_started":
            end = {"call_status": "ongoing"}
        elif event == "call_ended":
            end.pop("call_analysis", None)
        webhooks.receive(self.services, event, {**call, **end})

    def _end_leases(self) -> None:
        for attempt in self.services.store.attempts.of_job(job_id()):
            self.services.store.attempts.extend_lease(attempt.id, -1)
        self.services.store.db["pacing"].update_many({}, [{"$set": {"open": _long_held()}}])
        self.services.store.db["call_jobs"].update_many(
            {"released_until": {"$type": "date"}}, {"$set": {"released_until": None}}
        )


def _long_held() -> dict[str, object]:
    """Every slot held since long ago, by the database's clock."""
    since = {"$subtract": ["$$NOW", 1000 * 3600]}
    held = {"k": "$$slot.k", "v": {"$mergeObjects": ["$$slot.v", {"since": since}]}}
    return {
        "$arrayToObject": {"$map": {"input": {"$objectToArray": "$open"}, "as": "slot", "in": held}},
    }


@pytest.fixture
def deaths(tmp_path, monkeypatch):
    """Failpoints end the test's process by an exception that nothing catches."""
    directory = tmp_path / "failpoints"
    directory.mkdir()

    def die(_code: int) -> None:
        raise DiedError

    monkeypatch.setattr(failpoints, "_DIRECTORY", str(directory))
    monkeypatch.setattr(os, "_exit", die)
    return directory


class Judge:
    """What every history of an outcome must come to: what an undisturbed one came to."""

    def __init__(self, mongo_uri: str, database: str, deaths: Path, outcome: str) -> None:
        self.make = lambda: History(mongo_uri, database, deaths, outcome)
        quiet = self.make()
        quiet.come_to_rest()
        self.expected = quiet.state()
        assert self.expected["open"] == [] and self.expected["slots"] == 0

    def judge(self, events) -> None:
        history = self.make()
        for what, which in events:
            history.happen(what, which)
            assert is_counted(history.services.store)
        history.come_to_rest()
        assert is_counted(history.services.store)
        assert history.state() == self.expected
        assert [call["to_number"] for call in history.provider.rings] == [phone(1)]  # I1


@pytest.mark.parametrize("outcome", ["promise", "no_answer", "voicemail", "unheard_of"])
def test_every_history_ends_in_the_same_state(mongo_uri, database, deaths, outcome):
    judge = Judge(mongo_uri, database, deaths, outcome)

    @settings(max_examples=20)
    @given(st.lists(EVENTS, max_size=25))
    def any_history(events):
        judge.judge(events)

    any_history()


def test_a_death_at_any_step_changes_nothing(mongo_uri, database, deaths):
    judge = Judge(mongo_uri, database, deaths, "promise")
    for place in PLACES:
        judge.judge([("die at", place), ("reply lost", 0)])
        judge.judge([("die at", place)])
