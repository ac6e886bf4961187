"""`speechai up` as a process of its own: signals, exit codes, and what it leaves behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechai.stack import wait
from speechai.stack.up import ALREADY_RUNNING, FAILED, STOPPED
from tests.integration.stack.support import FLOWER, PART, TEST_MARK, WEB, WORKER, processes, write_procfile

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import pathlib, sys
from speechai.stack.up import up
sys.exit(up(simulator=False, procfile=pathlib.Path(sys.argv[1])))
"""


class Up:
    """One `speechai up`, in a process group of its own as in a terminal, its output kept."""

    def __init__(self, procfile: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, procfile],
            env=environment,
            cwd=procfile.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self._home = Path(environment["SPEECHAI_HOME"])
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("ready: "):
                self._ready.set()
        self._ready.set()  # at the end, ready or not: nobody shall wait for more

    def wait_ready(self) -> None:
        assert self._ready.wait(60)
        assert self.process.poll() is None, self.lines
        # The ready line waits for what can be visited; these tests look at the worker as well.
        log = self._home / "log" / "worker.log"
        wait.until(lambda: "worker started" in log.read_text(), seconds=10, what="worker")

    def end(self, seconds: float = 60) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(seconds)
        self._reader.join()
        return code

    def interrupt(self) -> None:
        """Ctrl-C: the terminal signals the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)


@pytest.fixture
def mark() -> Iterator[str]:
    mark = secrets.token_hex(8)
    yield mark
    left = processes(mark)
    for process in left:
        process.kill()
    assert not left


@pytest.fixture
def environment(tmp_path: Path, mark: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    own = {"SPEECHAI_HOME": str(tmp_path / "home"), "PORT": "0", "FLOWER_PORT": "0", TEST_MARK: mark}
    return kept | own | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def procfile(tmp_path: Path) -> Path:
    return write_procfile(tmp_path, web=WEB, worker=f"{WORKER} '' 2", flower=FLOWER)


@pytest.fixture
def worker_log(tmp_path: Path) -> Path:
    return tmp_path / "home" / "log" / "worker.log"


@pytest.mark.parametrize("how", ["SIGTERM", "Ctrl-C"])
def test_a_signal_stops_everything_and_waits_for_the_work(
    how: str, procfile: Path, environment: dict[str, str], worker_log: Path, mark: str
) -> None:
    up = Up(procfile, environment)
    up.wait_ready()
    up.process.terminate() if how == "SIGTERM" else up.interrupt()
    assert up.end() == STOPPED
    assert not processes(mark)
    assert worker_log.read_text().split("\n")[:3] == [
        "worker started",
        "worker asked to stop",
        "worker finished",
    ]
    assert sum(line.startswith("ready: panel http://127.0.0.1:") for line in up.lines) == 1


def test_who_has_set_nothing_is_told_what_and_how(procfile: Path, environment: dict[str, str]) -> None:
    missing = ["RETELL_API_KEY", "RETELL_AGENT_ID", "RETELL_FROM_NUMBER"]
    health = {"parts": {"provider": {"status": "unconfigured", "missing": missing}}}
    up = Up(procfile, environment | {"PART_SAYS": json.dumps(health)})
    up.wait_ready()
    up.process.terminate()
    assert up.end() == STOPPED
    [ready] = [number for number, line in enumerate(up.lines) if line.startswith("ready: ")]
    said = up.lines[up.lines.index("speechai: nobody can be called yet:") : ready]
    assert [line for name in missing for line in said if f"set {name}" in line] == said[1:4]
    assert "speechai up --simulator" in said[-1]


def test_a_second_interrupt_does_not_wait(
    tmp_path: Path, environment: dict[str, str], worker_log: Path, mark: str
) -> None:
    up = Up(write_procfile(tmp_path, web=WEB, worker=f"{WORKER} '' 1000"), environment)
    up.wait_ready()
    up.interrupt()
    wait.until(lambda: "asked to stop" in worker_log.read_text(), seconds=10, what="the order to stop")
    up.interrupt()
    assert up.end(20) == STOPPED, up.lines
    assert "finished" not in worker_log.read_text()
    assert not processes(mark)


def test_a_signal_during_start_up_stops_what_was_started(
    tmp_path: Path, environment: dict[str, str], mark: str
) -> None:
    up = Up(write_procfile(tmp_path, web=f"{PART} web", worker=WORKER), environment)  # never answers
    wait.until(lambda: (tmp_path / "home" / "stack.env").exists(), seconds=30, what="the servers")
    up.process.terminate()
    assert up.end() == STOPPED
    assert not any(line.startswith("ready:") for line in up.lines)
    assert not processes(mark)


def test_nothing_outlives_a_kill(
    procfile: Path, environment: dict[str, str], worker_log: Path, mark: str
) -> None:
    up = Up(procfile, environment)
    up.wait_ready()
    up.process.kill()
    up.end()
    second = Up(procfile, environment)
    assert second.end() == ALREADY_RUNNING, "while the first one's parts stop, its home is taken"
    assert "still stopping" in second.lines[-1]
    wait.until(lambda: not processes(mark), seconds=30, what="the end of all parts")
    assert "worker finished" in worker_log.read_text(), "in order, even so"

    third = Up(procfile, environment)  # and what it left in its home is no obstacle
    third.wait_ready()
    third.process.terminate()
    assert third.end() == STOPPED


def test_a_second_up_says_where_the_first_one_is(procfile: Path, environment: dict[str, str]) -> None:
    first = Up(procfile, environment)
    first.wait_ready()
    second = Up(procfile, environment)
    assert second.end() == ALREADY_RUNNING
    panel = first.lines[-1].split()[2]
    home = environment["SPEECHAI_HOME"]
    assert second.lines == [f"speechai: already running in {home}: pid {first.process.pid}, panel at {panel}"]
    first.process.terminate()
    assert first.end() == STOPPED


def test_a_bad_variable_is_named(procfile: Path, environment: dict[str, str]) -> None:
    up = Up(procfile, environment | {"TZ_NAME": "Mars/Olympus"})
    assert up.end() == FAILED
    assert "TZ_NAME" in "\n".join(up.lines)
