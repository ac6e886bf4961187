"""Undoing a dial: the one way in which what it held becomes free again.

Whether anything may be undone is decided by one guarded write to the attempt: only where nothing was sent, or
where the answer to its *first* post says that nothing rang. What was once posted without an answer may have
rung, whatever a later post of it is answered: it goes back to `unknown` and keeps all that it holds. A call
that a webhook placed meanwhile is nobody's to undo.

After that write the order is always the same: the job, the slot, the money. Each is found by the sweep
where a crash comes before it, and each may be done twice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from speechai.core.outcomes import Outcome
from speechai.core.states import AttemptState
from speechai.operation.calling.closing import give_back
from speechai.operation.services import Services

log = logging.getLogger(__name__)

LOOK_FOR_AFTER = 10.0  # seconds: how long a new call may be missing from the provider's list


class Undone(StrEnum):
    """What became of the wish to undo a dial."""

    FREE = "free"
    """Nothing rang: the places, the job, the slot and the money are free again."""
    REFUSED = "refused"
    """Nothing rang, and the attempt is settled with the refusal; what follows for its job is still to be
    said."""
    UNKNOWN = "unknown"
    """An earlier post of it may have rung: it is looked for, and holds what it holds."""
    MOVED_ON = "moved_on"
    """Somebody else knows more of it: its call was placed, or it is over."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a dial holds, by the ids under which it is held."""

    attempt_id: str
    job_id: str
    account_id: str
    provider: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The provider's definite no: what it means, and its words."""

    outcome: Outcome
    words: dict[str, Any]


def unwind(
    services: Services,
    held: Held,
    why: str,
    *,
    before: AttemptState,
    due: datetime | None = None,
    refusal: Refusal | None = None,
) -> Undone:
    """Undo a dial, if nothing of it can have rung.

    `before`: how far whoever undoes it has come: `reserved`, nothing was sent, or `dialing`, the one post
    of it was answered. Somebody else who has come further is left alone.
    `due`: when its job may be called again (now, where it is not said). With `refusal` the attempt is settled
    and its job waits for what follows from that.
    """
    store, instant = services.store, services.clock.now()
    if refusal:
        freed = store.attempts.refuse(held.attempt_id, refusal.outcome, refusal.words, instant)
    else:
        freed = store.attempts.release(held.attempt_id, why, due or instant, instant, before=before)
    if not freed:
        attempt = store.attempts.get(held.attempt_id)
        if attempt is not None and attempt.status is AttemptState.DIALING and before is attempt.status:
            note_unknown(services, held.attempt_id, f"an earlier post may have rung; then: {why}")
            return Undone.UNKNOWN
        if attempt is not None and attempt.status is not AttemptState.RELEASED:
            return Undone.MOVED_ON
    if not refusal:
        give_back(services, held.job_id, held.attempt_id, due or instant)
    store.pacing.free_slot(held.provider, held.attempt_id, held.account_id)
    store.funds.release(held.account_id, held.attempt_id)
    _nudge(services, due - instant if due else timedelta(0))
    return Undone.REFUSED if refusal else Undone.FREE


def note_unknown(services: Services, attempt_id: str, why: str) -> None:
    """It may be ringing: it will be looked for, a little later, before anything else."""
    lease = services.settings.lease_seconds
    if services.store.attempts.unknown(attempt_id, why, services.clock.now(), lease):
        services.nudges.reconcile(attempt_id, LOOK_FOR_AFTER)


def _nudge(services: Services, delay: timedelta) -> None:
    """A slot is free. A longer wait lives in `next_attempt_at`, where Beat's dispatch finds it."""
    services.nudges.dispatch(min(delay, LONGEST_COUNTDOWN).total_seconds())


LONGEST_COUNTDOWN = timedelta(minutes=2)
