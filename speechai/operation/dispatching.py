"""Dispatch is pulled: as many jobs are handed out as slots are free, fairly between batches."""

from __future__ import annotations

import logging
from collections import Counter, deque
from datetime import datetime

from speechai.operation.services import Services
from speechai.settings import Settings
from speechai.store.standing import Standing

log = logging.getLogger(__name__)

AT_ONCE = 250  # jobs handed out and not yet taken up: the broker holds no more, however many slots are free


def dispatch(services: Services) -> int:
    """Hand out due jobs until no slot is free. Returns how many.

    The backlog stays in MongoDB: the broker never holds more than the calls in flight. Batches take turns,
    one job each, so that a long one does not starve a short one.
    """
    settings, store = services.settings, services.store
    slots = store.pacing.slots(settings.provider_key, settings.max_concurrent_calls)
    if not slots.free:
        return 0
    waiting = store.jobs.handed_out()
    room = min(slots.free, at_once(settings)) - waiting
    if room <= 0:
        return 0
    instant = services.clock.now()
    running = store.standing.running(settings.provider_key)
    turns = deque(standing for standing in running if _may_dial(standing, instant))
    used_by = Counter(slots.used_by)
    handed_out = 0
    while handed_out < room and turns:
        standing = turns.popleft()
        if not _has_room(standing, used_by):
            continue
        batch = standing.batch
        job_id = store.jobs.hand_out(batch.id, instant, settings.lease_seconds)
        if job_id is None:
            continue  # nothing due: the batch leaves the round
        turns.append(standing)
        used_by[batch.account_id] += 1
        if len(running) > 1:
            store.batches.served(batch.id, instant)
        # Spread over time what the calls per second would turn back anyhow.
        delay = min(handed_out / settings.calls_per_second, settings.lease_seconds / 2)
        services.nudges.call_contact(job_id, delay if delay >= 1 else 0)
        handed_out += 1
    if handed_out:
        log.debug("handed out %d jobs", handed_out, extra={"handed_out": handed_out, "free": slots.free})
    return handed_out


def at_once(settings: Settings) -> int:
    """How many jobs may wait for a worker: what can be dialed well before their leases end."""
    in_time = settings.calls_per_second * settings.lease_seconds / 2
    return max(1, min(AT_ONCE, int(in_time)))


def _may_dial(standing: Standing, instant: datetime) -> bool:
    """Whether dialing this batch now is not in vain for a reason that holds for all of it."""
    return standing.stopped_by is None and not standing.breaker.forbids(instant)


def _has_room(standing: Standing, used_by: Counter[str]) -> bool:
    account = standing.account
    return account is None or account.slots is None or used_by[account.id] < account.slots
