"""Repositories on mongomock: what they write and read back. Nothing here claims atomicity."""

from __future__ import annotations

from datetime import date, time, timedelta

import mongomock
import pytest

from speechai.catalog.accounts import Account, Plan
from speechai.core.states import BatchState, JobState, WaveState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.store.access import ApiKeyRepository, UserRepository
from speechai.store.accounts import AccountRepository
from speechai.store.batches import BatchRepository, WaveRepository
from speechai.store.job_documents import debt_fields
from speechai.store.job_reports import JobReportRepository
from speechai.store.jobs import JobRepository
from tests.builders import MONDAY_NOON, a_batch_document, a_debt, a_job_document


@pytest.fixture
def db():
    return mongomock.MongoClient(tz_aware=True)["speechai"]


def a_batch():
    return a_batch_document(
        wave_times=(time(9), time(12)),
        deadline_days=3,
        final_deadline_days=7,
        priority=3,
        weekdays=[1, 2, 3],
        retries={"busy": {"wait_minutes": 10}},
        purpose="Cobrar",
        legal_basis="contrato",
    )


def test_a_job_is_stored_under_the_documented_names():
    document = a_job_document()
    assert document["rut"] == "111111111"
    assert document["nombre"] == "Ana Pérez"
    assert document["to_number"] == document["try_phones"][0] == "+56911111111"
    assert (document["attempts"], document["max_attempts"], document["is_calling"]) == (0, 9, False)
    assert {"call_id", "call_started_at", "reserved_until", "worker_id"} <= set(document)
    assert document["monto_total"] == 104050 and document["currency"] == "CLP"
    assert document["schema_version"] == 1


def test_amounts_are_exact_in_minor_units_and_readable_in_the_currencys():
    fields = debt_fields(a_debt(total_minor=123456, currency="ARS"))
    assert fields["debt"]["total_minor"] == 123456
    assert fields["monto_total"] == 1234.56
    assert debt_fields(None) == {"debt": None, "monto_total": None, "currency": None}


def test_a_job_read_back_is_what_was_stored(db):
    jobs = JobRepository(db, "call_jobs")
    jobs.insert_many([a_job_document()])
    job = jobs.get("job-000001")
    assert job.person_id == "CL:RUT:1" and job.status is JobState.PENDING
    assert job.waiting == Waiting(WaitingFor.WAVE)
    assert job.debt == a_debt()
    assert job.phones == ("+56911111111", "+56922222222")
    assert jobs.get("job-unknown") is None


def test_a_document_of_the_old_system_is_not_a_job(db):
    db["call_jobs"].insert_one({"_id": "old", "status": "pending", "to_number": "+56911111111"})
    assert JobRepository(db, "call_jobs").get("old") is None


def test_pages_follow_the_files_order(db):
    jobs = JobRepository(db, "call_jobs")
    jobs.insert_many([a_job_document(number) for number in range(1, 8)])
    reports = JobReportRepository(db, "call_jobs")
    first = reports.page(batch_id="batch-1", status=None, limit=3, after=None)
    second = reports.page(batch_id="batch-1", status=None, limit=3, after=first[-1]["_id"])
    assert [row["seq"] for row in first + second] == [1, 2, 3, 4, 5, 6]
    assert reports.page(batch_id="batch-1", status=JobState.DONE, limit=3, after=None) == []


def test_active_people_are_found_in_the_given_batches_only_the_newest_job_of_each(db):
    jobs = JobRepository(db, "call_jobs")
    later = MONDAY_NOON + timedelta(hours=1)
    jobs.insert_many(
        [
            a_job_document(1),
            a_job_document(2, batch_id="batch-2"),
            a_job_document(3, batch_id="batch-3", person_id="CL:RUT:1", instant=later),
            a_job_document(4, person_id="CL:RUT:1"),
        ]
    )
    people = ["CL:RUT:1", "CL:RUT:2", "CL:RUT:9"]
    found = jobs.active_people({"batch-1", "batch-3"}, people)
    assert {person: (job.id, job.batch_id) for person, job in found.items()} == {
        "CL:RUT:1": ("job-000003", "batch-3")
    }
    assert found["CL:RUT:1"].debt == a_debt()
    assert jobs.active_people(set(), people) == {}


def test_a_batch_read_back_is_what_was_stored(db):
    batches = BatchRepository(db)
    batches.insert(a_batch())
    batch = batches.get("batch-1")
    assert batch.status is BatchState.DRAFT
    assert batch.wave_times == (time(9), time(12))
    assert (batch.deadline_days, batch.final_deadline_days) == (3, 7)
    assert batch.zone.key == "America/Santiago"
    assert batches.with_file("default", "batch-1") == "batch-1"
    assert batches.with_file("default", "abd") is None


def test_a_batch_moves_by_its_table_only(db):
    batches = BatchRepository(db)
    batches.insert(a_batch())
    assert not batches.move("batch-1", BatchState.PAUSED, {})
    assert batches.move("batch-1", BatchState.RUNNING, {})
    assert batches.move("batch-1", BatchState.CANCELLED, {})
    assert not batches.move("batch-1", BatchState.RUNNING, {})
    assert batches.with_file("default", "batch-1") is None  # a cancelled batch may be uploaded again


def test_a_wave_is_recorded_once(db):
    waves = WaveRepository(db)
    day = date(2026, 11, 23)
    assert waves.record("batch-1", day, "09:00", WaveState.RUN, {})
    assert not waves.record("batch-1", day, "09:00", WaveState.MISSED, {})
    assert waves.get("batch-1", day, "09:00")["status"] == "run"
    assert [wave["slot"] for wave in waves.of_batch("batch-1")] == ["09:00"]


def test_rejections_keep_the_files_order(db):
    batches = BatchRepository(db)
    batches.add_rejections("batch-1", [{"row": 9, "error": "b"}, {"row": 2, "error": "a"}])
    assert [row["row"] for row in batches.rejections("batch-1")] == [2, 9]


def test_an_account_is_made_once(db):
    accounts = AccountRepository(db)
    first = Account("default", "Uno", Plan.UNLIMITED, "America/Santiago", None, ("+56600123456",))
    accounts.ensure(first, MONDAY_NOON)
    accounts.ensure(Account("default", "Dos", Plan.UNLIMITED, "UTC", None, ()), MONDAY_NOON)
    assert accounts.get("default") == first
    assert accounts.all() == [first]
    assert accounts.get("nobody") is None


def test_users(db):
    users = UserRepository(db)
    db["users"].create_index("email", unique=True)
    assert users.add("Ana@Ejemplo.cl", "hash", MONDAY_NOON)
    assert not users.add("ana@ejemplo.cl", "other", MONDAY_NOON)
    assert users.get("ANA@ejemplo.cl")["password_hash"] == "hash"
    assert users.set_password("ana@ejemplo.cl", "new")
    assert not users.set_password("nobody@ejemplo.cl", "new")
    assert "password_hash" not in users.all()[0]
    assert users.remove("ana@ejemplo.cl") and not users.remove("ana@ejemplo.cl")


def test_only_the_hash_of_a_key_is_kept(db):
    keys = ApiKeyRepository(db)
    keys.add("sk_secret", "crm", MONDAY_NOON + timedelta(0))
    assert keys.name_of("sk_secret") == "crm"
    assert keys.name_of("sk_other") is None
    assert "sk_secret" not in str(list(db["api_keys"].find()))
    assert keys.remove("crm") == 1 and keys.name_of("sk_secret") is None
