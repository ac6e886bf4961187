"""Why, asked of the engine itself: may this job be called now, and what would be said?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from speechai.core.model import Job
from speechai.core.rules import Verdict, judge
from speechai.core.variables import bucket_of, dynamic_variables
from speechai.operation.calling.judging import facts_of
from speechai.operation.campaigns.chunks import chunks
from speechai.operation.campaigns.jobs import JobNotFoundError
from speechai.operation.services import Services
from speechai.store.standing import Standing

AT_ONCE = 500  # jobs judged with one set of reads


def of_job(services: Services, job_id: str) -> dict[str, Any]:
    """What the dialer would decide about the job now, rule by rule. Raises JobNotFoundError."""
    job, standing = _job_and_standing(services, job_id)
    instant = services.clock.now()
    verdict = next(verdicts(services, [job], standing, instant))[1]
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


def verdicts(
    services: Services, jobs: Iterable[Job], standing: Standing, instant: datetime
) -> Iterator[tuple[Job, Verdict]]:
    """What the engine says about each of many jobs of a batch."""
    book = services.rulebook(standing)
    for chunk in chunks(jobs, AT_ONCE):
        facts = facts_of(services, chunk, standing, book, instant)
        for job, known in zip(chunk, facts, strict=True):
            yield job, judge(job, book, known, instant)


def _job_and_standing(services: Services, job_id: str) -> tuple[Job, Standing]:
    job = services.store.jobs.get(job_id)
    standing = services.store.standing.of(job.batch_id) if job else None
    if job is None or standing is None:
        raise JobNotFoundError(job_id)
    return job, standing
