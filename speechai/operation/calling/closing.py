"""How a batch closes, and how a job of a closed one is opened again.

Each is more than one write. What is still to be done is on the batch's own record before the first of them,
so that the sweep finishes what a crash cut off, with the same code: doing it twice is doing it once.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from speechai.core.model import Batch, Job
from speechai.core.next_step import Step
from speechai.core.states import BatchState, JobReason, JobState
from speechai.operation.records.payments import has_paid_all
from speechai.operation.services import Services

log = logging.getLogger(__name__)

PIECE = 2000  # jobs ended at once: a request does one piece, the sweep goes on with the rest


def complete_if_over(services: Services, batch: Batch) -> bool:
    """A running batch whose every job is final is completed. True for the one who did it."""
    if batch.status is not BatchState.RUNNING or services.store.jobs.has_active(batch.id):
        return False
    return services.store.batches.complete(batch, services.clock.now())


def end_jobs(services: Services, batch_id: str, *, pieces: int) -> bool:
    """End the jobs of a cancelled batch, some pieces of them. True once every one is final."""
    store, instant = services.store, services.clock.now()
    batch = store.batches.get(batch_id)  # before its jobs: what is reopened meanwhile shows
    for _ in range(pieces):
        ended = store.jobs.finish_some(batch_id, JobReason.CANCELLED, instant, PIECE)
        store.tallies.fold(batch_id)  # or whoever looks at the batch counts them all
        if ended < PIECE:
            # Who is being called ends with the call; the sweep looks again until then.
            return batch is not None and not store.jobs.has_active(batch_id) and store.batches.ended(batch)
    return False


def end_instead(services: Services, job: Job, batch: Batch) -> Step | None:
    """How a job ends that would go on waiting after a call, or after none: in a cancelled batch nobody waits,
    nor does anybody who has paid. None where it goes on."""
    if batch.status is BatchState.CANCELLED:
        return Step(JobState.FAILED, JobReason.CANCELLED)
    if has_paid_all(services, job):
        return Step(JobState.DONE, JobReason.PAID)
    return None


def give_back(services: Services, job_id: str, attempt_id: str, due: datetime) -> bool:
    """A job whose dial was undone waits again, from `due` on, or ends instead. False where it moved on."""
    job = services.store.jobs.get(job_id)
    if job is None or job.attempt_id != attempt_id:
        return False
    batch = services.store.batches.get(job.batch_id)
    step = end_instead(services, job, batch) if batch else None
    step = step or Step(JobState.PENDING, waiting=job.waiting_again(due))
    owed_since, instant = job.owed_since, services.clock.now()
    return services.store.jobs.give_back(job_id, attempt_id, step, instant, owed_since=owed_since)


def reopen(
    services: Services, batch_id: str, job_id: str, by: str, why: str, *, callback: datetime | None = None
) -> bool:
    """Open a final job again, on record, and its batch with it. `callback`: the hour that was agreed.

    False where the person opted out, the job is not final, or the batch is cancelled.
    """
    store, instant = services.store, services.clock.now()
    if not store.batches.begin_reopening(batch_id, job_id, instant):
        return False
    reopened = store.jobs.reopen(job_id, by, why, instant, callback=callback)
    _end_reopening(services, batch_id, job_id)
    if reopened:
        services.nudges.dispatch()
    return reopened


def finish_reopening(services: Services, cut_off: tuple[str, str, datetime]) -> int:
    """A reopening that a crash cut off: the job was reopened or was not, and the batch closes when it is
    over."""
    batch_id, job_id, since = cut_off
    if services.clock.now() - since < timedelta(seconds=services.settings.lease_seconds):
        return 0
    _end_reopening(services, batch_id, job_id)
    return 1


def _end_reopening(services: Services, batch_id: str, job_id: str) -> None:
    services.store.batches.end_reopening(batch_id, job_id)
    if batch := services.store.batches.get(batch_id):
        complete_if_over(services, batch)
