"""The whole product as real processes: embedded servers, simulator, workers, Beat, web, Flower."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from speechai.stack import wait
from speechai.stack.errors import StackError
from speechai.stack.stack import Stack

ROOT = Path(__file__).parents[2]
ZONE = ZoneInfo("America/Santiago")
API_KEY = "key-of-the-e2e-tests"
FAST = {
    "SPEECHAI_API_KEY": API_KEY,
    "ADMIN_EMAIL": "operadora@example.com",
    "CALL_POLLING_INTERVAL": "0.3",
    "CALLS_PER_SECOND": "50",
    "MAX_CONCURRENT_CALLS": "10",
    "MAX_ATTEMPTS": "3",
    "RETRY_DELAY_MINUTES": "0",
    "NO_ANSWER_RETRY_MINUTES": "0",
    "LEASE_SECONDS": "10",
    "MONGO_URI": "",
    "REDIS_URL": "",
    "PORT": "0",
    "FLOWER_PORT": "0",
    "PUBLIC_URL": "",
}

SIMULATOR = ["--speed", "60", "--seed", "7", "--callback-after", "5"]


@dataclass
class Site:
    """A running SpeechAI, as its users reach it."""

    stack: Stack

    @property
    def environment(self) -> dict[str, str]:
        """What another terminal has: the home, and nothing else of ours."""
        mine = {name: value for name, value in os.environ.items() if name not in FAST}
        return {**mine, "SPEECHAI_HOME": str(self.stack.home.path)}

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {API_KEY}", "Accept-Language": "en"}
        return requests.request(method, self.stack.panel_url + path, headers=headers, timeout=60, **options)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.request("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self.request("POST", path, json=body or {})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def upload(self, path: Path, **fields: str) -> dict[str, Any]:
        data = {"policy": "anytime", "start": "now", "again": "1", **fields}
        with path.open("rb") as file:
            answer = self.request("POST", "/api/upload/excel", data=data, files={"file": (path.name, file)})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def jobs(self, batch_id: str) -> list[dict[str, Any]]:
        items = self.get("/api/jobs", batch_id=batch_id, limit=500)["items"]
        return [self.get(f"/api/jobs/{item['job_id']}") for item in items]

    def counts(self, batch_id: str) -> dict[str, int]:
        return dict(self.get(f"/api/batches/{batch_id}")["counts"])

    def completed(self, batch_id: str, seconds: float) -> None:
        """Wait until every job of the batch is final."""
        try:
            wait.until(
                lambda: self.get(f"/api/batches/{batch_id}")["status"] == "completed",
                seconds=seconds,
                what=batch_id,
            )
        except StackError as error:
            raise AssertionError(f"{error}; it is at {self.counts(batch_id)}") from error

    def simulator(self, name: str, body: Mapping[str, Any]) -> None:
        url = f"{self.stack.simulator_url}/_simulator/{name}"
        requests.put(url, json=body, timeout=10).raise_for_status()

    def ledger(self, batch_id: str) -> list[dict[str, Any]]:
        """Every call of the batch that the simulator knows of."""
        calls = requests.get(f"{self.stack.simulator_url}/_simulator/ledger", timeout=30).json()["calls"]
        return [call for call in calls if call["metadata"].get("batch_id") == batch_id]

    def celery(self, *arguments: str) -> str:
        """`celery -A speechai …` in another terminal."""
        command = [sys.executable, "-m", "celery", "-A", "speechai", *arguments]
        return self._run(command)

    def speechai(self, *arguments: str) -> str:
        """`speechai …` in another terminal."""
        return self._run([sys.executable, "-c", "from speechai.cli import main; main()", *arguments])

    def _run(self, command: Sequence[str]) -> str:
        ended = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture(scope="session")
def wave_at() -> datetime:
    """The minute for which the stack's wave is configured: soon, but after the stack is up."""
    soon = datetime.now(ZONE) + timedelta(seconds=50)
    return soon.replace(second=0, microsecond=0) + timedelta(minutes=1)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, wave_at: datetime) -> Iterator[Site]:
    """The stack on the embedded servers and a fast simulator."""
    home = tmp_path_factory.mktemp("home")
    environment = {**FAST, "SPEECHAI_HOME": str(home), "WAVE_TIMES": f"{wave_at:%H:%M}"}
    with Stack(environment=environment, simulator=SIMULATOR) as stack:
        stack.wait_ready()
        yield Site(stack)


@dataclass
class People:
    """A synthetic list: names and numbers, each used by one test only."""

    path: Path
    numbers: list[str]


_used = 0


def write_people(directory: Path, count: int) -> People:
    """A generic list (name and number) of `count` new people."""
    global _used
    numbers = [f"+5695{2_000_000 + _used + n}" for n in range(count)]
    _used += count
    path = directory / f"people-{_used}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["nombre", "telefono"])
        writer.writerows([f"Persona {_used + n}", number] for n, number in enumerate(numbers))
    return People(path, numbers)


def invariants_hold(site: Site, batch_id: str) -> None:
    """The books agree: each attempt rang at most once, and every ring is on record (I1, I2, I4, I5)."""
    jobs, calls = site.jobs(batch_id), site.ledger(batch_id)
    attempts = [attempt for job in jobs for attempt in job["attempts"] if attempt["status"] != "released"]
    rings = [call["attempt_id"] for call in calls if call["rang"]]
    assert len(rings) == len(set(rings)), "an attempt rang more than once"
    assert set(rings) == {attempt["attempt_id"] for attempt in attempts if attempt["uses_place"]}
    for job in jobs:
        used = [attempt for attempt in job["attempts"] if attempt["uses_place"]]
        assert len(used) <= 3 and len(used) == job["attempts_used"]
        assert job["status"] in ("done", "failed") or job["next_attempt_at"] or job["waiting_for"]
    ledger = requests.get(f"{site.stack.simulator_url}/_simulator/ledger", timeout=30).json()
    assert ledger["max_concurrent"] <= int(FAST["MAX_CONCURRENT_CALLS"])


def as_json(text: str) -> Any:
    return json.loads(text)
