"""The sweep: every 30 seconds and at worker start, it finds what a crash or a lost message left behind.

It has no ways of its own: each finding goes through the function that the normal path uses.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from speechai.core.model import Attempt
from speechai.core.rules import judge
from speechai.core.states import AttemptState
from speechai.failpoints import reached
from speechai.operation.dispatching import dispatch
from speechai.operation.following import look_in_pages
from speechai.operation.judging import gather_facts
from speechai.operation.placing import Dial, found, give_back, post
from speechai.operation.services import Services
from speechai.operation.settling import Told, conclude, end_call, observe, review
from speechai.operation.slots import ask_for_limit
from speechai.operation.waves import finish_wave, open_waves
from speechai.retell.errors import NotFound, ProviderError

log = logging.getLogger(__name__)

SEARCH_GRACE = timedelta(seconds=10)  # how long a new call may be missing from list-calls
LOOKS_BEFORE_POSTING_AGAIN = 2
# … and how long it must be missing before it may be posted again: half a lease, within these bounds.
POST_AGAIN_AFTER = timedelta(seconds=30), timedelta(seconds=60)
UNCONFIRMED_UPLOADS = timedelta(hours=24)  # how long a previewed file waits for its confirmation
POST_AGAIN_WITHIN = timedelta(minutes=50)  # the provider keeps an idempotency key for an hour


def sweep(services: Services) -> dict[str, int]:
    """Heal everything that is found. Returns how many of each kind; one failure does not stop the rest."""
    parts: dict[str, Callable[[Services], int]] = {
        "reservations": _expired_reservations,
        "dials": _expired_dials,
        "unknown": _unknown_attempts,
        "calls": look_in_pages,
        "jobs": _stranded_jobs,
        "details": _missing_details,
        "slots": _leaked_slots,
        "limit": _limit_of_the_provider,
        "suspended": lambda services: services.store.jobs.resume_suspended(services.clock.now()),
        "waves": _unfinished_waves,
        "due_waves": open_waves,
        "dispatched": dispatch,
        "uploads": lambda services: services.store.uploads.purge(services.clock.now() - UNCONFIRMED_UPLOADS),
    }
    found: dict[str, int] = {}
    errors: list[Exception] = []
    for name, part in parts.items():
        try:
            found[name] = part(services)
        except Exception as error:
            log.exception("the sweep could not do its part: %s", name)
            errors.append(error)
    if healed := {name: count for name, count in found.items() if count}:
        log.info("swept: %s", healed)
    if errors:
        raise ExceptionGroup("parts of the sweep failed", errors)
    return found


def _expired_reservations(services: Services) -> int:
    """Reserved and never posted: nothing rang."""
    expired = services.store.attempts.expired(AttemptState.RESERVED)
    for attempt in expired:
        instant = services.clock.now()
        services.store.jobs.back_to_pending(attempt.job_id, attempt.id, instant)
        why = "its owner died before placing the call"
        give_back(services, attempt.id, attempt.account_id, why, instant)
    return len(expired)


def _expired_dials(services: Services) -> int:
    """Posted, perhaps, by somebody who died: it may have rung."""
    expired = services.store.attempts.expired(AttemptState.DIALING)
    for attempt in expired:
        lease = services.settings.lease_seconds
        services.store.attempts.unknown(
            attempt.id, "its owner died while placing the call", services.clock.now(), lease
        )
    return len(expired)


def _unknown_attempts(services: Services) -> int:
    """Read first: only what the provider does not know, after a grace, may be posted again."""
    resolved = 0
    for attempt in services.store.attempts.in_state(AttemptState.UNKNOWN):
        instant = services.clock.now()
        first_post = attempt.posted_at or attempt.reserved_at
        missing_for = instant - (attempt.last_posted_at or first_post)
        if missing_for < SEARCH_GRACE:
            continue
        try:
            calls = services.provider.find_by_attempt(attempt.id)
        except ProviderError as error:
            log.warning(
                "could not look for the attempt", extra={"attempt_id": attempt.id, "error": str(error)}
            )
            continue
        if calls:
            reached("unknown_found")
            found(services, attempt, calls[0])
            resolved += 1
        elif missing_for < _post_again_after(services) or attempt.looks + 1 < LOOKS_BEFORE_POSTING_AGAIN:
            services.store.attempts.searched(attempt.id, instant)
        elif instant - first_post < POST_AGAIN_WITHIN:
            resolved += _post_again(services, attempt)
        else:
            review(services, attempt)
            resolved += 1
    return resolved


def _post_again_after(services: Services) -> timedelta:
    least, most = POST_AGAIN_AFTER
    return min(most, max(least, timedelta(seconds=services.settings.lease_seconds / 2)))


def _post_again(services: Services, attempt: Attempt) -> int:
    """The provider shows no trace of it: the same attempt again, under the same key, if the rules allow."""
    store = services.store
    job, standing = store.jobs.get(attempt.job_id), store.standing.of(attempt.batch_id)
    if job is None or standing is None or job.attempt_id != attempt.id:
        review(services, attempt)
        return 1
    instant, book = services.clock.now(), services.rulebook(standing.batch)
    facts = gather_facts(services, job, standing, instant)
    verdict = judge(job, book, facts, instant)
    # The attempt itself holds the job, the person's open call and a place in the day.
    own = {"job_state", "one_call_at_a_time", "person_calls_per_day", "number_calls_per_day", "not_before"}
    if {rule.rule for rule in verdict.forbidding} - own:
        return 0  # not now: within the 50 minutes it is asked again
    if services.pace.wait(attempt.from_number) > 0:
        return 0
    if not store.attempts.dial_again(attempt.id, instant, services.settings.lease_seconds):
        return 0
    dial = Dial(
        job=job,
        standing=standing,
        attempt_id=attempt.id,
        from_number=attempt.from_number,
        judged_at=instant,
        traffic=store.pacing.traffic(attempt.provider),
    )
    post(services, dial)
    return 1


def _stranded_jobs(services: Services) -> int:
    """Jobs being called whose attempt is over: a crash came between the two writes."""
    healed = 0
    for job in services.store.jobs.stranded(services.store.logs_name):
        attempt = services.store.attempts.get(job.attempt_id or "")
        if attempt is None or attempt.status is AttemptState.RELEASED:
            instant = services.clock.now()
            healed += services.store.jobs.back_to_pending(job.id, job.attempt_id or "", instant)
        elif attempt.status.is_final:
            healed += conclude(services, attempt)
    return healed


def _missing_details(services: Services) -> int:
    """Settled calls whose cost or analysis had not come yet: ask for it, reopen nothing."""
    waiting = services.store.attempts.awaiting_details(services.clock.now())
    for attempt in waiting:
        try:
            call = services.provider.get_call(attempt.call_id or "")
        except NotFound:
            call = {}
        except ProviderError as error:
            log.warning(
                "could not ask for the call's details",
                extra={"attempt_id": attempt.id, "error": str(error)},
            )
            continue
        observe(services, attempt, call, Told.BY_LOOKING)
    return len(waiting)


def _leaked_slots(services: Services) -> int:
    """Slots whose owner is over, or never came to be."""
    held = services.store.pacing.holders(services.settings.lease_seconds)
    rightful = services.store.attempts.open_ids([attempt_id for _, attempt_id, _ in held])
    leaked = [slot for slot in held if slot[1] not in rightful]
    for provider, attempt_id, account_id in leaked:
        end_call(services, attempt_id, account_id, provider=provider)
    return len(leaked)


def _limit_of_the_provider(services: Services) -> int:
    """While the provider allows fewer calls than we are set to, ask whether it allows more again."""
    if services.store.pacing.provider_limit(services.settings.provider_key) is None:
        return 0
    ask_for_limit(services)
    return 1


def _unfinished_waves(services: Services) -> int:
    unfinished = services.store.waves.unfinished()
    for wave in unfinished:
        finish_wave(services, wave)
    return len(unfinished)
