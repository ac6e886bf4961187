"""The main job through the front door: a list in, calls, results out; waves, command line, Flower, kills."""

from __future__ import annotations

import json
import os
import re
import signal
from datetime import datetime, timedelta

import pymongo
import pytest
import requests

from speechai.stack import wait
from tests.e2e.site import ROOT, ZONE, Site, invariants_hold, write_people


@pytest.fixture(scope="module")
def wave_batch(site: Site, tmp_path_factory, wave_at) -> str:
    """A batch that waits for the wave, uploaded before its minute."""
    assert datetime.now(ZONE) < wave_at, "the stack took too long to start for this test"
    people = write_people(tmp_path_factory.mktemp("wave"), 5)
    site.simulator("script", {number: ["promise"] for number in people.numbers})
    uploaded = site.upload(people.path, start="next_wave")
    assert site.counts(uploaded["batch_id"])["pending"] == 5
    return str(uploaded["batch_id"])


def test_a_list_goes_in_and_results_come_out(site: Site, wave_batch, tmp_path):
    people = write_people(tmp_path, 6)
    script = {number: ["promise"] for number in site_numbers(site, wave_batch)}
    endings = ["promise", "completed", "no_answer", "invalid", "opted_out", "voicemail"]
    script |= {number: [ending] for number, ending in zip(people.numbers, endings, strict=True)}
    site.simulator("script", script)
    uploaded = site.upload(people.path)
    assert (uploaded["rows"], uploaded["jobs_created"], uploaded["rejected"]) == (6, 6, [])
    site.completed(uploaded["batch_id"], 120)
    by_number = {job["to_number"]: job for job in site.jobs(uploaded["batch_id"])}
    ended = [(by_number[number]["status"], by_number[number]["reason"]) for number in people.numbers]
    assert ended == [
        ("done", "goal_met"),
        ("done", "goal_met"),
        ("failed", "no_answer"),
        ("failed", "no_phones"),
        ("failed", "opted_out"),
        ("failed", "no_answer"),
    ]
    assert len(by_number[people.numbers[2]]["attempts"]) == 3
    invariants_hold(site, uploaded["batch_id"])

    promised = by_number[people.numbers[0]]
    assert promised["call_result"]["success"] is True
    assert promised["fecha_pago_cliente"] and promised["monto_pago_cliente"] > 0
    whole = promised["attempts"][0]["call"]
    assert whole["transcript_object"][0]["words"][0]["start"] == 0
    assert whole["recording_url"] and whole["recording_multi_channel_url"] and whole["public_log_url"]
    assert whole["call_cost"]["product_costs"] and whole["call_analysis"]["call_summary"]


def site_numbers(site: Site, batch_id: str) -> list[str]:
    return [item["to_number"] for item in site.get("/api/jobs", batch_id=batch_id)["items"]]


def test_the_documented_document_is_in_the_database(site: Site):
    with pymongo.MongoClient(site.stack.environment["MONGO_URI"]) as client:
        document = client["speechai_db"]["call_jobs"].find_one({"status": "done"})
    assert {"rut", "nombre", "to_number", "try_phones", "attempts", "max_attempts", "call_id"} <= set(
        document
    )
    assert {"call_started_at", "reserved_until", "worker_id", "is_calling"} <= set(document)
    assert isinstance(document["attempts"], int) and document["is_calling"] is False
    assert document["call_duration_seconds"] > 0
    assert {"call_cost", "call_analysis", "transcript"} <= set(document["call_result"]["summary"])


def test_one_contact_by_the_celery_command_line(site: Site, tmp_path):
    people = write_people(tmp_path, 2)
    batch_id = site.upload(people.path, start="next_wave")["batch_id"]
    chosen, other = site.get("/api/jobs", batch_id=batch_id)["items"]
    site.celery("call", "tasks.calls.call_contact", "--args", json.dumps([chosen["job_id"]]))
    wait.until(
        lambda: site.get(f"/api/jobs/{chosen['job_id']}")["attempts"],
        seconds=30,
        what="the call by hand",
    )
    assert site.get(f"/api/jobs/{other['job_id']}")["attempts"] == []
    site.post(f"/api/batches/{batch_id}/cancel")


def test_a_draft_is_not_called_by_hand(site: Site, tmp_path):
    batch_id = site.upload(write_people(tmp_path, 1).path, start="draft")["batch_id"]
    [job] = site.get("/api/jobs", batch_id=batch_id)["items"]
    site.celery("call", "tasks.calls.call_contact", "--args", json.dumps([job["job_id"]]))
    # A second message behind it: when that one's call is there, the first was looked at.
    running = site.upload(write_people(tmp_path, 1).path)["batch_id"]
    site.completed(running, 60)
    assert site.ledger(batch_id) == []
    assert site.counts(batch_id)["pending"] == 1


