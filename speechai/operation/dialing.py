"""Dialing one contact: May I? → reserve → place.

Whatever step a crash interrupts, what is on record is enough to go on: a reservation that was not posted is
given back by the sweep, one that may have been posted is looked for at the provider before anything else.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from speechai.core.breaker import Breaker
from speechai.core.model import Batch, Job, Rulebook, days_without_answer, local_day, zone_of_number
from speechai.core.next_step import SUSPENSION, Step
from speechai.core.outcomes import Outcome
from speechai.core.rules import OPEN_CALL_RECHECK, Facts, Verdict, judge
from speechai.core.states import JobReason, JobState
from speechai.core.variables import dynamic_variables
from speechai.failpoints import reached
from speechai.operation.services import Services
from speechai.operation.settling import complete_batch_if_over, conclude, end_call
from speechai.retell.client import CallRequest
from speechai.retell.errors import ProviderError, Refused, Retryable, Throttled, UnknownResult
from speechai.store.attempts import AlreadyOpenError, NoPlaceLeftError, Reservation

log = logging.getLogger(__name__)

OUTAGE_DELAY = timedelta(seconds=15)  # before the next try when the provider cannot be reached at all


class DialResult(StrEnum):
    """What came of the wish to dial."""

    PLACED = "placed"
    """The provider has the call."""
    NOT_PENDING = "not_pending"
    """There is nothing to dial: a message came twice, or late."""
    HELD = "held"
    """A rule forbids it now; the job says which."""
    NO_SLOT = "no_slot"
    """Every slot is taken."""
    THROTTLED = "throttled"
    """Too many calls per second, ours or the provider's; again later."""
    REFUSED = "refused"
    """The provider refused it; the attempt is settled."""
    UNKNOWN = "unknown"
    """The provider did not say: it may be ringing."""


@dataclass(frozen=True, slots=True)
class Dialed:
    """The result, and for `throttled` how long to wait (seconds)."""

    result: DialResult
    wait: float = 0
    attempt_id: str | None = None


def dial(services: Services, job_id: str) -> Dialed:
    """Dial the job's next number, if every rule allows it now and a slot is free."""
    store = services.store
    job = store.jobs.get(job_id)
    if job is None or job.status is not JobState.PENDING or job.attempt_id is not None:
        log.info("not dialed: the job is not pending", extra={"job_id": job_id})
        return Dialed(DialResult.NOT_PENDING)
    batch = store.batches.get(job.batch_id)
    if batch is None:
        log.error("not dialed: the job has no batch", extra={"job_id": job_id, "batch_id": job.batch_id})
        return Dialed(DialResult.NOT_PENDING)

    instant = services.clock.now()
    book = services.rulebook(batch)
    facts = gather_facts(services, job, book, instant)
    verdict = judge(job, book, facts, instant)
    if not verdict.allowed:
        hold(services, job, book, verdict, instant)
        return Dialed(DialResult.HELD)
    if not _take_group_place(services, job, batch, instant):
        return Dialed(DialResult.HELD)

    from_number = _from_number(services, batch)
    wait = services.pace.wait(from_number)
    if wait > 0:
        return Dialed(DialResult.THROTTLED, wait)
    if facts.breaker.is_open and not _take_probe(services, batch, facts.breaker, instant):
        store.jobs.take_back(job.id)
        return Dialed(DialResult.HELD)

    attempt_id = _reserve(services, job, batch, from_number, verdict, instant)
    if attempt_id is None:
        return Dialed(DialResult.NO_SLOT)
    return place(services, job, batch, attempt_id, from_number, facts.breaker)


