"""Following a call that was placed: look at it until it is over, and no longer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from speechai.core.model import Attempt
from speechai.core.states import AttemptState
from speechai.operation.services import Services
from speechai.operation.settling import is_ready, observe, review
from speechai.retell.errors import NotFound, ProviderError

log = logging.getLogger(__name__)

REVIEW_AFTER_STOP = timedelta(minutes=5)  # how long after stop-call a call may go on being "ongoing"


class Next(StrEnum):
    """What a look at a call leads to."""

    CUT = "cut"
    """Somebody else settled it, or follows it: this chain ends."""
    AGAIN = "again"
    """It is not over: look again."""
    PERSIST = "persist"
    """It is over: its result can be persisted."""


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one look, and for `again` the delay in seconds."""

    next: Next
    delay: float = 0


def look(services: Services, attempt_id: str, poll_token: str) -> Look:
    """Look once at the attempt's call. Only the chain that carries the attempt's token goes on."""
    attempt = services.store.attempts.get(attempt_id)
    if attempt is None or attempt.status is not AttemptState.ONGOING or attempt.poll_token != poll_token:
        return Look(Next.CUT)
    again = Look(Next.AGAIN, services.settings.call_polling_interval)
    try:
        call = services.provider.get_call(attempt.call_id or "")
    except NotFound:
        log.warning("the provider does not know the call", extra={"attempt_id": attempt_id})
        call = {}
    except ProviderError as error:
        log.warning("could not look at the call", extra={"attempt_id": attempt_id, "error": str(error)})
        _keep_lease(services, attempt)
        return again

    attempt = observe(services, attempt, call)
    if attempt.ended_at is None:
        if _watchdog(services, attempt):
            return Look(Next.CUT)
    elif is_ready(services, attempt):
        return Look(Next.PERSIST)
    _keep_lease(services, attempt)
    return again


def _keep_lease(services: Services, attempt: Attempt) -> None:
    settings = services.settings
    lease = settings.call_polling_interval + settings.lease_seconds
    services.store.attempts.extend_lease(attempt.id, lease)
    services.store.jobs.extend_lease(attempt.job_id, attempt.id, lease)


def _watchdog(services: Services, attempt: Attempt) -> bool:
    """End a call that goes on for too long. True once it is beyond what a machine can end."""
    instant = services.clock.now()
    limit = timedelta(minutes=services.settings.call_max_duration_minutes)
    if instant - (attempt.posted_at or attempt.reserved_at) < limit:
        return False
    if attempt.stop_requested_at is not None:
        if instant - attempt.stop_requested_at < REVIEW_AFTER_STOP:
            return False
        review(services, attempt)
        return True
    log.warning("the call goes on for too long: asking to end it", extra={"attempt_id": attempt.id})
    try:
        services.provider.stop_call(attempt.call_id or "")
    except ProviderError as error:
        log.warning("could not end the call", extra={"attempt_id": attempt.id, "error": str(error)})
    services.store.attempts.stop_requested(attempt.id, instant)
    return False
