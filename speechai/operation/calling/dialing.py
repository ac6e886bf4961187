"""Dialing one contact: May I? → reserve → place (in `placing`).

Whatever step a crash interrupts, what is on record is enough to go on: a reservation that was not posted is
given back by the sweep, one that may have been posted is looked for at the provider before anything else.
"""

from __future__ import annotations

import logging
import uuid
import zlib
from datetime import datetime, timedelta

from speechai.catalog.policies.law import has_prefix
from speechai.core.model import Job
from speechai.core.rules import OPEN_CALL_RECHECK
from speechai.core.states import AttemptState, JobState
from speechai.core.zones import local_day
from speechai.failpoints import reached
from speechai.operation.calling.judging import Judged, hold, may_i
from speechai.operation.calling.placing import Dial, Dialed, DialResult, place
from speechai.operation.calling.unwinding import LONGEST_COUNTDOWN, Held, unwind
from speechai.operation.records.charging import hold_funds
from speechai.operation.services import Services
from speechai.store.attempt_documents import AlreadyOpenError, LookAgainError, NoPlaceLeftError, Reservation

log = logging.getLogger(__name__)

UNJUDGED_AGAIN = timedelta(minutes=5)  # after the rules themselves could not be asked


def dial(services: Services, job_id: str) -> Dialed:
    """Dial the job's next number, if every rule allows it now and a slot is free."""
    dialed = _dial(services, job_id)
    if dialed.turn_is_free:
        services.nudges.dispatch()
    return dialed


def _dial(services: Services, job_id: str) -> Dialed:
    judged = _judged(services, job_id)
    if isinstance(judged, Dialed):
        return judged
    if not judged.verdict.allowed:
        return Dialed(DialResult.HELD, turn_is_free=hold(services, judged))
    if not _take_group_place(services, judged):
        return Dialed(DialResult.HELD, turn_is_free=True)

    from_number, wait = _from_number(services, judged)
    if wait > LONGEST_COUNTDOWN.total_seconds():
        _postpone(services, judged.job, judged.at, timedelta(seconds=wait), "calls_per_second")
        return Dialed(DialResult.HELD, turn_is_free=True)
    if wait > 0:
        return Dialed(DialResult.THROTTLED, wait)
    if judged.facts.breaker.is_open and not _take_probe(services, judged):
        services.store.jobs.take_back(judged.job.id)
        return Dialed(DialResult.HELD)

    reserved = _reserve(services, judged, from_number)
    return place(services, reserved) if isinstance(reserved, Dial) else reserved


def _judged(services: Services, job_id: str) -> Judged | Dialed:
    job = services.store.jobs.get(job_id)
    if job is None or job.status is not JobState.PENDING or job.attempt_id or job.is_in_review:
        log.info("not dialed: the job is not pending, or in review", extra={"job_id": job_id})
        return Dialed(DialResult.NOT_PENDING)
    standing = services.store.standing.of(job.batch_id)
    if standing is None:
        log.error("not dialed: the job has no batch", extra={"job_id": job_id, "batch_id": job.batch_id})
        return Dialed(DialResult.NOT_PENDING)
    try:
        return may_i(services, job, standing)
    except Exception:
        # Its rules cannot be asked: that is a fault, and no reason to hold a place that others could take.
        _postpone(services, job, services.clock.now(), UNJUDGED_AGAIN, "unjudged")
        raise


def _postpone(services: Services, job: Job, instant: datetime, pause: timedelta, why: str) -> None:
    """It is due again after a pause; one whose own time has not come keeps what it waits for."""
    if job.is_due(instant):
        services.store.jobs.postpone(job, job.waiting_again(instant + pause), [why])
    else:
        services.store.jobs.take_back(job.id)


