"""Why, asked of the engine itself: may this job be called now, and what holds the jobs of a batch?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from speechai.core.calendar import next_slot
from speechai.core.model import Job
from speechai.core.rules import RuleResult, Verdict, judge
from speechai.core.states import BatchState, JobState, WaitReason
from speechai.core.variables import bucket_of, dynamic_variables
from speechai.operation.calling.judging import facts_of
from speechai.operation.campaigns.batches import BatchNotFoundError
from speechai.operation.campaigns.chunks import chunks
from speechai.operation.campaigns.jobs import JobNotFoundError
from speechai.operation.services import Services
from speechai.store.standing import Standing

AT_ONCE = 500  # jobs judged with one set of reads
# What says only that a job waits or is being called is named where no rule of calling is.
_LAST_NAMED = ("not_before", "job_state")


def of_job(services: Services, job_id: str) -> dict[str, Any]:
    """What the dialer would decide about the job now, rule by rule. Raises JobNotFoundError."""
    job, standing = _job_and_standing(services, job_id)
    instant = services.clock.now()
    verdict = next(_verdicts(services, [job], standing, instant))[1]
    return {
        "allowed": verdict.allowed,
        "next_allowed_at": verdict.next_allowed_at,
        "rules": [
            {
                "rule": rule.rule,
                "allowed": rule.allowed,
                "detail": rule.detail,
                "source": rule.source,
                "until": rule.until,
            }
            for rule in verdict.rules
        ],
    }


def preview(services: Services, job_id: str) -> dict[str, Any]:
    """What the agent would be told if the job were called now: bucket, agent, variables."""
    job, standing = _job_and_standing(services, job_id)
    instant, flow, book = services.clock.now(), services.flow(standing), services.rulebook(standing)
    bucket = bucket_of(job, flow, instant)
    account = standing.account
    return {
        "flow": flow.id,
        "bucket": bucket.id,
        "agent_id": bucket.agent_id
        or standing.batch.agent_id
        or (account.agent_id if account else None)
        or services.settings.retell_agent_id,
        "agent_version": bucket.agent_version,
        "policy": book.policy.id,
        "variables": dynamic_variables(job, standing.batch, flow, book.policy, instant),
    }


@dataclass(slots=True)
class _Held:
    """The jobs that one rule holds."""

    first: int = 0  # those for which it is the first reason
    all: int = 0  # those that it forbids at all
    earliest: datetime | None = None
    latest: datetime | None = None
    by_detail: Counter[str] = field(default_factory=Counter)

    def add(self, rule: RuleResult, *, is_first: bool) -> None:
        self.all += 1
        self.first += is_first
        self.by_detail[rule.detail] += 1
        if rule.until:
            self.earliest = min(filter(None, (self.earliest, rule.until)))
            self.latest = max(filter(None, (self.latest, rule.until)))


def of_batch(services: Services, batch_id: str) -> dict[str, Any]:
    """The waterfall: of the batch's jobs, how many are held by which rule, and until when.

    Each job counts once as `jobs`, under the first rule that holds it, and as `forbids` under each.
    Raises BatchNotFoundError.
    """
    standing = services.store.standing.of(batch_id)
    if standing is None or standing.batch.status is BatchState.UPLOADING:
        raise BatchNotFoundError(batch_id)
    instant = services.clock.now()
    held: dict[str, _Held] = {}
    callable_now, calling = 0, 0
    wave = _next_wave(standing, instant)
    for job, verdict in _verdicts(services, services.store.jobs.active(batch_id), standing, instant):
        if job.status is JobState.IN_PROGRESS:
            calling += 1
            continue
        reasons = _in_order(verdict) + ([wave] if wave and job.waiting_for is WaitReason.WAVE else [])
        callable_now += not reasons
        for rule in reasons:
            held.setdefault(rule.rule, _Held()).add(rule, is_first=rule is reasons[0])
    counts = services.store.job_reports.counts(batch_id)
    return {
        "batch_id": batch_id,
        "at": instant,
        "jobs": sum(counts.values()),
        "final": sum(counts[state] for state in JobState if state.is_final),
        "in_progress": calling,
        "callable": callable_now,
        "rules": [
            {
                "rule": name,
                "jobs": found.first,
                "forbids": found.all,
                "earliest": found.earliest,
                "latest": found.latest,
                "details": dict(found.by_detail.most_common(3)),
            }
            for name, found in sorted(held.items(), key=lambda item: (-item[1].first, -item[1].all))
        ],
    }


def _verdicts(
    services: Services, jobs: Iterable[Job], standing: Standing, instant: datetime
) -> Iterator[tuple[Job, Verdict]]:
    book = services.rulebook(standing)
    for chunk in chunks(jobs, AT_ONCE):
        facts = facts_of(services, chunk, standing, book, instant)
        for job, known in zip(chunk, facts, strict=True):
            yield job, judge(job, book, known, instant)


def _in_order(verdict: Verdict) -> list[RuleResult]:
    return sorted(verdict.forbidding, key=lambda rule: rule.rule in _LAST_NAMED)


def _next_wave(standing: Standing, instant: datetime) -> RuleResult | None:
    batch = standing.batch
    if batch.continuous:
        return RuleResult("wave", False, "waits for its turn in a day's group", "DAILY_CONTACTS")
    opens_at = next_slot(instant, batch.wave_times, batch.zone).opens_at
    return RuleResult("wave", False, "waits for a wave", "WAVE_TIMES", opens_at)


def _job_and_standing(services: Services, job_id: str) -> tuple[Job, Standing]:
    job = services.store.jobs.get(job_id)
    standing = services.store.standing.of(job.batch_id) if job else None
    if job is None or standing is None:
        raise JobNotFoundError(job_id)
    return job, standing
