"""Attempts of which nobody knows whether they rang: read first, and only then, perhaps, post again.

A webhook for the call settles the question too. What no machine can tell ends as `needs_review`.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from speechai.core.model import Attempt
from speechai.core.rules import judge
from speechai.core.states import AttemptState
from speechai.failpoints import reached
from speechai.operation.calling.judging import gather_facts
from speechai.operation.calling.placing import LOOK_FOR_AFTER, Dial, found, post
from speechai.operation.calling.settling import review
from speechai.operation.services import Services
from speechai.retell.errors import ProviderError

log = logging.getLogger(__name__)

SEARCH_GRACE = timedelta(seconds=LOOK_FOR_AFTER)
LOOKS_BEFORE_POSTING_AGAIN = 2
# … and how long it must be missing before it may be posted again: half a lease, within these bounds.
POST_AGAIN_AFTER = timedelta(seconds=30), timedelta(seconds=60)
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
    first_post = attempt.posted_at or attempt.reserved_at
    missing_for = instant - (attempt.last_posted_at or first_post)
    if missing_for < timedelta(0):
        # The clock went back: how long it is missing is counted from now.
        services.store.attempts.missing_since(attempt.id, instant)
        return True
    if missing_for < SEARCH_GRACE:
        return True
    try:
        calls = services.provider.find_by_attempt(attempt.id)
    except ProviderError as error:
        log.warning("could not look for the attempt", extra={"attempt_id": attempt.id, "error": str(error)})
        return True
    if calls:
        reached("unknown_found")
        found(services, attempt, calls[0])
        return False
    if missing_for < _post_again_after(services) or attempt.looks + 1 < LOOKS_BEFORE_POSTING_AGAIN:
        services.store.attempts.searched(attempt.id, instant)
        return True
    if instant - first_post < POST_AGAIN_WITHIN:
        return not _post_again(services, attempt)
    review(services, attempt)
    return False


def _post_again_after(services: Services) -> timedelta:
    least, most = POST_AGAIN_AFTER
    return min(most, max(least, timedelta(seconds=services.settings.lease_seconds / 2)))


def _post_again(services: Services, attempt: Attempt) -> bool:
    """The provider shows no trace of it: the same attempt again, under the same key, if the rules allow."""
    store = services.store
    job, standing = store.jobs.get(attempt.job_id), store.standing.of(attempt.batch_id)
    if job is None or standing is None or job.attempt_id != attempt.id:
        review(services, attempt)
        return True
    instant, book = services.clock.now(), services.rulebook(standing)
    facts = gather_facts(services, job, standing, book, instant)
    verdict = judge(job, book, facts, instant)
    if {rule.rule for rule in verdict.forbidding} - _ITS_OWN - {cap.name for cap in book.policy.caps}:
        return False  # not now: within the 50 minutes it is asked again
    if services.pace.wait(attempt.from_number) > 0:
        return False
    if not store.attempts.dial_again(attempt.id, instant, services.settings.lease_seconds):
        return True
    dial = Dial(
        job=job,
        standing=standing,
        book=book,
        attempt_id=attempt.id,
        from_number=attempt.from_number,
        judged_at=instant,
        traffic=store.pacing.traffic(attempt.provider),
    )
    post(services, dial)
    return True
