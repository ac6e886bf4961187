"""When to stop asking a provider that does not answer, and when to try again.

Counted are answers that say nothing about the call: no connection, a timeout, a 5xx. A refusal of the account
itself (its key, its money: 401, 402, 403) opens it at once: the next contact would be refused the same. Any
other answer closes it. While it is open nobody is dialed but one at a time, to try it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FAILURES_TO_OPEN = 5  # in a row: fewer would open it for a single lost connection under load
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=5)
FIRST_HOLD = timedelta(minutes=1)  # after a refusal of the account: somebody has to do something about it
LONGEST_HOLD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of an account's provider. Closed: dial. Open: wait until `probe_at`, then try one."""

    failures: int = 0  # in a row
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    last_error: str | None = None
    refused: bool = False  # the provider answers, and refuses the account

    @property
    def is_open(self) -> bool:
        """Whether dialing waits."""
        return self.opened_at is not None

    @property
    def says(self) -> str:
        """What is wrong while it is open."""
        return "the provider refuses the account" if self.refused else "the provider does not answer"

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
        return self._opened(failures, instant, error, FIRST_PAUSE, LONGEST_PAUSE, refused=False)

    def refused_at(self, instant: datetime, error: str, *, probe: bool = False) -> Breaker:
        """After a refusal of the account. What was sent before it opened says nothing new, as in `failed`."""
        if self.is_open and self.refused and not probe:
            return self
        failures = max(self.failures + 1, FAILURES_TO_OPEN) if self.refused else FAILURES_TO_OPEN
        return self._opened(failures, instant, error, FIRST_HOLD, LONGEST_HOLD, refused=True)

    def _opened(
        self,
        failures: int,
        instant: datetime,
        error: str,
        first: timedelta,
        longest: timedelta,
        *,
        refused: bool,
    ) -> Breaker:
        pause = min(first * 2 ** min(failures - FAILURES_TO_OPEN, 16), longest)
        return Breaker(failures, self.opened_at or instant, instant + pause, error, refused)


CLOSED = Breaker()
