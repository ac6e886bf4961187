"""Dialing one contact: May I? → reserve → place (in `placing`).

Whatever step a crash interrupts, what is on record is enough to go on: a reservation that was not posted is
given back by the sweep, one that may have been posted is looked for at the provider before anything else.
"""

from __future__ import annotations

import logging
import uuid
import zlib
from datetime import datetime, timedelta
from typing import Any

from speechai.catalog.policies.law import has_prefix
from speechai.core.breaker import Breaker
from speechai.core.model import Batch, Job, Rulebook
from speechai.core.rules import OPEN_CALL_RECHECK, Facts, Verdict, judge
from speechai.core.states import JobState
from speechai.core.zones import local_day
from speechai.failpoints import reached
from speechai.operation.calling.judging import gather_facts, hold, number_day, number_key
from speechai.operation.calling.placing import Dial, Dialed, DialResult, give_back, place
from speechai.operation.records.charging import hold_funds
from speechai.operation.services import Services
from speechai.store.attempt_documents import AlreadyOpenError, LookAgainError, NoPlaceLeftError, Reservation
from speechai.store.standing import Standing

log = logging.getLogger(__name__)


def dial(services: Services, job_id: str) -> Dialed:
    """Dial the job's next number, if every rule allows it now and a slot is free."""
    dialed = _dial(services, job_id)
    if dialed.turn_is_free:
        services.nudges.dispatch()
    return dialed


def _dial(services: Services, job_id: str) -> Dialed:
    store = services.store
    job = store.jobs.get(job_id)
    if job is None or job.status is not JobState.PENDING or job.attempt_id is not None:
        log.info("not dialed: the job is not pending", extra={"job_id": job_id})
        return Dialed(DialResult.NOT_PENDING)
    standing = store.standing.of(job.batch_id)
    if standing is None:
        log.error("not dialed: the job has no batch", extra={"job_id": job_id, "batch_id": job.batch_id})
        return Dialed(DialResult.NOT_PENDING)

    batch, instant = standing.batch, services.clock.now()
    book = services.rulebook(standing)
    facts = gather_facts(services, job, standing, book, instant)
    verdict = judge(job, book, facts, instant)
    if not verdict.allowed:
        return Dialed(DialResult.HELD, turn_is_free=hold(services, job, book, verdict, instant))
    if not _take_group_place(services, job, batch, instant):
        return Dialed(DialResult.HELD, turn_is_free=True)

    from_number, wait = _from_number(services, job, standing, book)
    if wait > 0:
        return Dialed(DialResult.THROTTLED, wait)
    if facts.breaker.is_open and not _take_probe(services, batch, facts.breaker, instant):
        store.jobs.take_back(job.id)
        return Dialed(DialResult.HELD)

    reserved = _reserve(services, job, standing, book, from_number, facts, verdict, instant)
    return place(services, reserved) if isinstance(reserved, Dial) else reserved


def _take_group_place(services: Services, job: Job, batch: Batch, instant: datetime) -> bool:
    """Make sure the job is one of the day's different people."""
    today = local_day(instant, batch.zone)
    if job.group_date == today:
        return True
    if not services.store.groups.take_place(batch.id, today, batch.daily_contacts):
        services.store.jobs.take_back(job.id)
        return False
    services.store.groups.note_place(job.id, today)
    return True


def _take_probe(services: Services, batch: Batch, breaker: Breaker, instant: datetime) -> bool:
    """Where the provider does not answer, one dial at a time tries it."""
    patience = timedelta(seconds=services.settings.lease_seconds)
    return services.store.breakers.take_probe(batch.account_id, breaker, patience, instant)


