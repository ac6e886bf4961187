"""Whether each part answers. Bounded: one that hangs costs a request three seconds, never a thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import redis
from flask import Blueprint, Response, current_app
from kombu import Connection

from speechai.celery import app as celery_app
from speechai.clock import monotonic
from speechai.composition import require
from speechai.operation.calling.readiness import Missing, Readiness, readiness
from speechai.operation.parts import set_aside
from speechai.operation.services import Services
from web.context import services
from web.serialization import json_answer

PATIENCE = 3.0  # seconds for all parts together
FRESH = 2.0  # seconds for which an answer is given again
SOCKET_SECONDS = 1.0
PING_SECONDS = 1.0

Check = Callable[[], dict[str, Any]]
blueprint = Blueprint("health", __name__)


@dataclass
class Monitor:
    """Asks every part at once, each in at most one thread."""

    checks: Mapping[str, Check]
    patience: float = PATIENCE
    fresh: float = FRESH
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pending: dict[str, Future[dict[str, Any]]] = field(default_factory=dict)
    _report: dict[str, Any] = field(default_factory=dict)
    _asked_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(len(self.checks), thread_name_prefix="health")

    def report(self) -> dict[str, Any]:
        """Each part's state and the worst of them; at most `fresh` seconds old."""
        with self._lock:
            if monotonic() - self._asked_at >= self.fresh:
                parts = {"web": {"status": "ok"}, **self._ask()}
                well = all(part["status"] != "error" for part in parts.values())
                self._report = {"status": "ok" if well else "error", "parts": parts}
                self._asked_at = monotonic()
            return self._report

    def _ask(self) -> dict[str, dict[str, Any]]:
        for name, check in self.checks.items():
            # One that is still hanging from last time is not asked a second time.
            if name not in self._pending:
                self._pending[name] = self._threads.submit(check)
        wait(self._pending.values(), timeout=self.patience)
        return {name: self._take(name) for name in self.checks}

    def _take(self, name: str) -> dict[str, Any]:
        asked = self._pending[name]
        if not asked.done():
            return {"status": "error", "detail": f"no answer within {self.patience:g} s"}
        del self._pending[name]
        error = asked.exception()
        # The kind of error, not its words: they may hold an address with its password.
        return {"status": "error", "detail": type(error).__name__} if error else asked.result()


def make_checks(made: Services) -> dict[str, Check]:
    """The parts of SpeechAI, each with how to ask it."""
    patience = {"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": SOCKET_SECONDS}

    def database() -> dict[str, Any]:
        made.store.ping()
        return {"status": "ok"}

    def broker() -> dict[str, Any]:
        with redis.Redis.from_url(require(made.settings, "redis_url"), **patience) as client:
            client.ping()
        return {"status": "ok"}

    def workers() -> dict[str, Any]:
        url = require(made.settings, "redis_url")
        with Connection(url, transport_options=patience) as connection:
            # `limit`: the first one that answers is enough.
            answers = celery_app.control.ping(timeout=PING_SECONDS, connection=connection, limit=1)
        return {"status": "ok"} if answers else {"status": "error", "detail": "no worker answers"}

    def provider() -> dict[str, Any]:
        return _configured(readiness(made))

    def dialing() -> dict[str, Any]:
        # An open breaker or a stop is no fault of ours: it is told, and does not make the whole unwell.
        down = made.store.breakers.open_ones()
        if down:
            return {
                "status": "degraded",
                "detail": " and ".join(sorted({breaker.says for breaker in down.values()})),
                "accounts": {
                    account: {
                        "detail": breaker.says,
                        "since": breaker.opened_at,
                        "next_try": breaker.probe_at,
                    }
                    for account, breaker in down.items()
                },
            }
        stop = made.store.stops.current()
        status = "unconfigured" if readiness(made).is_unconfigured else "ok"
        return {"status": status, **({"detail": "stopped", "since": stop["at"]} if stop else {})}

    def sweep() -> dict[str, Any]:
        # By parts and without the items' names: whoever asks is not logged in.
        aside = set_aside(made)
        if not aside.count:
            return {"status": "ok"}
        parts = {part: len(keys) for part, keys in aside.parts.items()}
        detail = f"{aside.count} items raise and are set aside: the log says why"
        return {"status": "degraded", "detail": detail, "set_aside": aside.count, "parts": parts}

    return {
        "database": database,
        "broker": broker,
        "workers": workers,
        "provider": provider,
        "dialing": dialing,
        "sweep": sweep,
    }


def _configured(ready: Readiness) -> dict[str, Any]:
    """Nobody can be called: what is not set is told, and makes nothing unwell, as nothing is broken."""
    lacking = {account: lacks for account, lacks in ready.lacks.items() if lacks}
    if not ready.is_unconfigured:
        return {"status": "ok", **({"unconfigured_accounts": lacking} if lacking else {})}
    missing = ready.missing
    whom = "but by batches that name an agent, " if missing == (Missing.AGENT,) else ""
    detail = f"{whom}nobody can be called: {', '.join(missing)} not set"
    return {"status": "unconfigured", "detail": detail, "missing": missing}


@blueprint.get("/health")
def health() -> Response:
    """Open: 200 when everything answers, else 503, with each part's state."""
    monitors = current_app.extensions
    if "health" not in monitors:  # made at first use: a fork would share its sockets
        monitors["health"] = Monitor(make_checks(services()))
    report = monitors["health"].report()
    answer = json_answer(report, 200 if report["status"] == "ok" else 503)
    answer.headers["Cache-Control"] = "no-store"
    return answer
