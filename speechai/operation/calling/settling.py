"""From an ended call to the job's next step. Webhook, poll and sweep all come through here.

Any of them may come first, twice or late: the attempt settles once, the job moves once, and what comes
afterwards only adds to what is known.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from speechai.catalog.use_cases import USE_CASES
from speechai.core.model import Attempt, Batch, Job
from speechai.core.next_step import next_step
from speechai.core.outcomes import (
    Outcome,
    awaits_analysis,
    callback_instant,
    classify,
    is_terminal,
    lacks_details,
    rang,
)
from speechai.core.outcomes import result_fields as named_results
from speechai.core.states import AttemptState, BatchState, JobState
from speechai.failpoints import reached
from speechai.operation.calling.dispatching import dispatch
from speechai.operation.records.charging import charge
from speechai.operation.records.do_not_call import opt_out
from speechai.operation.records.promises import promise_fields, read_promise
from speechai.operation.services import Services
from speechai.store.database import money

log = logging.getLogger(__name__)

ANALYSIS_LOOKS = 4  # polling intervals to wait for a call's analysis …
ANALYSIS_GRACE_SECONDS = 30.0  # … but at least so long; it usually comes after 2 to 30 s, sometimes never

LATE_SECONDS = 5.0  # after the grace, before somebody looks for a result that nobody persisted

DETAILS_AFTER = timedelta(seconds=5)  # cost and analysis usually come within seconds of the end …
DETAILS_FOR = timedelta(hours=1)  # … and what has not come in an hour is not waited for

# What of the provider's answer the documented `call_result.summary` holds; all of it is in `call_logs`.
SUMMARY_FIELDS = (
    "call_status",
    "disconnection_reason",
    "duration_ms",
    "start_timestamp",
    "end_timestamp",
    "call_cost",
    "call_analysis",
    "recording_url",
    "recording_multi_channel_url",
    "public_log_url",
    "transcript",
    "collected_dynamic_variables",
)


class Told(StrEnum):
    """Who brought an answer about a call."""

    BY_WEBHOOK = "webhook"
    BY_LOOKING = "looking"


def end_call(
    services: Services,
    attempt_id: str,
    account_id: str,
    *,
    provider: str | None = None,
    told: Told | None = None,
) -> None:
    """The call is over, or never was: its slot is free, and the next contact rings at once."""
    instant = services.clock.now()
    if services.store.pacing.free_slot(
        provider or services.settings.provider_key,
        attempt_id,
        account_id,
        heard_at=instant if told is Told.BY_WEBHOOK else None,
        missed_at=instant if told is Told.BY_LOOKING else None,
    ):
        reached("slot_freed")
        dispatch(services)


def observe(services: Services, attempt: Attempt, news: Mapping[str, Any], told: Told) -> Attempt:
    """Take in an answer about the attempt's call, whoever brought it. Returns the attempt as it is now.

    The slot is freed as soon as the call is over, before anything else: the next person waits for it, and
    what the conversation came to is known only later.
    """
    instant = services.clock.now()
    call = attempt.call_with(news)
    over = is_terminal(call)
    if over and attempt.ended_at is None:
        end_call(services, attempt.id, attempt.account_id, provider=attempt.provider, told=told)
    while True:
        if attempt.status in (AttemptState.SETTLED, AttemptState.NEEDS_REVIEW):
            if _amend(services, attempt, call, instant):
                return replace(attempt, call=call, revision=attempt.revision + 1)
        elif attempt.status is AttemptState.RELEASED:
            log.error("a call of an attempt that was given back", extra={"attempt_id": attempt.id})
            return attempt
        else:
            lease = analysis_grace(services) + LATE_SECONDS if over else services.settings.lease_seconds
            if services.store.attempts.observe(attempt, call, instant, ended=over, lease_seconds=lease):
                reached("end_noted")
                ended_at = attempt.ended_at or (instant if over else None)
                return replace(attempt, call=call, ended_at=ended_at, revision=attempt.revision + 1)
        # Another answer came in meanwhile: add to that one, or the richer of the two is lost.
        again = services.store.attempts.get(attempt.id)
        if again is None:
            return attempt
        attempt, call = again, again.call_with(news)
        over = is_terminal(call)


def is_ready(services: Services, attempt: Attempt) -> bool:
    """Whether the attempt can settle: its call is over, and analysed as far as it ever will be."""
    if not is_terminal(attempt.call):
        return False
    if not awaits_analysis(attempt.call) or attempt.ended_at is None:
        return True
    return (services.clock.now() - attempt.ended_at).total_seconds() >= analysis_grace(services)


def analysis_grace(services: Services) -> float:
    """How long a call's analysis is waited for after its end, in seconds."""
    return max(ANALYSIS_GRACE_SECONDS, ANALYSIS_LOOKS * services.settings.call_polling_interval)


