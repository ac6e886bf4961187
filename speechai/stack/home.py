"""`SPEECHAI_HOME`: the files of one stack, and the lock that makes it the only one there."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechai.settings import STACK_FILE
from speechai.stack.errors import AlreadyRunningError, StackError

SOCKET_PATH_LIMIT = 100  # of a unix socket, in bytes: 108 with what supervisord appends while it binds


@dataclass(frozen=True)
class Home:
    """The directories and files of one stack. All of it is private to its user."""

    path: Path

    @property
    def run(self) -> Path:
        """What only a running stack needs."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.path / "log"

    @property
    def stack_file(self) -> Path:
        """What `celery -A speechai …` in another terminal reads, while the stack runs."""
        return self.path / STACK_FILE

    @property
    def ports_file(self) -> Path:
        """The embedded servers' ports: the same next time, if they can be had."""
        return self.path / "ports.json"

    @property
    def secrets_file(self) -> Path:
        """The passwords made here."""
        return self.path / "secrets.json"

    def make(self) -> None:
        """Create the directories that are missing."""
        try:
            for directory in (self.path, self.run, self.logs):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(f"SPEECHAI_HOME: {error}") from error

    def forget(self) -> None:
        """Remove the data and logs of earlier runs, for whoever holds the lock. Ports and passwords stay."""
        kept = {self.run, self.ports_file, self.secrets_file}
        for entry in set(self.path.iterdir()) - kept:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self.make()

    def log(self, part: str) -> Path:
        """Where this part logs."""
        return self.logs / f"{part}.log"

    def socket(self) -> Path:
        """Where the supervisor listens: beside the rest, or in a short directory if that is too long."""
        socket = self.run / "supervisor.sock"
        if len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT - len(f".{os.getpid()}"):
            return socket
        return Path(tempfile.mkdtemp(prefix="speechai-")) / "s"


class Lock:
    """Held by `speechai up` and by its supervisor: free only when both are gone."""

    def __init__(self, home: Home) -> None:
        """Take the lock. Raises AlreadyRunningError, which says who has it."""
        self.descriptor = os.open(home.run / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self._read()
            os.close(self.descriptor)
            raise AlreadyRunningError(_describe(home, holder)) from error
        self.write(panel=None)

    def write(self, *, panel: str | None) -> None:
        """Leave word for a second `up`."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps({"pid": os.getpid(), "panel": panel}).encode(), 0)

    def release(self) -> None:
        """Give the home free."""
        os.close(self.descriptor)

    def _read(self) -> dict[str, Any]:
        text = os.pread(self.descriptor, 4096, 0)
        return dict(json.loads(text)) if text else {}


def _describe(home: Home, holder: dict[str, Any]) -> str:
    pid, panel = holder.get("pid"), holder.get("panel")
    if pid and not _alive(pid):
        return (
            f"the stack of {home.path} was killed (pid {pid}) and its parts are still stopping; "
            "try again in a moment"
        )
    where = f"panel at {panel}" if panel else "it is starting"
    return f"already running in {home.path}: pid {pid or 'unknown'}, {where}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Secrets:
    """The passwords made for this home: each made once, kept, and readable by its owner alone."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.made: set[str] = set()  # now, not on an earlier run
        try:
            self._values: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        except ValueError as error:
            raise StackError(
                f"{file} is damaged ({error}); restore it, since the servers' data needs it"
            ) from error

    def get(self, name: str) -> str:
        """The secret of that name."""
        if name not in self._values:
            self._values[name] = secrets.token_urlsafe(24)
            self.made.add(name)
            write_private(self._file, json.dumps(self._values, indent=2) + "\n")
        return self._values[name]


def write_private(file: Path, text: str) -> None:
    """Write a file, at once and whole, that nobody but its owner ever could read."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    fresh.replace(file)


def write_environment(file: Path, variables: Mapping[str, str]) -> None:
    """Write variables as a private `.env` file."""
    lines = (f"{name}='{_escaped(value)}'\n" for name, value in variables.items())
    write_private(file, "# Written by `speechai up`; removed when it stops.\n" + "".join(lines))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
