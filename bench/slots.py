"""How busy the provider's slots are kept: `python bench/slots.py`.

400 calls of 2.3 s on 20 slots through the whole stack, once with webhooks and once by polling every 0.5 s
alone. Efficiency is (calls × duration ÷ slots) ÷ (first ring to last end). A slot is idle from the end of a
call to the next ring. Everything is read from the simulator's ledger. The original system's best was 0.71.
"""

from __future__ import annotations

import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.stack.stack import Stack  # noqa: E402 - this script runs from a checkout as it is
from tests.e2e.site import FAST, Site, write_people  # noqa: E402

CALLS, SLOTS = 400, 20
RING, TALK = 0.3, 2.0  # seconds
SCRIPT = {"*": [{"outcome": "promise", "ring_s": RING, "talk_s": TALK, "analysis_s": 0.1}]}


@dataclass(frozen=True)
class Shape:
    """One way of learning that a call is over, and what is asked of it."""

    name: str
    polling_interval: str
    simulator: tuple[str, ...]
    efficiency: float  # at least
    idle_p50: float  # seconds, at most
    idle_p99: float
    requests_per_call: float


SHAPES = (
    Shape("webhooks", "15", (), 0.93, 0.100, 0.450, 1.1),
    Shape(
        "polling alone, every 0.5 s", "0.5", ("--fault", "webhook_loss=1"), 0.80, math.inf, math.inf, math.inf
    ),
)


def main() -> int:
    """Print a line for each shape. 1 if a goal was missed."""
    return max([measure(shape) for shape in SHAPES])


def measure(shape: Shape) -> int:
    """One run on a stack of its own."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **FAST,
            "SPEECHAI_HOME": directory,
            "MAX_CONCURRENT_CALLS": str(SLOTS),
            "CALLS_PER_SECOND": "1000",
            "MAX_ATTEMPTS": "1",
            "DAILY_CONTACTS": str(CALLS),
            "LEASE_SECONDS": "120",
            "CALL_POLLING_INTERVAL": shape.polling_interval,
            "LOG_LEVEL": "WARNING",
        }
        with Stack(environment=environment, simulator=["--speed", "1", *shape.simulator]) as stack:
            stack.wait_ready()
            site = Site(stack)
            site.simulator("script", SCRIPT)
            batch_id = site.upload(write_people(Path(directory), CALLS).path)["batch_id"]
            site.completed(batch_id, 300)
            calls = site.ledger(batch_id)
            asked = site.whole_ledger()["requests"]
    return report(shape, calls, sum(asked.values()))


def report(shape: Shape, calls: list[dict[str, float]], asked: int) -> int:
    """What the ledger says."""
    starts = sorted(call["created_at"] for call in calls)
    ends = sorted(call["ended_at"] for call in calls)
    duration = mean(call["ended_at"] - call["created_at"] for call in calls)
    efficiency = (len(calls) * (RING + TALK) / SLOTS) / (ends[-1] - starts[0])
    idle = sorted(start - end for start, end in zip(starts[SLOTS:], ends, strict=False))
    p50, p99 = idle[len(idle) // 2], idle[int(len(idle) * 0.99)]
    per_call = asked / len(calls)
    print(
        f"{shape.name}: {len(calls)} calls of {duration:.2f} s on {SLOTS} slots: "
        f"efficiency {efficiency:.3f} (goal {shape.efficiency}); "
        f"slot idle p50 {1000 * p50:.0f} ms{_goal(1000 * shape.idle_p50)}, "
        f"p99 {1000 * p99:.0f} ms{_goal(1000 * shape.idle_p99)}; "
        f"requests per call {per_call:.3f}{_goal(shape.requests_per_call)}"
    )
    well = (
        len(calls) == CALLS
        and efficiency >= shape.efficiency
        and p50 <= shape.idle_p50
        and p99 <= shape.idle_p99
        and per_call <= shape.requests_per_call
    )
    return int(not well)


def _goal(most: float) -> str:
    return "" if math.isinf(most) else f" (goal {most:g})"


if __name__ == "__main__":
    sys.exit(main())
