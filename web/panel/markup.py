"""What templates draw and link, where a plain value will not do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from speechai.core.states import JobState

# From left to right: what is over, what is being done, what is to come.
ORDER = (JobState.DONE, JobState.FAILED, JobState.IN_PROGRESS, JobState.SUSPENDED, JobState.PENDING)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a progress bar, in percent of its length."""

    state: str
    x: float
    width: float


def bar_segments(counts: Mapping[str, int]) -> list[Segment]:
    """The states' shares of a batch, side by side."""
    total = sum(counts.values())
    segments, x = [], 0.0
    for state in ORDER:
        width = 100 * counts.get(state.value, 0) / total if total else 0.0
        segments.append(Segment(state.value, round(x, 3), round(width, 3)))
        x += width
    return segments


def web_address(value: Any) -> str | None:
    """The provider's address, if it is one that a browser may be sent to."""
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return None
    return value.strip() if parts.scheme in ("http", "https") and parts.netloc else None