def test_one_wave_by_the_celery_command_line(site: Site, tmp_path):
    people = write_people(tmp_path, 4)
    batch_id = site.upload(people.path, start="next_wave")["batch_id"]
    today = f"{datetime.now(ZONE):%Y-%m-%d}"
    for _ in range(2):
        site.celery("call", "tasks.waves.run_wave", "--args", json.dumps([batch_id, today, "09:00"]))
    wait.until(lambda: len(site.ledger(batch_id)) >= 4, seconds=30, what="the wave by hand")
    site.post(f"/api/batches/{batch_id}/cancel")
    wait.until(lambda: site.counts(batch_id)["in_progress"] == 0, seconds=30, what="the end of the calls")
    invariants_hold(site, batch_id)


def test_flower_is_closed_and_shows_ids_and_never_numbers(site: Site):
    url = site.stack.flower_url
    assert requests.get(f"{url}/workers", timeout=10).status_code == 401
    user, password = site.stack.environment["FLOWER_BASIC_AUTH"].split(":", 1)
    auth = (user, password)
    wait.until(
        lambda: len(requests.get(f"{url}/api/tasks?limit=200", auth=auth, timeout=10).json()) > 20,
        seconds=30,
        what="Flower's tasks",
    )
    tasks = requests.get(f"{url}/api/tasks?limit=500", auth=auth, timeout=10).json()
    names = {task["name"] for task in tasks.values()}
    assert {"tasks.calls.call_contact", "tasks.calls.poll_call", "tasks.waves.dispatch"} <= names
    shown = json.dumps(tasks)
    assert "job-" in shown and "att-" in shown
    # No part of a longer number: a time in seconds may have these digits in it.
    assert re.findall(r"(?<![\d.])\+?5695\d{7}(?!\d)", shown) == []
    workers = requests.get(f"{url}/api/workers?refresh=1", auth=auth, timeout=20).json()
    assert any(name.startswith("worker@") for name in workers)


def test_the_report_says_what_the_api_says(site: Site, tmp_path):
    batch_id = site.upload(write_people(tmp_path, 3).path, name="Informe")["batch_id"]
    site.completed(batch_id, 120)
    report = json.loads(site.speechai("report", batch_id, "--json"))
    batch = site.get(f"/api/batches/{batch_id}")
    assert report["counts"] == batch["counts"] and report["rings"] == batch["rings"]
    assert "Informe" in site.speechai("report", batch_id)
    assert len(site.speechai("export", batch_id).splitlines()) == 4


def test_a_wave_is_fired_by_beat_within_seconds_of_its_minute(site: Site, wave_batch, wave_at):
    remaining = (wave_at - datetime.now(ZONE)).total_seconds()
    wait.until(lambda: len(site.ledger(wave_batch)) == 5, seconds=max(0, remaining) + 30, what="the wave")
    first = min(call["created_at"] for call in site.ledger(wave_batch))
    assert 0 <= first - wave_at.timestamp() <= 10
    site.completed(wave_batch, 60)
    invariants_hold(site, wave_batch)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("part", ["worker", "poller"])
def test_a_worker_dies_in_the_middle_and_nobody_is_called_twice_or_forgotten(
    site: Site, tmp_path, part, signal_number
):
    batch_id = site.upload(write_people(tmp_path, 30).path)["batch_id"]
    wait.until(lambda: len(site.ledger(batch_id)) >= 8, seconds=30, what="the first calls")
    victim = site.stack.supervisor.pid(part)
    os.kill(victim, signal_number)
    died = datetime.now(ZONE)
    site.completed(batch_id, 150)
    assert site.stack.supervisor.pid(part) not in (0, victim)
    invariants_hold(site, batch_id)
    # LEASE_SECONDS + 60 s for what was interrupted, and the calls themselves.
    assert datetime.now(ZONE) - died < timedelta(seconds=150)


def test_no_log_holds_a_number_a_key_or_what_was_said(site: Site):
    secrets = [
        site.stack.environment["SPEECHAI_API_KEY"],
        site.stack.environment["RETELL_API_KEY"],
        site.stack.environment["ADMIN_PASSWORD"],
    ]
    for log in site.stack.home.logs.glob("*.log*"):
        text = log.read_text(errors="replace")
        for secret in secrets:
            assert secret not in text, log.name
        if log.name.startswith(("worker", "poller", "beat", "web", "flower")):
            assert "+5695" not in text, log.name
            assert "asistente automático" not in text, log.name


def test_the_example_workbook_is_at_its_place():
    assert (ROOT / "examples" / "demo.xlsx").exists()
