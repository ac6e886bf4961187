"""The whole product as real processes: embedded servers, simulator, workers, Beat, web, Flower."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import redis
import requests

from speechai.core.states import AttemptState
from speechai.stack import wait
from speechai.stack.errors import StackError
from speechai.stack.stack import Stack
from speechai.store import Store, connect, open_store

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
MOST_CALLS_A_DAY = 3
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

    def status(self, batch_id: str) -> str | None:
        """The batch's status; None while the web or its database is away, killed by a test."""
        try:
            answer = self.request("GET", f"/api/batches/{batch_id}")
        except requests.ConnectionError:
            return None
        return str(answer.json()["status"]) if answer.status_code == 200 else None

    def completed(self, batch_id: str, seconds: float) -> None:
        """Wait until every job of the batch is final."""
        try:
            wait.until(
                lambda: self.status(batch_id) == "completed",
                seconds=seconds,
                what=batch_id,
            )
        except StackError as error:
            raise AssertionError(f"{error}; it is at {self.counts(batch_id)}") from error

    def today(self) -> str:
        """The date in the stack's zone."""
        return f"{datetime.now(ZONE):%Y-%m-%d}"

    def kill(self, part: str) -> int:
        """kill -9, and not one word more. Returns the process that was."""
        pid = self.stack.supervisor.pid(part)
        os.kill(pid, signal.SIGKILL)
        return pid

    def has_recovered(self, before: Mapping[str, int]) -> bool:
        """Whether each of the killed parts runs as another process, and everything answers."""
        pids = [self.stack.supervisor.pid(part) for part in before]
        replaced = all(pids) and not set(pids) & set(before.values())
        return replaced and self.broker_answers() and self.is_well()

    def broker_answers(self) -> bool:
        """Whether the broker itself does (the health of the web may be a moment old)."""
        with redis.Redis.from_url(self.stack.environment["REDIS_URL"]) as broker:
            try:
                return bool(broker.ping())
            except redis.exceptions.ConnectionError:
                return False

    def is_well(self) -> bool:
        """Whether web, database, broker and a worker answer."""
        try:
            return self.request("GET", "/health").status_code == 200
        except requests.ConnectionError:
            return False

    def open_attempts(self, batch_id: str) -> list[str]:
        """The batch's attempts that are not final."""
        attempts = self.store().attempts.export(batch_id)
        return [row["_id"] for row in attempts if not AttemptState(row["status"]).is_final]

    def are_final(self, attempt_ids: Sequence[str]) -> bool:
        """Whether each of these attempts is."""
        attempts = self.store().attempts
        found = [attempts.get(attempt_id) for attempt_id in attempt_ids]
        return all(attempt is not None and attempt.status.is_final for attempt in found)

    def simulator(self, name: str, body: Mapping[str, Any]) -> None:
        url = f"{self.stack.simulator_url}/_simulator/{name}"
        requests.put(url, json=body, timeout=10).raise_for_status()

    def whole_ledger(self) -> dict[str, Any]:
        """What the simulator knows: every call, the most at once, the requests by kind."""
        return dict(requests.get(f"{self.stack.simulator_url}/_simulator/ledger", timeout=30).json())

    def ledger(self, batch_id: str) -> list[dict[str, Any]]:
        """Every call of the batch that the simulator knows of."""
        calls = self.whole_ledger()["calls"]
        return [call for call in calls if call["metadata"].get("batch_id") == batch_id]

    def store(self) -> Store:
        """The stack's database, for what must not load the web."""
        environment = self.stack.environment
        return open_store(connect(environment["MONGO_URI"], environment.get("MONGO_DB", "speechai_db")))

    def has_rung(self, batch_id: str, times: int) -> bool:
        """Whether the simulator has seen so many calls of the batch."""
        return len(self.ledger(batch_id)) >= times

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
    """Nothing that was promised is broken, seen from outside. Call it when no call of the batch is open."""
    assert violations(site, batch_id) == []


def violations(site: Site, batch_id: str) -> list[str]:
    """What the books and the simulator's ledger say against I1, I2, I4 and I5."""
    jobs, calls = site.jobs(batch_id), site.ledger(batch_id)
    found = []
    rung = Counter(call["attempt_id"] for call in calls if call["rang"])
    if twice := [attempt for attempt, count in rung.items() if count > 1]:
        found.append(f"I1: attempts that rang more than once: {twice}")
    recorded = {attempt["attempt_id"] for job in jobs for attempt in job["attempts"] if attempt["uses_place"]}
    if unrecorded := set(rung) - recorded:
        found.append(f"rings that nobody wrote down: {unrecorded}")
    for job in jobs:
        used = [attempt for attempt in job["attempts"] if attempt["uses_place"]]
        unsure = [attempt for attempt in used if attempt["attempt_id"] not in rung]
        if any(attempt["status"] not in ("needs_review", "unknown") for attempt in unsure):
            found.append(f"{job['job_id']}: an attempt counts that never rang")
        if len(used) > MOST_CALLS_A_DAY:
            found.append(f"I2: {job['job_id']} was called {len(used)} times in a day")
        over = [attempt for attempt in used if attempt["status"] != "unknown"]
        if len(over) != job["attempts_used"]:
            found.append(f"{job['job_id']} says {job['attempts_used']} attempts, there are {len(over)}")
        if job["status"] not in ("done", "failed") and not job["waiting_for"]:
            found.append(f"I4: {job['job_id']} is forgotten")
    ledger = site.whole_ledger()
    if ledger["max_concurrent"] > int(FAST["MAX_CONCURRENT_CALLS"]):
        found.append(f"I5: {ledger['max_concurrent']} calls at once")
    return found
