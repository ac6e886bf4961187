"""What the provider tells us by itself: verified at the door (web), taken in here."""

from __future__ import annotations

import logging
from typing import Any

from speechai.core.model import Attempt
from speechai.core.outcomes import is_terminal
from speechai.core.states import AttemptState
from speechai.operation.placing import found
from speechai.operation.services import Services
from speechai.operation.settling import Told, is_ready, observe

log = logging.getLogger(__name__)


def receive(services: Services, event: str, call: dict[str, Any]) -> bool:
    """Take in a webhook's call. False where it is not ours.

    Order, repeats and lateness do not matter: everything goes through the same merge and the same settle.
    """
    attempt = _attempt_of(services, call)
    if attempt is None:
        log.info("webhook for a call that is not ours", extra={"event": event})
        return False
    if attempt.status in (AttemptState.DIALING, AttemptState.UNKNOWN) and call.get("call_id"):
        # The answer to our request was lost, or is slower than this.
        found(services, attempt, call)
        attempt = services.store.attempts.get(attempt.id) or attempt
    if not _says_something_new(attempt, call):
        return True
    attempt = observe(services, attempt, call, Told.BY_WEBHOOK)
    if not attempt.status.is_final and is_ready(services, attempt):
        services.nudges.persist_result(attempt.id)
    return True


def _says_something_new(attempt: Attempt, call: dict[str, Any]) -> bool:
    """That a call goes on is what we knew: most webhooks of this kind need no write."""
    return is_terminal(call) or is_terminal(attempt.call) or attempt.status is not AttemptState.ONGOING


def _attempt_of(services: Services, call: dict[str, Any]) -> Attempt | None:
    attempts = services.store.attempts
    metadata = call.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("attempt_id"), str):
        found = attempts.get(metadata["attempt_id"])
        if found is not None:
            return found
    return attempts.by_call(call["call_id"]) if isinstance(call.get("call_id"), str) else None
