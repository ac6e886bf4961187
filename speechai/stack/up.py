"""`speechai up`: the stack in the foreground, until SIGINT or SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from speechai.settings import SettingsError
from speechai.stack import procfile as parts
from speechai.stack.errors import AlreadyRunningError, InterruptedStartError, StackError
from speechai.stack.stack import Stack

STOPPED = 0
FAILED = 1
ALREADY_RUNNING = 3


def up(
    *,
    simulator: bool,
    on_ready: Callable[[Stack], None] | None = None,
    procfile: Path = parts.PROCFILE,
) -> int:
    """Run the stack until it is told to stop; the exit code."""
    stack = Stack(simulator=[] if simulator else None, procfile=procfile, report=_say)
    try:
        with _stopped_by_signals(stack), stack:
            _introduce(stack)
            stack.wait_ready()
            if missing := stack.missing():
                click.echo(nobody_can_be_called(missing))
            click.echo(_ready_line(stack))
            if on_ready:
                on_ready(stack)
            stack.wait()
            _say("stopping")
    except InterruptedStartError:
        _say("stopped before it was ready")
    except AlreadyRunningError as error:
        _say(str(error))
        return ALREADY_RUNNING
    except (StackError, SettingsError) as error:
        _say(str(error))
        return FAILED
    _say("stopped")
    return STOPPED


def _say(line: str) -> None:
    click.echo(f"speechai: {line}", err=True)


def _introduce(stack: Stack) -> None:
    _say(f"logs in {stack.home.logs}")
    for login in stack.logins:
        _say(f"{login.what} login, shown only now: {login.user} {login.password}")
    if stack.embedded and not stack.simulator_url and "RETELL_API_KEY" in stack.environment:
        _say(
            f"real calls, through the real provider, with {' and '.join(stack.embedded)} embedded: "
            "these servers are for one machine and for trying; name your own with MONGO_URI and REDIS_URL"
        )


REMEDIES = {
    "RETELL_API_KEY": "no key of the provider: set RETELL_API_KEY to your workspace's",
    "RETELL_AGENT_ID": "no agent to speak: set RETELL_AGENT_ID, or give an account its own in the panel",
    "RETELL_FROM_NUMBER": (
        "no number to call from: set RETELL_FROM_NUMBER, or give an account its own in the panel"
    ),
}


TRY_IT = (
    "  Variables go into the environment or into .env, read at the next start.\n"
    "  To try everything without ringing anybody: speechai up --simulator"
)


def nobody_can_be_called(missing: list[str]) -> str:
    """Why, and what to do about each of the variables that are missing."""
    but = ", but by batches that name an agent" if missing == ["RETELL_AGENT_ID"] else ""
    remedies = [f"  - {REMEDIES.get(name, f'set {name}')}" for name in missing]
    return "\n".join((f"speechai: nobody can be called yet{but}:", *remedies, TRY_IT))


def _ready_line(stack: Stack) -> str:
    line = f"ready: panel {stack.panel_url} flower {stack.flower_url}"
    return f"{line} simulator {stack.simulator_url}" if stack.simulator_url else line


@contextmanager
def _stopped_by_signals(stack: Stack) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the stack in order; one more does not wait for the parts."""
    asked = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            stack.hurry()
        asked = True
        stack.interrupt()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
