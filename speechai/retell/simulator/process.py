"""A simulator in a process of its own, for tests and benchmarks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import requests


class SimulatorServer:
    """`with SimulatorServer(["--speed", "50"]) as simulator:` — `simulator.url` answers within."""

    def __init__(self, arguments: Sequence[str] = (), *, api_key: str | None = "key_simulated") -> None:
        """`api_key` is the only one that it takes; None: any, as without options."""
        self.api_key = api_key
        self.url = ""
        self._command = [
            *(sys.executable, "-m", "speechai.retell.simulator"),
            *("--port", "0"),
            *(("--api-key", api_key) if api_key else ()),
            *arguments,
        ]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        line = self._process.stdout.readline()
        if not line.startswith("simulator: http"):
            self._process.kill()
            raise RuntimeError(f"the simulator did not start: {line!r}")
        self.url = line.split()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def control(self, name: str, body: Mapping[str, Any] | None = None) -> None:
        """PUT a script, mix, faults or limits."""
        requests.put(f"{self.url}/_simulator/{name}", json=body, timeout=10).raise_for_status()

    def ledger(self) -> dict[str, Any]:
        """What really happened."""
        return dict(requests.get(f"{self.url}/_simulator/ledger", timeout=10).json())
