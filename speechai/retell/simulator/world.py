"""The simulated world: calls, their lives, and the ledger of what really rang.

One thread runs a heap of timed events; an event costs O(log n), so ten thousand calls in flight are no
matter. Simulated seconds pass `speed` times faster than real ones.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from speechai.clock import Clock, SystemClock, monotonic
from speechai.retell.simulator.calls import Call, Limits, RefusedError
from speechai.retell.simulator.conversation import (
    analysis_of,
    captured_variables,
    transcript_fields,
    turns_of,
)
from speechai.retell.simulator.costs import cost_of, grown
from speechai.retell.simulator.faults import Faults
from speechai.retell.simulator.outcomes import Casting

IDEMPOTENCY = timedelta(hours=1)

Emit = Callable[[Call, str], None]


@dataclass
class World:
    """A simulated workspace of Retell."""

    speed: float = 1.0
    seed: int = 0
    callback_after_s: float = 7200.0  # real seconds
    webhook_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.casting = Casting(seed=self.seed)
        self.faults = Faults(self.seed)
        self.emit: Emit = lambda call, event: None
        self.drain: Callable[[], None] = lambda: None
        self.shut: Callable[[float], None] = lambda seconds: None
        self.era = 0  # how often it was reset
        self.lock = threading.RLock()
        self._wake = threading.Condition(self.lock)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="simulated-time", daemon=True)
        self._clear()
        self._thread.start()

    def _clear(self) -> None:
        self.calls: dict[str, Call] = {}
        self.by_seq: list[Call] = []
        self._keys: dict[str, tuple[datetime, str]] = {}
        self._dials: Counter[str] = Counter()
        self._recent: dict[str, deque[float]] = defaultdict(deque)
        self._live = 0
        self.max_concurrent = 0
        self.requests: Counter[str] = Counter()

    # -- time -------------------------------------------------------------------------------------

    def after(self, seconds: float, event: Callable[[], None], *, real: bool = False) -> None:
        """Run `event` after so many simulated (or `real`) seconds."""
        delay = max(0.0, seconds if real else seconds / self.speed)
        with self.lock:
            heapq.heappush(self._heap, (monotonic() + delay, next(self._order), event))
            self._wake.notify()

    def _run(self) -> None:
        with self.lock:
            while self._running:
                now = monotonic()
                if self._heap and self._heap[0][0] <= now:
                    heapq.heappop(self._heap)[2]()
                else:
                    self._wake.wait(self._heap[0][0] - now if self._heap else None)

    def close(self) -> None:
        """Stop the time."""
        with self.lock:
            self._running = False
            self._wake.notify()
        self._thread.join(timeout=5)

    def reset(self) -> None:
        """Forget every call and every count; scripts, faults and limits stay. No webhook of before comes."""
        with self.lock:
            self.era += 1
            self._heap.clear()
            self._clear()
        self.drain()

    # -- calls ------------------------------------------------------------------------------------

    @property
    def live(self) -> int:
        """How many calls hold a slot."""
        return self._live

    def knows(self, key: Any) -> bool:
        """Whether a call was made with this idempotency key, of late."""
        with self.lock:
            made_at, _ = self._keys.get(str(key), (None, ""))
            return made_at is not None and self.clock.now() - made_at < IDEMPOTENCY

    def create(self, body: dict[str, Any], api_key: str = "") -> Call:
        """Make the call that a request with that key asks for. Raises RefusedError."""
        with self.lock:
            now = self.clock.now()
            if known := self._replayed(body.get("idempotency_key"), now):
                return known
            self._admit(body)
            call = self._register(body, now, api_key)
            full = self._live >= self.limits.concurrency and self.limits.concurrency_refusal == "call_error"
            self._live += 1
            self.max_concurrent = max(self.max_concurrent, self._live if not full else 0)
            if full:
                self.after(0.2, lambda: self._fail(call, "error", "concurrency_limit_reached"))
            else:
                self._ring(call)
            return call

    def _replayed(self, key: Any, now: datetime) -> Call | None:
        if not isinstance(key, str) or self.faults.strikes("ignore_idempotency"):
            return None
        made_at, call_id = self._keys.get(key, (now, ""))
        return self.calls.get(call_id) if now - made_at < IDEMPOTENCY else None

    def _admit(self, body: dict[str, Any]) -> None:
        limits, number = self.limits, body["from_number"]
        if limits.out_of_credit:
            raise RefusedError(402, "Trial has ended, please add payment method.")
        agent = body.get("override_agent_id")
        if (limits.agents and agent not in limits.agents) or (
            limits.from_numbers and number not in limits.from_numbers
        ):
            raise RefusedError(422, "Cannot find requested asset under given api key.")
        retry_after = None if self.faults.strikes("no_retry_after") else 1.0
        if limits.calls_per_second > 0 and not self._within_rate(number):
            raise RefusedError(
                429, "Account rate limited, please throttle your requests.", retry_after=retry_after
            )
        if self._live >= limits.concurrency and limits.concurrency_refusal == "429":
            raise RefusedError(429, "Concurrency limit reached.", retry_after=retry_after)

    def _within_rate(self, number: str) -> bool:
        """A moving window of a second, or of as long as one call may take where the rate is below 1."""
        rate = self.limits.calls_per_second
        window, most = (1.0, int(rate)) if rate >= 1 else (1 / rate, 1)
        recent, now = self._recent[number], monotonic()
        while recent and now - recent[0] >= window:
            recent.popleft()
        if len(recent) >= most:
            return False
        recent.append(now)
        return True

    def _register(self, body: dict[str, Any], now: datetime, api_key: str) -> Call:
        to_number = body["to_number"]
        plan = self.casting.plan(to_number, self._dials[to_number])
        self._dials[to_number] += 1
        override = (body.get("agent_override") or {}).get("agent") or {}
        agent_id = body.get("override_agent_id") or "agent_simulated"
        seq = len(self.by_seq)
        rng = random.Random(f"{self.seed}|id|{seq}|{uuid.uuid4()}")
        public: dict[str, Any] = {
            "call_id": f"call_{rng.getrandbits(108):027x}",
            "call_type": "phone_call",
            "agent_id": agent_id,
            "agent_version": 0,
            "agent_name": "Agente simulado",
            "call_status": "registered",
            "direction": "outbound",
            "from_number": body["from_number"],
            "to_number": to_number,
            "telephony_identifier": {},
            "data_storage_setting": "everything",
            "opt_in_signed_url": False,
        }
        for name in ("metadata", "retell_llm_dynamic_variables", "custom_sip_headers"):
            if body.get(name):
                public[name] = body[name]
        call = Call(
            seq=seq,
            public=public,
            plan=plan,
            told=dict(body.get("retell_llm_dynamic_variables") or {}),
            webhook_url=override.get("webhook_url") or self.webhook_url,
            created_at=now,
            key=api_key,
        )
        self.by_seq.append(call)
        self.calls[call.id] = call
        if isinstance(body.get("idempotency_key"), str):
            self._keys[body["idempotency_key"]] = (now, call.id)
        return call

    # -- a call's life: every function below runs under the lock ------------------------------------

    def _ring(self, call: Call) -> None:
        ending = call.plan.ending
        if ending.rang:
            call.rang = True
            call.ring_at = self.clock.now()
        if call.plan.talk_s == 0:
            status, reason = ending.status, ending.reason
            self.after(call.plan.ring_s, lambda: self._fail(call, status, reason))
        else:
            self.after(call.plan.ring_s, lambda: self._answer(call))

    def _fail(self, call: Call, status: str, reason: str) -> None:
        """It ends without having been answered."""
        if call.is_live:
            call.public |= {"duration_ms": 0, "transcript": "", "transcript_object": []}
            self._end(call, status, reason, talk_s=0)

    def _answer(self, call: Call) -> None:
        if not call.is_live:
            return
        call.answered_at = self.clock.now()
        call.public |= {"call_status": "ongoing", "start_timestamp": _ms(call.answered_at)}
        self.emit(call, "call_started")
        if call.plan.talk_s is not None:
            talk_s = call.plan.talk_s
            ending = call.plan.ending
            reason = "a_reason_nobody_knows" if self.faults.strikes("unknown_enum") else ending.reason
            self.after(talk_s, lambda: self._hang_up(call, ending.status, reason, talk_s))

    def _hang_up(self, call: Call, status: str, reason: str, talk_s: float) -> None:
        """An answered call ends: what was said and captured is known."""
        if not call.is_live or call.answered_at is None:
            return
        draw = random.Random(f"{self.seed}|said|{call.public['to_number']}|{call.seq}")
        callback_at = self.clock.now() + timedelta(seconds=self.callback_after_s)
        said = captured_variables(call.plan, call.told, self.clock.now(), callback_at, draw)
        call.captured, call.is_late = said, self.faults.strikes("analysis_late")
        told = {} if call.is_late or call.plan.ending.only_analysed else said
        start = int(call.public["start_timestamp"])
        call.public |= {
            "end_timestamp": start + round(talk_s * 1000),
            "duration_ms": round(talk_s * 1000),
            "recording_url": f"https://recordings.invalid/{call.id}/recording.wav",
            "recording_multi_channel_url": f"https://recordings.invalid/{call.id}/recording_multichannel.wav",
            "public_log_url": f"https://recordings.invalid/{call.id}/public.log",
            "latency": {"e2e": {"p50": 1250, "p90": 1900, "max": 3100, "min": 800, "num": 6, "values": []}},
            "llm_token_usage": {"values": [820, 910], "average": 865, "num_requests": 2},
            "collected_dynamic_variables": told,
            **transcript_fields(turns_of(call.plan.ending, call.told, said), talk_s),
        }
        self._end(call, status, reason, talk_s=talk_s)

    def _end(self, call: Call, status: str, reason: str, *, talk_s: float) -> None:
        call.public |= {"call_status": status, "disconnection_reason": reason}
        call.over_at = self.clock.now()
        self._live -= 1
        analysed = call.plan.analysis_s is not None
        cost = cost_of(talk_s, analysed=analysed and talk_s > 0)
        if self.faults.strikes("extra_fields"):
            call.public |= {"quantum_state": "superposed", "call_weather": {"sky": "clear"}}
        self.after(call.plan.cost_s, lambda: self._charge(call, cost))
        self.emit(call, "call_ended")
        if call.is_late:
            self.after(self.faults.seconds["analysis_late_s"], lambda: self._analyse(call), real=True)
        elif call.plan.analysis_s is not None:
            self.after(max(call.plan.analysis_s, call.plan.cost_s), lambda: self._analyse(call))

    def _charge(self, call: Call, cost: dict[str, Any]) -> None:
        """What it costs is there for whoever looks at the call; nobody is told, not even if it grows."""
        call.public["call_cost"] = cost
        call.costs.append(float(cost["combined_cost"]))
        if cost["combined_cost"] and len(call.costs) == 1 and self.faults.strikes("cost_grows"):
            more = grown(cost)
            self.after(self.faults.seconds["cost_grows_s"], lambda: self._charge(call, more), real=True)

    def _analyse(self, call: Call) -> None:
        call.analysed_at = self.clock.now()
        call.public["call_analysis"] = analysis_of(call.plan, call.captured, call.told)
        self.emit(call, "call_analyzed")

    def stop(self, call: Call) -> None:
        """End a live call, as stop-call does; one that is over stays as it is."""
        with self.lock:
            if call.answered_at is not None:
                elapsed = (self.clock.now() - call.answered_at).total_seconds() * self.speed
                self._hang_up(call, "ended", "manual_stopped", elapsed)
            else:
                self._fail(call, "ended", "manual_stopped")

    # -- the judge --------------------------------------------------------------------------------

    def ledger(self) -> dict[str, Any]:
        """Everything that really happened, whatever the API said about it."""
        with self.lock:
            rings = sum(call.rang for call in self.by_seq)
            return {
                "calls": [call.entry() for call in self.by_seq],
                "creates": len(self.by_seq),
                "rings": rings,
                "live": self._live,
                "max_concurrent": self.max_concurrent,
                "outcomes": dict(Counter(call.plan.outcome for call in self.by_seq)),
                "requests": dict(self.requests),
            }


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
