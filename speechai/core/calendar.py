"""Windows, holidays and waves: which instants are open, and when the next one comes.

Every function takes instants as aware datetimes and judges them in the zone it is given. Windows are
half-open. Because the local time is always derived from the instant, the hour that a DST change repeats
or skips is judged by what the clock on the wall shows.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays

from speechai.catalog.policies import Policy
from speechai.catalog.use_cases import Country

WAVE_GRACE = timedelta(minutes=30)  # how late a wave may still be opened
_HORIZON_DAYS = 60  # no policy is closed for longer: a safe bound of every search


@functools.lru_cache(maxsize=64)
def _holidays(calendar: str, year: int) -> dict[date, str]:
    country, _, region = calendar.partition("-")
    return dict(holidays.country_holidays(country, subdiv=region or None, years=year))


def knows_holidays(calendar: str) -> bool:
    """Whether there is such a calendar of public holidays: a country, "US", or a region of it, "BR-SP"."""
    country, _, region = calendar.partition("-")
    known = holidays.list_supported_countries().get(country)
    return known is not None and (not region or region in known)


def holiday_name(day: date, policy: Policy, country: Country) -> str | None:
    """The public holiday that the policy keeps on that date for a contact of `country`, or None."""
    if policy.holidays == "none":
        return None
    calendar = country.value if policy.holidays == "contact" else policy.holidays
    return _holidays(calendar, day.year).get(day)


def closed_reason(policy: Policy, instant: datetime, zone: ZoneInfo, country: Country) -> str | None:
    """Why the policy forbids a call at `instant` in `zone`, or None where it allows it."""
    local = instant.astimezone(zone)
    if _is_open(policy, local, country):
        return None
    if name := holiday_name(local.date(), policy, country):
        return f"{local:%Y-%m-%d} is a public holiday: {name}"
    return f"{local:%a %H:%M} in {zone.key} is outside {_hours(policy)}"


def _is_open(policy: Policy, local: datetime, country: Country) -> bool:
    """Whether the policy allows a call when the clocks on the wall show `local`."""
    weekday, clock = local.isoweekday(), local.time()
    in_window = any(weekday in window.days and window.contains(clock) for window in policy.windows)
    return in_window and holiday_name(local.date(), policy, country) is None


@functools.lru_cache(maxsize=64)
def _hours(policy: Policy) -> str:
    return ", ".join(window.label for window in policy.windows)


@functools.lru_cache(maxsize=4096)
def _openings(policy: Policy, day: date, zone: ZoneInfo, country: Country) -> tuple[datetime, ...]:
    """The instants of the date at which a window opens, in order."""
    starts = sorted({at(day, window.start, zone) for window in policy.windows})
    return tuple(start for start in starts if _is_open(policy, start.astimezone(zone), country))


def next_opening(policy: Policy, instant: datetime, zone: ZoneInfo, country: Country) -> datetime | None:
    """The first instant at or after `instant` that the policy allows (UTC); None if there is none soon."""
    local = instant.astimezone(zone)
    if _is_open(policy, local, country):
        return instant.astimezone(UTC)
    first_day = local.date()
    for offset in range(_HORIZON_DAYS):
        for start in _openings(policy, first_day + timedelta(days=offset), zone, country):
            if start >= instant:
                return start
    return None


# A waterfall judges thousands of jobs at one instant: what the calendar says of it is worked out once.
@functools.lru_cache(maxsize=256)
def closed_anywhere(
    policy: Policy, instant: datetime, zones: tuple[ZoneInfo, ...], country: Country
) -> str | None:
    """Why the policy forbids a call at `instant` in one of the zones, or None where all of them are open."""
    reasons = (closed_reason(policy, instant, zone, country) for zone in zones)
    return next((reason for reason in reasons if reason), None)


@functools.lru_cache(maxsize=256)
def next_opening_everywhere(
    policy: Policy, instant: datetime, zones: tuple[ZoneInfo, ...], country: Country
) -> datetime | None:
    """The first instant at or after `instant` that the policy allows in every zone; None if none is soon."""
    limit = instant + timedelta(days=_HORIZON_DAYS)
    if len(zones) == 1:
        return next_opening(policy, instant, zones[0], country)
    while instant < limit:
        openings = [next_opening(policy, instant, zone, country) for zone in zones]
        if None in openings:
            return None
        latest = max(opening for opening in openings if opening is not None)
        if latest == instant.astimezone(UTC):
            return latest
        instant = latest
    return None


def at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant (UTC) when the clocks of `zone` show `clock` on `day`.

    A time that a DST change skips is the instant the clocks jumped past it.
    """
    return datetime.combine(day, clock, zone).astimezone(UTC)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first instant of the local date and the first one after it (UTC)."""
    return at(day, time(0), zone), at(day + timedelta(days=1), time(0), zone)


@dataclass(frozen=True, slots=True)
class Slot:
    """One wave's place in time: a date and a time of day in the batch's zone."""

    day: date
    clock: time
    opens_at: datetime  # UTC

    @property
    def label(self) -> str:
        """The time of day as configured: "09:00"."""
        return f"{self.clock:%H:%M}"


def slots_of(day: date, wave_times: tuple[time, ...], zone: ZoneInfo) -> list[Slot]:
    """The waves of a date, in order."""
    return [Slot(day, clock, at(day, clock, zone)) for clock in sorted(wave_times)]


def next_slot(instant: datetime, wave_times: tuple[time, ...], zone: ZoneInfo) -> Slot:
    """The first wave at or after `instant`."""
    return next(slot for slot in _slots_from(instant, wave_times, zone) if slot.opens_at >= instant)


def _slots_from(instant: datetime, wave_times: tuple[time, ...], zone: ZoneInfo) -> Iterator[Slot]:
    first = instant.astimezone(zone).date()
    for offset in range(3):
        yield from slots_of(first + timedelta(days=offset), wave_times, zone)


@dataclass(frozen=True, slots=True)
class DueSlots:
    """Which waves to open now, and which were missed for good."""

    open: Slot | None
    missed: tuple[Slot, ...]


def due_slots(
    instant: datetime, active_since: datetime, wave_times: tuple[time, ...], zone: ZoneInfo
) -> DueSlots:
    """The wave due at `instant` of a batch active since `active_since`, and the ones that are missed.

    A wave is due for `WAVE_GRACE`, if the batch was active before it; of several only the latest is
    opened. Looks back over yesterday, so that a wave just before midnight is not forgotten.
    """
    today = instant.astimezone(zone).date()
    past = [
        slot
        for day in (today - timedelta(days=1), today)
        for slot in slots_of(day, wave_times, zone)
        if active_since <= slot.opens_at <= instant
    ]
    if not past:
        return DueSlots(None, ())
    latest = past[-1]
    if instant - latest.opens_at < WAVE_GRACE:
        return DueSlots(latest, tuple(past[:-1]))
    return DueSlots(None, tuple(past))
