"""Celery's settings are held to the Procfile, and to what the tasks need."""

import json
import re
from pathlib import Path

import celeryconfig
import tasks.calls
import tasks.recovery
import tasks.waves
from speechai.celery import CeleryNudges, app

ROOT = Path(__file__).parents[3]
PROCFILE = (ROOT / "Procfile").read_text()


def consumed_queues():
    return {name for listed in re.findall(r"-Q ([\w,]+)", PROCFILE) for name in listed.split(",")}


def test_every_queue_is_consumed_and_every_consumed_queue_exists():
    assert consumed_queues() == {queue.name for queue in celeryconfig.task_queues}


def test_every_task_of_ours_goes_to_a_queue_that_is_consumed():
    ours = [name for name in app.tasks if name.startswith("tasks.")]
    assert len(ours) >= 7
    for name in ours:
        assert app.amqp.router.route({}, name)["queue"].name in consumed_queues(), name


def test_every_beat_entry_names_its_queue_and_expires():
    for name, entry in celeryconfig.beat_schedule.items():
        assert entry["task"] in app.tasks, name
        assert entry["options"]["queue"] in consumed_queues(), name
        assert entry["options"]["expires"] > 0, name


def test_the_waves_of_the_day_are_in_the_schedule():
    for clock in ("09:00", "12:00", "15:00"):
        entry = celeryconfig.beat_schedule[f"waves at {clock}"]
        assert entry["schedule"].hour == {int(clock[:2])}
        assert entry["schedule"].minute == {int(clock[3:])}


def test_the_customers_names_of_tasks():
    names = {"tasks.calls.call_contact", "tasks.calls.poll_call", "tasks.calls.persist_result"}
    assert names | {"tasks.waves.run_wave"} <= set(app.tasks)


def test_only_json_and_no_results():
    assert celeryconfig.accept_content == ["json"]
    assert celeryconfig.task_serializer == "json"
    assert celeryconfig.task_ignore_result is True


def test_a_message_is_not_delivered_again_while_its_countdown_runs():
    # Countdowns are two minutes at most (everything longer is `next_attempt_at`); a redelivery before
    # the countdown's end would run the task twice.
    assert celeryconfig.VISIBILITY_TIMEOUT >= 2 * 120


def test_messages_carry_ids_and_no_phone_numbers():
    signatures = []

    class Recording(CeleryNudges):
        @staticmethod
        def _send(signature, delay):
            signatures.append((signature, delay))

    nudges = Recording()
    nudges.call_contact("job-1", 2)
    nudges.follow("att-1", "token", 15)
    nudges.persist_result("att-1")
    nudges.dispatch()
    text = json.dumps([dict(signature) for signature, _ in signatures], default=str)
    assert "job-1" in text and "att-1" in text
    assert "+56" not in text
    [chain] = [signature for signature, delay in signatures if delay == 15]
    assert [step.task for step in chain.tasks] == ["tasks.calls.poll_call", "tasks.calls.persist_result"]


def test_the_modules_are_the_ones_that_workers_import():
    assert set(celeryconfig.imports) == {
        module.__name__ for module in (tasks.calls, tasks.waves, tasks.recovery)
    }
