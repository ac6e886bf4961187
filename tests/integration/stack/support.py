"""What the stack's tests share: Procfiles of tiny real parts, and a look at every process of a test."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import psutil

PART = f"exec {shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).with_name('part.py')))}"
WEB = f'{PART} web "$PORT"'
FLOWER = f'{PART} flower "$FLOWER_PORT"'
WORKER = f"{PART} worker"
TEST_MARK = "SPEECHAI_TEST_MARK"


def write_procfile(directory: Path, **lines: str) -> Path:
    """A Procfile with these parts."""
    file = directory / "Procfile"
    file.write_text("".join(f"{name}: {line}\n" for name, line in lines.items()))
    return file


def processes(mark: str) -> list[psutil.Process]:
    """Every process with the test's mark in its environment; found without our own code."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TEST_MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue  # gone meanwhile, or another user's
    return found