def persist_result(services: Services, attempt_id: str) -> bool:
    """Settle the attempt from what is known of its call. False where it is not ready, or was settled."""
    while True:
        attempt = services.store.attempts.get(attempt_id)
        if attempt is None:
            log.warning("no such attempt", extra={"attempt_id": attempt_id})
            return False
        if attempt.status.is_final:
            conclude(services, attempt)
            return False
        if not is_ready(services, attempt):
            return False
        if settle(services, attempt):
            return True


def settle(services: Services, attempt: Attempt) -> bool:
    """Write what the attempt came to and move its job on.

    False where the attempt was settled, or more came to be known of its call, since it was read.
    """
    promise = read_promise(attempt)
    outcome = classify(attempt.call, USE_CASES[attempt.use_case].success, promise)
    if outcome is Outcome.UNCLASSIFIED:
        log.error(
            "the provider said something we do not know: kept whole, counted as a failure of the provider",
            extra={
                "attempt_id": attempt.id,
                "call_status": attempt.call.get("call_status"),
                "disconnection_reason": attempt.call.get("disconnection_reason"),
            },
        )
    instant, cost, counts = services.clock.now(), cost_cents(attempt.call), rang(attempt.call)
    if not services.store.attempts.settle(
        attempt.id,
        outcome,
        rang=counts,
        cost_cents=cost,
        instant=instant,
        revision=attempt.revision,
        details_due=_details_due(attempt.call, instant, instant),
    ):
        return False
    reached("attempt_settled")
    if attempt.ended_at is None:
        end_call(services, attempt.id, attempt.account_id, provider=attempt.provider)
    due = _details_due(attempt.call, instant, instant)
    settled = replace(
        attempt,
        details_due=due,
        status=AttemptState.SETTLED,
        outcome=outcome,
        uses_place=counts,
        cost_cents=cost,
        ended_at=attempt.ended_at or instant,
        settled_at=instant,
    )
    charge(services, settled)
    conclude(services, settled)
    return True


def _details_due(call: Mapping[str, Any], settled_at: datetime, instant: datetime) -> datetime | None:
    """When to ask again for what is missing: at first soon, then less and less often, and not for ever."""
    if not lacks_details(call) or instant - settled_at > DETAILS_FOR:
        return None
    return instant + max(DETAILS_AFTER, instant - settled_at)


def review(services: Services, attempt: Attempt) -> None:
    """No machine can tell what became of it: it counts as a ring, and a person must look."""
    if services.store.attempts.needs_review(attempt.id, services.clock.now()):
        log.error("needs review: nobody can tell whether it rang", extra={"attempt_id": attempt.id})
    end_call(services, attempt.id, attempt.account_id, provider=attempt.provider)
    final = services.store.attempts.get(attempt.id)
    if final is not None:
        charge(services, final)
        conclude(services, final)


