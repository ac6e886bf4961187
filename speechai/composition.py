"""Where a process puts its services together: the one place that knows which real part fills which role."""

from __future__ import annotations

import functools
import os
import socket
from zoneinfo import ZoneInfo

from speechai.catalog.accounts import DEFAULT_ACCOUNT, Account, Plan
from speechai.celery import CeleryNudges
from speechai.clock import SystemClock
from speechai.operation.services import Services
from speechai.pace import RedisPace
from speechai.retell.client import RetellClient
from speechai.settings import Settings, SettingsError, current
from speechai.store import Store, connect, open_store


def require(settings: Settings, name: str) -> str:
    """The value of a variable that this process cannot do without. Raises SettingsError with the remedy."""
    value = getattr(settings, name)
    if value is None:
        raise SettingsError(
            f"{name.upper()} is not set. Set it, or start everything on this machine with `speechai up`."
        )
    return str(value.get_secret_value())


def open_database(settings: Settings) -> Store:
    """The store that the settings name."""
    db = connect(require(settings, "mongo_uri"), settings.mongo_db)
    return open_store(db, jobs=settings.mongo_coll_jobs, logs=settings.mongo_coll_logs)


def build(settings: Settings) -> Services:
    """The services of a process, made anew."""
    key = settings.retell_api_key.get_secret_value() if settings.retell_api_key else ""
    return Services(
        settings=settings,
        clock=SystemClock(),
        store=open_database(settings),
        provider=RetellClient(key, settings.retell_base_url),
        nudges=CeleryNudges(),
        pace=RedisPace(require(settings, "redis_url"), settings.calls_per_second),
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )


@functools.cache
def services() -> Services:
    """The services of this process, made at first use (never at import: a fork would share sockets)."""
    made = build(current())
    prepare(made)
    return made


def prepare(made: Services) -> None:
    """What must exist before anything runs: indexes, the provider's pacing document, a first account."""
    settings = made.settings
    made.store.ensure_indexes()
    made.store.pacing.ensure(settings.provider_key)
    made.store.accounts.ensure(
        Account(
            id=DEFAULT_ACCOUNT,
            name="SpeechAI",
            plan=Plan.UNLIMITED,
            tz_name=ZoneInfo(settings.tz_name).key,
            agent_id=None,
            from_numbers=(),
        ),
        made.clock.now(),
    )
