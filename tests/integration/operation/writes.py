"""Where a process can die, and where another can be quicker: before and after every write, and every create.

Armed acts happen one after the other, each at the n-th of these points that comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest import mock

from pymongo.collection import Collection

WRITES = (
    "insert_one",
    "insert_many",
    "replace_one",
    "update_one",
    "update_many",
    "delete_one",
    "delete_many",
    "bulk_write",
    "find_one_and_update",
    "find_one_and_delete",
)


class KilledError(BaseException):
    """The process is gone: nothing in the product may catch it."""


def dies(*_: Any, **__: Any) -> NoReturn:
    """Stands for the step that the process does not live to take."""
    raise KilledError


class Points:
    """Counts the points of whatever is done, and acts at those that were armed."""

    def __init__(self) -> None:
        self._armed: deque[tuple[int, Callable[[], None] | None]] = deque()
        self._passed = 0
        self._steps = 0

    def kill(self, after: int) -> None:
        """Whoever comes to the point after so many others dies there."""
        self._armed.append((after, None))

    def meet(self, after: int, act: Callable[[], None]) -> None:
        """Somebody else acts there, while whoever came to the point stands still."""
        self._armed.append((after, act))

    @contextmanager
    def of_a_step(self) -> Iterator[None]:
        """Only what is done in a step counts: whoever looks on does not die."""
        self._steps += 1
        try:
            yield
        finally:
            self._steps -= 1

    def disarm(self) -> None:
        """Nothing more happens."""
        self._armed.clear()
        self._passed = 0

    def reached(self, *, in_transaction: bool = False) -> None:
        """One more point."""
        if not (self._armed and self._steps):
            return
        after, act = self._armed[0]
        self._passed += 1
        # Whoever waits for a transaction that stands still waits for ever.
        if self._passed <= after or (act is not None and in_transaction):
            return
        self._armed.popleft()
        self._passed = 0
        if act is None:
            raise KilledError
        act()

    @contextmanager
    def at_every_write(self) -> Iterator[None]:
        """While it is open, every write is two points."""
        with mock.patch.multiple(Collection, **{name: self._watched(name) for name in WRITES}):
            yield

    def _watched(self, name: str) -> Callable[..., Any]:
        original = getattr(Collection, name)

        def write(collection: Collection[Any], *args: Any, **kwargs: Any) -> Any:
            is_inside = kwargs.get("session") is not None
            self.reached(in_transaction=is_inside)
            done = original(collection, *args, **kwargs)
            self.reached(in_transaction=is_inside)
            return done

        return write
