"""Payments that people made, as the creditor told of them, and the promises they are held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from pymongo import UpdateOne

from speechai.core.model import Job
from speechai.core.promises import OPEN_PROMISES, PromiseState
from speechai.core.states import JobReason, JobState
from speechai.store.database import Db, Document
from speechai.store.job_documents import job_from


class PaymentRepository:
    """Payments, each once; and the jobs whose promises wait for them."""

    def __init__(self, db: Db, jobs: str) -> None:
        self._payments = db["payments"]
        self._jobs = db[jobs]

    def add(self, payments: Sequence[Document]) -> int:
        """Add payments by their ids. Returns how many were new."""
        if not payments:
            return 0
        new = [
            UpdateOne({"_id": payment["_id"]}, {"$setOnInsert": payment}, upsert=True) for payment in payments
        ]
        return self._payments.bulk_write(new, ordered=False).upserted_count

    def of_people(self, account_id: str, person_ids: Sequence[str]) -> dict[str, list[Document]]:
        """What these people paid to the account's creditor, by person."""
        found: dict[str, list[Document]] = {}
        wanted = {"account_id": account_id, "person_id": {"$in": list(person_ids)}}
        for row in sorted(self._payments.find(wanted), key=lambda row: row["paid_on"]):
            found.setdefault(row["person_id"], []).append(row)
        return found

    def promises_of(self, account_id: str, person_ids: Sequence[str]) -> list[Document]:
        """These people's jobs in the account whose promise is believed and not kept yet."""
        return list(
            self._jobs.find(
                {
                    "account_id": account_id,
                    "person_id": {"$in": list(person_ids)},
                    "promise.status": {"$in": OPEN_PROMISES},
                    "promise.due": {"$ne": None},
                }
            )
        )

    def promises_due(self, account_id: str, as_of: date) -> Iterator[Document]:
        """The account's jobs whose promise waits to be judged and whose last day was before `as_of`."""
        yield from self._jobs.find(
            {
                "account_id": account_id,
                "promise.status": PromiseState.PROMISED.value,
                "promise.due": {"$lt": as_of.isoformat()},
            }
        )

    def judge_promise(
        self, job_id: str, attempt_id: str, state: PromiseState, paid_minor: int, instant: datetime
    ) -> bool:
        """Write what became of a promise, unless a later call made another. False where nothing changed."""
        changed = self._jobs.update_one(
            {
                "_id": job_id,
                "promise.attempt_id": attempt_id,
                "promise.status": {"$in": OPEN_PROMISES, "$ne": state.value},
            },
            {
                "$set": {
                    "promise.status": state.value,
                    "promise.paid_minor": paid_minor,
                    "promise.judged_at": instant,
                }
            },
        )
        return changed.modified_count == 1

    def waiting_jobs(self, account_id: str, person_ids: Sequence[str]) -> list[Job]:
        """Jobs of these people in the account that would be called again, with what they owe."""
        states = [JobState.PENDING.value, JobState.SUSPENDED.value]
        found = self._jobs.find(
            {
                "account_id": account_id,
                "person_id": {"$in": list(person_ids)},
                "status": {"$in": states},
                "reason": {"$ne": JobReason.PAID.value},
                "debt": {"$ne": None},
            }
        )
        return [job_from(document) for document in found]


def payment_document(
    *,
    payment_id: str,
    account_id: str,
    person_id: str,
    amount_minor: int,
    currency: str,
    paid_on: date,
    receipt: str | None,
    reference: str | None,
    by: str,
    instant: datetime,
) -> Document:
    """A payment as it is stored."""
    return {
        "_id": payment_id,
        "account_id": account_id,
        "person_id": person_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "paid_on": paid_on.isoformat(),
        "receipt": receipt,
        "reference": reference,
        "by": by,
        "at": instant,
    }
