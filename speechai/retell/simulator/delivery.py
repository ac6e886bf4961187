"""Signed webhooks: sent in order, not blocking, retried up to three times, spoiled where faults say so."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from speechai.retell.simulator.world import Call, World
from speechai.retell.webhook import HEADER, sign

log = logging.getLogger(__name__)

TIMEOUT = 10.0
RETRIES = 3
RETRY_SPACING_S = 2.0  # real seconds, doubled each time; the real spacing is not documented
STALE_MS = 10 * 60 * 1000


class Delivery:
    """Sends what happens in a world to whoever asked for it."""

    def __init__(self, world: World, key: str, threads: int = 8) -> None:
        self._world = world
        self._key = key
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="webhook")
        self._session = requests.Session()
        self._held: tuple[str, bytes] | None = None
        self.sent: dict[str, int] = {"delivered": 0, "refused": 0, "given_up": 0, "lost": 0}
        world.emit = self.emit

    def emit(self, call: Call, event: str) -> None:
        """An event of a call; called under the world's lock, so the body is of this very moment."""
        if not call.webhook_url:
            return
        shown = dict(call.public)
        if event != "call_analyzed":
            shown.pop("call_analysis", None)
        instant = self._world.clock.now()
        body = {"event": event, "call": shown, "event_timestamp": int(instant.timestamp() * 1000)}
        self._spoil(call.webhook_url, json.dumps(body, ensure_ascii=False).encode())

    def close(self) -> None:
        """Send nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _spoil(self, url: str, body: bytes) -> None:
        faults = self._world.faults
        if faults.strikes("webhook_loss"):
            self.sent["lost"] += 1
            return
        if faults.strikes("webhook_bad_signature"):
            self._submit(url, body, "someone-elses-key")
        if faults.strikes("webhook_stale"):
            self._submit(url, body, self._key, age_ms=STALE_MS)
        if faults.strikes("webhook_late"):
            self._world.after(
                faults.seconds["webhook_late_s"], lambda: self._submit(url, body, self._key), real=True
            )
            return
        if faults.strikes("webhook_reorder") and self._held is None:
            self._held = (url, body)
            # Should nothing follow, it comes a little later by itself.
            self._world.after(2.0, self._release_held, real=True)
            return
        self._submit(url, body, self._key)
        self._release_held()
        if faults.strikes("webhook_duplicate"):
            self._submit(url, body, self._key)

    def _release_held(self) -> None:
        if self._held is not None:
            (url, body), self._held = self._held, None
            self._submit(url, body, self._key)

    def _submit(self, url: str, body: bytes, key: str, *, age_ms: int = 0, tries: int = 0) -> None:
        try:
            self._pool.submit(self._send, url, body, key, age_ms, tries)
        except RuntimeError:
            log.info("not sent: the simulator is stopping")

    def _send(self, url: str, body: bytes, key: str, age_ms: int, tries: int) -> None:
        timestamp_ms = int(self._world.clock.now().timestamp() * 1000) - age_ms
        headers: dict[str, Any] = {
            "Content-Type": "application/json",
            "User-Agent": "axios/1.7.7",
            HEADER: sign(body, key, timestamp_ms),
        }
        try:
            status = self._session.post(url, data=body, headers=headers, timeout=TIMEOUT).status_code
        except requests.RequestException as error:
            log.info("webhook not delivered: %s", type(error).__name__)
            status = 0
        if 200 <= status < 300:
            self.sent["delivered"] += 1
        elif tries < RETRIES:
            self.sent["refused"] += 1
            self._world.after(
                RETRY_SPACING_S * 2**tries,
                lambda: self._submit(url, body, key, age_ms=age_ms, tries=tries + 1),
                real=True,
            )
        else:
            self.sent["given_up"] += 1
