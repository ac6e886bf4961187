"""One look for all who look at once.

Pages that show the same numbers are drawn from one snapshot: the first who asks looks, whoever asks meanwhile
waits for that look, and for a moment afterwards it is given again. So any number of viewers costs the
database one. What an operator orders here is seen at once: it forgets every snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from flask import Flask, Response, current_app, request

from speechai.clock import monotonic

KEY = "snapshots"
FRESH = 1.0  # seconds
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_T = TypeVar("_T")


@dataclass(slots=True)
class _Look:
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = float("-inf")  # when it was over
    found: Any = None


class Snapshots:
    """What was seen, by what was asked. Nobody may change what is given to him: others hold it too."""

    def __init__(self, fresh: float = FRESH) -> None:
        self.fresh = fresh
        self._looks: dict[Hashable, _Look] = {}
        self._lock = threading.Lock()

    def get(self, asked: Hashable, look: Callable[[], _T]) -> _T:
        """What `look` finds, or found at most `fresh` seconds ago; one at a time looks."""
        with self._lock:
            if asked not in self._looks:
                self._drop_old()
            mine = self._looks.setdefault(asked, _Look())
        with mine.lock:
            if monotonic() - mine.at >= self.fresh:
                mine.found = look()
                mine.at = monotonic()
            return cast(_T, mine.found)

    def forget(self) -> None:
        """Whoever asks from now on looks anew."""
        with self._lock:
            self._looks.clear()

    def _drop_old(self) -> None:
        now = monotonic()
        for asked, look in list(self._looks.items()):
            if not look.lock.locked() and now - look.at >= self.fresh:
                del self._looks[asked]


def register(app: Flask) -> None:
    """Give the app its snapshots, forgotten whenever somebody orders something."""
    snapshots = app.extensions[KEY] = Snapshots()

    @app.after_request
    def forget(response: Response) -> Response:
        # Not for the provider's webhooks: they come all the time, and a second of age is fresh enough.
        if request.method not in _SAFE and request.blueprint in ("api", "panel"):
            snapshots.forget()
        return response


def shared() -> Snapshots:
    """The app's snapshots."""
    found: Snapshots = current_app.extensions[KEY]
    return found