def conclude(services: Services, attempt: Attempt) -> bool:
    """Move the job on from an attempt that is final. True for the one who did it first.

    Guarded by the attempt: a job that has moved on since is left alone.
    """
    store = services.store
    job = store.jobs.get(attempt.job_id)
    if job is None or job.attempt_id != attempt.id or attempt.outcome is None:
        return False
    standing = store.standing.of(job.batch_id)
    if standing is None:
        return False
    batch = standing.batch
    if attempt.outcome is Outcome.OPTED_OUT:
        opt_out(services, attempt, batch)  # before the job moves: a crash between the two repeats it
    history = store.attempts.of_job(job.id)
    job = replace(job, attempts=sum(past.uses_place for past in history))
    instant = services.clock.now()
    step = next_step(
        job,
        services.rulebook(standing),
        attempt.outcome,
        history,
        instant,
        asked_for=callback_instant(attempt.call, job.zone),
    )
    moved = store.jobs.apply(
        job.id,
        step,
        instant,
        attempt_id=attempt.id,
        attempts=job.attempts,
        result=result_fields(attempt, job, history, instant),
    )
    reached("job_moved")
    if moved:
        log.info(
            "%s: the job is %s",
            attempt.outcome.value,
            step.state.value,
            extra={"job_id": job.id, "attempt_id": attempt.id, "reason": step.reason},
        )
        if step.state.is_final:
            complete_batch_if_over(services, batch)
        elif step.waiting_for is None and step.next_attempt_at and step.next_attempt_at <= instant:
            services.nudges.dispatch()
    return moved


def complete_batch_if_over(services: Services, batch: Batch) -> bool:
    """A running batch whose every job is final is completed. True for the one who did it."""
    if batch.status is not BatchState.RUNNING or services.store.jobs.has_active(batch.id):
        return False
    return services.store.batches.move(batch.id, BatchState.COMPLETED, {"completed_at": services.clock.now()})


def result_fields(attempt: Attempt, job: Job, history: list[Attempt], instant: datetime) -> dict[str, Any]:
    """The documented fields of a job that an attempt fills in: `call_result`, duration, promise, cost."""
    call = attempt.call
    fields: dict[str, Any] = {
        "last_outcome": attempt.outcome.value if attempt.outcome else None,
        "call_ended_at": attempt.ended_at or instant,
        "call_duration_seconds": round(int(call.get("duration_ms") or 0) / 1000),
        "cost_cents": money(sum((past.cost_cents for past in history), Decimal(0))),
        "call_result": {
            "success": attempt.outcome is Outcome.GOAL_MET,
            "status": call.get("call_status"),
            "outcome": attempt.outcome.value if attempt.outcome else None,
            "timestamp": instant,
            "summary": {name: call[name] for name in SUMMARY_FIELDS if name in call},
        },
    }
    if attempt.call_id:
        fields["call_id"] = attempt.call_id
    if named := named_results(call, USE_CASES[attempt.use_case].result_fields):
        fields["call_result"]["fields"] = named
    return fields | promise_fields(attempt, instant)


def cost_cents(call: Mapping[str, Any]) -> Decimal:
    """What the provider charges for the call, in US cents; 0 while it has not said."""
    cost = call.get("call_cost")
    combined = cost.get("combined_cost") if isinstance(cost, Mapping) else None
    try:
        amount = Decimal(str(combined)) if combined is not None else Decimal(0)
    except InvalidOperation:
        log.error("unreadable cost", extra={"call_id": call.get("call_id")})
        return Decimal(0)
    return amount if amount.is_finite() else Decimal(0)


def _amend(services: Services, attempt: Attempt, call: dict[str, Any], instant: datetime) -> bool:
    """Later analysis, cost and captured variables add to a final attempt; nothing is reopened.

    False where somebody else added to it since it was read.
    """
    due = _details_due(call, attempt.settled_at or instant, instant)
    cost = cost_cents(call)
    if not services.store.attempts.amend(attempt, call, cost, instant, due):
        return False
    charge(services, replace(attempt, call=call, cost_cents=cost, details_due=due))
    job = services.store.jobs.get(attempt.job_id) if call != attempt.call else None
    if job is None or job.status is JobState.IN_PROGRESS:
        return True
    history = services.store.attempts.of_job(job.id)
    if history and history[-1].id == attempt.id:
        fields = result_fields(replace(attempt, call=call), job, history, instant)
        services.store.jobs.amend_result(job.id, fields)
    return True