def gather_facts(services: Services, job: Job, book: Rulebook, instant: datetime) -> Facts:
    """What the rules need to know of the world, read now."""
    store, settings, batch = services.store, services.settings, book.batch
    number = job.next_phone or ""
    today = local_day(instant, batch.zone)
    has_place = job.group_date == today or store.batches.group_size(batch.id, today) < batch.daily_contacts
    return Facts(
        provider=settings.provider_key,
        provider_is_local=settings.provider_is_local,
        stopped_by=stop["by"] if (stop := store.stops.current()) else None,
        breaker=store.breakers.get(batch.account_id),
        person_calls_today=store.attempts.places_used(job.person_id, local_day(instant, job.zone)),
        number_calls_today=store.attempts.number_places_used(number, _number_day(number, job, instant)),
        person_open=store.attempts.is_open(person_id=job.person_id),
        number_open=store.attempts.is_open(number=number),
        days_without_answer=frozenset(days_without_answer(store.attempts.of_job(job.id)))
        if job.attempts
        else frozenset(),
        has_group_place=has_place,
    )


def hold(services: Services, job: Job, book: Rulebook, verdict: Verdict, instant: datetime) -> None:
    """Write down why a job is not called now, and when it will be looked at again."""
    names = {rule.rule for rule in verdict.forbidding}
    log.info(
        "held: %s", ", ".join(sorted(names)), extra={"job_id": job.id, "until": str(verdict.next_allowed_at)}
    )
    jobs = services.store.jobs
    if end := _end_of(names):
        jobs.finish(job.id, *end, instant)
        complete_batch_if_over(services, job.batch_id)
    elif names & {"provider", "policy"}:
        # Not by waiting, but an operator can put it right: look again every few minutes.
        step = Step(
            JobState.SUSPENDED,
            JobReason.OTHER_PROVIDER,
            next_attempt_at=instant + SUSPENSION,
            exact=job.exact,
            next_phone=job.next_phone,
        )
        jobs.apply(job.id, step, instant, attempt_id=None, attempts=job.attempts)
    elif "not_before" in names or names & {"kill_switch", "outage", "batch_state"}:
        jobs.take_back(job.id)  # its own time, or its batch's, will come
    else:
        until = verdict.next_allowed_at or instant + OPEN_CALL_RECHECK
        later_day = local_day(until, book.batch.zone) > local_day(instant, book.batch.zone)
        waves = not book.batch.continuous and not job.exact and names != {"one_call_at_a_time"}
        jobs.postpone(job.id, until, sorted(names), wave=waves or (later_day and not job.exact))


def _end_of(names: set[str]) -> tuple[JobState, JobReason] | None:
    if "phone" in names:
        return JobState.FAILED, JobReason.NO_PHONES
    if names & {"max_attempts", "days_without_answer"}:
        return JobState.FAILED, JobReason.NO_ANSWER
    return None


def _number_day(number: str, job: Job, instant: datetime) -> date:
    return local_day(instant, zone_of_number(number, job.zone))


def _take_group_place(services: Services, job: Job, batch: Batch, instant: datetime) -> bool:
    """Make sure the job is one of the day's different people."""
    today = local_day(instant, batch.zone)
    if job.group_date == today:
        return True
    if not services.store.batches.take_group_place(batch.id, today, batch.daily_contacts):
        services.store.jobs.take_back(job.id)
        return False
    services.store.jobs.join_group(job.id, today)
    return True


def _take_probe(services: Services, batch: Batch, breaker: Breaker, instant: datetime) -> bool:
    """Where the provider does not answer, one dial at a time tries it."""
    patience = timedelta(seconds=services.settings.lease_seconds)
    return services.store.breakers.take_probe(batch.account_id, breaker, patience, instant)


def _from_number(services: Services, batch: Batch) -> str:
    account = services.store.accounts.get(batch.account_id)
    if account and account.from_numbers:
        return account.from_numbers[0]
    return services.settings.retell_from_number or ""


