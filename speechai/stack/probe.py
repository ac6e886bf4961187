"""Whether the parts answer, and what is left of them."""

from __future__ import annotations

import http.client
import os
import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from speechai.stack import wait
from speechai.stack.environment import MARK
from speechai.stack.errors import StackError


def ask(url: str, seconds: float = 5, *, most: int = 2000) -> tuple[int, str]:
    """An HTTP server's status and the first `most` bytes of what it says; status 0 when nobody answers.

    Straight to the address: a proxy in the environment is not for our own parts.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=seconds)
    try:
        connection.request("GET", address.path or "/")
        response = connection.getresponse()
        return response.status, response.read(most).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def marked(mark: str) -> list[int]:
    """The processes started by the stack with this mark, whoever their parent is now (Linux)."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        # Gone meanwhile, or another user's and so not ours.
        with suppress(OSError):
            if wanted in (directory / "environ").read_bytes().split(b"\0"):
                found.append(int(directory.name))
    return found


def end(mark: str, *, patience: float) -> list[int]:
    """End what is left of a stack: ask, wait `patience` seconds, kill. Returns whom it had to kill."""
    for pid in marked(mark):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    try:
        wait.until(lambda: not marked(mark), seconds=patience, what="the end of the parts")
    except StackError:
        stubborn = marked(mark)
        for pid in stubborn:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return stubborn
    return []