def _take_group_place(services: Services, judged: Judged) -> bool:
    """Make sure the job is one of the day's different people."""
    job, batch = judged.job, judged.standing.batch
    today = local_day(judged.at, batch.zone)
    if job.group_date == today:
        return True
    if not services.store.groups.take_place(batch.id, today, batch.daily_contacts):
        services.store.jobs.take_back(job.id)
        return False
    services.store.groups.note_place(job.id, today)
    return True


def _take_probe(services: Services, judged: Judged) -> bool:
    """Where the provider does not answer, one dial at a time tries it."""
    patience = timedelta(seconds=services.settings.lease_seconds)
    account_id = judged.job.account_id
    return services.store.breakers.take_probe(account_id, judged.facts.breaker, patience, judged.at)


def _from_number(services: Services, judged: Judged) -> tuple[str, float]:
    """Which number calls, and how long it has to wait for its turn (seconds; 0: the call counts).

    The account's numbers take turns over contacts and dials; those with a prefix that the policy asks for
    come before all others.
    """
    job, account = judged.job, judged.standing.account
    numbers = (account.from_numbers if account else ()) or (services.settings.retell_from_number or "",)
    prefixes = judged.book.policy.caller_id_prefixes
    turns = tuple(number for number in numbers if has_prefix(number, prefixes)) or numbers
    first = (zlib.crc32(job.id.encode()) + job.attempts) % len(turns)
    per_second = account.calls_per_second if account else None
    waits = []
    for number in turns[first:] + turns[:first]:
        wait = services.pace.wait(number, per_second)
        if wait <= 0:
            return number, 0
        waits.append((number, wait))
    return min(waits, key=lambda waiting: waiting[1])


def _reserve(services: Services, judged: Judged, from_number: str) -> Dial | Dialed:
    """Slot and money first, then the attempt whose unique keys are the daily limits, then the job."""
    store, settings = services.store, services.settings
    job, account = judged.job, judged.standing.account
    held = Held(f"att-{uuid.uuid4().hex}", job.id, job.account_id, settings.provider_key)
    traffic = store.pacing.take_slot(
        held.provider,
        held.attempt_id,
        settings.max_concurrent_calls,
        job.account_id,
        account.slots if account else None,
    )
    if traffic is None:
        store.jobs.take_back(job.id)
        return Dialed(DialResult.NO_SLOT)
    reached("slot_taken")
    is_metered = account is not None and account.is_metered
    if account and is_metered and not hold_funds(services, account, held.attempt_id, judged.at):
        store.jobs.take_back(job.id)  # the next look at the account says what it lacks
        unwind(services, held, "the account cannot pay for it", before=AttemptState.RESERVED)
        return Dialed(DialResult.HELD, turn_is_free=True)
    reached("funds_held")
    reservation = Reservation(
        attempt_id=held.attempt_id,
        job=job,
        batch=judged.standing.batch,
        line=judged.line,
        from_number=from_number,
        taken=judged.facts.taken,
        calls_per_day=settings.max_calls_per_day,
        is_metered=is_metered,
        provider=held.provider,
        verdict=judged.as_record(),
        worker=services.worker,
        instant=judged.at,
        lease_seconds=settings.lease_seconds,
    )
    try:
        store.attempts.reserve(reservation)
    except (NoPlaceLeftError, AlreadyOpenError, LookAgainError) as error:
        # Another worker was quicker, by a moment: the rules are asked again, a little later.
        _postpone(services, job, judged.at, OPEN_CALL_RECHECK, type(error).__name__)
        unwind(services, held, "another call took its place", before=AttemptState.RESERVED)
        return Dialed(DialResult.HELD, turn_is_free=True)
    reached("attempt_reserved")
    if not store.jobs.begin(job, held.attempt_id, settings.lease_seconds, services.worker):
        why = "the job was taken by another message, or is due at another hour now"
        unwind(services, held, why, before=AttemptState.RESERVED)
        return Dialed(DialResult.NOT_PENDING)
    reached("job_begun")
    return Dial(judged, held, from_number, traffic)
