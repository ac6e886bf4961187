"""Doing the same to many items: one that raises is set aside and alerted, the rest goes on.

Each kind of work has a name and is done by one worker at a time, for a bounded time.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from speechai.clock import monotonic
from speechai.operation.services import Services

log = logging.getLogger(__name__)

T = TypeVar("T")
SECONDS = 20.0  # after which a part leaves the rest to its next turn
FLIGHT = 45.0  # seconds: how long nobody else does a part whose worker died; longer than its slowest item


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """One kind of work that comes again and again."""

    name: str
    find: Callable[[Services, Sequence[str]], Iterable[T]]
    """What there is to do; the keys of what is set aside are left out."""
    heal: Callable[[Services, T], int]
    """Do it to one item. Returns how much was done; doing it twice is doing it once."""
    key: Callable[[T], str]
    """The item's name, under which it is set aside."""
    longest_pause: timedelta = timedelta(hours=1)
    """For how long, at the most, an item that raises again and again is left alone."""


def whole(name: str, function: Callable[[Services], int]) -> Part[None]:
    """A part that is one piece of work: where it raises nothing else goes on, so it is tried again soon."""
    return Part(
        name,
        lambda services, aside: [] if aside else [None],
        lambda services, _: function(services),
        lambda _: "",
        timedelta(minutes=1),
    )


def do(services: Services, part: Part[T], *, flight: str | None = None, seconds: float = SECONDS) -> int:
    """Do a part, unless somebody else does. Returns how much was done.

    `flight`: a name under which it is done whoever does it under another one just then.
    """
    sweeps, flight = services.store.sweeps, flight or part.name
    token = sweeps.take(flight, services.worker, FLIGHT)
    if token is None:
        return 0
    try:
        return _each(services, part, seconds)
    finally:
        sweeps.done(flight, token)


def _each(services: Services, part: Part[T], seconds: float) -> int:
    sweeps, began = services.store.sweeps, monotonic()
    aside, on_record = sweeps.aside(part.name, services.clock.now())
    done, gone = 0, on_record.difference(aside)
    for item in part.find(services, aside):
        key = part.key(item)
        gone.discard(key)
        if key in aside:
            continue
        try:
            done += part.heal(services, item)
        except Exception as error:
            said, instant = repr(error)[:500], services.clock.now()
            until = sweeps.set_aside(part.name, key, said, instant, part.longest_pause)
            log.exception("set aside: %s", part.name, extra={"item": key, "until": str(until)})
        else:
            if key in on_record:
                sweeps.well(part.name, key)
        if monotonic() - began > seconds:
            log.warning("the rest waits for the next turn: %s", part.name)
            return done
    for key in gone:  # a webhook, or an operator, has healed it meanwhile
        sweeps.well(part.name, key)
    return done


@dataclass(frozen=True, slots=True)
class SetAside:
    """What raises and is left alone for a while: somebody has to look at it."""

    count: int
    parts: Mapping[str, Sequence[str]]  # the keys of the items that raise the longest, by part


def set_aside(services: Services) -> SetAside:
    """What every part has set aside."""
    sweeps, parts = services.store.sweeps, defaultdict[str, list[str]](list)
    for row in sweeps.all_aside():
        parts[row["part"]].append(row["key"])
    named = sum(len(keys) for keys in parts.values())
    return SetAside(max(named, sweeps.size_of_aside()) if named else 0, parts)
