"""Signed webhooks: a call's in their order, not blocking, retried up to three times, spoiled by faults."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import requests

from speechai.retell.simulator.calls import Call
from speechai.retell.simulator.world import World
from speechai.retell.webhook import HEADER, sign

log = logging.getLogger(__name__)

LANES = 8  # each one thread: a call stays in its lane, so its events keep their order
TIMEOUT = 10.0
RETRIES = 3
RETRY_SPACING_S = 2.0  # real seconds, doubled each time; the real spacing is not documented
STALE_MS = 10 * 60 * 1000
DRAIN_S = 3.0


@dataclass(frozen=True, slots=True)
class _Webhook:
    url: str
    body: bytes
    key: str  # that signs it
    lane: int
    era: int  # which of the world's lives it tells of


class Delivery:
    """Sends what happens in a world to whoever asked for it."""

    def __init__(self, world: World, key: str | None = None) -> None:
        """`key` signs every webhook; without it each call's are signed with the API key that made it."""
        self._world = world
        self._key = key
        self._lanes = [ThreadPoolExecutor(1, thread_name_prefix=f"webhook-{lane}") for lane in range(LANES)]
        self._session = requests.Session()
        self._held: _Webhook | None = None
        self.sent: dict[str, int] = {"delivered": 0, "refused": 0, "given_up": 0, "lost": 0}
        world.emit = self.emit
        world.drain = self.drain

    def emit(self, call: Call, event: str) -> None:
        """An event of a call; called under the world's lock, so the body is of this very moment."""
        if not call.webhook_url:
            return
        shown = dict(call.public)
        if event != "call_analyzed":
            shown.pop("call_analysis", None)
        instant = self._world.clock.now()
        body = {"event": event, "call": shown, "event_timestamp": int(instant.timestamp() * 1000)}
        lane = hash(shown["call_id"]) % LANES
        content = json.dumps(body, ensure_ascii=False).encode()
        key = self._key or call.key
        self._spoil(_Webhook(call.webhook_url, content, key, lane, self._world.era))

    def drain(self) -> None:
        """Wait until nothing of an earlier era is on its way; not for ever, should a receiver hang."""
        wait([lane.submit(lambda: None) for lane in self._lanes], timeout=DRAIN_S)

    def close(self) -> None:
        """Send nothing more."""
        for lane in self._lanes:
            lane.shutdown(wait=False, cancel_futures=True)

    def _spoil(self, webhook: _Webhook) -> None:
        faults = self._world.faults
        if faults.strikes("webhook_loss"):
            self.sent["lost"] += 1
            return
        if faults.strikes("webhook_bad_signature"):
            self._submit(replace(webhook, key="someone-elses-key"))
        if faults.strikes("webhook_stale"):
            self._submit(webhook, age_ms=STALE_MS)
        if faults.strikes("webhook_late"):
            seconds = faults.seconds["webhook_late_s"]
            self._world.after(seconds, lambda: self._submit(webhook), real=True)
            return
        if faults.strikes("webhook_reorder") and self._held is None:
            self._held = webhook
            # Should nothing follow, it comes a little later by itself.
            self._world.after(2.0, self._release_held, real=True)
            return
        self._submit(webhook)
        self._release_held()
        if faults.strikes("webhook_duplicate"):
            self._submit(webhook)

    def _release_held(self) -> None:
        if self._held is not None:
            webhook, self._held = self._held, None
            self._submit(webhook)

    def _submit(self, webhook: _Webhook, *, age_ms: int = 0, tries: int = 0) -> None:
        try:
            self._lanes[webhook.lane].submit(self._send, webhook, age_ms, tries)
        except RuntimeError:
            log.info("not sent: the simulator is stopping")

    def _send(self, webhook: _Webhook, age_ms: int, tries: int) -> None:
        if webhook.era != self._world.era:
            return
        timestamp_ms = int(self._world.clock.now().timestamp() * 1000) - age_ms
        headers: dict[str, Any] = {
            "Content-Type": "application/json",
            "User-Agent": "axios/1.7.7",
            HEADER: sign(webhook.body, webhook.key, timestamp_ms),
        }
        try:
            answer = self._session.post(webhook.url, data=webhook.body, headers=headers, timeout=TIMEOUT)
            status = answer.status_code
        except requests.RequestException as error:
            log.info("webhook not delivered: %s", type(error).__name__)
            status = 0
        if 200 <= status < 300:
            self.sent["delivered"] += 1
        elif tries < RETRIES:
            self.sent["refused"] += 1
            self._world.after(
                RETRY_SPACING_S * 2**tries,
                lambda: self._submit(webhook, age_ms=age_ms, tries=tries + 1),
                real=True,
            )
        else:
            self.sent["given_up"] += 1
