"""What goes wrong on purpose: each fault has a probability, and can be changed while it runs."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping

# What a create is refused with: status and words, as the real API's.
REFUSALS: dict[str, tuple[int, str]] = {
    "400": (400, "Invalid request format, please check API reference."),
    "401": (401, "API key is missing or invalid."),
    "402": (402, "Trial has ended, please add payment method."),
    "403": (403, "Please accept the terms of service first."),
    "429": (429, "Account rate limited, please throttle your requests."),
}
LOOKUPS = ("get", "list")  # get-call, list-calls

FAULTS: dict[str, str] = {
    "lost_reply": "the call is made, the connection is closed before the answer",
    "create_500": "a create fails with 500 and makes no call",
    "create_500_created": "a create fails with 500 and the call is made",
    **{f"create_{status}": f"a create is refused with {status}" for status in REFUSALS},
    **{
        f"repost_{status}": f"a create whose key was used before is refused with {status}, though it rings"
        for status in REFUSALS
    },
    "repost_unreachable": "a list that lags behind a call is the last answer for `unreachable_s`: whoever "
    "posts the call again is refused the connection",
    "slow_create": "a create is answered only after `slow_create_s`",
    "read_500": "anything but a create fails with 500",
    **{f"{name}_500": f"{name}-call(s) fails with 500" for name in LOOKUPS},
    **{f"{name}_401": f"{name}-call(s) fails with 401" for name in LOOKUPS},
    **{f"{name}_hangs": f"{name}-call(s) does not answer within `hang_s`" for name in LOOKUPS},
    "webhook_loss": "a webhook is never sent",
    "webhook_duplicate": "a webhook is sent twice",
    "webhook_late": "a webhook comes `webhook_late_s` later",
    "webhook_reorder": "a webhook comes after the next one",
    "webhook_bad_signature": "a webhook is signed with another key, and again rightly",
    "webhook_stale": "a webhook carries a signature of ten minutes ago, and again a fresh one",
    "analysis_late": "what was said is known from the analysis alone, and that comes `analysis_late_s` later",
    "cost_grows": "half as much again is charged for a call `cost_grows_s` after its end",
    "unknown_enum": "a call ends for a reason that nobody has heard of",
    "extra_fields": "answers have fields that nobody has heard of",
    "ignore_idempotency": "a repeated key makes another call (1: always)",
    "no_retry_after": "a 429 does not say how long to wait",
}
# Real seconds, whatever the speed.
SECONDS: dict[str, float] = {
    "list_lag_s": 0.0,
    "slow_create_s": 30.0,
    "hang_s": 30.0,
    "unreachable_s": 2.0,
    "webhook_late_s": 5.0,
    "analysis_late_s": 300.0,
    "cost_grows_s": 600.0,
}


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