def _reserve(
    services: Services, job: Job, batch: Batch, from_number: str, verdict: Verdict, instant: datetime
) -> str | None:
    """Slot first, then the attempt whose unique keys are the daily limits, then the job. None: not now."""
    store, settings = services.store, services.settings
    number = job.next_phone or ""
    attempt_id = f"att-{uuid.uuid4().hex}"
    if not store.pacing.take_slot(settings.provider_key, attempt_id, settings.max_concurrent_calls):
        store.jobs.take_back(job.id)
        return None
    reached("slot_taken")
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
                number_day=_number_day(number, job, instant),
                calls_per_day=settings.max_calls_per_day,
                provider=settings.provider_key,
                verdict={
                    "at": instant,
                    "policy": batch.policy_id,
                    "rules": [{"rule": rule.rule, "detail": rule.detail} for rule in verdict.rules],
                },
                worker=services.worker,
                instant=instant,
                lease_seconds=settings.lease_seconds,
            )
        )
    except (NoPlaceLeftError, AlreadyOpenError) as error:
        # Another worker was quicker, by a moment: the rules say when to look again.
        store.pacing.free_slot(settings.provider_key, attempt_id)
        store.jobs.postpone(job.id, instant + OPEN_CALL_RECHECK, [type(error).__name__], wave=False)
        return None
    reached("attempt_reserved")
    if not store.jobs.begin(job.id, attempt_id, settings.lease_seconds, services.worker):
        give_back(services, attempt_id, "the job was taken by another message", instant)
        return None
    reached("job_begun")
    return attempt_id


def give_back(services: Services, attempt_id: str, why: str, instant: datetime) -> None:
    """Nothing rang: the attempt, its places in the day and its slot are free again."""
    services.store.attempts.release(attempt_id, why, instant)
    end_call(services, attempt_id)


def place(
    services: Services, job: Job, batch: Batch, attempt_id: str, from_number: str, breaker: Breaker
) -> Dialed:
    """Send the request for a reserved attempt, and write down what the provider said."""
    store, settings, clock = services.store, services.settings, services.clock
    if not store.attempts.begin_dialing(attempt_id, clock.now(), settings.lease_seconds):
        return Dialed(DialResult.NOT_PENDING)
    reached("dialing_noted")
    return post(services, job, batch, attempt_id, from_number, breaker)


def post(
    services: Services, job: Job, batch: Batch, attempt_id: str, from_number: str, breaker: Breaker
) -> Dialed:
    """The request itself, for an attempt that is `dialing`. It is sent once; nothing here tries again."""
    extra = {"job_id": job.id, "attempt_id": attempt_id, "batch_id": batch.id}
    request = call_request(services, job, batch, attempt_id, from_number)
    try:
        call = services.provider.create_phone_call(request)
    except UnknownResult as error:
        log.warning("the provider did not answer: it may be ringing", extra={**extra, "error": str(error)})
        _note_outage(services, batch, breaker, str(error))
        lease = services.settings.lease_seconds
        services.store.attempts.unknown(attempt_id, str(error), services.clock.now(), lease)
        return Dialed(DialResult.UNKNOWN, attempt_id=attempt_id)
    except Throttled as error:
        log.info("the provider is full", extra=extra)
        _note_answer(services, batch, breaker)
        wait = error.retry_after if error.retry_after is not None else 5.0
        _nothing_sent(services, job, attempt_id, "throttled", timedelta(seconds=wait))
        return Dialed(DialResult.REFUSED, attempt_id=attempt_id)
    except Retryable as error:
        log.warning("the provider cannot be reached", extra={**extra, "error": str(error)})
        _note_outage(services, batch, breaker, str(error))
        _nothing_sent(services, job, attempt_id, "provider out of reach", OUTAGE_DELAY)
        return Dialed(DialResult.REFUSED, attempt_id=attempt_id)
    except ProviderError as error:
        log.error("the provider refused the call", extra={**extra, "error": str(error)})
        _note_answer(services, batch, breaker)
        _refused(services, attempt_id, error)
        return Dialed(DialResult.REFUSED, attempt_id=attempt_id)
    reached("call_created")
    placed(services, attempt_id, job.id, job.next_phone or "", call)
    _note_answer(services, batch, breaker)
    return Dialed(DialResult.PLACED, attempt_id=attempt_id)


