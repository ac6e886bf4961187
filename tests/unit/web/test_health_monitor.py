"""The monitor is bounded: a part that hangs costs its patience once, and one thread."""

from __future__ import annotations

import threading
from typing import Any

from web.health import Monitor


def well() -> dict[str, Any]:
    return {"status": "ok"}


def test_all_well() -> None:
    report = Monitor({"database": well}).report()
    assert report == {"status": "ok", "parts": {"web": {"status": "ok"}, "database": {"status": "ok"}}}


def test_an_error_is_told_by_its_kind_never_by_its_words() -> None:
    def broken() -> dict[str, Any]:
        raise ConnectionError("redis://:secret@host is gone")

    report = Monitor({"broker": broken, "database": well}).report()
    assert report["status"] == "error"
    assert report["parts"]["broker"] == {"status": "error", "detail": "ConnectionError"}
    assert report["parts"]["database"] == {"status": "ok"}


def test_degraded_is_not_down() -> None:
    assert Monitor({"provider": lambda: {"status": "degraded"}}).report()["status"] == "ok"


def test_a_fresh_answer_is_given_again() -> None:
    asked = []

    def counted() -> dict[str, Any]:
        asked.append(1)
        return well()

    monitor = Monitor({"database": counted}, fresh=3600)
    monitor.report()
    monitor.report()
    assert len(asked) == 1


def test_a_part_that_hangs_is_waited_for_in_one_thread_only() -> None:
    gate, asked = threading.Event(), []

    def hanging() -> dict[str, Any]:
        asked.append(1)
        gate.wait(30)
        return well()

    monitor = Monitor({"workers": hanging, "database": well}, patience=0.05, fresh=0)
    for _ in range(3):
        report = monitor.report()
        assert report["status"] == "error"
        assert report["parts"]["workers"]["detail"] == "no answer within 0.05 s"
        assert report["parts"]["database"]["status"] == "ok"
    assert len(asked) == 1
    gate.set()
    monitor.patience = 30
    assert monitor.report()["status"] == "ok"  # its late answer counts; the next look asks anew
