"""Snapshots: many who look at once cost one look, and nobody sees what is older than a moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from web import shared
from web.shared import Snapshots


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(shared, "monotonic", lambda: now[0])
    return now


def test_eight_who_look_at_once_cost_one_look(clock):
    snapshots, looks, together = Snapshots(), [], threading.Barrier(8)

    def look() -> int:
        looks.append(1)
        return len(looks)

    def ask(_: int) -> int:
        together.wait(10)
        return snapshots.get("batch-1", look)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [1] * 8
    assert len(looks) == 1


def test_a_moment_later_somebody_looks_again(clock):
    snapshots, looks = Snapshots(fresh=1.0), iter(range(9))
    assert snapshots.get("a", lambda: next(looks)) == 0
    clock[0] += 0.9
    assert snapshots.get("a", lambda: next(looks)) == 0
    assert snapshots.get("b", lambda: next(looks)) == 1
    clock[0] += 0.2
    assert snapshots.get("a", lambda: next(looks)) == 2
    snapshots.forget()
    assert snapshots.get("a", lambda: next(looks)) == 3


def test_a_look_that_fails_is_tried_by_the_next(clock):
    snapshots = Snapshots()
    with pytest.raises(LookupError):
        snapshots.get("a", lambda: {}["none"])
    assert snapshots.get("a", lambda: 1) == 1


def test_old_looks_are_not_kept(clock):
    snapshots = Snapshots()
    for number in range(50):
        clock[0] += 2
        snapshots.get(number, lambda: "much")
    assert len(snapshots._looks) == 1
