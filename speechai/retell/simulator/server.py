"""The simulator as a process of its own: gunicorn, one process, threads."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from gunicorn.app.base import BaseApplication

from speechai.retell.simulator.api import create_app
from speechai.retell.simulator.calls import Limits
from speechai.retell.simulator.delivery import Delivery
from speechai.retell.simulator.door import Worker, free_port
from speechai.retell.simulator.world import World

THREADS = 128  # lookups that hang take one each, and calls must go on being made


@dataclass
class Options:
    """Everything the command line can say."""

    host: str = "127.0.0.1"
    port: int = 8100
    speed: float = 1.0
    seed: int = 0
    webhook_url: str | None = None
    webhook_key: str | None = None
    api_key: str | None = None
    callback_after_s: float = 7200.0
    limits: Limits = field(default_factory=Limits)
    mix: dict[str, float] | None = None
    scripts: dict[str, list[Any]] | None = None
    faults: dict[str, float] = field(default_factory=dict)


def make_world(options: Options) -> World:
    """A world as the options say. Raises UnknownOutcomeError and UnknownFaultError."""
    world = World(
        speed=options.speed,
        seed=options.seed,
        callback_after_s=options.callback_after_s,
        webhook_url=options.webhook_url,
        limits=options.limits,
    )
    if options.mix:
        world.casting.set_mix(options.mix)
    if options.scripts:
        world.casting.set_scripts(options.scripts)
    world.faults.set(options.faults)
    return world


def run(options: Options) -> None:
    """Serve until SIGTERM or SIGINT."""
    _Server(options).run()


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: Options) -> None:
        self._options = options
        self.world: World | None = None  # made by `load`
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"{self._options.host}:{self._options.port or free_port(self._options.host)}",
            "worker_class": Worker,
            "workers": 1,
            "threads": THREADS,
            "keepalive": 30,
            "graceful_timeout": 2,
            "loglevel": "warning",
            "control_socket_disable": True,
            "when_ready": _announce,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        # In the worker, after the fork: a world has a thread, and threads do not survive one.
        self.world = make_world(self._options)
        Delivery(self.world, self._options.webhook_key)
        return create_app(self.world, self._options.api_key)


def _announce(server: Any) -> None:
    host, port = server.LISTENERS[0].sock.getsockname()[:2]
    sys.stdout.write(f"simulator: http://{host}:{port}\n")
    sys.stdout.flush()
