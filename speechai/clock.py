"""The only place that asks what time it is.

Every rule and every stored time takes its instant from a `Clock` that was passed in, so a test or a
rehearsal can run a month in a second. (Leases are the exception: they are judged by the database's own
`$$NOW`, because hosts disagree about the time.)
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the current instant."""

    def now(self) -> datetime:
        """The current instant, an aware UTC datetime."""
        ...


class SystemClock:
    """The machine's clock, in whole milliseconds as MongoDB keeps them."""

    def now(self) -> datetime:
        """The current instant, an aware UTC datetime."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class ManualClock:
    """A clock that stands still until it is moved: for tests and rehearsals."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The instant it was last set to, an aware UTC datetime."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move forward (or, with a negative step, back: clocks do jump)."""
        self._now += step

    def set(self, instant: datetime) -> None:
        """Jump to `instant` (aware)."""
        self._now = instant.astimezone(UTC)


def monotonic() -> float:
    """Seconds on a clock that never jumps: for measuring how long something took."""
    return time.monotonic()
