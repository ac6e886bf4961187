"""Dispatch is pulled: as many jobs are handed out as slots are free, fairly between batches."""

from __future__ import annotations

import logging
from collections import deque

from speechai.operation.services import Services

log = logging.getLogger(__name__)


def dispatch(services: Services) -> int:
    """Hand out due jobs until no slot is free. Returns how many.

    The backlog stays in MongoDB: the broker never holds more than the calls in flight. Batches take turns,
    one job each, so that a long one does not starve a short one.
    """
    settings, store = services.settings, services.store
    if store.stops.current():
        return 0
    free = store.pacing.free_slots(settings.provider_key, settings.max_concurrent_calls)
    free -= store.jobs.handed_out() if free else 0
    instant = services.clock.now()
    waiting = {account for account, breaker in store.breakers.open_ones().items() if breaker.forbids(instant)}
    turns = deque(
        batch
        for batch in store.batches.running()
        if batch.provider == settings.provider_key and batch.account_id not in waiting
    )
    handed_out = 0
    while handed_out < free and turns:
        batch = turns.popleft()
        job_id = store.jobs.hand_out(batch.id, instant, settings.lease_seconds)
        if job_id is None:
            continue  # nothing due: the batch leaves the round
        turns.append(batch)
        store.batches.served(batch.id, instant)
        # Spread over time what the calls per second would turn back anyhow.
        delay = min(handed_out / settings.calls_per_second, settings.lease_seconds / 2)
        services.nudges.call_contact(job_id, delay if delay >= 1 else 0)
        handed_out += 1
    if handed_out:
        log.debug("handed out %d jobs", handed_out, extra={"handed_out": handed_out, "free": free})
    return handed_out
