"""Dispatch is pulled: as many jobs are handed out as slots are free, fairly between batches."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable
from datetime import datetime

from speechai.operation.records.charging import means
from speechai.operation.services import Services
from speechai.settings import Settings
from speechai.store.standing import Standing

log = logging.getLogger(__name__)

AT_ONCE = 250  # jobs handed out and not yet taken up: the broker holds no more, however many slots are free


def dispatch(services: Services) -> int:
    """Hand out due jobs until no slot is free. Returns how many.

    The backlog stays in MongoDB: the broker never holds more than the calls in flight. Who is next, `Turns`
    says.
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
    turns = Turns(standing for standing in running if _may_dial(services, standing, instant))
    used_by = Counter(slots.used_by)
    handed_out = 0
    while handed_out < room and (standing := turns.next()):
        batch = standing.batch
        if not _has_room(standing, used_by):
            turns.leave(batch.account_id)
            continue
        job_id = store.jobs.hand_out(batch.id, instant, settings.lease_seconds)
        if job_id is None:
            turns.drop(standing)  # nothing due
            continue
        turns.back(standing)
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


class Turns:
    """Whose turn it is: accounts one after the other, however many batches each has; within an account the
    batches of the highest priority, one after the other, so that a long one does not starve a short one."""

    def __init__(self, standings: Iterable[Standing]) -> None:
        self._accounts: deque[str] = deque()
        self._batches: dict[str, list[Standing]] = {}
        for standing in standings:  # the one that was served longest ago first
            account_id = standing.batch.account_id
            if account_id not in self._batches:
                self._accounts.append(account_id)
                self._batches[account_id] = []
            self._batches[account_id].append(standing)
        for own in self._batches.values():
            own.sort(key=lambda standing: -standing.batch.priority)

    def next(self) -> Standing | None:
        """Whose turn it is now, or None where nobody is left."""
        while self._accounts:
            if own := self._batches[self._accounts[0]]:
                return own[0]
            self._accounts.popleft()
        return None

    def back(self, standing: Standing) -> None:
        """It was served: the next account's turn, and in its own account behind its equals."""
        own = self._batches[standing.batch.account_id]
        own.remove(standing)
        equals = sum(other.batch.priority >= standing.batch.priority for other in own)
        own.insert(equals, standing)
        self._accounts.rotate(-1)

    def drop(self, standing: Standing) -> None:
        """The batch leaves the round."""
        self._batches[standing.batch.account_id].remove(standing)

    def leave(self, account_id: str) -> None:
        """The whole account leaves the round."""
        self._batches[account_id].clear()


def _may_dial(services: Services, standing: Standing, instant: datetime) -> bool:
    """Whether dialing this batch now is not in vain for a reason that holds for all of it."""
    if standing.stopped_by is not None or standing.breaker.forbids(instant):
        return False
    lacks, tied_up = means(services, standing, instant)
    if lacks is None:
        return not tied_up
    suspended = services.store.jobs.suspend_due(standing.batch.id, lacks, instant)
    if suspended:
        extra = {"batch_id": standing.batch.id, "account_id": standing.batch.account_id}
        log.warning("%d jobs wait: %s", suspended, lacks.value, extra=extra)
    return False


def _has_room(standing: Standing, used_by: Counter[str]) -> bool:
    account = standing.account
    return account is None or account.slots is None or used_by[account.id] < account.slots
