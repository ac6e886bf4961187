"""Placing a reserved call: the one request that rings, and what its answer means."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from speechai.core.model import Attempt, Job, Rulebook
from speechai.core.outcomes import Outcome
from speechai.core.variables import bucket_of, dynamic_variables
from speechai.core.watching import Traffic, watch
from speechai.failpoints import reached
from speechai.operation.calling.pacing import ask_for_limit
from speechai.operation.calling.settling import conclude, end_call
from speechai.operation.records.charging import charge
from speechai.operation.services import Services
from speechai.retell.client import CallRequest
from speechai.retell.errors import ProviderError, Refused, Retryable, Throttled, UnknownResult
from speechai.store.standing import Standing

log = logging.getLogger(__name__)

VERDICT_HOLDS = timedelta(seconds=5)
"""How old a verdict may be when the request is sent: with the time the request may take, this is how long
after a stop, a pause or the end of a window a call may still begin."""
LOOK_FOR_AFTER = 10.0  # seconds: how long a new call may be missing from the provider's list
OUTAGE_DELAY = timedelta(seconds=15)  # before the next try when the provider cannot be reached at all
AFTER_WATCHDOG = timedelta(minutes=10)  # how long the end of the longest call may take to be seen


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
    turn_is_free: bool = False  # nothing was dialed, and another contact may be in its place


@dataclass(frozen=True, slots=True)
class Dial:
    """One dial on its way: what it was judged by and what it holds."""

    job: Job
    standing: Standing
    book: Rulebook
    attempt_id: str
    from_number: str
    judged_at: datetime
    traffic: Traffic

    @property
    def extra(self) -> dict[str, str]:
        """What every line of the log about it carries."""
        return {"job_id": self.job.id, "attempt_id": self.attempt_id, "batch_id": self.job.batch_id}


def give_back(services: Services, attempt_id: str, account_id: str, why: str, instant: datetime) -> None:
    """Nothing rang: the attempt, its places in the day and its slot are free again."""
    services.store.attempts.release(attempt_id, why, instant)
    end_call(services, attempt_id, account_id)
    services.store.funds.release(account_id, attempt_id)


def place(services: Services, dial: Dial) -> Dialed:
    """Send the request for a reserved attempt, and write down what the provider said."""
    settings, clock = services.settings, services.clock
    # Waits for a majority, and so seals the reservation before it: what may ring is on record for good.
    if not services.store.attempts.begin_dialing(dial.attempt_id, clock.now(), settings.lease_seconds):
        return Dialed(DialResult.NOT_PENDING)
    reached("dialing_noted")
    if clock.now() - dial.judged_at > VERDICT_HOLDS:
        log.warning("not dialed: it took too long since the rules were asked", extra=dial.extra)
        _nothing_sent(services, dial, "the verdict was too old", timedelta(0))
        return Dialed(DialResult.HELD)
    return post(services, dial)


def post(services: Services, dial: Dial) -> Dialed:
    """The request itself, for an attempt that is `dialing`. It is sent once; nothing here tries again."""
    attempt_id = dial.attempt_id
    try:
        call = services.provider.create_phone_call(call_request(services, dial))
    except UnknownResult as error:
        log.warning(
            "the provider did not answer: it may be ringing", extra={**dial.extra, "error": str(error)}
        )
        _note_outage(services, dial, str(error))
        note_unknown(services, attempt_id, str(error))
        return Dialed(DialResult.UNKNOWN, attempt_id=attempt_id)
    except Throttled as error:
        log.info("the provider is full", extra=dial.extra)
        _note_answer(services, dial)
        ask_for_limit(services)
        wait = error.retry_after if error.retry_after is not None else 5.0
        _nothing_sent(services, dial, "throttled", timedelta(seconds=wait))
        return Dialed(DialResult.REFUSED, attempt_id=attempt_id)
    except Retryable as error:
        log.warning("the provider cannot be reached", extra={**dial.extra, "error": str(error)})
        _note_outage(services, dial, str(error))
        _nothing_sent(services, dial, "provider out of reach", OUTAGE_DELAY)
        return Dialed(DialResult.REFUSED, attempt_id=attempt_id)
    except ProviderError as error:
        log.error("the provider refused the call", extra={**dial.extra, "error": str(error)})
        _note_answer(services, dial)
        _refused(services, dial, error)
        return Dialed(DialResult.REFUSED, attempt_id=attempt_id)
    reached("call_created")
    _placed(services, attempt_id, dial.job.id, dial.job.next_phone or "", call, dial.traffic)
    _note_answer(services, dial)
    return Dialed(DialResult.PLACED, attempt_id=attempt_id)


def note_unknown(services: Services, attempt_id: str, why: str) -> None:
    """It may be ringing: it will be looked for, a little later, before anything else."""
    lease = services.settings.lease_seconds
    if services.store.attempts.unknown(attempt_id, why, services.clock.now(), lease):
        services.nudges.reconcile(attempt_id, LOOK_FOR_AFTER)


def found(services: Services, attempt: Attempt, call: dict[str, object]) -> None:
    """The provider has the call after all: a webhook or a search told of it."""
    traffic = services.store.pacing.traffic(attempt.provider)
    _placed(services, attempt.id, attempt.job_id, attempt.to_number, call, traffic)


def _placed(
    services: Services,
    attempt_id: str,
    job_id: str,
    to_number: str,
    call: dict[str, object],
    traffic: Traffic,
) -> None:
    """Keep the call's id at once, then follow it."""
    store, settings, instant = services.store, services.settings, services.clock.now()
    token = uuid.uuid4().hex
    watched = watch(traffic, services.patience, instant)
    if not store.attempts.placed(attempt_id, call, token, instant, watched.lease.total_seconds()):
        return  # a webhook or the sweep knew before us
    reached("call_placed")
    longest = timedelta(minutes=settings.call_max_duration_minutes) + AFTER_WATCHDOG
    store.jobs.placed(job_id, attempt_id, str(call["call_id"]), to_number, instant, longest.total_seconds())
    if watched.chain is not None:
        services.nudges.follow(attempt_id, token, watched.chain.total_seconds())


