"""Free ports, claimed so that two stacks that start at once do not pick the same one."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path

from speechai.stack.errors import StackError

TRIED = 200  # ports looked at above the preferred one
LOOPBACK = "127.0.0.1"


class Ports:
    """The ports of one stack, claimed until `release`.

    A port is only bound when its server is up. Until then a lock on a file named after it tells other
    stacks of this user that it is taken; programs that are not ours cannot be told, and are rare.
    """

    def __init__(self) -> None:
        self._locks: list[int] = []

    def claim(self, preferred: int, *, host: str = LOOPBACK, kept: int | None = None) -> int:
        """The port used last time if it is free, else the preferred one, else the next one that is."""
        for port in self._candidates(preferred, kept):
            if self._claim(port, host):
                return port
        raise StackError(f"no free port from {preferred} to {preferred + TRIED}")

    def claim_exactly(self, port: int, *, host: str, variable: str) -> int:
        """The port that the operator named (0: any), or an error that says which variable named it."""
        if port == 0:
            port = self._any(host)
        if not self._claim(port, host):
            raise StackError(f"{variable}: port {port} on {host} is taken; name a free one")
        return port

    def release(self) -> None:
        """Let others have them."""
        while self._locks:
            os.close(self._locks.pop())

    @staticmethod
    def _candidates(preferred: int, kept: int | None) -> Iterable[int]:
        if kept:
            yield kept
        yield from range(preferred, min(preferred + TRIED, 65535) + 1)

    @staticmethod
    def _any(host: str) -> int:
        with _socket(host) as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])

    def _claim(self, port: int, host: str) -> bool:
        lock = os.open(_locks_directory() / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        if not is_free(port, host):
            os.close(lock)
            return False
        self._locks.append(lock)
        return True


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with _socket(host) as probe:
        # As servers do: connections of a server that is gone (TIME_WAIT) do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)


def _locks_directory() -> Path:
    directory = Path(tempfile.gettempdir()) / f"speechai-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise StackError(f"{directory} belongs to another user; set TMPDIR to a directory of your own")
    return directory
