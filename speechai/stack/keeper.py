"""Starts again what dies, after a pause that grows while it keeps dying."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from speechai.stack.supervisor import Part, SupervisorGoneError

FIRST_PAUSE = 0.5  # seconds
LONGEST_PAUSE = 30.0
HEALTHY = 60.0  # having run that long, a part is forgiven its earlier deaths
LOOK_EVERY = 0.25


class Parts(Protocol):
    """What the keeper needs of a supervisor."""

    def parts(self) -> dict[str, Part]:
        """Every program as it is now."""

    def start(self, name: str) -> None:
        """Start a program."""


class Deaths:
    """How often each part died lately, and so how long to wait before its next start."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def pause(self, name: str, *, uptime: float) -> float:
        """Count a death; seconds to wait: 0.5, 1, 2 … up to 30."""
        earlier = 0 if uptime >= HEALTHY else self.count(name)
        self._counts[name] = earlier + 1
        return float(min(FIRST_PAUSE * 2 ** min(earlier, 16), LONGEST_PAUSE))

    def count(self, name: str) -> int:
        """Deaths in a row, none of them after a healthy run."""
        return self._counts.get(name, 0)


class Keeper(threading.Thread):
    """Watches a supervisor's parts until `stop`, or until the supervisor is gone (`lost`)."""

    def __init__(
        self, supervisor: Parts, *, report: Callable[[str], None], on_lost: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self.deaths = Deaths()
        self.lost = threading.Event()
        self._supervisor = supervisor
        self._report = report
        self._on_lost = on_lost
        self._stopping = threading.Event()
        self._due: dict[str, float] = {}  # part → when to start it, on the monotonic clock

    def run(self) -> None:
        """Look, restart, sleep; until told to stop."""
        while not self._stopping.wait(LOOK_EVERY):
            try:
                self.look(time.monotonic())
            except SupervisorGoneError as error:
                if not self._stopping.is_set():
                    self._report(f"lost: {error}")
                    self.lost.set()
                    self._on_lost()
                return

    def look(self, now: float) -> None:
        """Note who died, start whose pause is over."""
        for part in self._supervisor.parts().values():
            if not part.died:
                self._due.pop(part.name, None)
            elif part.name not in self._due:
                pause = self.deaths.pause(part.name, uptime=part.uptime)
                self._due[part.name] = now + pause
                self._report(f"{part.name} ended ({part.status}); starting it again in {pause:g} s")
            elif now >= self._due[part.name]:
                del self._due[part.name]
                self._supervisor.start(part.name)

    def stop(self) -> None:
        """Restart nothing any more."""
        self._stopping.set()
        if self.is_alive():
            self.join()
