"""When to stop asking a provider that does not answer, and when to try again.

Counted are answers that say nothing about the call: no connection, a timeout, a 5xx. Any real answer, a
refusal included, closes the breaker. While it is open nobody is dialed, so no contact loses an attempt to an
outage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FAILURES_TO_OPEN = 5  # in a row: fewer would open it for a single lost connection under load
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of an account's provider. Closed: dial. Open: wait until `probe_at`, then try one."""

    failures: int = 0  # in a row
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    last_error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether dialing waits."""
        return self.opened_at is not None

    def forbids(self, instant: datetime) -> bool:
        """Whether not even a probe may be dialed at `instant`."""
        return self.probe_at is not None and instant < self.probe_at

    def failed(self, instant: datetime, error: str, *, probe: bool = False) -> Breaker:
        """After one more failure. Each failed probe doubles the pause; a dial that began before it opened
        and fails afterwards says nothing new.
        """
        if self.is_open and not probe:
            return self
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN:
            return replace(self, failures=failures, last_error=error)
        pause = min(FIRST_PAUSE * 2 ** min(failures - FAILURES_TO_OPEN, 16), LONGEST_PAUSE)
        return Breaker(failures, self.opened_at or instant, instant + pause, error)


CLOSED = Breaker()
