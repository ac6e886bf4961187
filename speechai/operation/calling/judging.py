"""May I? What the rules are given to judge by, and what is written down where they forbid."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from speechai.core.lines import line_of
from speechai.core.model import Attempt, Job, Rulebook, days_without_answer
from speechai.core.next_step import SUSPENSION, Step
from speechai.core.numbers import next_number, usable_numbers
from speechai.core.rules import OPEN_CALL_RECHECK, Facts, RuleResult, Then, Verdict, judge
from speechai.core.states import JobReason, JobState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.core.zones import local_day, zone_of_number
from speechai.operation.calling.closing import complete_if_over
from speechai.operation.records.charging import means
from speechai.operation.records.do_not_call import Against, against
from speechai.operation.records.payments import paid_of
from speechai.operation.services import Services
from speechai.store.attempt_documents import Line, Wanted
from speechai.store.standing import Standing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """One wish to dial, judged: who, by which rules, what was known, what was decided, and when."""

    job: Job
    standing: Standing
    book: Rulebook
    facts: Facts
    verdict: Verdict
    at: datetime

    @property
    def number(self) -> str:
        """The number that is dialed next. Raises ValueError where none is left (no verdict allows that)."""
        if self.facts.number is None:
            raise ValueError(f"{self.job.id} has no number left")
        return self.facts.number

    @property
    def line(self) -> Line:
        """The number, and how its calls are counted."""
        return _line(self.number, self.job, self.standing, self.at)

    def as_record(self) -> dict[str, Any]:
        """The verdict as an attempt keeps it: why it was allowed."""
        return {
            "at": self.at,
            "policy": self.book.policy.id,
            "rules": [
                {"rule": rule.rule, "detail": rule.detail, "source": rule.source}
                for rule in self.verdict.rules
            ],
        }


def may_i(services: Services, job: Job, standing: Standing, *, number: str | None = None) -> Judged:
    """Ask every rule about one job, now. `number`: which one, where it was chosen before (a re-post)."""
    instant, book = services.clock.now(), services.rulebook(standing)
    facts = facts_of(services, [job], standing, book, instant, number=number)[0]
    return Judged(job, standing, book, facts, judge(job, book, facts, instant), instant)


def facts_of(
    services: Services,
    jobs: Sequence[Job],
    standing: Standing,
    book: Rulebook,
    instant: datetime,
    *,
    number: str | None = None,
) -> list[Facts]:
    """What the rules need to know of the world about jobs of one batch: as many reads for many as for one."""
    store, settings, batch = services.store, services.settings, standing.batch
    lines = [[_line(phone, job, standing, instant) for phone in job.phones] for job in jobs]
    around = store.attempts.around(
        [
            Wanted(job.person_id, local_day(instant, job.zone), {line.key: line.day for line in own})
            for job, own in zip(jobs, lines, strict=True)
        ],
        look_back_days=book.policy.looks_back_days,
    )
    histories = store.attempts.days_of_jobs([job.id for job in jobs if job.was_dialed])
    listed = against(services, jobs, batch)
    today = local_day(instant, batch.zone)
    has_room = (
        all(job.group_date == today for job in jobs)
        or store.groups.size(batch.id, today) < batch.daily_contacts
    )
    registries = store.do_not_call.registries() if book.policy.registries else {}
    lacks, tied_up = means(services, standing, instant)
    paid = paid_of(services, jobs)
    found = []
    for job, own, calls, entries in zip(jobs, lines, around, listed, strict=True):
        history = histories.get(job.id, [])
        struck = calls.struck(job.account_id) | entries.numbers.keys()
        usable = usable_numbers(job, struck)
        if number is None:
            chosen = next_number(job, book.retries, history, struck)
        else:
            chosen = number if number in usable else None
        key = next((line.key for line in own if line.number == chosen), "")
        found.append(
            Facts(
                provider=settings.provider_key,
                provider_is_local=settings.provider_is_local,
                stopped_by=standing.stopped_by,
                breaker=standing.breaker,
                taken=calls.taken(key),
                days_without_answer=_days(job, history),
                number=chosen,
                usable=len(usable),
                do_not_call=_why_not(job, entries, chosen),
                registries=registries,
                has_group_place=job.group_date == today or has_room,
                lacking=lacks,
                money_tied_up=tied_up,
                has_paid=job.id in paid,
            )
        )
    return found


def _days(job: Job, history: Sequence[Attempt]) -> frozenset[date]:
    since = [attempt for attempt in history if not job.is_before_reopening(attempt)]
    return frozenset(days_without_answer(since))


def _why_not(job: Job, entries: Against, chosen: str | None) -> str | None:
    """A listed person is not called at all; listed numbers end the job where they are all that was left."""
    if entries.person is not None:
        return entries.person
    if chosen is None and entries.numbers:
        return next(iter(entries.numbers.values()))
    return None


def _line(number: str, job: Job, standing: Standing, instant: datetime) -> Line:
    line = line_of(number)
    key = standing.account.key_of(line) if standing.account else line
    return Line(number, key, local_day(instant, zone_of_number(number, job.zone)))


def hold(services: Services, judged: Judged) -> bool:
    """Write down why a job is not called now, and when it will be looked at again.

    A job whose own time has not come (a message may be late, or an order by hand) keeps what it waits for,
    unless no waiting helps. True where its turn is free for somebody else; False where what holds it holds
    its whole batch.
    """
    job, instant, jobs = judged.job, judged.at, services.store.jobs
    rule, names = judged.verdict.decisive, sorted(judged.verdict.names)
    log.info(
        "held: %s", ", ".join(names), extra={"job_id": job.id, "until": str(judged.verdict.next_allowed_at)}
    )
    match rule.then if rule.then is Then.END or job.is_due(instant) else Then.LEAVE:
        case Then.END:
            reason = _reason(rule)
            state = JobState.DONE if reason is JobReason.PAID else JobState.FAILED
            jobs.finish(job.id, state, reason, instant, owed_since=job.owed_since)
            complete_if_over(services, judged.standing.batch)
        case Then.LACK:
            jobs.suspend(job, _reason(rule))
        case Then.RECHECK:
            step = Step(JobState.SUSPENDED, rule.reason, job.waiting_again(instant + SUSPENSION))
            jobs.hold(job, step, instant)
        case Then.LEAVE:
            jobs.take_back(job.id)
            return False
        case Then.WAIT | Then.SOON:
            until = judged.verdict.next_allowed_at or instant + OPEN_CALL_RECHECK
            jobs.postpone(job, _waiting(judged, until), names)
    return True


def _waiting(judged: Judged, until: datetime) -> Waiting:
    """Who has an hour keeps one; others come again with a wave, or with their turn in a later day's group."""
    batch, again = judged.standing.batch, judged.job.waiting_again(until)
    if again.kind is WaitingFor.HOUR:
        return again
    is_later_day = local_day(until, batch.zone) > local_day(judged.at, batch.zone)
    if is_later_day or (not batch.continuous and judged.verdict.decisive.then is not Then.SOON):
        return Waiting(WaitingFor.WAVE, until)
    return again


def _reason(rule: RuleResult) -> JobReason:
    if rule.reason is None:
        raise ValueError(f"the rule {rule.rule} ends or suspends jobs without a reason")
    return rule.reason
