"""The chain of a call: call_contact → poll_call → persist_result. Messages carry ids and nothing else."""

from __future__ import annotations

from typing import Any

from speechai.celery import app
from speechai.composition import services
from speechai.operation import recovery
from speechai.operation.calling import dialing, following, settling
from speechai.operation.calling.following import Next
from speechai.operation.calling.placing import DialResult


@app.task(name="tasks.calls.call_contact", bind=True, max_retries=None)
def call_contact(self: Any, job_id: str) -> None:
    """Dial the job's next number, if every rule allows it now; a placed call is followed by its chain."""
    dialed = dialing.dial(services(), job_id)
    if dialed.result is DialResult.THROTTLED:
        _again(self, dialed.wait)


@app.task(name="tasks.calls.poll_call", bind=True, max_retries=None)
def poll_call(self: Any, attempt_id: str, poll_token: str) -> None:
    """Look at the call by countdown until it is over; then the chain goes on to its result."""
    look = following.look(services(), attempt_id, poll_token)
    if look.next is Next.AGAIN:
        _again(self, look.delay)
    if look.next is not Next.PERSIST:
        self.request.chain = None  # the retry has taken the chain along, or somebody else settled the call


@app.task(name="tasks.calls.look_in_pages")
def look_in_pages() -> None:
    """Look at every call that nobody looked at in time: with very many in flight, that is all of them."""
    recovery.sweep_part(services(), "calls")


@app.task(name="tasks.calls.persist_result")
def persist_result(attempt_id: str) -> None:
    """Settle the attempt from what is known of its call, and move its job on."""
    settling.persist_result(services(), attempt_id)


def _again(task: Any, countdown: float) -> None:
    """Retry later, without raising: a traceback for each look costs more than the look."""
    task.retry(countdown=countdown, throw=False)
