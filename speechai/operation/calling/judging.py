"""May I? What the rules are given to judge by, and what is written down where they forbid."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime

from speechai.core.lines import line_of
from speechai.core.model import Job, Rulebook, days_without_answer
from speechai.core.next_step import SUSPENSION, Step
from speechai.core.rules import MEANS, OPEN_CALL_RECHECK, Facts, Verdict
from speechai.core.states import JobReason, JobState
from speechai.core.zones import local_day, zone_of_number
from speechai.operation.calling.settling import complete_batch_if_over
from speechai.operation.records.charging import means
from speechai.operation.records.do_not_call import reasons_against
from speechai.operation.services import Services
from speechai.store.attempt_documents import Wanted
from speechai.store.standing import Standing

log = logging.getLogger(__name__)


def gather_facts(
    services: Services, job: Job, standing: Standing, book: Rulebook, instant: datetime
) -> Facts:
    """What the rules need to know of the world about one job, read now."""
    return facts_of(services, [job], standing, book, instant)[0]


def facts_of(
    services: Services, jobs: Sequence[Job], standing: Standing, book: Rulebook, instant: datetime
) -> list[Facts]:
    """The same for many jobs of one batch: as many reads as for one."""
    store, settings, batch = services.store, services.settings, standing.batch
    today = local_day(instant, batch.zone)
    taken = store.attempts.taken_of(
        [
            Wanted(
                job.person_id,
                local_day(instant, job.zone),
                number_key(job.next_phone or "", standing),
                number_day(job.next_phone or "", job, instant),
            )
            for job in jobs
        ],
        look_back_days=book.policy.looks_back_days,
    )
    called = store.attempts.days_of_jobs([job.id for job in jobs if job.attempts])
    against = reasons_against(services, jobs, batch)
    registries = store.do_not_call.registries() if book.policy.registries else {}
    has_room = (
        all(job.group_date == today for job in jobs)
        or store.groups.size(batch.id, today) < batch.daily_contacts
    )
    lacks, tied_up = means(services, standing, instant)
    return [
        Facts(
            provider=settings.provider_key,
            provider_is_local=settings.provider_is_local,
            stopped_by=standing.stopped_by,
            breaker=standing.breaker,
            taken=taken_of_it,
            days_without_answer=frozenset(days_without_answer(called.get(job.id, []))),
            do_not_call=why_not,
            registries=registries,
            has_group_place=job.group_date == today or has_room,
            lacking=lacks,
            money_tied_up=tied_up,
        )
        for job, taken_of_it, why_not in zip(jobs, taken, against, strict=True)
    ]


def number_key(number: str, standing: Standing) -> str:
    """Under which name the number's history is kept: its line's."""
    line = line_of(number)
    return standing.account.key_of(line) if standing.account else line


def number_day(number: str, job: Job, instant: datetime) -> date:
    """The local date on which a call to the number counts for the number."""
    return local_day(instant, zone_of_number(number, job.zone))


_OF_THE_BATCH = {"kill_switch", "outage", "batch_state", "money_in_flight"}


def hold(services: Services, job: Job, book: Rulebook, verdict: Verdict, instant: datetime) -> bool:
    """Write down why a job is not called now, and when it will be looked at again.

    True where its turn is free for somebody else; False where what holds it holds its whole batch.
    """
    names = {rule.rule for rule in verdict.forbidding}
    log.info(
        "held: %s", ", ".join(sorted(names)), extra={"job_id": job.id, "until": str(verdict.next_allowed_at)}
    )
    jobs = services.store.jobs
    if lacks := next((reason for reason, (rule, *_) in MEANS.items() if rule in names), None):
        jobs.suspend(job.id, lacks)
    elif end := _end_of(names):
        jobs.finish(job.id, *end, instant)
        complete_batch_if_over(services, book.batch)
    elif reason := _for_an_operator(names):
        # Not by waiting, but an operator can put it right: look again every few minutes.
        step = Step(
            JobState.SUSPENDED,
            reason,
            next_attempt_at=instant + SUSPENSION,
            exact=job.exact,
            next_phone=job.next_phone,
        )
        jobs.apply(job.id, step, instant, attempt_id=None, attempts=job.attempts)
    elif "not_before" in names or names & _OF_THE_BATCH:
        jobs.take_back(job.id)  # its own time, or its batch's, will come
        return False
    else:
        until = verdict.next_allowed_at or instant + OPEN_CALL_RECHECK
        later_day = local_day(until, book.batch.zone) > local_day(instant, book.batch.zone)
        waves = not book.batch.continuous and not job.exact and names != {"one_call_at_a_time"}
        jobs.postpone(job.id, until, sorted(names), wave=waves or (later_day and not job.exact))
    return True


def _for_an_operator(names: set[str]) -> JobReason | None:
    if names & {"provider", "policy"}:
        return JobReason.OTHER_PROVIDER
    if any(name.startswith("registry_") for name in names):
        return JobReason.REGISTRY
    return JobReason.CONSENT if "consent" in names else None


def _end_of(names: set[str]) -> tuple[JobState, JobReason] | None:
    if "do_not_call" in names:
        return JobState.FAILED, JobReason.DO_NOT_CALL
    if "phone" in names:
        return JobState.FAILED, JobReason.NO_PHONES
    if names & {"max_attempts", "days_without_answer"}:
        return JobState.FAILED, JobReason.NO_ANSWER
    return None
