"""Placing a reserved call: the one request that rings, and what its answer means."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from speechai.core.breaker import Breaker
from speechai.core.model import Attempt
from speechai.core.outcomes import Outcome
from speechai.core.states import AttemptState
from speechai.core.variables import bucket_of, dynamic_variables
from speechai.core.watching import Traffic, watch
from speechai.failpoints import reached
from speechai.operation.calling.judging import Judged
from speechai.operation.calling.outages import hold_account, note_answer, note_outage
from speechai.operation.calling.pacing import ask_for_limit
from speechai.operation.calling.settling import conclude
from speechai.operation.calling.unwinding import Held, Refusal, Undone, note_unknown, unwind
from speechai.operation.records.charging import charge
from speechai.operation.services import Services
from speechai.retell.client import CallRequest
from speechai.retell.errors import ProviderError, Refused, Retryable, Throttled, UnknownResult

log = logging.getLogger(__name__)

VERDICT_HOLDS = timedelta(seconds=5)
"""How old a verdict may be when the request is sent: with the time the request may take, this is how long
after a stop, a pause or the end of a window a call may still begin."""
OUTAGE_DELAY = timedelta(seconds=15)  # before the next try when the provider cannot be reached at all
FULL_DELAY = timedelta(seconds=5)  # … when it is full, and does not say for how long
LONGEST_WAIT = timedelta(days=1)  # however long the provider says
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
    """The provider refused it, or was not reached: nothing rang."""
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

    judged: Judged
    held: Held
    from_number: str
    traffic: Traffic

    @property
    def breaker(self) -> Breaker:
        """The account's breaker, as it was when the rules were asked."""
        return self.judged.standing.breaker

    @property
    def extra(self) -> dict[str, str]:
        """What every line of the log about it carries."""
        job = self.judged.job
        return {"job_id": job.id, "attempt_id": self.held.attempt_id, "batch_id": job.batch_id}


def place(services: Services, dial: Dial) -> Dialed:
    """Send the request for a reserved attempt, and write down what the provider said."""
    attempt_id, lease = dial.held.attempt_id, services.settings.lease_seconds
    # Waits for a majority, and so seals the reservation before it: what may ring is on record for good.
    if not services.store.attempts.begin_dialing(attempt_id, services.clock.now(), lease):
        return Dialed(DialResult.NOT_PENDING)
    reached("dialing_noted")
    return post(services, dial)


def post(services: Services, dial: Dial) -> Dialed:
    """The request itself, for an attempt that is `dialing`. It is sent once; nothing here tries again."""
    attempt_id = dial.held.attempt_id
    if services.clock.now() - dial.judged.at > VERDICT_HOLDS:
        log.warning("not dialed: it took too long since the rules were asked", extra=dial.extra)
        return _undone(services, dial, "the verdict was too old", timedelta(0), DialResult.HELD)
    try:
        call = services.provider.create_phone_call(call_request(services, dial))
    except UnknownResult as error:
        log.warning(
            "the provider did not answer: it may be ringing", extra={**dial.extra, "error": str(error)}
        )
        note_outage(services, dial.held.account_id, str(error), dial.breaker)
        note_unknown(services, attempt_id, str(error))
        return Dialed(DialResult.UNKNOWN, attempt_id=attempt_id)
    except Throttled as error:
        log.info("the provider is full", extra=dial.extra)
        note_answer(services, dial.held.account_id, dial.breaker)
        ask_for_limit(services)
        return _undone(services, dial, "throttled", _wait_of(error), DialResult.REFUSED)
    except Retryable as error:
        log.warning("the provider cannot be reached", extra={**dial.extra, "error": str(error)})
        note_outage(services, dial.held.account_id, str(error), dial.breaker)
        return _undone(services, dial, "provider out of reach", OUTAGE_DELAY, DialResult.REFUSED)
    except ProviderError as error:
        log.error("the provider refused the call", extra={**dial.extra, "error": str(error)})
        return _refused(services, dial, error)
    reached("call_created")
    _placed(services, dial.held, dial.judged.number, call, dial.traffic)
    note_answer(services, dial.held.account_id, dial.breaker)
    return Dialed(DialResult.PLACED, attempt_id=attempt_id)


