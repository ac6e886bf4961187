"""The contacts of an upload on their way into the database: joined to other batches' jobs, or made jobs."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from speechai.catalog.accounts import Account
from speechai.ingest import Contact
from speechai.operation.campaigns.chunks import chunks
from speechai.operation.campaigns.duplicates import OtherBatches
from speechai.operation.campaigns.tally import Tally
from speechai.operation.records.persons import identified, join_histories
from speechai.operation.services import Services
from speechai.store.job_documents import job_document

LEASE_SECONDS = 30  # at most; extended with every chunk, so that whoever stops for longer has died


class UploadLostError(Exception):
    """What was written is not all there (a stall beyond the lease, a failover): nothing of it is kept."""


def lease_seconds(services: Services) -> float:
    """How long an upload outlives its last sign of life."""
    return min(LEASE_SECONDS, services.settings.lease_seconds)


def attempts_allowed(services: Services) -> int:
    """MAX_ATTEMPTS if set, else what the daily and the days' limits allow."""
    settings = services.settings
    return settings.max_attempts or settings.max_calls_per_day * settings.max_days_without_answer


class Writing:
    """One upload being written. The database is another process: while it takes a chunk, the next is made."""

    def __init__(
        self,
        services: Services,
        account: Account,
        batch_id: str,
        claim: str,
        by: str,
        instant: datetime,
    ) -> None:
        self.batch_id = batch_id
        self._services = services
        self._account = account
        self._claim = claim
        self._by = by
        self._instant = instant
        self._max_attempts = attempts_allowed(services)
        self._seq = 0
        self._room = 1  # chunks made and not yet stored
        self._pending: deque[Future[None]] = deque()

    def write(
        self, contacts: Iterable[Contact], others: OtherBatches, tally: Tally, *, chunk: int, writers: int
    ) -> None:
        """All of them, `chunk` at a time. Raises UploadLostError where the batch was given up meanwhile."""
        self._room = writers
        with _without_collecting(), ThreadPoolExecutor(writers, thread_name_prefix="upload") as pool:
            for read in chunks(contacts, chunk):
                people = identified(self._services, self._account, read)
                join_histories(self._services, self._account, people, self._by)
                self._make(pool, self._joined(people, others, tally), tally)
            left = others.left_behind(tally.joined)
            tally.joined = [one for one in tally.joined if one not in left]
            for some in chunks((contact for _, contact in left), chunk):
                self._make(pool, some, tally)
            for written in self._pending:
                written.result()

    def _joined(self, people: Sequence[Contact], others: OtherBatches, tally: Tally) -> list[Contact]:
        """Join those who are in another batch. Returns the others."""
        anew, known = others.sort(people)
        if not others.merges:
            tally.skip(known)
            return anew
        ended = others.merge(known, self.batch_id, self._claim, self._instant)
        tally.joined += [(job, contact) for job, contact in known if job.id not in ended]
        # Active a moment ago, final by now: a job of their own, like anybody who is called anew.
        return anew + [contact for job, contact in known if job.id in ended]

    def _make(self, pool: ThreadPoolExecutor, contacts: Sequence[Contact], tally: Tally) -> None:
        """Jobs of these, in the background, once there is room."""
        tally.add(contacts)
        documents = list(self._documents(contacts))
        if len(self._pending) == self._room:
            self._pending.popleft().result()
        self._pending.append(pool.submit(self._services.store.tallies.insert_new, documents))
        if not self._services.store.batches.keep_upload(self.batch_id, lease_seconds(self._services)):
            raise UploadLostError(self.batch_id)

    def _documents(self, contacts: Sequence[Contact]) -> Iterator[dict[str, Any]]:
        prefix = self.batch_id.replace("batch-", "job-", 1)
        for contact in contacts:
            self._seq += 1
            yield job_document(
                job_id=f"{prefix}-{self._seq:06d}",
                seq=self._seq,
                batch_id=self.batch_id,
                account_id=self._account.id,
                person_id=contact.person_id,
                country=contact.country,
                document=contact.document,
                document_label=contact.document_label,
                name=contact.name,
                phones=contact.phones,
                company=contact.company,
                debt=contact.debt,
                offer=contact.offer,
                variables=contact.variables,
                max_attempts=self._max_attempts,
                rows=contact.rows,
                instant=self._instant,
            )


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Nothing made here is part of a cycle; looking for one among 100,000 people takes a sixth of the time.

    Of uploads that overlap, the one that switched the collector off switches it on.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
