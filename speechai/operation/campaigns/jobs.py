"""What an operator does with a single job, and how it is shown."""

from __future__ import annotations

from datetime import datetime, timedelta

from speechai.core.model import Job
from speechai.core.states import BatchState, JobReason, JobState
from speechai.operation import shown
from speechai.operation.calling import closing
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
    """Call again: a pending job as soon as the rules allow, a final one by a recorded reopening.

    Raises JobNotFoundError, JobRefusedError.
    """
    job = _require(services, job_id)
    if job.status.is_final:
        _reopen(services, job, by, "retry")
    elif not services.store.jobs.bring_forward(job_id, services.clock.now()):
        raise _refused(services, job_id)
    services.nudges.dispatch()
    return view(services, job_id)


def call_back(services: Services, job_id: str, at: datetime, by: str) -> Document:
    """Call at an hour that the person agreed with an operator, or at the next legal moment after it.

    A final job is reopened, on record, for that hour. Raises JobNotFoundError, JobRefusedError.
    """
    job, instant = _require(services, job_id), services.clock.now()
    if at > instant + LATEST_CALLBACK:
        raise JobRefusedError("a callback is within 60 days")
    at = max(at, instant)
    if job.status.is_final:
        _reopen(services, job, by, "callback", at)
    elif not services.store.jobs.call_back(job_id, at, by, instant):
        raise _refused(services, job_id)
    services.nudges.dispatch()
    return view(services, job_id)


def _require(services: Services, job_id: str) -> Job:
    job = services.store.jobs.get(job_id)
    if job is None:
        raise JobNotFoundError(job_id)
    return job


def _reopen(services: Services, job: Job, by: str, why: str, callback: datetime | None = None) -> None:
    if not closing.reopen(services, job.batch_id, job.id, by, why, callback=callback):
        raise _refused(services, job.id)


def _refused(services: Services, job_id: str) -> JobRefusedError:
    """Why an order about the job was not taken, as it stands now."""
    job = _require(services, job_id)
    batch = services.store.batches.get(job.batch_id)
    if batch is not None and batch.status is BatchState.CANCELLED:
        return JobRefusedError("its batch is cancelled")
    if job.status.is_final:
        return JobRefusedError("this person opted out, or was erased")
    return JobRefusedError(f"the job is {job.status.value}")


def cancel(services: Services, job_id: str) -> Document:
    """End a job that is not being called. Raises JobRefusedError where it is final or being called."""
    job = _require(services, job_id)
    if not services.store.jobs.finish(job_id, JobState.FAILED, JobReason.CANCELLED, services.clock.now()):
        raise _refused(services, job_id)
    if batch := services.store.batches.get(job.batch_id):
        closing.complete_if_over(services, batch)
    return view(services, job_id)
