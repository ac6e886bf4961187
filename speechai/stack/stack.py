"""The whole of SpeechAI on one machine: what the environment does not name is started here."""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from speechai.stack import environment, probe, procfile, wait
from speechai.stack.errors import InterruptedStartError, StackError
from speechai.stack.home import Home, Lock, Secrets, write_environment, write_private
from speechai.stack.keeper import Keeper
from speechai.stack.ports import LOOPBACK, Ports
from speechai.stack.servers import Mongod, Server, Valkey
from speechai.stack.supervisor import Program, Stage, Supervisor

SERVER_SECONDS = 90  # for an embedded server to be ready, recovery after a crash included
READY_SECONDS = 90
HOPELESS = 3  # deaths of one part before all were ready
STRAGGLER_SECONDS = 10
SIMULATOR_PORT = 8100
SIMULATED = {"RETELL_AGENT_ID": "agent_simulated", "RETELL_FROM_NUMBER": "+56600123456"}


@dataclass(frozen=True)
class Login:
    """A login made on this start, to be shown once."""

    what: str
    user: str
    password: str


class Stack:
    """The servers, the simulator if wanted, and the Procfile's parts, until the end of the `with`.

        with Stack(environment={"SPEECHAI_HOME": "var/demo"}, simulator=["--speed", "60"]) as stack:
            stack.wait_ready()
            …

    Entering it returns once the servers answer and the parts are started. If that fails, all that was
    started is stopped before the error leaves. Enter it in the main thread: what it starts dies with that.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        simulator: Sequence[str] | None = None,
        fresh: bool = False,
        procfile: Path = procfile.PROCFILE,
        simulator_command: Sequence[str] = ("speechai", "simulator"),
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Plan a stack; nothing is started yet.

        `environment` beats the process's own. `simulator` holds the simulator's further arguments, None
        means the real provider. `fresh` removes what earlier runs left in the home. `report` is told one
        line about each change of state.
        """
        self.environment: dict[str, str] = {}  # of the parts, and for clients
        self.panel_url = ""
        self.flower_url = ""
        self.simulator_url: str | None = None
        self.logins: list[Login] = []
        self.home: Home
        self.supervisor: Supervisor
        self.keeper: Keeper
        self._overrides = environment or {}
        self._simulator = simulator
        self._simulator_command = simulator_command
        self._procfile = procfile
        self._fresh = fresh
        self._report = report
        self._mark = secrets.token_hex(8)
        self._ports = Ports()
        self._lock: Lock | None = None
        self._servers: list[Server] = []
        self._launched = False
        # Flags, not Events: signal handlers set them (see `wait.until`).
        self._interrupted = False
        self._hurried = False

    # Life

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def embedded(self) -> list[str]:
        """The servers that run here because no variable named another."""
        return [server.name for server in self._servers]

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when all that is to be visited answers. Raises StackError with the log of what does not."""
        if self.simulator_url:
            self._wait_http("simulator", self.simulator_url, range(200, 500), seconds)
        if "flower" in self.supervisor.parts():
            self._wait_http("flower", f"{self.flower_url}/", (200, 401), seconds)
        if "web" in self.supervisor.parts():
            self._wait_http("web", f"{self.panel_url}/health", (200,), seconds)

    def missing(self) -> list[str]:
        """The variables without which nobody can be called, as the web says: it knows the accounts too."""
        _, said = probe.ask(f"{self.panel_url}/health", most=1_000_000)
        try:
            found = json.loads(said)["parts"]["provider"].get("missing", [])
        except (ValueError, LookupError, TypeError, AttributeError):
            return []  # a web that does not say
        return [str(name) for name in found]

    def wait(self) -> None:
        """Return when `interrupt` is called. Raises StackError if the supervisor is lost."""
        while not self._interrupted:
            time.sleep(wait.TICK)
        if self.keeper.lost.is_set():
            raise StackError("the supervisor ended; all parts are stopped")

    def interrupt(self) -> None:
        """Make the other thread, or the interrupted code of this one, stop waiting. For signal handlers."""
        self._interrupted = True

    def hurry(self) -> None:
        """Do not wait any longer for what the parts are doing. For signal handlers."""
        self._hurried = True

    def stop(self) -> None:
        """Stop all that was started, in order; may be called at any point, and again."""
        try:
            if self._launched:
                self._launched = False
                self.keeper.stop()
                self.supervisor.shutdown()
                self._await_end()
                self.supervisor.clean()
        finally:
            self._end_leftovers()
            if self._lock:
                self.home.stack_file.unlink(missing_ok=True)
                self._lock.release()
                self._lock = None
            self._ports.release()

    def _await_end(self) -> None:
        """Wait for the supervisor, which waits for the parts. Ctrl-C, the second one, hurries."""
        killed = False
        while not self.supervisor.exited:
            try:
                time.sleep(wait.TICK)
            except KeyboardInterrupt:
                self._hurried = True
            if self._hurried and not killed:
                killed = True
                self._report("killing the parts")
                self.supervisor.kill_parts()

    def _end_leftovers(self) -> None:
        """End what the supervisor could not: all of it, if it was killed itself."""
        stubborn = probe.end(self._mark, patience=0 if self._hurried else STRAGGLER_SECONDS)
        if stubborn:
            self._report(f"killed what did not stop: {', '.join(map(str, stubborn))}")

    # Start

    def _start(self) -> None:
        variables = environment.named(self._overrides)
        home = self.home = Home(Path(variables.get("SPEECHAI_HOME", "var")).absolute())
        home.make()
        self._lock = Lock(home)
        if self._fresh:
            home.forget()
        home.stack_file.unlink(missing_ok=True)  # of a stack that was killed
        environment.check(variables)
        programs = self._plan(variables, home)
        self.supervisor = Supervisor(home, programs, directory=self._procfile.resolve().parent)
        self.keeper = Keeper(self.supervisor, report=self._report, on_lost=self.interrupt)
        self._launched = True
        self.supervisor.launch(self.environment, keep_open=[self._lock.descriptor])
        self.keeper.start()
        for server in self._servers:
            self.supervisor.start(server.name)
        for server in self._servers:
            self._make_ready(server)
        known = {name: self.environment[name] for name in environment.FOR_OTHERS if name in self.environment}
        write_environment(home.stack_file, known)
        for program in programs:
            self.supervisor.start(program.name)
        self._lock.write(panel=self.panel_url)

    def _plan(self, named: dict[str, str], home: Home) -> list[Program]:
        """Decide on every address and password; return what has to run."""
        made = Secrets(home.secrets_file)
        variables = dict(named, SPEECHAI_HOME=str(home.path))
        host = variables.get("HOST", LOOPBACK)
        variables["PORT"] = self._public_port(named, "PORT", 8000, host)
        variables["FLOWER_PORT"] = self._public_port(named, "FLOWER_PORT", 5555, host)
        visited = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
        self.panel_url = f"http://{visited}:{variables['PORT']}"
        self.flower_url = f"http://{visited}:{variables['FLOWER_PORT']}"
        programs = self._plan_servers(variables, home, made)
        if self._simulator is not None:
            programs.append(self._plan_simulator(variables, made))
        variables.setdefault("SPEECHAI_SECRET_KEY", made.get("secret_key"))
        variables.setdefault("ADMIN_PASSWORD", made.get("admin_password"))
        variables.setdefault("FLOWER_BASIC_AUTH", f"admin:{made.get('flower_password')}")
        self.logins = _new_logins(named, variables, made)
        self.environment = environment.for_parts(variables, mark=self._mark)
        return programs + [Program(name, line) for name, line in procfile.read(self._procfile).items()]

    def _plan_servers(self, variables: dict[str, str], home: Home, made: Secrets) -> list[Program]:
        kept = json.loads(home.ports_file.read_text()) if home.ports_file.exists() else {}
        programs = []
        for kind in (Valkey, Mongod):
            if kind.variable in variables:
                continue
            port = self._ports.claim(kind.preferred_port, kept=kept.get(kind.name))
            server = kind(home.path / kind.name, port, made.get(f"{kind.name}_password"))
            programs.append(Program(server.name, "exec " + shlex.join(server.prepare()), Stage.SERVERS))
            self._servers.append(server)
            variables[server.variable] = server.uri
        if self._servers:
            write_private(
                home.ports_file, json.dumps(kept | {server.name: server.port for server in self._servers})
            )
        return programs

    def _plan_simulator(self, variables: dict[str, str], made: Secrets) -> Program:
        port = self._ports.claim(SIMULATOR_PORT)
        self.simulator_url = variables["RETELL_BASE_URL"] = f"http://{LOOPBACK}:{port}"
        variables["RETELL_API_KEY"] = "key_" + made.get("simulator_key")
        variables.pop("RETELL_WEBHOOK_KEY", None)  # the real provider's; the simulator signs with its API key
        for name, value in SIMULATED.items():
            variables.setdefault(name, value)
        command = [
            *self._simulator_command,
            *("--host", LOOPBACK, "--port", str(port), "--api-key", variables["RETELL_API_KEY"]),
            *("--webhook", f"{self.panel_url}/webhooks/retell"),
            *(self._simulator or ()),
        ]
        return Program("simulator", "exec " + shlex.join(command), Stage.PROVIDER)

    def _public_port(self, named: Mapping[str, str], variable: str, default: int, host: str) -> str:
        """The port that was named, or the next free one from the default. 0 asks for any."""
        if variable not in named:
            return str(self._ports.claim(default, host=host))
        return str(self._ports.claim_exactly(int(named[variable]), host=host, variable=variable))

    # Readiness

    def _make_ready(self, server: Server) -> None:
        def until(condition: wait.Condition) -> None:
            def checked() -> bool:
                self._check_hope(server.name)
                return condition()

            wait.until(
                checked, seconds=SERVER_SECONDS, what=server.name, interrupted=lambda: self._interrupted
            )

        try:
            server.make_ready(until)
        except InterruptedStartError:
            raise
        except Exception as error:
            raise StackError(
                f"the embedded {server.name} cannot be used: {error}\n{self._log_of(server.name)}\n"
                f"Set {server.variable} to a server of your own to do without it."
            ) from error

    def _wait_http(self, part: str, url: str, wanted: Sequence[int], seconds: float) -> None:
        answer = (0, "")

        def answers() -> bool:
            nonlocal answer
            self._check_hope(part)
            answer = probe.ask(url)
            return answer[0] in wanted

        try:
            wait.until(answers, seconds=seconds, what=part, interrupted=lambda: self._interrupted)
        except InterruptedStartError:
            raise
        except StackError as error:
            status, said = answer
            raise StackError(
                f"{error}; {url} answers {status or 'nothing'}: {said}\n{self._log_of(part)}"
            ) from error

    def _check_hope(self, awaited: str) -> None:
        """Give up waiting when the supervisor is lost or a part dies again and again."""
        if self.keeper.lost.is_set():
            raise StackError("the supervisor ended")
        for name in self.supervisor.parts():
            if self.keeper.deaths.count(name) >= HOPELESS:
                log = "" if name == awaited else f"\n{self._log_of(name)}"  # the caller adds the other
                raise StackError(f"{name} ended {HOPELESS} times in a row{log}")

    def _log_of(self, part: str) -> str:
        log = self.home.log(part)
        return f"--- the end of {log}:\n{wait.tail(log)}"


def _new_logins(named: Mapping[str, str], variables: Mapping[str, str], made: Secrets) -> list[Login]:
    """The logins that nobody has seen yet: made just now, and in use."""
    logins = []
    if "ADMIN_PASSWORD" not in named and "admin_password" in made.made:
        email = variables.get("ADMIN_EMAIL", "admin@localhost")
        logins.append(Login("panel", email, variables["ADMIN_PASSWORD"]))
    if "FLOWER_BASIC_AUTH" not in named and "flower_password" in made.made:
        logins.append(Login("flower", *variables["FLOWER_BASIC_AUTH"].split(":", 1)))
    return logins
