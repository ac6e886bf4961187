"""supervisord, as the process that holds all others: it starts, stops in order, and keeps the logs.

It does not restart: its own retries end for good after a while, and start again at once whatever ran
longer than a second. `speechai.stack.keeper` decides that.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport

from speechai.stack import tether, wait
from speechai.stack.errors import StackError
from speechai.stack.home import Home, write_private

STOP_SECONDS = 60  # more than Celery's soft shutdown and the web server's grace
LOG_BYTES = "10MB"
LOG_BACKUPS = 3


class Stage(IntEnum):
    """What is started first is stopped last; one stage is stopped all at once."""

    SERVERS = 1
    PROVIDER = 2
    PARTS = 3


@dataclass(frozen=True)
class Program:
    """One program to keep: a shell line that ends in `exec`, so that the shell is replaced by the program."""

    name: str
    line: str
    stage: Stage = Stage.PARTS


@dataclass(frozen=True)
class Part:
    """How a program is now."""

    name: str
    state: str  # supervisord's: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL
    pid: int  # 0 when not running
    uptime: float  # seconds; of the last run, when not running
    status: str  # how the last run ended

    @property
    def died(self) -> bool:
        """Whether it ended, or could not be run, and nobody asked it to stop."""
        return self.state in ("EXITED", "FATAL")


class SupervisorGoneError(StackError):
    """supervisord does not answer: it is not there yet, or no longer."""


class Supervisor:
    """One supervisord, started as our child, driven over its private socket."""

    def __init__(self, home: Home, programs: Sequence[Program], *, directory: Path) -> None:
        self._home = home
        self._stages = {program.name: program.stage for program in programs}
        self._socket = home.socket()
        self._log = home.log("supervisord")
        self._configuration = home.run / "supervisord.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self._last_known: dict[str, Part] = {}
        for program in programs:
            # A file, not an option: in the configuration `;`, `#`, `%` and quotes have their own meaning.
            write_private(self._script(program), program.line + "\n")
        write_private(self._configuration, self._configured(programs, directory))

    def launch(
        self, environment: Mapping[str, str], *, keep_open: Sequence[int], seconds: float = 15
    ) -> None:
        """Start supervisord, and none of the programs. It stops everything if this process dies.

        Call it in a thread that lives as long as the process: Linux watches the thread that started a child.
        """
        self._socket.unlink(missing_ok=True)
        errors = self._home.log("supervisord.err")
        with errors.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *_tethered(),
                    sys.executable,
                    "-m",
                    "supervisor.supervisord",
                    "-n",
                    "-c",
                    self._configuration,
                ],
                env={**environment, tether.PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=keep_open,
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle
            )
        try:
            wait.until(lambda: self.exited or self._answers(), seconds=seconds, what="supervisord")
        finally:
            if self.exited:
                raise StackError(f"supervisord did not start:\n{wait.tail(errors)}")

    @property
    def own_pid(self) -> int:
        """supervisord's own process."""
        return self._process.pid if self._process else 0

    @property
    def exited(self) -> bool:
        """Whether supervisord has ended, or was never there."""
        return self._process is None or self._process.poll() is not None

    def parts(self) -> dict[str, Part]:
        """Every program as it is now."""
        return {info["name"]: self._part(info) for info in self._call("getAllProcessInfo")}

    def pid(self, name: str) -> int:
        """A program's process; 0 while it does not run."""
        return self.parts()[name].pid

    def state(self, name: str) -> str:
        """A program's state, in supervisord's words."""
        return self.parts()[name].state

    def start(self, name: str) -> None:
        """Start a program; no harm if it runs."""
        self._order("startProcess", name, unless=(Faults.ALREADY_STARTED, Faults.SPAWN_ERROR))

    def stop(self, name: str) -> None:
        """Stop a program and wait for its end; it stays stopped until `start`."""
        self._order("stopProcess", name, unless=(Faults.NOT_RUNNING,), waiting=True)

    def shutdown(self) -> None:
        """Ask supervisord to stop everything, last stage first, and to end."""
        if self._process and not self.exited:
            with suppress(SupervisorGoneError):  # it may be ending by itself
                self._last_known = self.parts()
            self._process.terminate()

    def kill_parts(self) -> None:
        """For those who cannot wait: end the parts at once. The servers still end in order: it is quick."""
        # As they were known before the shutdown: during it supervisord answers no questions.
        for part in self._last_known.values():
            if part.pid and self._stages[part.name] is not Stage.SERVERS:
                with suppress(ProcessLookupError):
                    os.killpg(part.pid, signal.SIGKILL)

    def clean(self) -> None:
        """Remove what only a running supervisord needs."""
        if self._socket.parent != self._home.run:
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            self._call("getState")
        except SupervisorGoneError:
            return False
        return True

    def _order(self, method: str, name: str, *, unless: Sequence[int], waiting: bool = False) -> None:
        try:
            self._call(method, f"{self._stages[name].name.lower()}:{name}", waiting)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in unless:
                raise StackError(f"{method} {name}: {fault.faultString}") from fault

    def _call(self, method: str, *arguments: object) -> Any:
        # A transport is one connection and not for several threads: each call makes its own.
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise SupervisorGoneError("supervisord is stopping") from fault
            raise
        except (OSError, HTTPException, xmlrpc.client.ProtocolError) as error:
            raise SupervisorGoneError(f"supervisord does not answer: {error}") from error

    def _part(self, info: dict[str, Any]) -> Part:
        running = bool(info["pid"])
        ended = info["now"] if running else info["stop"]
        uptime = max(0, ended - info["start"])
        return Part(
            info["name"], info["statename"], info["pid"], uptime, self._last_words(info["name"], info)
        )

    def _last_words(self, name: str, info: dict[str, Any]) -> str:
        """How it ended. supervisord tells programs which signal it was only in its log."""
        if info["statename"] != "EXITED":
            return str(info["spawnerr"])
        said = re.findall(
            rf" exited: {re.escape(name)} \((.*?)(?:; (?:not )?expected)?\)$", wait.tail(self._log, 200), re.M
        )
        return said[-1] if said else f"exit status {info['exitstatus']}"

    def _script(self, program: Program) -> Path:
        return self._home.run / f"{program.name}.sh"

    def _configured(self, programs: Sequence[Program], directory: Path) -> str:
        sections: list[tuple[str, Mapping[str, object]]] = [
            ("supervisord", {
                "logfile": self._log,
                "logfile_maxbytes": LOG_BYTES,
                "logfile_backups": LOG_BACKUPS,
                "pidfile": self._home.run / "supervisord.pid",
                "childlogdir": self._home.logs,
                "silent": "true",
            }),
            ("unix_http_server", {"file": self._socket, "chmod": "0600"}),
            ("rpcinterface:supervisor", {
                "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
            }),
        ]  # fmt: skip
        for stage in Stage:
            names = [program.name for program in programs if program.stage is stage]
            if names:
                group = {"programs": ",".join(names), "priority": int(stage)}
                sections.append((f"group:{stage.name.lower()}", group))
        for program in programs:
            sections.append((f"program:{program.name}", {
                "command": shlex.join([*_tethered(), "/bin/sh", str(self._script(program))]),
                "directory": directory,
                "autostart": "false",
                "autorestart": "false",
                "startsecs": 0,  # so that an early end, too, is reported with its status
                "startretries": 0,
                "stopwaitsecs": STOP_SECONDS,
                "killasgroup": "true",
                "redirect_stderr": "true",
                "stdout_logfile": self._home.log(program.name),
                "stdout_logfile_maxbytes": LOG_BYTES,
                "stdout_logfile_backups": LOG_BACKUPS,
            }))  # fmt: skip
        return "\n".join(_section(name, options) for name, options in sections)


def _tethered() -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(tether.__file__).resolve())]


def _section(name: str, options: Mapping[str, object]) -> str:
    lines = (f"{key}={_value(value)}\n" for key, value in options.items())
    return f"[{name}]\n" + "".join(lines)


def _value(value: object) -> str:
    text = str(value)
    if re.search(r"\s[;#]|[%\n]", text):  # supervisord reads these as comments and as its own variables
        raise StackError(f"SPEECHAI_HOME: the stack cannot be run in a directory of that name: {text}")
    return text
