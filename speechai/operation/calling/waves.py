"""Waves: at 09:00, 12:00 and 15:00 the day's group is picked and released to be called.

A wave is a document with a unique key (batch, date, slot): two Beats, a repeated message and a late tick all
end at the same document, and only the one who made it acts.
"""

from __future__ import annotations

import logging
from datetime import date, datetime
from enum import StrEnum

from speechai.core.calendar import Slot, closed_reason, day_bounds, due_slots, slots_of
from speechai.core.model import Batch
from speechai.core.states import BatchState, WaveState
from speechai.core.zones import local_day
from speechai.failpoints import reached
from speechai.operation.parts import Part, do
from speechai.operation.services import Services
from speechai.store.database import Document
from speechai.store.standing import Standing

log = logging.getLogger(__name__)


class WaveResult(StrEnum):
    """What came of the wish to run a wave."""

    RUN = "run"
    SKIPPED = "skipped"
    """The policy forbids it; the wave says which rule."""
    ALREADY = "already"
    """It exists: it was run, missed or skipped before."""
    NOT_RUNNING = "not_running"
    """There is no such batch, or it is not running."""
    NOT_TODAY = "not_today"
    """The date is not today's in the batch's zone: nobody is called for another day."""


def open_waves(services: Services) -> int:
    """Open every wave that is due now, of every running batch, and record the missed ones.

    Fired by Beat at each wave's time and by the minute tick, which heals what Beat missed. Returns how many.
    A batch whose rules cannot be asked is set aside and alerted, and keeps no other batch waiting.
    """
    return do(services, DUE, flight="waves_at_their_minute")  # waits for no sweep: not even 10 s are to spare


def _open_due(services: Services, standing: Standing) -> int:
    """A batch's wave that is due now, or the day of one that has no waves."""
    batch, instant = standing.batch, services.clock.now()
    if batch.continuous:
        policy = services.rulebook(standing).policy
        if closed_reason(policy, instant, batch.zone, batch.country) is None:
            open_day(services, batch, instant)
        return 0
    due = due_slots(instant, batch.active_since or instant, batch.wave_times, batch.zone)
    for slot in due.missed:
        _record_missed(services, batch, slot, instant)
    if due.open is None:
        return 0
    return run_wave(services, batch.id, due.open.day, due.open.label) is WaveResult.RUN


DUE: Part[Standing] = Part(
    "due_waves",
    lambda services, _: services.store.standing.running(services.settings.provider_key),
    _open_due,
    lambda standing: standing.batch.id,
)


def run_wave(services: Services, batch_id: str, day: date, slot: str) -> WaveResult:
    """Pick the day's group and release it, once per batch, date and slot."""
    instant = services.clock.now()
    standing = services.store.standing.of(batch_id)
    extra = {"batch_id": batch_id, "day": day.isoformat(), "slot": slot}
    if standing is None or standing.batch.status is not BatchState.RUNNING:
        log.warning("no wave: the batch is not running", extra=extra)
        return WaveResult.NOT_RUNNING
    batch, policy = standing.batch, services.rulebook(standing).policy
    if local_day(instant, batch.zone) != day:
        log.warning("no wave: the date is not today's in %s", batch.zone.key, extra=extra)
        return WaveResult.NOT_TODAY
    waves = services.store.waves
    if closed := closed_reason(policy, instant, batch.zone, batch.country):
        details = {"at": instant, "rule": "window", "detail": closed, "policy": policy.id}
        if waves.record(batch_id, day, slot, WaveState.SKIPPED, details):
            log.info("wave skipped: %s", closed, extra=extra)
            return WaveResult.SKIPPED
        return WaveResult.ALREADY
    if not waves.record(batch_id, day, slot, WaveState.OPEN, {"at": instant}):
        return WaveResult.ALREADY
    reached("wave_begun")
    _release(services, batch, day, slot, instant)
    return WaveResult.RUN


def finish_wave(services: Services, wave: Document) -> int:
    """Go on with a wave that a crash interrupted: picking and releasing again changes nothing twice."""
    batch = services.store.batches.get(wave["batch_id"])
    day, instant = date.fromisoformat(wave["day"]), services.clock.now()
    if batch is None or batch.status is not BatchState.RUNNING or local_day(instant, batch.zone) != day:
        # Whoever it picked was released as they were picked; who was called before comes with a later wave.
        changes = {"detail": "interrupted, and its day or its batch is over"}
        return services.store.waves.move(wave["batch_id"], day, wave["slot"], WaveState.MISSED, changes)
    _release(services, batch, day, wave["slot"], instant)
    return 1


def open_day(services: Services, batch: Batch, instant: datetime) -> int:
    """A continuous batch opens its day with the window: whoever has a place is called at the own time."""
    day = local_day(instant, batch.zone)
    _, released = pick_group(services, batch, day, instant)
    released += services.store.groups.release_at_own_time(batch.id, day, instant)
    if released:
        log.info("day opened", extra={"batch_id": batch.id, "day": day.isoformat(), "released": released})
        services.nudges.dispatch()
    return released


def pick_group(services: Services, batch: Batch, day: date, instant: datetime) -> tuple[int, int]:
    """Fill the day's group: `daily_contacts` different people in all. Returns how many were picked now, and
    how many of them are due from `instant` on.

    Who asked to be called that day comes first (their hour is a promise of ours), then carry-over, then new
    people, who are due as they are picked: a crash leaves nobody between the two.
    """
    _, tomorrow = day_bounds(day, batch.zone)
    # Whoever is due after the last wave cannot be called that day: the place would be wasted.
    last = tomorrow if batch.continuous else slots_of(day, batch.wave_times, batch.zone)[-1].opens_at
    groups, places = services.store.groups, batch.daily_contacts
    picked = groups.recruit_callbacks(batch.id, day, places, tomorrow)
    picked += groups.recruit_called_before(batch.id, day, places, last)
    new = groups.recruit_new(batch.id, day, places, instant)
    return picked + new, new


def _release(services: Services, batch: Batch, day: date, slot: str, instant: datetime) -> None:
    picked, released = pick_group(services, batch, day, instant)
    released += services.store.groups.release(batch.id, day, instant)
    changes = {
        "picked": picked,
        "released": released,
        "released_at": services.clock.now(),
    }
    services.store.waves.move(batch.id, day, slot, WaveState.RUN, changes)
    log.info(
        "wave run: %d people released, %d of them picked now",
        released,
        picked,
        extra={"batch_id": batch.id, "day": day.isoformat(), "slot": slot},
    )
    services.nudges.dispatch()


def _record_missed(services: Services, batch: Batch, slot: Slot, instant: datetime) -> None:
    details = {"at": instant, "detail": "not opened within 30 minutes, or a later wave took its place"}
    if services.store.waves.record(batch.id, slot.day, slot.label, WaveState.MISSED, details):
        log.warning(
            "wave missed", extra={"batch_id": batch.id, "day": slot.day.isoformat(), "slot": slot.label}
        )
