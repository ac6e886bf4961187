"""Payments: they mark promises kept, partly kept or broken, and end the calls to who owes nothing more.

What a list may decide. That somebody paid, any list can tell: a promise of which enough was paid, by its rows
and those before, is kept, and a job whose whole debt is paid ends. That somebody did not pay, or paid no more
than a part, only a complete list can tell, and only up to the local date `as_of` to which it is complete: a
promise whose last day is before that is broken or partly kept then, and its job goes back to the flow. A list
that is not complete leaves every promise open of which not enough was paid, and reopens nothing. Nor does a
complete one decide against people of whom it has a row that could not be read: they paid something.

A job that goes back to the flow is reopened in the name of whoever brought the list, and called at the next
legal moment. Days are the account's own.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from speechai.catalog.use_cases import Country
from speechai.core.model import Job
from speechai.core.promises import PromiseState, judged
from speechai.core.states import JobReason, JobState
from speechai.core.zones import local_day
from speechai.ingest.messages import Language
from speechai.operation.calling import closing
from speechai.operation.campaigns.accounts import AccountNotFoundError
from speechai.operation.campaigns.chunks import chunks
from speechai.operation.campaigns.payment_rows import Row, read_payments
from speechai.operation.records.payments import covers, paid_since
from speechai.operation.services import Services
from speechai.store.database import Document

log = logging.getLogger(__name__)

AT_ONCE = 1000


class FutureListError(ValueError):
    """A list cannot tell what was paid after `today`, the account's local date."""

    def __init__(self, today: date) -> None:
        super().__init__(f"as_of is after {today}")
        self.today = today


@dataclass(slots=True)
class PaymentResult:
    """What became of a list of payments."""

    given: int = 0
    added: int = 0
    repeated: int = 0  # known already, or twice in the list
    rejected: list[dict[str, Any]] = field(default_factory=list)
    promises: Counter[str] = field(default_factory=Counter)  # by what they turned out to be
    ended: int = 0  # jobs that end because everything is paid
    reopened: int = 0  # jobs whose promise was broken

    def as_answer(self) -> dict[str, Any]:
        """The API's answer."""
        return {
            "given": self.given,
            "added": self.added,
            "repeated": self.repeated,
            "rejected": self.rejected,
            "promises": dict(self.promises),
            "ended": self.ended,
            "reopened": self.reopened,
        }


def receive(
    services: Services,
    rows: Iterable[tuple[int, Row]],
    *,
    account_id: str,
    country: Country,
    as_of: date | None,
    is_complete: bool,
    by: str,
    language: Language,
) -> PaymentResult:
    """Take in payments, and judge by them the promises and debts of their people.

    `is_complete`: the list holds every payment up to the local date `as_of` (None: today), so that who is not
    on it did not pay. Raises AccountNotFoundError, and FutureListError for an `as_of` to come.
    """
    account = services.store.accounts.get(account_id)
    if account is None:
        raise AccountNotFoundError(account_id)
    zone = ZoneInfo(account.tz_name)
    today = local_day(services.clock.now(), zone)
    if as_of and as_of > today:
        raise FutureListError(today)
    given = list(rows)
    read = read_payments(
        given,
        account=account,
        country=country,
        today=today,
        by=by,
        instant=services.clock.now(),
        language=language,
    )
    result = PaymentResult(given=len(given), rejected=read.rejected)
    for chunk in chunks(read.payments.values(), AT_ONCE):
        result.added += services.store.payments.add(chunk)
    result.repeated = result.given - len(result.rejected) - result.added
    judging = _Judging(services, account_id, zone, by, result)
    people = sorted({payment["person_id"] for payment in read.payments.values()})
    for some in chunks(people, AT_ONCE):
        judging.judge_people(some)
    if is_complete:
        judging.judge_due(as_of or today, read.unclear)
    log.info("%d payments, %d reopened", result.added, result.reopened, extra={"account_id": account_id})
    return result


@dataclass(frozen=True, slots=True)
class _Judging:
    """The jobs of one account against what their people have paid."""

    services: Services
    account_id: str
    zone: ZoneInfo
    by: str
    result: PaymentResult

    def judge_people(self, people: Sequence[str]) -> None:
        """Of those who paid: whose promise is kept, and who has paid all that a waiting job is about."""
        store = self.services.store.payments
        paid = store.of_people(self.account_id, people)
        for promised in store.promises_of(self.account_id, people):
            if self._state(promised, paid, as_of=date.min) is PromiseState.KEPT:
                self._judge(promised, paid, PromiseState.KEPT)
        for job in store.waiting_jobs(self.account_id, people):
            if covers(job, paid.get(job.person_id, []), self.zone):
                self._end(job)

    def judge_due(self, as_of: date, unclear: set[str]) -> None:
        """Of everybody whose promised day was over by `as_of`: what their promises came to."""
        store = self.services.store.payments
        for chunk in chunks(store.promises_due(self.account_id, as_of), AT_ONCE):
            clear = [job for job in chunk if job["person_id"] not in unclear]
            paid = store.of_people(self.account_id, [job["person_id"] for job in clear])
            for job in clear:
                state = self._state(job, paid, as_of)
                if state is not PromiseState.KEPT:
                    self._back_to_the_flow(job, state)
                self._judge(job, paid, state)

    def _paid(self, job: Document, paid: dict[str, list[Document]]) -> int:
        promise = job["promise"]
        payments = paid.get(job["person_id"], [])
        return paid_since(payments, promise["currency"], promise["at"], self.zone)

    def _state(self, job: Document, paid: dict[str, list[Document]], as_of: date) -> PromiseState:
        promise = job["promise"]
        due = date.fromisoformat(promise["due"])
        return judged(promise["amount_minor"], self._paid(job, paid), due, as_of)

    def _judge(self, job: Document, paid: dict[str, list[Document]], state: PromiseState) -> None:
        attempt_id, instant = job["promise"]["attempt_id"], self.services.clock.now()
        if self.services.store.payments.judge_promise(
            job["_id"], attempt_id, state, self._paid(job, paid), instant
        ):
            self.result.promises[state.value] += 1

    def _end(self, job: Job) -> None:
        services, instant = self.services, self.services.clock.now()
        if services.store.jobs.finish(
            job.id, JobState.DONE, JobReason.PAID, instant, owed_since=job.owed_since
        ):
            self.result.ended += 1
            if batch := services.store.batches.get(job.batch_id):
                closing.complete_if_over(services, batch)

    def _back_to_the_flow(self, job: Document, state: PromiseState) -> None:
        """Call again at the next legal moment, on record: before the promise is judged, so that a crash
        between the two leaves a promise that the next complete list judges."""
        why = f"promise {state.value}"
        if closing.reopen(self.services, job["batch_id"], job["_id"], self.by, why):
            self.result.reopened += 1