def _from_number(services: Services, job: Job, standing: Standing, book: Rulebook) -> tuple[str, float]:
    """Which number calls, and how long it has to wait for its turn (seconds; 0: the call counts).

    The account's numbers take turns over contacts and dials; those with a prefix that the policy asks for
    come before all others.
    """
    account = standing.account
    numbers = (account.from_numbers if account else ()) or (services.settings.retell_from_number or "",)
    fitting = tuple(number for number in numbers if has_prefix(number, book.policy.caller_id_prefixes))
    turns = fitting or numbers
    first = (zlib.crc32(job.id.encode()) + job.attempts) % len(turns)
    per_second = account.calls_per_second if account else None
    waits = []
    for number in turns[first:] + turns[:first]:
        wait = services.pace.wait(number, per_second)
        if wait <= 0:
            return number, 0
        waits.append((number, wait))
    return min(waits, key=lambda waiting: waiting[1])


def _reserve(
    services: Services,
    job: Job,
    standing: Standing,
    book: Rulebook,
    from_number: str,
    facts: Facts,
    verdict: Verdict,
    instant: datetime,
) -> Dial | Dialed:
    """Slot and money first, then the attempt whose unique keys are the daily limits, then the job."""
    store, settings, batch = services.store, services.settings, standing.batch
    number = job.next_phone or ""
    attempt_id = f"att-{uuid.uuid4().hex}"
    traffic = store.pacing.take_slot(
        settings.provider_key,
        attempt_id,
        settings.max_concurrent_calls,
        batch.account_id,
        standing.account.slots if standing.account else None,
    )
    if traffic is None:
        store.jobs.take_back(job.id)
        return Dialed(DialResult.NO_SLOT)
    reached("slot_taken")
    account = standing.account
    is_metered = account is not None and account.is_metered
    if account and is_metered and not hold_funds(services, account, attempt_id, instant):
        store.pacing.free_slot(settings.provider_key, attempt_id, batch.account_id)
        store.jobs.take_back(job.id)  # the next look at the account says what it lacks
        return Dialed(DialResult.HELD, turn_is_free=True)
    reached("funds_held")
    try:
        store.attempts.reserve(
            Reservation(
                attempt_id=attempt_id,
                job_id=job.id,
                batch_id=batch.id,
                account_id=batch.account_id,
                person_id=job.person_id,
                to_number=number,
                from_number=from_number,
                person_day=local_day(instant, job.zone),
                number_day=number_day(number, job, instant),
                number_key=number_key(number, standing),
                use_case=batch.use_case.value,
                owed=owed(job),
                is_metered=is_metered,
                calls_per_day=settings.max_calls_per_day,
                provider=settings.provider_key,
                taken=facts.taken,
                verdict={
                    "at": instant,
                    "policy": book.policy.id,
                    "rules": [
                        {"rule": rule.rule, "detail": rule.detail, "source": rule.source}
                        for rule in verdict.rules
                    ],
                },
                worker=services.worker,
                instant=instant,
                lease_seconds=settings.lease_seconds,
            )
        )
    except (NoPlaceLeftError, AlreadyOpenError, LookAgainError) as error:
        # Another worker was quicker, by a moment: the rules are asked again, a little later.
        store.jobs.postpone(job.id, instant + OPEN_CALL_RECHECK, [type(error).__name__], wave=False)
        store.pacing.free_slot(settings.provider_key, attempt_id, batch.account_id)
        if is_metered:
            store.funds.release(batch.account_id, attempt_id)
        return Dialed(DialResult.HELD, turn_is_free=True)
    reached("attempt_reserved")
    if not store.jobs.begin(job.id, attempt_id, settings.lease_seconds, services.worker):
        give_back(services, attempt_id, batch.account_id, "the job was taken by another message", instant)
        return Dialed(DialResult.NOT_PENDING)
    reached("job_begun")
    return Dial(
        job=job,
        standing=standing,
        book=book,
        attempt_id=attempt_id,
        from_number=from_number,
        judged_at=instant,
        traffic=traffic,
    )


def owed(job: Job) -> dict[str, Any] | None:
    """What the person owes as the call is placed: what a promise made on it is checked against."""
    return {"total_minor": job.debt.total_minor, "currency": job.debt.currency} if job.debt else None
