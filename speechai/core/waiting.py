"""What a job waits for: one value, a kind and the instant it speaks of.

It is kept while the job is called, for a dial after which nothing rang gives the job back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class WaitingFor(StrEnum):
    """What must come before a job is called (a draft or paused batch is its batch's state)."""

    WAVE = "wave"
    """The first wave of its batch at or after its instant (any, where it has none), or its turn in a later
    day's group."""
    TURN = "turn"
    """A free line from its instant on: it was released. Where a rule holds it, it waits for a wave again."""
    HOUR = "hour"
    """A free line from an instant of its own on: an hour that was agreed, an operator's order, the next
    number after an invalid one. Waves neither bring it nor hold it."""
    REVIEW = "review"
    """A person, who must say what became of its last attempt."""
    ACCOUNT = "account"
    """What its account lacks (the job's reason says what); then its turn, at the instant it had."""
    ACCOUNT_THEN_HOUR = "account_then_hour"
    """The same; then its own hour."""


FOR_A_LINE = (WaitingFor.TURN, WaitingFor.HOUR)
"""What nothing but the instant holds: a pending job is handed out then, a suspended one is pending again."""

AFTER_ACCOUNT = {
    WaitingFor.ACCOUNT: WaitingFor.TURN,
    WaitingFor.ACCOUNT_THEN_HOUR: WaitingFor.HOUR,
}
"""What a job that its account held waits for, once the account can pay for a call again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a job waits for, and from when on (UTC): stored as `waiting_for` and `next_attempt_at`."""

    kind: WaitingFor
    due: datetime | None = None

    def is_due(self, instant: datetime) -> bool:
        """Whether nothing but a line is missing."""
        return self.kind in FOR_A_LINE and self.due is not None and self.due <= instant

    def again(self, due: datetime) -> Waiting:
        """For a line once more, at another instant: who had an hour of its own keeps one."""
        has_hour = self.kind in (WaitingFor.HOUR, WaitingFor.ACCOUNT_THEN_HOUR)
        return Waiting(WaitingFor.HOUR if has_hour else WaitingFor.TURN, due)
