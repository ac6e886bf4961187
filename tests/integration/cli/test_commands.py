"""The console script on real data: what it prints, what it writes, how it exits."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

from speechai.cli import administration, commands, people
from speechai.cli import provider as provider_command
from speechai.operation.campaigns import jobs
from tests.fakes import FakeProvider, make_services
from tests.integration.operation.conftest import add_batch, job_id, phone

PERSON = "CL:RUT:10000001"


@pytest.fixture
def services(mongo_uri, database, monkeypatch):
    made = make_services(mongo_uri, database, provider=FakeProvider(script={phone(1): ["promise"]}))
    for module in (administration, people, provider_command):
        monkeypatch.setattr(module, "services", lambda: made)
    return made


@pytest.fixture
def run(services):
    add_batch(services, 2)
    services.nudges.run()
    return lambda *arguments, **options: CliRunner().invoke(commands, list(arguments), **options)


def test_the_evidence_is_written_and_verified(run, services, tmp_path):
    target = tmp_path / "pack.json"
    done = run("evidence", PERSON, "--to", str(target))
    assert (done.exit_code, done.stderr) == (0, "1 links hold\n")
    pack = json.loads(target.read_text("utf-8"))
    assert (pack["person_id"], pack["holds"]) == (PERSON, True)
    services.store.db["call_logs"].update_one({"person_id": PERSON}, {"$set": {"outcome": "busy"}})
    broken = run("evidence", PERSON)
    assert broken.exit_code == 1
    assert "does not hold" in broken.stderr
    assert json.loads(broken.stdout)["chains"][0]["breaks"]
    assert run("evidence", "CL:RUT:9").exit_code == 1


def test_a_person_is_erased_once_nothing_is_left_to_call(run, services):
    assert "active batch" in run("erase", "CL:RUT:10000002", "--why", "asked", "--yes").stderr
    jobs.cancel(services, job_id(number=2))
    assert run("erase", PERSON, "--why", "asked", input="n\n").exit_code == 1
    done = run("erase", PERSON, "--why", "asked", "--yes")
    assert (done.exit_code, done.stdout[:7]) == (0, "ERASED:")
    assert run("evidence", PERSON).exit_code == 1


def test_the_certificate_says_what_was_removed_and_what_stays(run, services):
    done = run("erase", PERSON, "--why", "asked", "--yes", "--json")
    certificate = json.loads(done.stdout)
    assert certificate["erased_as"].startswith("ERASED:")
    assert {part["what"]: part["count"] for part in certificate["removed"]}["attempts"] == 1
    assert all(part["text"] for part in certificate["stays"])


def test_the_provider_is_named_and_held_batches_are_moved(run, services):
    services.store.db["batches"].update_one(
        {"_id": "batch-1"}, {"$set": {"provider": "real https://api.retellai.com"}}
    )
    assert "held: made for real https://api.retellai.com" in run("provider").stdout
    assert json.loads(run("provider", "--json").stdout)["batches"][0]["held"] is True
    assert run("provider", "move", "none", "--yes").exit_code == 1
    assert run("provider", "move", "batch-1", input="n\n").exit_code == 1
    done = run("provider", "move", "batch-1", "--yes")
    assert (done.exit_code, done.stdout) == (0, "moved to simulator http://127.0.0.1:9: batch-1\n")
    assert services.store.batches.document("batch-1")["edits"][-1]["by"] == "command line"
    assert "already" in run("provider", "move", "batch-1", "--yes").stderr


def test_the_report_and_the_export(run):
    assert "promises 1: 104,050 CLP" in run("report").stdout
    assert json.loads(run("report", "batch-1", "--json").stdout)["promises"] == 1
    assert run("report", "none").exit_code == 1
    rows = list(csv.DictReader(run("export", "batch-1").stdout.splitlines()))
    assert [row["nombre"] for row in rows] == ["Persona 1", "Persona 2"]
    lines = run("export", "batch-1", "--attempts").stdout.splitlines()
    assert {json.loads(line)["job_id"] for line in lines} == {job_id(), job_id(number=2)}
    assert run("export", "none").exit_code == 1


def test_an_export_holds_no_formula(run, services):
    services.store.db["call_jobs"].update_one(
        {"_id": job_id()}, {"$set": {"nombre": "+1+cmd|x", "rut": "=1"}}
    )
    row = next(csv.DictReader(run("export", "batch-1").stdout.splitlines()))
    assert (row["nombre"], row["rut"]) == ("'+1+cmd|x", "'=1")
    assert row["to_number"].startswith("+56")


def test_a_job_is_reset_on_record(run, services):
    assert run("reset", job_id(), "--why", "wrong agent").stdout == f"{job_id()} is pending\n"
    assert services.store.jobs.document(job_id())["reopened"][0]["by"] == "command line: wrong agent"
    assert run("reset", "none").exit_code == 1


def test_slots_are_changed_and_shared(run, services):
    assert run("slots").stdout.startswith("0 of 20 slots are used\n")
    assert json.loads(run("slots", "--limit", "5", "--json").stdout)["limit"] == 5
    assert "of 2" in run("slots", "--account", "default", "--share", "2").stdout
    assert run("slots", "--limit", "0").exit_code == 2
    assert run("slots", "--share", "2").exit_code == 2
    assert run("slots", "--account", "none", "--share", "2").exit_code == 1


def test_indexes_users_and_keys(run, services):
    assert "person_day_place" in run("indexes").stdout
    assert "call_jobs" in json.loads(run("indexes", "--json").stdout)
    assert run("user", "add", "Ana@example.com").stdout.startswith("ana@example.com ")
    assert run("user", "list").stdout == "ana@example.com\n"
    assert run("user", "remove", "ana@example.com").exit_code == 0
    assert run("user", "remove", "ana@example.com").exit_code == 1
    made = run("key", "add", "crm").stdout.strip()
    assert services.store.api_keys.name_of(made) == "crm"
    assert run("key", "list").stdout == "crm\n"
    assert run("key", "remove", "crm").exit_code == 0
    assert run("key", "remove", "crm").exit_code == 1


def test_the_sums_are_brought_up_to_date_and_made_anew(run, services):
    assert json.loads(run("rollups", "--json").stdout)["counted"] > 0
    assert run("rollups").stdout == "0 moves were counted\n"
    services.store.db["tallies"].update_many({}, {"$inc": {"sums.jobs:done": 5}})
    assert json.loads(run("rollups", "--rebuild", "--json").stdout) == {"batches": ["batch-1"]}
    assert services.store.tallies.read("batch-1").total == 2
    assert run("rollups", "--rebuild", "--batch", "none").exit_code == 1
    assert run("rollups", "--batch", "batch-1").exit_code == 2
