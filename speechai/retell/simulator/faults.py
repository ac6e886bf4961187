"""What goes wrong on purpose: each fault has a probability, and can be changed while it runs."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping

FAULTS: dict[str, str] = {
    "lost_reply": "the call is made, the connection is closed before the answer",
    "create_500": "a create fails with 500 and makes no call",
    "create_500_created": "a create fails with 500 and the call is made",
    "create_429": "a create is refused with 429",
    "slow_create": "a create is answered only after `slow_create_s`",
    "read_500": "a read fails with 500",
    "webhook_loss": "a webhook is never sent",
    "webhook_duplicate": "a webhook is sent twice",
    "webhook_late": "a webhook comes `webhook_late_s` later",
    "webhook_reorder": "a webhook comes after the next one",
    "webhook_bad_signature": "a webhook is signed with another key, and again rightly",
    "webhook_stale": "a webhook carries a signature of ten minutes ago, and again a fresh one",
    "unknown_enum": "a call ends for a reason that nobody has heard of",
    "extra_fields": "answers have fields that nobody has heard of",
    "ignore_idempotency": "a repeated key makes another call (1: always)",
    "no_retry_after": "a 429 does not say how long to wait",
}
SECONDS: dict[str, float] = {"list_lag_s": 0.0, "slow_create_s": 30.0, "webhook_late_s": 5.0}


class UnknownFaultError(ValueError):
    """There is no fault of that name."""


class Faults:
    """The probabilities in force, and the dice."""

    def __init__(self, seed: int = 0) -> None:
        self._dice = random.Random(f"faults|{seed}")
        self._lock = threading.Lock()
        self.probabilities: dict[str, float] = dict.fromkeys(FAULTS, 0.0)
        self.seconds: dict[str, float] = dict(SECONDS)

    def set(self, wanted: Mapping[str, float]) -> None:
        """Change some. Raises UnknownFaultError."""
        for name, value in wanted.items():
            if name in FAULTS:
                self.probabilities[name] = float(value)
            elif name in SECONDS:
                self.seconds[name] = float(value)
            else:
                raise UnknownFaultError(f"no fault {name!r}; there are {sorted({*FAULTS, *SECONDS})}")

    def strikes(self, name: str) -> bool:
        """Whether this fault happens now."""
        probability = self.probabilities[name]
        if probability <= 0:
            return False
        with self._lock:
            return self._dice.random() < probability

    def as_dict(self) -> dict[str, float]:
        """Everything that can be set, as it is."""
        return {**self.probabilities, **self.seconds}
