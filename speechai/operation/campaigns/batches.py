"""What an operator does with a batch: start, pause, resume, cancel, and look at it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from speechai.core.model import Batch
from speechai.core.states import BatchState
from speechai.core.tallies import Sums
from speechai.core.variables import plain_amount
from speechai.core.zones import local_day
from speechai.operation.calling.closing import end_jobs
from speechai.operation.calling.waves import open_day
from speechai.operation.services import Services
from speechai.store.database import Document, decimal_of

Start = Literal["now", "next_wave", "draft"]


class BatchNotFoundError(LookupError):
    """There is no such batch."""


class MoveRefusedError(Exception):
    """The batch is in a state from which this cannot be done; `state` says which."""

    def __init__(self, state: BatchState) -> None:
        super().__init__(f"the batch is {state.value}")
        self.state = state


def start(services: Services, batch_id: str, when: Literal["now", "next_wave"]) -> Document:
    """Start a draft: `now` runs it continuously, `next_wave` by its waves. Returns the batch.

    One write: its jobs wait for a wave since they were made, and only a running batch has waves. What follows
    at once is only sooner than the minute tick would do it.
    """
    continuous = when == "now"
    instant = services.clock.now()
    changes = {
        "continuous": continuous,
        "active_since": instant,
        "started_at": instant,
        "start_wish": None,
    }
    _move(services, batch_id, BatchState.RUNNING, changes, only_from=BatchState.DRAFT)
    if continuous:
        open_day(services, _require(services, batch_id), instant)
    return view(services, batch_id)


def pause(services: Services, batch_id: str) -> Document:
    """No new call of the batch; calls in flight end normally. Returns the batch."""
    _move(services, batch_id, BatchState.PAUSED, {"paused_at": services.clock.now()})
    return view(services, batch_id)


def resume(services: Services, batch_id: str) -> Document:
    """Go on with a paused batch. Waves that came and went in the pause are not made up for."""
    instant = services.clock.now()
    _move(services, batch_id, BatchState.RUNNING, {"active_since": instant}, only_from=BatchState.PAUSED)
    batch = _require(services, batch_id)
    if batch.continuous:
        open_day(services, batch, instant)
    services.nudges.dispatch()
    return view(services, batch_id)


def cancel(services: Services, batch_id: str) -> Document:
    """Call the batch off for good: who is not being called now never will be by it. Returns the batch.

    Its jobs end in pieces, the first one here and the others by the sweep; who is being called ends with
    the call.
    """
    _move(services, batch_id, BatchState.CANCELLED, {"cancelled_at": services.clock.now(), "ending": True})
    end_jobs(services, batch_id, pieces=1)
    return view(services, batch_id)


def view(services: Services, batch_id: str) -> Document:
    """The batch as API and panel show it: state, counts, cost. Raises BatchNotFoundError."""
    document = services.store.batches.document(batch_id)
    if document is None:
        raise BatchNotFoundError(batch_id)
    return describe(services, [document])[0]


def describe(services: Services, documents: Sequence[Document]) -> list[Document]:
    """Stored batches with what is counted rather than stored, in as many reads as one of them."""
    sums = services.store.tallies.read_many([document["_id"] for document in documents])
    instant = services.clock.now()
    today = {document["_id"]: local_day(instant, ZoneInfo(document["tz_name"])) for document in documents}
    contacts = services.store.groups.sizes(today)
    return [
        {
            **_described(document, sums[document["_id"]]),
            "contacts_today": contacts[document["_id"]],
            "held_by_provider": document["provider"] != services.settings.provider_key,
        }
        for document in documents
    ]


def _described(document: Document, sums: Sums) -> Document:
    shown = {name: value for name, value in document.items() if name not in ("_id", "served_at")}
    return {
        **shown,
        "counts": {state.value: count for state, count in sums.jobs.items()},
        "jobs": sums.total,
        "reasons": dict(sums.reasons),
        "outcomes": dict(sums.outcomes),
        "dials": sums.dials,
        "rings": sums.rings,
        "talk_seconds": round(sums.duration_ms / 1000, 1),
        "cost_cents": float(sums.cost_cents),
        "in_flight": sums.in_flight,
        "promises": sum(sums.promises.values()),
        "promised": {
            currency: plain_amount(minor, currency) for currency, minor in sums.promised_minor.items()
        },
    }


def cost_of(document: Document) -> Decimal:
    """The stored cost of a job or an attempt, in US cents."""
    return decimal_of(document.get("cost_cents"))


def _require(services: Services, batch_id: str) -> Batch:
    batch = services.store.batches.get(batch_id)
    if batch is None:
        raise BatchNotFoundError(batch_id)
    return batch


def _move(
    services: Services,
    batch_id: str,
    target: BatchState,
    changes: dict[str, Any],
    *,
    only_from: BatchState | None = None,
) -> None:
    if not services.store.batches.move(batch_id, target, changes, only_from=only_from):
        raise MoveRefusedError(_require(services, batch_id).status)
