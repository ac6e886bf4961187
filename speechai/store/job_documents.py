"""Jobs as they are stored, and back. The documented fields keep the original system's names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from speechai.catalog.use_cases import Country
from speechai.core.debt import Debt
from speechai.core.model import Job
from speechai.core.states import JobReason, JobState
from speechai.core.variables import plain_amount
from speechai.core.waiting import Waiting, WaitingFor
from speechai.store.database import NOTHING, SCHEMA_VERSION, Document, day_of, day_text
from speechai.store.tallies import MARK


def job_document(
    *,
    job_id: str,
    seq: int,
    batch_id: str,
    account_id: str,
    person_id: str,
    country: Country,
    document: str | None,
    document_label: str | None,
    name: str,
    phones: Sequence[str],
    company: str | None,
    debt: Debt | None,
    offer: dict[str, str],
    variables: dict[str, str],
    max_attempts: int,
    rows: Sequence[int],
    instant: datetime,
) -> Document:
    """A new job as it is stored."""
    return {
        "_id": job_id,
        "job_id": job_id,
        "seq": seq,
        "batch_id": batch_id,
        "account_id": account_id,
        "person_id": person_id,
        "country": country.value,
        "rut": document,
        "document_label": document_label,
        "nombre": name,
        "to_number": phones[0],
        "try_phones": phones,
        "empresa": company,
        **debt_fields(debt),
        "offer": offer,
        "variables": variables,
        "max_attempts": max_attempts,
        "rows": rows,
        "created_at": instant,
        "updated_at": instant,
        **_UNTOUCHED,
    }


# What every new job has in common: nobody was called, nobody is.
_UNTOUCHED: Document = {
    "schema_version": SCHEMA_VERSION,
    "status": JobState.PENDING.value,
    "reason": None,
    "waiting_for": WaitingFor.WAVE.value,
    "next_attempt_at": None,
    "struck_phones": [],
    "attempts": 0,
    "group_date": None,
    "attempt_id": None,
    "call_id": None,
    "call_started_at": None,
    "reserved_until": None,
    "released_until": None,
    "worker_id": None,
    "is_calling": False,
    "cost_cents": NOTHING,
    **MARK,
}


def debt_fields(debt: Debt | None) -> Document:
    """What a person owes, as it is stored: `debt` exactly, `monto_total` in the currency's own unit."""
    if debt is None:
        return {"debt": None, "monto_total": None, "currency": None}
    return {
        "debt": {
            "total_minor": debt.total_minor,
            "currency": debt.currency,
            "instalments": debt.instalments,
            "due_date_oldest": day_text(debt.due_date_oldest),
            "due_date_latest": day_text(debt.due_date_latest),
            "days_late": debt.days_late,
            "deadline": day_text(debt.deadline),
            "final_deadline": day_text(debt.final_deadline),
        },
        "monto_total": plain_amount(debt.total_minor, debt.currency),
        "currency": debt.currency,
    }


def job_from(document: Document) -> Job:
    reason = document.get("reason")
    return Job(
        id=document["_id"],
        batch_id=document["batch_id"],
        account_id=document["account_id"],
        person_id=document["person_id"],
        country=Country(document["country"]),
        status=JobState(document["status"]),
        reason=JobReason(reason) if reason else None,
        waiting=_waiting_from(document),
        phones=tuple(document["try_phones"]),
        struck_phones=frozenset(document.get("struck_phones", ())),
        attempts=document.get("attempts", 0),
        max_attempts=document["max_attempts"],
        group_date=day_of(document.get("group_date")),
        attempt_id=document.get("attempt_id"),
        document=document.get("rut"),
        document_label=document.get("document_label"),
        name=document.get("nombre") or "",
        company=document.get("empresa"),
        debt=debt_from(document.get("debt")),
        owed_since=document.get("debt_replaced_at") or document["created_at"],
        offer=document.get("offer") or {},
        variables=document.get("variables") or {},
        was_dialed=document.get("last_outcome") is not None,
        last_attempt_id=document.get("last_attempt_id"),
        reopened_at=reopened[-1]["at"] if (reopened := document.get("reopened")) else None,
        attempts_before=document.get("attempts_before", 0),
    )


def waiting_fields(waiting: Waiting | None) -> Document:
    """What a job waits for, as it is stored."""
    if waiting is None:
        return {"waiting_for": None, "next_attempt_at": None}
    return {"waiting_for": waiting.kind.value, "next_attempt_at": waiting.due}


def _waiting_from(document: Document) -> Waiting | None:
    kind = document.get("waiting_for")
    return Waiting(WaitingFor(kind), document.get("next_attempt_at")) if kind else None


def debt_from(stored: Document | None) -> Debt | None:
    """The debt as it was stored."""
    if stored is None:
        return None
    return Debt(
        total_minor=stored["total_minor"],
        currency=stored["currency"],
        instalments=stored["instalments"],
        due_date_oldest=day_of(stored.get("due_date_oldest")),
        due_date_latest=day_of(stored.get("due_date_latest")),
        days_late=stored.get("days_late"),
        deadline=day_of(stored.get("deadline")),
        final_deadline=day_of(stored.get("final_deadline")),
    )
