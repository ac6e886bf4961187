"""The kill switch: no new call starts anywhere until somebody says go on.

It is a document in MongoDB that every reservation and every re-post reads, so it survives restarts and the
loss of the broker. A dial that read it just before may still ring: the time from that read to the request is
the bound, a few database writes long.
"""

from __future__ import annotations

import logging
from typing import Any

from speechai.core.states import AttemptState
from speechai.operation.services import Services
from speechai.retell.errors import ProviderError

log = logging.getLogger(__name__)


def state(services: Services) -> dict[str, Any]:
    """Whether dialing is stopped, by whom and since when, and how many calls are live."""
    stop = services.store.stops.current()
    return {
        "stopped": stop is not None,
        "by": stop["by"] if stop else None,
        "at": stop["at"] if stop else None,
        "live_calls": services.store.attempts.live_count(),
    }


def stop(services: Services, by: str, *, hang_up: bool = False) -> dict[str, Any]:
    """Start no new call. Calls in progress end normally, unless `hang_up` asks the provider to end them."""
    begun = services.store.stops.begin(by, services.clock.now())
    log.warning("all dialing is stopped by %s", begun["by"])
    hung_up = _hang_up(services) if hang_up else 0
    return {**state(services), "hung_up": hung_up}


def resume(services: Services, by: str) -> dict[str, Any]:
    """Dial again."""
    if services.store.stops.end(by, services.clock.now()):
        log.warning("dialing goes on, by %s", by)
        services.nudges.dispatch()
    return state(services)


def _hang_up(services: Services) -> int:
    """Ask the provider to end every live call; their results come as always. Returns how many were asked."""
    asked = 0
    for attempt in services.store.attempts.in_state(AttemptState.ONGOING, limit=10_000):
        if attempt.ended_at is not None or not attempt.call_id:
            continue
        try:
            services.provider.stop_call(attempt.call_id)
        except ProviderError as error:
            log.warning("could not end the call", extra={"attempt_id": attempt.id, "error": str(error)})
            continue
        services.store.attempts.stop_requested(attempt.id, services.clock.now())
        asked += 1
    return asked
