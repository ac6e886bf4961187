"""`make demo` without a terminal: ends by itself, with 0, with nothing left running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def test_the_demo_ends_with_0_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", "from speechai.cli import main; main()", "demo"]
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "60 people to call" in ended.stdout
    assert "agrees with the simulator's ledger" in ended.stdout
    assert "WRONG" not in ended.stderr
    home = str(tmp_path / "var" / "demo")
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if home in " ".join(process.info["cmdline"] or [])
    ]
    assert left == []
