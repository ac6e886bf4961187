"""The files that deploy SpeechAI agree with each other, with the settings and with Celery's queues."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from speechai.settings import Settings
from speechai.stack import procfile

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
PARTS = procfile.read()
PANEL_JS = (ROOT / "web" / "static" / "panel.js").read_text()
REQUIRED = re.compile(r"\$\{(\w+):\?")


def test_every_part_is_a_service_and_the_image_runs_its_line() -> None:
    assert {name: SERVICES[name]["command"] for name in PARTS} == {name: [name] for name in PARTS}
    assert 'ENTRYPOINT ["python", "-m", "speechai.stack.procfile"]' in (ROOT / "Dockerfile").read_text()
    assert set(SERVICES) == {*PARTS, "simulator", "redis", "mongo"}


@pytest.mark.parametrize("line", PARTS.values(), ids=PARTS.keys())
def test_every_line_becomes_its_program_and_is_good_shell(line: str) -> None:
    assert line.startswith("exec ")
    assert re.search(r"exec (env \S+ )?(gunicorn|celery) ", line)
    subprocess.run(["sh", "-n", "-c", line], check=True)


def test_a_connection_outlives_the_pages_poll_by_far() -> None:
    interval_ms = int(re.search(r"^const INTERVAL = (\d+);", PANEL_JS, re.MULTILINE)[1])  # type: ignore[index]
    keep_alive = re.search(r"--keep-alive (\d+)", PARTS["web"])
    assert keep_alive, "gunicorn's own 2 seconds"
    assert int(keep_alive[1]) * 1000 >= 10 * interval_ms


def test_every_queue_is_consumed() -> None:
    import celeryconfig

    consumed = {
        queue
        for line in PARTS.values()
        for queues in re.findall(r" -Q (\S+)", line)
        for queue in queues.split(",")
    }
    assert consumed == {queue.name for queue in celeryconfig.task_queues}


def test_what_may_hang_takes_no_thread_that_dials() -> None:
    queues = {name: re.findall(r" -Q (\S+)", line) for name, line in PARTS.items() if " worker " in line}
    assert queues == {"worker": ["calls,results,waves"], "poller": ["polls,recovery"]}
    assert " -P threads -c 8 " in PARTS["poller"]
    assert ' -P threads -c "${WORKER_COUNT:-6}" ' in PARTS["worker"]
    assert Settings.model_fields["worker_count"].default == 6
    for name in queues:
        assert SERVICES[name]["healthcheck"]["test"][1].endswith(f"-d {name}@$$HOSTNAME")
        assert f" -n {name}@%h " in PARTS[name]


def test_flower_is_never_open() -> None:
    ended = subprocess.run(["sh", "-c", PARTS["flower"]], env={}, capture_output=True, text=True, check=False)
    assert ended.returncode
    assert "FLOWER_BASIC_AUTH" in ended.stderr


def test_no_password_has_a_default() -> None:
    secret = r"\w*(?:PASSWORD|SECRET|_KEY|_AUTH)\w*"
    assert not re.findall(rf"\$\{{{secret}(?::?-[^}}]+)?\}}", COMPOSE), "neither optional nor with a value"
    for name in ("MONGO_PASSWORD", "MONGO_ROOT_PASSWORD", "MONGO_KEY", "REDIS_PASSWORD", "ADMIN_PASSWORD"):
        assert f"${{{name}:?" in COMPOSE


def test_every_service_is_restarted_and_checked() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == "unless-stopped", name
        assert "healthcheck" in service or name == "web", name  # the image's own check is the web's
    for name in PARTS:
        waits_for = {server: on["condition"] for server, on in SERVICES[name]["depends_on"].items()}
        assert waits_for == {"redis": "service_healthy", "mongo": "service_healthy"}


def test_workers_get_the_time_of_their_soft_shutdown() -> None:
    import celeryconfig

    for name in ("worker", "poller"):
        grace = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
        assert grace > celeryconfig.worker_soft_shutdown_timeout


def test_the_example_environment_names_every_variable_with_its_default() -> None:
    lines = re.findall(r"^# ([A-Z][A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    documented = dict(lines)
    assert len(lines) == len(documented), "twice"
    defaults = {name.upper(): shown(field.default) for name, field in Settings.model_fields.items()}
    only_compose = set(REQUIRED.findall(COMPOSE)) - set(defaults)
    assert documented == defaults | dict.fromkeys(only_compose, "")


def shown(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, tuple):
        return ",".join(moment.strftime("%H:%M") for moment in default)
    return str(default)
