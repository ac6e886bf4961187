"""Attempts of which nobody knows whether they rang: read first, and only then, perhaps, post again.

A webhook for the call settles the question too. What no machine can tell ends as `needs_review`, by time:
also where every look at the provider fails.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from speechai.core.model import Attempt
from speechai.core.states import AttemptState
from speechai.failpoints import reached
from speechai.operation.calling.judging import may_i
from speechai.operation.calling.placing import Dial, found, post
from speechai.operation.calling.settling import review
from speechai.operation.calling.unwinding import LOOK_FOR_AFTER, Held
from speechai.operation.services import Services
from speechai.retell.errors import ProviderError

log = logging.getLogger(__name__)

SEARCH_GRACE = timedelta(seconds=LOOK_FOR_AFTER)
LOOKS_BEFORE_POSTING_AGAIN = 2
# … and how long it must be missing before it may be posted again: half a lease, within these bounds.
POST_AGAIN_AFTER = timedelta(seconds=30), timedelta(seconds=60)
MOST_POSTS = 2  # it is posted again once: whatever that is answered, the first may have rung
POST_AGAIN_WITHIN = timedelta(minutes=50)  # the provider keeps an idempotency key for an hour
# What the attempt itself holds: the job, the person's open call, a place in the day.
_ITS_OWN = {
    "job_state",
    "one_call_at_a_time",
    "person_calls_per_day",
    "number_calls_per_day",
    "not_before",
    "min_gap",
    "credit",
    "budget",
    "money_in_flight",
}


def reconcile(services: Services, attempt_id: str) -> bool:
    """Look for the attempt at the provider, once. True while it must be looked for again."""
    attempt = services.store.attempts.get(attempt_id)
    if attempt is None or attempt.status is not AttemptState.UNKNOWN:
        return False
    instant = services.clock.now()
    missing_for = instant - (attempt.last_posted_at or attempt.reserved_at)
    if missing_for < timedelta(0):
        # The clock went back: how long it is missing is counted from now.
        services.store.attempts.missing_since(attempt.id, instant)
        return True
    if missing_for < SEARCH_GRACE:
        return True
    calls = _look_for(services, attempt, instant)
    if calls:
        reached("unknown_found")
        found(services, attempt, calls[0])
        return False
    if instant - (attempt.posted_at or attempt.reserved_at) >= POST_AGAIN_WITHIN:
        review(services, attempt)
        return False
    if calls is None:
        return True  # nothing may be posted again that was not looked for
    if missing_for < _post_again_after(services) or attempt.looks + 1 < LOOKS_BEFORE_POSTING_AGAIN:
        return True
    if attempt.posts >= MOST_POSTS:
        return True  # only looking is left
    return not _post_again(services, attempt)


def _look_for(services: Services, attempt: Attempt, instant: datetime) -> list[dict[str, object]] | None:
    """The attempt's calls at the provider; None where it did not answer the question."""
    calls = None
    try:
        calls = services.provider.find_by_attempt(attempt.id)
    except ProviderError as error:
        log.warning("could not look for the attempt", extra={"attempt_id": attempt.id, "error": str(error)})
    if not calls:
        lease = services.settings.lease_seconds
        services.store.attempts.searched(attempt.id, instant, answered=calls is not None, lease_seconds=lease)
    return calls


def _post_again_after(services: Services) -> timedelta:
    least, most = POST_AGAIN_AFTER
    return min(most, max(least, timedelta(seconds=services.settings.lease_seconds / 2)))


def _post_again(services: Services, attempt: Attempt) -> bool:
    """The provider shows no trace of it: the same attempt again, under the same key, if the rules allow.

    False where it must be looked for again.
    """
    store = services.store
    job, standing = store.jobs.get(attempt.job_id), store.standing.of(attempt.batch_id)
    if job is None or standing is None or job.attempt_id != attempt.id:
        review(services, attempt)
        return True
    judged = may_i(services, job, standing, number=attempt.to_number)
    if judged.verdict.names - _ITS_OWN - {cap.name for cap in judged.book.policy.caps}:
        return False  # not now: within the 50 minutes it is asked again
    account = standing.account
    if services.pace.wait(attempt.from_number, account.calls_per_second if account else None) > 0:
        return False
    if not store.attempts.dial_again(attempt, judged.at, services.settings.lease_seconds):
        return True  # somebody else posts it, or knows more of it
    held = Held(attempt.id, attempt.job_id, attempt.account_id, attempt.provider)
    post(services, Dial(judged, held, attempt.from_number, store.pacing.traffic(attempt.provider)))
    return True
