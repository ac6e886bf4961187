"""What an operator does with a single job, and how it is shown."""

from __future__ import annotations

from datetime import datetime, timedelta

from speechai.core.states import BatchState, JobReason, JobState
from speechai.operation import shown
from speechai.operation.calling.settling import complete_batch_if_over
from speechai.operation.campaigns.providers import explained
from speechai.operation.services import Services
from speechai.store.database import Document

LATEST_CALLBACK = timedelta(days=60)


class JobNotFoundError(LookupError):
    """There is no such job."""


class JobRefusedError(Exception):
    """The job is in a state in which this cannot be done; the message says why."""


def view(services: Services, job_id: str) -> Document:
    """A job with its attempts, oldest first. Raises JobNotFoundError."""
    document = services.store.jobs.document(job_id)
    if document is None:
        raise JobNotFoundError(job_id)
    attempts = services.store.attempts.documents_of_job(job_id)
    return {
        **shown.job(explained(services, [document])[0]),
        "attempts_used": document["attempts"],
        "attempts": [shown.attempt(attempt) for attempt in attempts],
    }


def retry(services: Services, job_id: str, by: str) -> Document:
    """Call again: a pending job as soon as the rules allow, a final one by a recorded reopening."""
    job = services.store.jobs.get(job_id)
    if job is None:
        raise JobNotFoundError(job_id)
    instant = services.clock.now()
    batch = services.store.batches.get(job.batch_id)
    if batch and batch.status is BatchState.CANCELLED:
        raise JobRefusedError("its batch is cancelled")
    if job.status is JobState.PENDING:
        services.store.jobs.bring_forward(job_id, instant)
    elif job.status.is_final:
        if not services.store.jobs.reopen(job_id, by, "retry", instant):
            raise JobRefusedError("this person opted out, or was erased")
        if batch and batch.status is BatchState.COMPLETED:
            services.store.batches.move(batch.id, BatchState.RUNNING, {"active_since": instant})
    else:
        raise JobRefusedError(f"the job is {job.status.value}")
    services.nudges.dispatch()
    return view(services, job_id)


def call_back(services: Services, job_id: str, at: datetime, by: str) -> Document:
    """Call at an hour that the person agreed with an operator, or at the next legal moment after it.

    A final job is reopened, on record. Raises JobNotFoundError, JobRefusedError.
    """
    job = services.store.jobs.get(job_id)
    if job is None:
        raise JobNotFoundError(job_id)
    instant = services.clock.now()
    if at > instant + LATEST_CALLBACK:
        raise JobRefusedError("a callback is within 60 days")
    if job.status.is_final:
        retry(services, job_id, by)
    if not services.store.jobs.call_back(job_id, max(at, instant), by, instant):
        raise JobRefusedError(f"the job is {job.status.value}")
    services.nudges.dispatch()
    return view(services, job_id)


def cancel(services: Services, job_id: str) -> Document:
    """End a job that is not being called. Raises JobRefusedError where it is final or being called."""
    job = services.store.jobs.get(job_id)
    if job is None:
        raise JobNotFoundError(job_id)
    if not services.store.jobs.finish(job_id, JobState.FAILED, JobReason.CANCELLED, services.clock.now()):
        raise JobRefusedError(f"the job is {job.status.value}")
    if batch := services.store.batches.get(job.batch_id):
        complete_batch_if_over(services, batch)
    return view(services, job_id)