def call_request(services: Services, dial: Dial) -> CallRequest:
    """What is sent to the provider for an attempt: nothing the conversation does not need."""
    settings, job = services.settings, dial.job
    batch, account, instant = dial.standing.batch, dial.standing.account, services.clock.now()
    flow = services.flow(dial.standing)
    bucket = bucket_of(job, flow, instant)
    override = None
    if settings.public_url:
        override = {"agent": {"webhook_url": f"{settings.public_url}/webhooks/retell"}}
    return CallRequest(
        from_number=dial.from_number,
        to_number=job.next_phone or "",
        attempt_id=dial.attempt_id,
        job_id=job.id,
        batch_id=batch.id,
        agent_id=bucket.agent_id
        or batch.agent_id
        or (account.agent_id if account else None)
        or settings.retell_agent_id,
        agent_version=bucket.agent_version,
        dynamic_variables=dynamic_variables(job, batch, flow, dial.book.policy, instant),
        agent_override=override,
    )


def _note_outage(services: Services, dial: Dial, error: str) -> None:
    account_id, instant = dial.job.account_id, services.clock.now()
    before = dial.standing.breaker
    breaker = services.store.breakers.failed(account_id, instant, error, probe=before.is_open)
    if breaker.is_open:
        log.error(
            "the provider does not answer: dialing waits",
            extra={"account_id": account_id, "until": str(breaker.probe_at), "error": error},
        )


def _note_answer(services: Services, dial: Dial) -> None:
    """Any answer closes the breaker; where there was nothing to close, nothing is written."""
    account_id = dial.job.account_id
    if dial.standing.breaker.failures and services.store.breakers.succeeded(account_id):
        log.warning("the provider answers again: dialing goes on", extra={"account_id": account_id})
        services.nudges.dispatch()


def _nothing_sent(services: Services, dial: Dial, why: str, delay: timedelta) -> None:
    instant = services.clock.now()
    services.store.attempts.release(dial.attempt_id, why, instant)
    services.store.jobs.back_to_pending(dial.job.id, dial.attempt_id, instant + delay)
    services.store.pacing.free_slot(services.settings.provider_key, dial.attempt_id, dial.job.account_id)
    if dial.standing.account and dial.standing.account.is_metered:
        services.store.funds.release(dial.job.account_id, dial.attempt_id)
    services.nudges.dispatch(delay.total_seconds())


def _refused(services: Services, dial: Dial, error: ProviderError) -> None:
    """A definite refusal is final for the attempt: nothing rang, no place is used."""
    services.store.attempts.settle(
        dial.attempt_id,
        refusal_outcome(error),
        rang=False,
        cost_cents=Decimal(0),
        call={"refused": {"status": error.status, "message": str(error)}},
        instant=services.clock.now(),
    )
    end_call(services, dial.attempt_id, dial.job.account_id)
    if settled := services.store.attempts.get(dial.attempt_id):
        charge(services, settled)
        conclude(services, settled)


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
