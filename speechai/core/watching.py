"""When to look at a call that was placed: webhooks tell of most ends, looking is the net under them.

Two ways of looking: a call's own chain asks for that call by countdown; where very many are in flight, or a
chain was lost, calls are looked at in pages. Each call carries the instant by which somebody must look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

OVERDUE = timedelta(minutes=2)
"""How long a call may last before it is asked for even where webhooks would have told of its end. It is the
longest countdown, too."""
PAGE = 200
"""Calls per page of list-calls; more than these in flight are looked at in pages."""
PAGES_EVERY = timedelta(seconds=5)
"""How often calls are looked for that nobody looked at in time."""

_HEARD_WITHIN = timedelta(minutes=10)  # webhooks that were heard so lately are known to arrive …
_MISSED_FOR = timedelta(minutes=2)  # … unless one was missed so lately


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is known of a provider's calls at one instant."""

    in_flight: int = 0
    heard_at: datetime | None = None  # when a webhook last told of a call's end
    missed_at: datetime | None = None  # when a call was last found to have ended without one

    def webhooks_arrive(self, instant: datetime) -> bool:
        """Whether the end of a call can be expected to be told."""
        heard = self.heard_at is not None and instant - self.heard_at < _HEARD_WITHIN
        missed = self.missed_at is not None and instant - self.missed_at < _MISSED_FOR
        return heard and not missed

    @property
    def is_crowded(self) -> bool:
        """Whether so many are in flight that asking for each by itself would not keep up."""
        return self.in_flight > PAGE


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we are set to wait: CALL_POLLING_INTERVAL, and LEASE_SECONDS."""

    interval: timedelta
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Watch:
    """How a call is watched: its own chain asks for it after `chain`; after `lease`, pages look at it."""

    chain: timedelta | None  # None: it needs none, pages follow it
    lease: timedelta


def watch(traffic: Traffic, patience: Patience, instant: datetime) -> Watch:
    """How to watch a call from `instant` on."""
    if traffic.is_crowded:
        return Watch(chain=None, lease=until_next_page(traffic, patience, instant))
    chain = _look_after(traffic, patience, instant)
    return Watch(chain=chain, lease=chain + PAGES_EVERY)


def until_next_page(traffic: Traffic, patience: Patience, instant: datetime) -> timedelta:
    """How long a call that has no chain of its own, in a crowd or what is left of one, waits for a page.

    Pages come only now and then, and many calls may have ended by then: early, to be in time.
    """
    after = _look_after(traffic, patience, instant)
    return after if traffic.webhooks_arrive(instant) else after / 2


def _look_after(traffic: Traffic, patience: Patience, instant: datetime) -> timedelta:
    """A webhook that never comes is made up for as soon as anything else that is lost: by the lease."""
    told = max(patience.interval, patience.lease)
    return min(told if traffic.webhooks_arrive(instant) else patience.interval, OVERDUE)
