"""What people have paid towards what they owe or promised, by the payments that their creditor told of.

A payment carries a calendar date only. It counts towards what was owed or promised from some instant on when
it was made on a later local date of the account; on the same date only where it was told of after that
instant, since what was known before was reckoned with already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from speechai.core.model import Job
from speechai.core.zones import local_day
from speechai.operation.services import Services
from speechai.store.database import Document


def zone_of_account(services: Services, account_id: str) -> ZoneInfo:
    """The zone of an account's days."""
    account = services.store.accounts.get(account_id)
    return ZoneInfo(account.tz_name) if account else services.settings.zone


def paid_since(payments: Iterable[Document], currency: str, since: datetime, zone: ZoneInfo) -> int:
    """How much of it, in minor units of `currency`, counts towards what is owed since that instant."""
    day = local_day(since, zone).isoformat()
    return sum(
        payment["amount_minor"]
        for payment in payments
        if payment["currency"] == currency
        and (payment["paid_on"] > day or payment["paid_on"] == day and payment["at"] >= since)
    )


def covers(job: Document, payments: Sequence[Document], zone: ZoneInfo) -> bool:
    """Whether these payments of the job's person cover all that the job is about.

    A debt counts from the upload that brought it: payments made before a later upload replaced it are in the
    new sum already.
    """
    debt = job.get("debt")
    if not debt:
        return False
    since = job.get("debt_replaced_at") or job["created_at"]
    return paid_since(payments, debt["currency"], since, zone) >= int(debt["total_minor"])


def has_paid_all(services: Services, job: Job) -> bool:
    """Whether the job's person has paid all that the job is about: nothing is left to call about."""
    if job.debt is None:
        return False
    store = services.store
    paid = store.payments.of_people(job.account_id, [job.person_id]).get(job.person_id)
    document = store.jobs.document(job.id) if paid else None
    if not paid or document is None:
        return False
    return covers(document, paid, zone_of_account(services, job.account_id))
