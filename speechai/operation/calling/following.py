"""Following calls that were placed: each is looked at until it is over, and no longer.

A call's own chain (`poll_call`) looks at it by countdown. What no chain looked at in time is looked at in
pages, which also is how very many calls are followed (`speechai.core.watching`).
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from speechai.core.call import Call
from speechai.core.model import Attempt
from speechai.core.states import AttemptState
from speechai.core.watching import PAGE, Watch, until_next_page, watch
from speechai.operation.calling.settling import Told, is_ready, observe, review
from speechai.operation.services import Services
from speechai.retell.errors import NotFound, ProviderError

log = logging.getLogger(__name__)

REVIEW_AFTER_STOP = timedelta(minutes=5)  # how long after stop-call a call may go on being "ongoing"
ANALYSIS_SOON = timedelta(seconds=2)
FEW = 20  # so many are asked for one by one: a page would save nothing


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
    call = ask(services, attempt)
    if call.is_terminal or attempt.call.is_terminal:
        attempt = observe(services, attempt, call, Told.BY_LOOKING)
        if is_ready(services, attempt):
            return Look(Next.PERSIST)
        return Look(Next.AGAIN, _until_analysed(services, attempt))
    if _watchdog(services, attempt):
        return Look(Next.CUT)
    return _look_again(services, attempt)


def ask(services: Services, attempt: Attempt) -> Call:
    """What the provider says of the attempt's call; nothing where it does not know it, or does not answer.

    No deadline waits for an answer: whoever asks goes on with what is known.
    """
    try:
        return Call.of(services.provider.get_call(attempt.call_id or ""))
    except ProviderError as error:
        known = "does not know" if isinstance(error, NotFound) else "does not tell of"
        log.warning("the provider %s the call", known, extra={"attempt_id": attempt.id, "error": str(error)})
        return Call.of({})


def look_in_pages(services: Services) -> int:
    """Look at every call that nobody looked at in time. Returns how many there were.

    A page only tells which calls go on. Each of the others gets a new chain that looks at it at once, and so
    does every one of a few: from there it is the normal way. Those that last too long get one in any case:
    the watchdog waits for no answer.
    """
    overdue = services.store.attempts.expired(AttemptState.ONGOING, limit=100_000)
    pages = [attempt for attempt in overdue if not _is_too_long(services, attempt)]
    if len(pages) <= FEW:
        pages = []
    in_pages = {attempt.id for attempt in pages}
    for attempt in overdue:
        if attempt.id not in in_pages:
            _follow_anew(services, attempt)
    traffic = services.store.pacing.traffic(services.settings.provider_key)
    lease = until_next_page(traffic, services.patience, services.clock.now()).total_seconds()
    for start in range(0, len(pages), PAGE):
        page = pages[start : start + PAGE]
        going_on = _going_on(services, page)
        if going_on is None:
            break  # the provider does not answer: the rest is asked for with the next turn
        services.store.attempts.watch_over(sorted(going_on), lease)
        for attempt in page:
            if attempt.id not in going_on:
                _follow_anew(services, attempt)
    return len(overdue)


def _going_on(services: Services, page: list[Attempt]) -> set[str] | None:
    """Those of the attempts whose call goes on, by the provider's list; None where it does not answer."""
    live = {attempt.call_id: attempt for attempt in page if attempt.call_id and attempt.ended_at is None}
    try:
        calls = [Call.of(told) for told in services.provider.get_calls(list(live))]
    except ProviderError as error:
        log.warning("could not look at a page of calls", extra={"error": str(error)})
        return None
    return {
        attempt.id
        for call in calls
        if not call.is_terminal and (attempt := live.get(call.call_id or "")) is not None
    }


def _follow_anew(services: Services, attempt: Attempt) -> None:
    token = uuid.uuid4().hex
    if services.store.attempts.new_poll_token(attempt.id, token, services.settings.lease_seconds):
        services.nudges.follow(attempt.id, token, 0)


def _until_analysed(services: Services, attempt: Attempt) -> float:
    """Its slot is free, and its analysis usually comes within seconds: soon, then less and less often."""
    waited = services.clock.now() - (attempt.ended_at or services.clock.now())
    return min(services.settings.call_polling_interval, max(ANALYSIS_SOON, waited).total_seconds())


def _look_again(services: Services, attempt: Attempt) -> Look:
    watched = _watch(services)
    services.store.attempts.extend_lease(attempt.id, watched.lease.total_seconds())
    return Look(Next.AGAIN, watched.chain.total_seconds()) if watched.chain else Look(Next.CUT)


def _watch(services: Services) -> Watch:
    traffic = services.store.pacing.traffic(services.settings.provider_key)
    return watch(traffic, services.patience, services.clock.now())


def _is_too_long(services: Services, attempt: Attempt) -> bool:
    limit = timedelta(minutes=services.settings.call_max_duration_minutes)
    return services.clock.now() - (attempt.posted_at or attempt.reserved_at) >= limit


def _watchdog(services: Services, attempt: Attempt) -> bool:
    """End a call that goes on for too long. True once it is beyond what a machine can end."""
    instant = services.clock.now()
    if not _is_too_long(services, attempt):
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
