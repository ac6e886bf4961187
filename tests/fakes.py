"""Hand-written parts for tests: a provider with a script, and a worker that runs in the test's own thread."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from speechai.catalog.accounts import Account, Plan
from speechai.clock import ManualClock
from speechai.operation.calling import dialing, dispatching, following, reconciling, settling, waves
from speechai.operation.calling.following import Next
from speechai.operation.calling.placing import DialResult
from speechai.operation.calling.unwinding import LOOK_FOR_AFTER
from speechai.operation.services import Services
from speechai.retell.client import CallRequest
from speechai.retell.errors import NotFound
from speechai.settings import Settings
from speechai.store import Store, connect, open_store
from tests.builders import MONDAY_NOON

ENDS: dict[str, dict[str, Any]] = {
    "promise": {
        "call_status": "ended",
        "disconnection_reason": "agent_hangup",
        "duration_ms": 60_000,
        "transcript": "Agent: Buenos días\nUser: Pago el viernes\n",
        "call_cost": {"combined_cost": 15.37},
        "call_analysis": {
            "call_successful": True,
            "custom_analysis_data": {"fecha_pago_cliente": "2026-11-27", "monto_pago_cliente": "104050"},
        },
    },
    "no_agreement": {
        "call_status": "ended",
        "disconnection_reason": "user_hangup",
        "duration_ms": 30_000,
        "call_cost": {"combined_cost": 8.5},
        "call_analysis": {"call_successful": False},
    },
    "not_analysed": {"call_status": "ended", "disconnection_reason": "user_hangup", "duration_ms": 30_000},
    "callback": {
        "call_status": "ended",
        "disconnection_reason": "user_hangup",
        "call_analysis": {"custom_analysis_data": {"solicita_callback": "true"}},
    },
    "opted_out": {
        "call_status": "ended",
        "disconnection_reason": "user_hangup",
        "call_analysis": {"custom_analysis_data": {"opt_out": "true"}},
    },
    "no_answer": {"call_status": "not_connected", "disconnection_reason": "dial_no_answer"},
    "invalid": {"call_status": "not_connected", "disconnection_reason": "invalid_destination"},
    "voicemail": {
        "call_status": "ended",
        "disconnection_reason": "voicemail_reached",
        "call_cost": {"combined_cost": 2},
    },
    "failure": {"call_status": "not_connected", "disconnection_reason": "dial_failed"},
    "full": {"call_status": "error", "disconnection_reason": "concurrency_limit_reached"},
    "no_money": {"call_status": "error", "disconnection_reason": "no_valid_payment"},
    "unheard_of": {"call_status": "ended", "disconnection_reason": "mercury_retrograde"},
}


@dataclass
class FakeProvider:
    """Answers by a script per number; keeps a ledger of every ring, as the judge of a test."""

    script: dict[str, list[str]] = field(default_factory=dict)
    default: str = "no_answer"
    lasts: int = 0  # how many looks a call stays ongoing
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[CallRequest] = field(default_factory=list)
    fail_creates: deque[Exception] = field(default_factory=deque)
    lose_replies: deque[Exception] = field(default_factory=deque)  # the call exists, the answer is lost
    stopped: list[str] = field(default_factory=list)
    list_lag: bool = False
    takes_reposts: bool = False  # `fail_creates` is kept for first posts
    concurrency: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._dials: dict[str, int] = defaultdict(int)
        self._looks: dict[str, int] = defaultdict(int)

    @property
    def rings(self) -> list[dict[str, Any]]:
        """Every call that was made, in order."""
        return list(self.calls.values())

    def create_phone_call(self, request: CallRequest) -> dict[str, Any]:
        is_repost = any(past.attempt_id == request.attempt_id for past in self.requests)
        self.requests.append(request)
        if self.fail_creates and not (is_repost and self.takes_reposts):
            raise self.fail_creates.popleft()
        call_id = f"call_{next(self._numbers)}"
        body = request.to_body()
        call = {
            "call_id": call_id,
            "call_status": "registered",
            "to_number": request.to_number,
            "from_number": request.from_number,
            "metadata": body["metadata"],
        }
        script = self.script.get(request.to_number, [self.default])
        outcome = script[min(self._dials[request.to_number], len(script) - 1)]
        self._dials[request.to_number] += 1
        self.calls[call_id] = {**call, "scripted": outcome}
        if self.lose_replies:
            raise self.lose_replies.popleft()
        return call

    def get_call(self, call_id: str) -> dict[str, Any]:
        call = self.calls.get(call_id)
        if call is None:
            raise NotFound("no such call", status=404)
        self._looks[call_id] += 1
        if call["scripted"] == "never_ends" or self._looks[call_id] <= self.lasts:
            return {**call, "call_status": "ongoing"}
        return {**call, **ENDS[call["scripted"]]}

    def find_by_attempt(self, attempt_id: str) -> list[dict[str, Any]]:
        if self.list_lag:
            return []
        return [call for call in self.rings if call["metadata"]["attempt_id"] == attempt_id]

    def get_calls(self, call_ids: Sequence[str]) -> list[dict[str, Any]]:
        return [self.get_call(call_id) for call_id in call_ids if call_id in self.calls]

    def get_concurrency(self) -> dict[str, Any]:
        return self.concurrency

    def stop_call(self, call_id: str) -> None:
        self.stopped.append(call_id)


class FreePace:
    """No limit of calls per second."""

    def wait(self, from_number: str, per_second: float | None = None) -> float:
        return 0


class Worker:
    """Takes the nudges and does what the Celery tasks do, one at a time, on a manual clock.

    `lost` messages are dropped; `twice` delivers each message two times.
    """

    def __init__(self) -> None:
        self.inbox: deque[tuple[str, tuple[Any, ...], float]] = deque()
        self.services: Services | None = None
        self.lost = False
        self.twice = False

    def call_contact(self, job_id: str, delay: float = 0) -> None:
        self._put("call_contact", (job_id,), delay)

    def follow(self, attempt_id: str, poll_token: str, delay: float) -> None:
        self._put("poll_call", (attempt_id, poll_token), delay)

    def persist_result(self, attempt_id: str) -> None:
        self._put("persist_result", (attempt_id,), 0)

    def reconcile(self, attempt_id: str, delay: float) -> None:
        self._put("reconcile", (attempt_id,), delay)

    def dispatch(self, delay: float = 0) -> None:
        self._put("dispatch", (), delay)

    def _put(self, name: str, args: tuple[Any, ...], delay: float) -> None:
        if not self.lost:
            self.inbox.extend([(name, args, delay)] * (2 if self.twice else 1))

    def run(self, limit: int = 10_000, *, before: str | None = None) -> int:
        """Work until the inbox is empty; countdowns move the clock. Returns how many messages it took.

        With `before`, only until a message of that name is next.
        """
        done = 0
        while self.inbox and self.inbox[0][0] != before:
            name, args, delay = self.inbox.popleft()
            done += 1
            assert done < limit, f"the worker does not come to rest: {name}{args}"
            self._advance(delay)
            getattr(self, f"_{name}")(*args)
        return done

    def _advance(self, seconds: float) -> None:
        assert self.services is not None
        if seconds:
            clock = self.services.clock
            assert isinstance(clock, ManualClock)
            clock.advance(timedelta(seconds=seconds))

    def _call_contact(self, job_id: str) -> None:
        assert self.services is not None
        dialed = dialing.dial(self.services, job_id)
        if dialed.result is DialResult.THROTTLED:
            self.inbox.append(("call_contact", (job_id,), dialed.wait))

    def _poll_call(self, attempt_id: str, poll_token: str) -> None:
        assert self.services is not None
        look = following.look(self.services, attempt_id, poll_token)
        if look.next is Next.AGAIN:
            self.inbox.append(("poll_call", (attempt_id, poll_token), look.delay))
        elif look.next is Next.PERSIST:
            self.inbox.append(("persist_result", (attempt_id,), 0))

    def _persist_result(self, attempt_id: str) -> None:
        assert self.services is not None
        settling.persist_result(self.services, attempt_id)

    def _reconcile(self, attempt_id: str) -> None:
        assert self.services is not None
        if reconciling.reconcile(self.services, attempt_id):
            self.inbox.append(("reconcile", (attempt_id,), LOOK_FOR_AFTER))

    def _dispatch(self) -> None:
        assert self.services is not None
        dispatching.dispatch(self.services)

    def tick(self) -> int:
        """What Beat does each minute, and then the work that comes of it."""
        assert self.services is not None
        opened = waves.open_waves(self.services)
        dispatching.dispatch(self.services)
        self.run()
        return opened


def make_services(
    mongo_uri: str, database: str, *, provider: FakeProvider | None = None, **settings: Any
) -> Services:
    """Services on a real database, with a manual clock at Monday noon in Santiago."""
    values: dict[str, Any] = {
        "mongo_uri": mongo_uri,
        "mongo_db": database,
        "retell_base_url": "http://127.0.0.1:9",
        "retell_from_number": "+56600123456",
        "retell_api_key": "key_test",
        **settings,
    }
    made = Settings(_env_file=None, **values)
    store: Store = open_store(connect(mongo_uri, database))
    store.ensure_indexes()
    worker = Worker()
    services = Services(
        settings=made,
        clock=ManualClock(MONDAY_NOON),
        store=store,
        provider=provider or FakeProvider(),
        nudges=worker,
        pace=FreePace(),
        worker="test",
    )
    worker.services = services
    store.pacing.ensure(made.provider_key)
    store.accounts.ensure(
        Account("default", "Casa Ejemplo", Plan.UNLIMITED, "America/Santiago", None, ()), MONDAY_NOON
    )
    return services
