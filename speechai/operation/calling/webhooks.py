"""What the provider tells us by itself: verified at the door (web), taken in here."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any

from speechai.core.call import Call
from speechai.core.model import Attempt
from speechai.core.states import AttemptState
from speechai.operation.calling.placing import found
from speechai.operation.calling.settling import Told, is_ready, observe
from speechai.operation.services import Services

log = logging.getLogger(__name__)


class Reception(StrEnum):
    """What a well signed and well formed webhook came to."""

    NEWS = "news"
    """It told something that was not known."""
    REPEAT = "repeat"
    """Everything in it was known: nothing is done."""
    FOREIGN = "foreign"
    """It is about a call that is not ours."""


def receive(services: Services, event: str, told: dict[str, Any]) -> Reception:
    """Take in a webhook's call.

    Order, repeats and lateness do not matter: everything goes through the same merge and the same settle.
    """
    call = Call.of(told)
    attempt = _attempt_of(services, call)
    if attempt is None:
        log.info("webhook for a call that is not ours", extra={"event": event})
        return Reception.FOREIGN
    if attempt.status in (AttemptState.DIALING, AttemptState.UNKNOWN):
        if not call.call_id:
            log.warning("a webhook names our attempt and no call", extra={"attempt_id": attempt.id})
            return Reception.FOREIGN
        # The answer to our request was lost, or is slower than this.
        found(services, attempt, call.kept)
        attempt = services.store.attempts.get(attempt.id) or attempt
    if not _says_something_new(attempt, call):
        return Reception.REPEAT
    attempt = observe(services, attempt, call, Told.BY_WEBHOOK)
    if not attempt.status.is_final and is_ready(services, attempt):
        services.nudges.persist_result(attempt.id)
    return Reception.NEWS


def _says_something_new(attempt: Attempt, call: Call) -> bool:
    """Whether there is anything to write: not for a repeat, nor that a call goes on, as we knew."""
    merged = attempt.call_with(call)
    if not merged.is_terminal:
        return False
    return merged != attempt.call or attempt.ended_at is None


def _attempt_of(services: Services, call: Call) -> Attempt | None:
    attempts = services.store.attempts
    named = attempts.get(call.attempt_id) if call.attempt_id else None
    return named or (attempts.by_call(call.call_id) if call.call_id else None)
