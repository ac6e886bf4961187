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


def covers(job: Job, payments: Sequence[Document], zone: ZoneInfo) -> bool:
    """Whether these payments of the job's person cover all that the job is about.

    A debt counts from the upload that brought it: payments made before a later upload replaced it are in the
    new sum already.
    """
    if job.debt is None or job.owed_since is None:
        return False
    return paid_since(payments, job.debt.currency, job.owed_since, zone) >= job.debt.total_minor


def has_paid_all(services: Services, job: Job) -> bool:
    """Whether the job's person has paid all that the job is about: nothing is left to call about."""
    return job.id in paid_of(services, [job])


def paid_of(services: Services, jobs: Sequence[Job]) -> frozenset[str]:
    """Those of these jobs, all of one account, whose people have paid all that they are about: their ids."""
    owing = [job for job in jobs if job.debt is not None]
    if not owing:
        return frozenset()
    account_id = owing[0].account_id
    paid = services.store.payments.of_people(account_id, [job.person_id for job in owing])
    if not paid:
        return frozenset()
    zone = zone_of_account(services, account_id)
    return frozenset(job.id for job in owing if covers(job, paid.get(job.person_id, []), zone))