def found(services: Services, attempt: Attempt, call: dict[str, object]) -> None:
    """The provider has the call after all: a webhook or a search told of it."""
    traffic = services.store.pacing.traffic(attempt.provider)
    held = Held(attempt.id, attempt.job_id, attempt.account_id, attempt.provider)
    _placed(services, held, attempt.to_number, call, traffic)


def _placed(services: Services, held: Held, number: str, call: dict[str, object], traffic: Traffic) -> None:
    """Keep the call's id at once, then follow it."""
    store, settings, instant = services.store, services.settings, services.clock.now()
    token = uuid.uuid4().hex
    watched = watch(traffic, services.patience, instant)
    if not store.attempts.placed(held.attempt_id, call, token, instant, watched.lease.total_seconds()):
        return  # a webhook or the sweep knew before us
    reached("call_placed")
    longest = timedelta(minutes=settings.call_max_duration_minutes) + AFTER_WATCHDOG
    call_id = str(call["call_id"])
    store.jobs.placed(held.job_id, held.attempt_id, call_id, number, instant, longest.total_seconds())
    if watched.chain is not None:
        services.nudges.follow(held.attempt_id, token, watched.chain.total_seconds())


def call_request(services: Services, dial: Dial) -> CallRequest:
    """What is sent to the provider for an attempt: nothing the conversation does not need."""
    settings, judged = services.settings, dial.judged
    job, batch, account = judged.job, judged.standing.batch, judged.standing.account
    instant, flow = services.clock.now(), services.flow(judged.standing)
    bucket = bucket_of(job, flow, instant)
    override = None
    if settings.public_url:
        override = {"agent": {"webhook_url": f"{settings.public_url}/webhooks/retell"}}
    longest = timedelta(minutes=settings.call_max_duration_minutes)
    return CallRequest(
        from_number=dial.from_number,
        to_number=judged.number,
        attempt_id=dial.held.attempt_id,
        job_id=job.id,
        batch_id=batch.id,
        agent_id=bucket.agent_id
        or batch.agent_id
        or (account.agent_id if account else None)
        or settings.retell_agent_id,
        agent_version=bucket.agent_version,
        dynamic_variables=dynamic_variables(job, batch, flow, judged.book.policy, instant),
        agent_override=override,
        max_call_duration=longest,
    )


def _undone(services: Services, dial: Dial, why: str, delay: timedelta, result: DialResult) -> Dialed:
    due = services.clock.now() + delay
    undone = unwind(services, dial.held, why, before=AttemptState.DIALING, due=due)
    return _as_dialed(dial, undone, result)


def _refused(services: Services, dial: Dial, error: ProviderError) -> Dialed:
    """A definite refusal of the first post is final for the attempt: nothing rang, no place is used."""
    outcome = refusal_outcome(error)
    if error.status in REFUSES_THE_ACCOUNT:
        hold_account(services, dial.held.account_id, str(error), probe=dial.breaker.is_open)
    else:
        note_answer(services, dial.held.account_id, dial.breaker)
    words = {"status": error.status, "message": str(error)}
    refusal = Refusal(outcome, words)
    undone = unwind(services, dial.held, str(error), before=AttemptState.DIALING, refusal=refusal)
    settled = services.store.attempts.get(dial.held.attempt_id)
    if undone is Undone.REFUSED and settled is not None:
        charge(services, settled)
        conclude(services, settled)
    return _as_dialed(dial, undone, DialResult.REFUSED)


def _as_dialed(dial: Dial, undone: Undone, result: DialResult) -> Dialed:
    match undone:
        case Undone.UNKNOWN:
            result = DialResult.UNKNOWN
        case Undone.MOVED_ON:
            result = DialResult.PLACED
    return Dialed(result, attempt_id=dial.held.attempt_id)


def _wait_of(error: Throttled) -> timedelta:
    """How long the provider says to wait; an absurd answer does not wait for ever."""
    if error.retry_after is None:
        return FULL_DELAY
    return timedelta(seconds=min(max(0.0, error.retry_after), LONGEST_WAIT.total_seconds()))


REFUSES_THE_ACCOUNT = frozenset({401, 402, 403})


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


def give_back_expired(services: Services, attempt: Attempt) -> int:
    """Reserved and never posted, by somebody who died: nothing rang."""
    held = Held(attempt.id, attempt.job_id, attempt.account_id, attempt.provider)
    why = "its owner died before placing the call"
    return unwind(services, held, why, before=AttemptState.RESERVED) is Undone.FREE
