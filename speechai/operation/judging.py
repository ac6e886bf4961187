"""May I? What the rules are given to judge by, and what is written down where they forbid."""

from __future__ import annotations

import logging
from datetime import date, datetime

from speechai.core.model import Job, Rulebook, days_without_answer, local_day, zone_of_number
from speechai.core.next_step import SUSPENSION, Step
from speechai.core.rules import ACCOUNT_RULES, OPEN_CALL_RECHECK, Facts, Verdict
from speechai.core.states import JobReason, JobState
from speechai.operation.charging import what_account_lacks
from speechai.operation.do_not_call import reason_against
from speechai.operation.services import Services
from speechai.operation.settling import complete_batch_if_over
from speechai.store.standing import Standing

log = logging.getLogger(__name__)


def gather_facts(
    services: Services, job: Job, standing: Standing, book: Rulebook, instant: datetime
) -> Facts:
    """What the rules need to know of the world, read now."""
    store, settings, batch = services.store, services.settings, standing.batch
    today = local_day(instant, batch.zone)
    number, policy = job.next_phone or "", book.policy
    return Facts(
        provider=settings.provider_key,
        provider_is_local=settings.provider_is_local,
        stopped_by=standing.stopped_by,
        breaker=standing.breaker,
        taken=store.attempts.taken(
            job.person_id,
            local_day(instant, job.zone),
            number_key(number, standing),
            number_day(number, job, instant),
            look_back_days=policy.looks_back_days,
        ),
        days_without_answer=frozenset(days_without_answer(store.attempts.of_job(job.id)))
        if job.attempts
        else frozenset(),
        do_not_call=reason_against(services, job, batch),
        registries=store.do_not_call.registries() if policy.registries else {},
        has_group_place=job.group_date == today
        or store.batches.group_size(batch.id, today) < batch.daily_contacts,
        lacking=what_account_lacks(services, standing, instant),
    )


def number_key(number: str, standing: Standing) -> str:
    """Under which name the number's history is kept."""
    return standing.account.key_of(number) if standing.account else number


def number_day(number: str, job: Job, instant: datetime) -> date:
    """The local date on which a call to the number counts for the number."""
    return local_day(instant, zone_of_number(number, job.zone))


def hold(services: Services, job: Job, book: Rulebook, verdict: Verdict, instant: datetime) -> bool:
    """Write down why a job is not called now, and when it will be looked at again.

    True where its turn is free for somebody else; False where what holds it holds its whole batch.
    """
    names = {rule.rule for rule in verdict.forbidding}
    log.info(
        "held: %s", ", ".join(sorted(names)), extra={"job_id": job.id, "until": str(verdict.next_allowed_at)}
    )
    jobs = services.store.jobs
    if lacks := next((reason for rule, reason in ACCOUNT_RULES.items() if rule in names), None):
        jobs.suspend(job.id, lacks)
    elif end := _end_of(names):
        jobs.finish(job.id, *end, instant)
        complete_batch_if_over(services, book.batch)
    elif names & {"provider", "policy"} or any(name.startswith("registry_") for name in names):
        # Not by waiting, but an operator can put it right: look again every few minutes.
        step = Step(
            JobState.SUSPENDED,
            JobReason.OTHER_PROVIDER if names & {"provider", "policy"} else JobReason.REGISTRY,
            next_attempt_at=instant + SUSPENSION,
            exact=job.exact,
            next_phone=job.next_phone,
        )
        jobs.apply(job.id, step, instant, attempt_id=None, attempts=job.attempts)
    elif "not_before" in names or names & {"kill_switch", "outage", "batch_state"}:
        jobs.take_back(job.id)  # its own time, or its batch's, will come
        return False
    else:
        until = verdict.next_allowed_at or instant + OPEN_CALL_RECHECK
        later_day = local_day(until, book.batch.zone) > local_day(instant, book.batch.zone)
        waves = not book.batch.continuous and not job.exact and names != {"one_call_at_a_time"}
        jobs.postpone(job.id, until, sorted(names), wave=waves or (later_day and not job.exact))
    return True


def _end_of(names: set[str]) -> tuple[JobState, JobReason] | None:
    if "do_not_call" in names:
        return JobState.FAILED, JobReason.DO_NOT_CALL
    if "phone" in names:
        return JobState.FAILED, JobReason.NO_PHONES
    if names & {"max_attempts", "days_without_answer"}:
        return JobState.FAILED, JobReason.NO_ANSWER
    return None
