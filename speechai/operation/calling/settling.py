"""From an ended call to the job's next step. Webhook, poll and sweep all come through here.

Any of them may come first, twice or late: the attempt settles once, the job moves once, and what comes
afterwards only adds to what is known.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from speechai.catalog.use_cases import USE_CASES
from speechai.core.call import Call
from speechai.core.model import Attempt, Batch, Job
from speechai.core.next_step import Step, next_step
from speechai.core.outcomes import Outcome, classify, is_known
from speechai.core.retry_table import Number
from speechai.core.states import AttemptState
from speechai.failpoints import reached
from speechai.operation.calling.closing import complete_if_over, end_instead
from speechai.operation.calling.dispatching import dispatch
from speechai.operation.calling.outages import hold_account
from speechai.operation.calling.pacing import ask_for_limit
from speechai.operation.records.charging import charge
from speechai.operation.records.do_not_call import opt_out
from speechai.operation.records.promises import promise_fields, read_promise
from speechai.operation.services import Services
from speechai.store.database import money
from speechai.store.standing import Standing

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
    call = attempt.call_with(Call.of(news))
    over = call.is_terminal
    if over and attempt.ended_at is None:
        end_call(services, attempt.id, attempt.account_id, provider=attempt.provider, told=told)
    while True:
        if attempt.status.is_final:
            amended = _amend(services, attempt, call, instant)
            if amended is not None:
                return amended
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
        attempt, call = again, again.call_with(Call.of(news))
        over = call.is_terminal


def is_ready(services: Services, attempt: Attempt) -> bool:
    """Whether the attempt can settle: its call is over, and analysed as far as it ever will be."""
    if not attempt.call.is_terminal:
        return False
    if not attempt.call.awaits_analysis or attempt.ended_at is None:
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
        if attempt.status is not AttemptState.ONGOING or not is_ready(services, attempt):
            return False
        if settle(services, attempt):
            return True


def settle(services: Services, attempt: Attempt) -> bool:
    """Write what the attempt came to and move its job on.

    False where the attempt was settled, or more came to be known of its call, since it was read.
    """
    outcome = _outcome_of(attempt)
    if not is_known(attempt.call):
        log.error(
            "the provider said something we do not know: kept whole",
            extra={
                "attempt_id": attempt.id,
                "call_status": attempt.call.status,
                "disconnection_reason": attempt.call.reason,
            },
        )
    instant, cost, counts = services.clock.now(), cost_cents(attempt.call), attempt.call.rang
    due = _details_due(attempt.call, instant, instant)
    _bind_first(services, replace(attempt, outcome=outcome))
    if not services.store.attempts.settle(
        attempt, outcome, rang=counts, cost_cents=cost, instant=instant, details_due=due
    ):
        return False
    reached("attempt_settled")
    if attempt.ended_at is None:
        end_call(services, attempt.id, attempt.account_id, provider=attempt.provider)
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
    _tell_of_the_account(services, settled)
    charge(services, settled)
    conclude(services, settled)
    return True


def _bind_first(services: Services, attempt: Attempt) -> None:
    """What was said binds before the attempt is final, for then the person's line is free for the next call:
    a crash between the two would let another batch ring somebody who asked not to be called."""
    said = attempt.call.captured
    if not (attempt.outcome is Outcome.OPTED_OUT or said.opted_out or said.wrong_person or said.third_party):
        return
    job, standing = services.store.jobs.get(attempt.job_id), services.store.standing.of(attempt.batch_id)
    if job is not None and standing is not None:
        bind(services, attempt, job, standing)


def _outcome_of(attempt: Attempt) -> Outcome:
    return classify(attempt.call, USE_CASES[attempt.use_case].success, read_promise(attempt))


def _tell_of_the_account(services: Services, attempt: Attempt) -> None:
    """Some ends say more of the account, or of the provider, than of the person who was called."""
    if attempt.call.says_no_credit:
        hold_account(services, attempt.account_id, attempt.call.reason or "no credit")
    elif attempt.outcome is Outcome.CAPACITY_REFUSED:
        ask_for_limit(services)


def _details_due(call: Call, settled_at: datetime, instant: datetime) -> datetime | None:
    """When to ask again for what is missing: at first soon, then less and less often, and not for ever."""
    if not call.lacks_details or instant - settled_at > DETAILS_FOR:
        return None
    return instant + max(DETAILS_AFTER, instant - settled_at)


def review(services: Services, attempt: Attempt) -> None:
    """No machine can tell what became of it: it counts as a ring, and a person must look.

    Nothing is done where more came to be known of it since it was read.
    """
    if services.store.attempts.needs_review(attempt, services.clock.now()):
        log.error("needs review: nobody can tell whether it rang", extra={"attempt_id": attempt.id})
    final = services.store.attempts.get(attempt.id)
    if final is not None and final.status.is_final:
        end_call(services, attempt.id, attempt.account_id, provider=attempt.provider)
        charge(services, final)
        conclude(services, final)


def _amend(services: Services, attempt: Attempt, call: Call, instant: datetime) -> Attempt | None:
    """Later analysis, cost and captured variables add to a final attempt; it is not reopened.

    None where somebody else added to it since it was read.
    """
    if attempt.status is AttemptState.RELEASED and call != attempt.call:
        log.error("a call of an attempt that was given back", extra={"attempt_id": attempt.id})
    settled_at, cost = attempt.settled_at or instant, cost_cents(call)
    due = _details_due(call, settled_at, instant) if attempt.settled_at else None
    late = replace(attempt, call=call, cost_cents=cost, details_due=due, revision=attempt.revision + 1)
    refined = _refined(attempt, late)
    if not services.store.attempts.amend(attempt, call, cost, instant, due, refined):
        return None
    reached("news_kept")
    if refined is not None:
        log.info("refined: %s", refined.value, extra={"attempt_id": attempt.id})
        late = replace(late, outcome=refined, refined_at=instant)
    if call != attempt.call or refined is not None:
        apply_news(services, late)
    else:
        charge(services, late)
    return late


def _refined(before: Attempt, late: Attempt) -> Outcome | None:
    """What it came to after all, where that, or the hour that was asked for, differs. It changes once, and
    so not before the analysis is there, or is not waited for any more."""
    if before.outcome is None or before.refined_at is not None or not late.call.is_terminal:
        return None
    if late.call.awaits_analysis and late.details_due is not None:
        return None
    outcome = _outcome_of(late)
    hour, asked = before.call.captured.callback_at, late.call.captured.callback_at
    return outcome if outcome is not before.outcome or asked != hour else None


def apply_news(services: Services, attempt: Attempt) -> int:
    """Do what later news of a final attempt mean: for the person, the account's money, and the job if it
    still waits since this attempt. Done again, it changes nothing more.

    Of two that do it side by side either may write last: whoever did not know the newest does it once more.
    """
    newest: Attempt | None = attempt
    while newest is not None:
        charge(services, newest)
        conclude(services, newest, late=True)
        if services.store.attempts.applied(newest.id, newest.revision):
            break
        newest = services.store.attempts.get(newest.id)
    return 1


def conclude(services: Services, attempt: Attempt, *, late: bool = False) -> bool:
    """Do what a final attempt means for its person and its job. True where the job moved on by it.

    What binds the person binds whatever became of the job. The job is moved once, by the attempt that is open
    for it; `late` news decide anew only while it waits since that attempt, and else add to its result.
    """
    store = services.store
    job = store.jobs.get(attempt.job_id)
    if job is None or not (late or job.attempt_id == attempt.id):
        return False
    standing = store.standing.of(attempt.batch_id)
    if standing is None:
        return False
    bind(services, attempt, job, standing)  # before the job moves: a crash between the two repeats it
    reached("person_bound")
    history = [past for past in store.attempts.of_job(job.id) if past.status is not AttemptState.RELEASED]
    if attempt.outcome is None or not history or history[-1].id != attempt.id:
        return False
    instant = services.clock.now()
    job = replace(job, attempts=sum(past.uses_place for past in history))
    result = result_fields(attempt, job, history, instant)
    if job.attempt_id == attempt.id:
        step = _step(services, attempt, job, standing, history, instant)
        moved = store.jobs.apply(
            job.id,
            step,
            instant,
            attempt_id=attempt.id,
            attempts=job.attempts,
            owed_since=job.owed_since,
            result=result,
        )
    else:
        step = _step(services, attempt, job, standing, history, attempt.settled_at or instant)
        refined = attempt.refined_at is not None and job.last_attempt_id == attempt.id
        moved = refined and store.jobs.refine(job.id, step, instant, attempt_id=attempt.id, result=result)
        if not moved:
            store.jobs.amend_result(job.id, result)
    reached("job_moved")
    if moved:
        _go_on(services, attempt, step, standing.batch, instant)
    return moved


def _step(
    services: Services,
    attempt: Attempt,
    job: Job,
    standing: Standing,
    history: list[Attempt],
    instant: datetime,
) -> Step:
    """What follows for the job, from `instant`."""
    outcome = attempt.outcome or Outcome.UNCLASSIFIED
    asked_for = attempt.call.callback(job.zone, attempt.ended_at or instant).at
    step = next_step(job, services.rulebook(standing), outcome, history, instant, asked_for=asked_for)
    return step if step.state.is_final else end_instead(services, job, standing.batch) or step


def _go_on(services: Services, attempt: Attempt, step: Step, batch: Batch, instant: datetime) -> None:
    extra = {"job_id": attempt.job_id, "attempt_id": attempt.id, "reason": step.reason}
    log.info("%s: the job is %s", attempt.outcome, step.state.value, extra=extra)
    if step.state.is_final:
        complete_if_over(services, batch)
    elif step.waiting and step.waiting.is_due(instant):
        services.nudges.dispatch()


def bind(services: Services, attempt: Attempt, job: Job, standing: Standing) -> None:
    """What was said or found out on a call binds the person, whenever it becomes known.

    An opt-out is entered into the do-not-call list. A number that is not this person's, or is none, is struck
    for all batches of the account.
    """
    said = attempt.call.captured
    if attempt.outcome is Outcome.OPTED_OUT or said.opted_out:
        opt_out(services, attempt, standing.batch)
    line = services.rulebook(standing).retries.get(attempt.outcome) if attempt.outcome else None
    if said.wrong_person or said.third_party or (line is not None and line.number is Number.STRIKE):
        services.store.attempts.strike(attempt.id)
        if attempt.to_number not in job.struck_phones:
            services.store.jobs.strike(job.id, attempt.to_number)


def result_fields(attempt: Attempt, job: Job, history: list[Attempt], instant: datetime) -> dict[str, Any]:
    """The documented fields of a job that an attempt fills in: `call_result`, duration, promise, cost."""
    call = attempt.call
    fields: dict[str, Any] = {
        "last_outcome": attempt.outcome.value if attempt.outcome else None,
        "call_ended_at": attempt.ended_at or instant,
        "call_duration_seconds": round(call.duration_ms / 1000),
        "cost_cents": money(sum((past.cost_cents for past in history), Decimal(0))),
        "call_result": {
            "success": attempt.outcome is Outcome.GOAL_MET,
            "status": call.status,
            "outcome": attempt.outcome.value if attempt.outcome else None,
            "timestamp": instant,
            "summary": {name: call.kept[name] for name in SUMMARY_FIELDS if name in call.kept},
        },
    }
    if attempt.call_id:
        fields["call_id"] = attempt.call_id
    if named := call.named(USE_CASES[attempt.use_case].result_fields):
        fields["call_result"]["fields"] = named
    return fields | promise_fields(attempt, instant)


def cost_cents(call: Call) -> Decimal:
    """What the provider charges for the call, in US cents; 0 while it has not said."""
    if call.cost is None and call.says_cost:
        log.error("unreadable cost", extra={"call_id": call.call_id})
    return call.cost or Decimal(0)
