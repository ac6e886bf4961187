"""The sweep, on Beat's clock and at worker start."""

from __future__ import annotations

from typing import Any

from celery import signals

from speechai.celery import app
from speechai.composition import services
from speechai.operation import recovery
from speechai.operation.calling import reconciling
from speechai.operation.calling.unwinding import LOOK_FOR_AFTER


@app.task(name="tasks.recovery.sweep")
def sweep() -> None:
    """Find and heal what crashes and lost messages left behind: a message for each part."""
    for name in recovery.PARTS:
        sweep_part.apply_async(args=(name,), expires=30)


@app.task(name="tasks.recovery.sweep_part")
def sweep_part(name: str) -> None:
    """Do one part of the sweep, unless another worker does it just now."""
    recovery.sweep_part(services(), name)


@app.task(name="tasks.recovery.reconcile", bind=True, max_retries=None)
def reconcile(self: Any, attempt_id: str) -> None:
    """Look for an attempt of which nobody knows whether it rang, until that is known."""
    if reconciling.reconcile(services(), attempt_id):
        self.retry(countdown=LOOK_FOR_AFTER, throw=False)


@signals.worker_ready.connect
def sweep_at_start(sender: Any, **_: Any) -> None:
    """A worker that starts may be starting after a crash: look at once."""
    sweep.apply_async(expires=30)