def placed(services: Services, attempt_id: str, job_id: str, to_number: str, call: dict[str, object]) -> None:
    """The provider has the call: keep its id at once, then follow it."""
    store, settings, instant = services.store, services.settings, services.clock.now()
    token = uuid.uuid4().hex
    delay = settings.call_polling_interval
    lease = delay + settings.lease_seconds
    if not store.attempts.placed(attempt_id, call, token, instant, lease):
        return  # a webhook or the sweep knew before us
    reached("call_placed")
    store.jobs.placed(job_id, attempt_id, str(call["call_id"]), to_number, instant)
    store.jobs.extend_lease(job_id, attempt_id, lease)
    services.nudges.follow(attempt_id, token, delay)


def call_request(
    services: Services, job: Job, batch: Batch, attempt_id: str, from_number: str
) -> CallRequest:
    """What is sent to the provider for an attempt: nothing the conversation does not need."""
    settings = services.settings
    account = services.store.accounts.get(batch.account_id)
    override = None
    if settings.public_url:
        override = {"agent": {"webhook_url": f"{settings.public_url}/webhooks/retell"}}
    return CallRequest(
        from_number=from_number,
        to_number=job.next_phone or "",
        attempt_id=attempt_id,
        job_id=job.id,
        batch_id=batch.id,
        agent_id=batch.agent_id or (account.agent_id if account else None) or settings.retell_agent_id,
        dynamic_variables=dynamic_variables(job, batch, services.clock.now()),
        agent_override=override,
    )


def _note_outage(services: Services, batch: Batch, before: Breaker, error: str) -> None:
    breakers, instant = services.store.breakers, services.clock.now()
    breaker = breakers.failed(batch.account_id, instant, error, probe=before.is_open)
    if breaker.is_open:
        log.error(
            "the provider does not answer: dialing waits",
            extra={"account_id": batch.account_id, "until": str(breaker.probe_at), "error": error},
        )


def _note_answer(services: Services, batch: Batch, breaker: Breaker) -> None:
    """Any answer closes the breaker; where there was nothing to close, nothing is written."""
    if breaker.failures and services.store.breakers.succeeded(batch.account_id):
        log.warning("the provider answers again: dialing goes on", extra={"account_id": batch.account_id})
        services.nudges.dispatch()


def _nothing_sent(services: Services, job: Job, attempt_id: str, why: str, delay: timedelta) -> None:
    instant = services.clock.now()
    give_back(services, attempt_id, why, instant)
    services.store.jobs.back_to_pending(job.id, attempt_id, instant + delay)
    services.nudges.dispatch(delay.total_seconds())


def _refused(services: Services, attempt_id: str, error: ProviderError) -> None:
    """A definite refusal is final for the attempt: nothing rang, no place is used."""
    instant = services.clock.now()
    services.store.attempts.settle(
        attempt_id,
        refusal_outcome(error),
        rang=False,
        cost_cents=Decimal(0),
        call={"refused": {"status": error.status, "message": str(error)}},
        instant=instant,
    )
    end_call(services, attempt_id)
    conclude(services, attempt_id)


def refusal_outcome(error: ProviderError) -> Outcome:
    """What an HTTP refusal of a create means for the job. Source: reference/retell-api.md, section 1."""
    if isinstance(error, Refused) and error.status == 402:
        return Outcome.NO_CREDIT
    if error.status in (401, 403, 404, 422):
        return Outcome.ACCOUNT_REFUSED  # key, terms, agent or from-number: the same for everybody
    if "agent" in str(error).lower() or "from_number" in str(error).lower():
        return Outcome.ACCOUNT_REFUSED
    if "to_number" in str(error).lower():
        return Outcome.INVALID_NUMBER
    return Outcome.PROVIDER_FAILURE
