"""Waves and dispatch: who is called next."""

from __future__ import annotations

from datetime import date, time

from speechai.celery import app
from speechai.composition import services
from speechai.operation.calling import dispatching, waves


@app.task(name="tasks.waves.open_waves")
def open_waves() -> None:
    """Open every wave that is due now (Beat at 09:00, 12:00, 15:00, and the minute tick)."""
    waves.open_waves(services())


@app.task(name="tasks.waves.run_wave")
def run_wave(batch_id: str, day: str, slot: str) -> None:
    """Run one wave of one batch, once: `day` as "2026-11-23", `slot` as "09:00"."""
    waves.run_wave(services(), batch_id, date.fromisoformat(day), f"{time.fromisoformat(slot):%H:%M}")


@app.task(name="tasks.waves.dispatch")
def dispatch() -> None:
    """Hand out as many due jobs as there are free slots."""
    dispatching.dispatch(services())
