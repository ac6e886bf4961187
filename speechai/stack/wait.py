"""The one place that waits for something that cannot tell us when it happens: a port, a server, a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from speechai.stack.errors import InterruptedStartError, StackError

Condition = Callable[[], bool]

TICK = 0.1  # seconds


def until(condition: Condition, *, seconds: float, what: str, interrupted: Condition = lambda: False) -> None:
    """Return once the condition holds. Raises StackError after `seconds`.

    `interrupted` is how a signal handler ends the wait: InterruptedStartError. It is a look at a flag, since
    the lock inside an Event could be held by the very code that the handler interrupts.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(f"{what} was not ready within {seconds:g} s")
        if interrupted():
            raise InterruptedStartError(f"stopped while waiting for {what}")
        time.sleep(TICK)


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log, to show why its program is not there."""
    if not log.exists():
        return "(it logged nothing)"
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - 16_384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:]) or "(it logged nothing)"
