"""Jobs, batches and attempts for tests, with only what a test is about spelled out."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from speechai.catalog.policies import Consent, preset
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.breaker import CLOSED
from speechai.core.debt import Debt
from speechai.core.model import Attempt, Batch, Job, Limits, Rulebook, Taken
from speechai.core.outcomes import Outcome
from speechai.core.rules import Facts
from speechai.core.states import AttemptState, BatchState, JobState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.core.zones import ZONE_OF_COUNTRY
from speechai.store.batches import batch_document
from speechai.store.database import Document
from speechai.store.job_documents import job_document

SANTIAGO = ZONE_OF_COUNTRY[Country.CL]
# A Monday at noon in Santiago (UTC−3 in summer), no holiday.
MONDAY_NOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
PROVIDER = "http://127.0.0.1:9000#test"

LIMITS = Limits(
    calls_per_day=3,
    days_without_answer=3,
    retry_delay=timedelta(minutes=30),
    no_answer_delay=timedelta(minutes=60),
)


def a_batch(**changes: Any) -> Batch:
    values: dict[str, Any] = {
        "id": "batch-1",
        "account_id": "default",
        "name": "November",
        "status": BatchState.RUNNING,
        "use_case": UseCaseId.DEBT_COLLECTION,
        "country": Country.CL,
        "policy_id": "house",
        "provider": PROVIDER,
        "continuous": False,
        "wave_times": (time(9), time(12), time(15)),
        "zone": SANTIAGO,
        "daily_contacts": 60,
        "company": "Casa Ejemplo",
        "deadline_days": None,
        "final_deadline_days": None,
        "max_attempts": 9,
        "agent_id": None,
        "active_since": MONDAY_NOON - timedelta(days=1),
    }
    return Batch(**{**values, **changes})


def a_debt(**changes: Any) -> Debt:
    values: dict[str, Any] = {
        "total_minor": 104050,
        "currency": "CLP",
        "instalments": 2,
        "due_date_oldest": date(2026, 11, 1),
        "due_date_latest": date(2026, 11, 10),
        "days_late": None,
        "deadline": None,
        "final_deadline": None,
    }
    return Debt(**{**values, **changes})


def a_job(**changes: Any) -> Job:
    values: dict[str, Any] = {
        "id": "job-1",
        "batch_id": "batch-1",
        "account_id": "default",
        "person_id": "CL:RUT:111111111",
        "country": Country.CL,
        "status": JobState.PENDING,
        "reason": None,
        "waiting": Waiting(WaitingFor.TURN, MONDAY_NOON),
        "phones": ("+56911111111", "+56922222222"),
        "struck_phones": frozenset(),
        "attempts": 0,
        "max_attempts": 9,
        "group_date": None,
        "attempt_id": None,
        "document": "111111111",
        "document_label": "11111111-1",
        "name": "Ana Pérez",
        "company": None,
        "debt": a_debt(),
    }
    return Job(**{**values, **changes})


def an_attempt(**changes: Any) -> Attempt:
    values: dict[str, Any] = {
        "id": "att-1",
        "job_id": "job-1",
        "batch_id": "batch-1",
        "account_id": "default",
        "person_id": "CL:RUT:111111111",
        "to_number": "+56911111111",
        "from_number": "+56600123456",
        "status": AttemptState.SETTLED,
        "person_day": date(2026, 11, 23),
        "uses_place": True,
        "reserved_at": MONDAY_NOON,
        "posted_at": MONDAY_NOON,
        "last_posted_at": MONDAY_NOON,
        "call_id": "call_1",
        "outcome": Outcome.NO_ANSWER,
        "lease_until": MONDAY_NOON,
        "poll_token": None,
        "provider": PROVIDER,
    }
    return Attempt(**{**values, **changes})


def a_rulebook(policy: str = "house", *, limits: Limits = LIMITS, **batch: Any) -> Rulebook:
    return Rulebook(policy=preset(policy), limits=limits, batch=a_batch(policy_id=policy, **batch))


def some_facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "provider": PROVIDER,
        "provider_is_local": True,
        "stopped_by": None,
        "breaker": CLOSED,
        "taken": Taken(),
        "days_without_answer": frozenset(),
        "has_group_place": True,
        "number": "+56911111111",
        "usable": 2,
    }
    return Facts(**{**values, **changes})


def a_batch_document(batch_id: str = "batch-1", **changes: Any) -> Document:
    """A draft as an upload stores it."""
    values: dict[str, Any] = {
        "account_id": "default",
        "name": batch_id,
        "use_case": UseCaseId.DEBT_COLLECTION,
        "country": Country.CL,
        "policy_id": "house",
        "provider": "p",
        "wave_times": (time(9), time(12), time(15)),
        "tz_name": "America/Santiago",
        "daily_contacts": 60,
        "company": None,
        "deadline_days": None,
        "final_deadline_days": None,
        "max_attempts": 9,
        "agent_id": None,
        "flow_id": "collections",
        "priority": 2,
        "weekdays": None,
        "retries": {},
        "purpose": "",
        "legal_basis": "",
        "consent": Consent.NONE,
        "created_by": "test",
        "instant": MONDAY_NOON,
        "file": {"name": "x.xlsx", "sha256": batch_id},
    }
    return batch_document(batch_id=batch_id, **{**values, **changes})


def a_job_document(number: int = 1, **changes: Any) -> Document:
    """A new job as an upload stores it."""
    values: dict[str, Any] = {
        "job_id": f"job-{number:06d}",
        "seq": number,
        "batch_id": "batch-1",
        "account_id": "default",
        "person_id": f"CL:RUT:{number}",
        "country": Country.CL,
        "document": "111111111",
        "document_label": "11111111-1",
        "name": "Ana Pérez",
        "phones": ["+56911111111", "+56922222222"],
        "company": None,
        "debt": a_debt(),
        "offer": {},
        "variables": {"comuna": "Maipú"},
        "max_attempts": 9,
        "rows": [2, 3],
        "instant": MONDAY_NOON,
    }
    return job_document(**{**values, **changes})
