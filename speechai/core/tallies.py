"""What one job and one attempt add to the sums of their batch. Pure: the same record adds the same.

A tally is flat: names of counts (`jobs:pending`, `outcomes:voicemail`, `promised:CLP`) with what is added to
each. The names are without dots, which MongoDB would read as paths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from speechai.core.promises import PromiseState
from speechai.core.states import OPEN_ATTEMPTS, AttemptState, JobState

Amount = int | Decimal
Tally = dict[str, Amount]

OPEN = "open"
"""Under which name attempts without an outcome are counted among the outcomes."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What a batch came to so far."""

    jobs: Mapping[JobState, int]  # every state, none left out
    reasons: Mapping[str, int]
    outcomes: Mapping[str, int]
    dials: int
    rings: int
    in_flight: int  # calls that are not over: those that hold a slot
    duration_ms: int
    cost_cents: Decimal  # US cents
    promises: Mapping[str, int]  # people who promised something believable, by currency
    promised_minor: Mapping[str, int]  # how much, by currency, in minor units

    @property
    def total(self) -> int:
        """How many jobs there are."""
        return sum(self.jobs.values())

    @property
    def final(self) -> int:
        """How many jobs are final."""
        return sum(count for state, count in self.jobs.items() if state.is_final)


def tally_of_job(job: Mapping[str, Any]) -> Tally:
    """What a stored job adds: its state, its reason, and the promise it keeps, if that is believed."""
    tally: Tally = {f"jobs:{job['status']}": 1}
    if job.get("reason"):
        tally[f"reasons:{job['reason']}"] = 1
    promise = job.get("promise") or {}
    if promise.get("status") in _BELIEVED and promise.get("currency"):
        tally[f"promises:{promise['currency']}"] = 1
        tally[f"promised:{promise['currency']}"] = promise.get("amount_minor") or 0
    return _without_nothing(tally)


def tally_of_attempt(attempt: Mapping[str, Any]) -> Tally:
    """What a stored attempt adds. One that was given back adds nothing: no call was made.

    `cost_cents` is an exact decimal of US cents; `duration_ms` what the provider says of the call's length.
    """
    status = AttemptState(attempt["status"])
    if status is AttemptState.RELEASED:
        return {}
    return _without_nothing(
        {
            f"outcomes:{attempt.get('outcome') or OPEN}": 1,
            "dials": 1,
            "rings": int(bool(attempt.get("uses_place"))),
            "in_flight": int(status in OPEN_ATTEMPTS and attempt.get("ended_at") is None),
            "duration_ms": _whole(attempt.get("duration_ms")),
            "cost_cents": attempt.get("cost_cents") or 0,
        }
    )


def add(total: Tally, tally: Mapping[str, Amount], times: int = 1) -> None:
    """Add a tally to a total, `times` over (negative: take it away)."""
    for name, amount in tally.items():
        total[name] = total.get(name, 0) + amount * times


def sums_of(tally: Mapping[str, Amount]) -> Sums:
    """A batch's tally, by name."""
    jobs = _named(tally, "jobs")
    return Sums(
        jobs={state: jobs.get(state.value, 0) for state in JobState},
        reasons=_named(tally, "reasons"),
        outcomes=_named(tally, "outcomes"),
        dials=int(tally.get("dials", 0)),
        rings=int(tally.get("rings", 0)),
        in_flight=int(tally.get("in_flight", 0)),
        duration_ms=int(tally.get("duration_ms", 0)),
        cost_cents=Decimal(tally.get("cost_cents", 0)),
        promises=_named(tally, "promises"),
        promised_minor=_named(tally, "promised"),
    )


_BELIEVED = frozenset(state.value for state in PromiseState if state is not PromiseState.FLAGGED)


def _named(tally: Mapping[str, Amount], group: str) -> dict[str, int]:
    return {
        name.removeprefix(f"{group}:"): int(amount)
        for name, amount in sorted(tally.items())
        if name.startswith(f"{group}:") and amount
    }


def _without_nothing(tally: Tally) -> Tally:
    return {name: amount for name, amount in tally.items() if amount}


def _whole(value: Any) -> int:
    """The provider's number of milliseconds; nothing where it said something else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if is_number else 0
