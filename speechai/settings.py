"""Every environment variable, typed, in one place.

A value comes from the process's environment, else from a `.env` file, else from `stack.env` in
`SPEECHAI_HOME` (written by a running `speechai up`, so that `celery -A speechai …` in another terminal
finds the embedded servers), else from the default here.
"""

from __future__ import annotations

import functools
import os
import re
from datetime import time
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

STACK_FILE = "stack.env"
ProviderKind = Literal["simulator", "real"]
_DEFAULT_PORT = {"http": ":80", "https": ":443"}
E164 = re.compile(r"\+[1-9]\d{6,14}")


class SettingsError(Exception):
    """A variable has a bad value; the message names each one and what is wrong with it."""


class Settings(BaseSettings):
    """The environment of SpeechAI. Field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    # Where things are
    speechai_home: Path = Path("var")
    mongo_uri: SecretStr | None = None
    mongo_db: str = "speechai_db"
    mongo_coll_jobs: str = "call_jobs"
    mongo_coll_logs: str = "call_logs"
    redis_url: SecretStr | None = None

    # The provider
    retell_api_key: SecretStr | None = None
    retell_base_url: str = "https://api.retellai.com"
    retell_agent_id: str | None = None
    retell_from_number: str | None = None
    retell_webhook_key: SecretStr | None = None

    # Web, panel, Flower
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    flower_port: int = Field(5555, ge=0, le=65535)
    public_url: str | None = None
    speechai_api_key: SecretStr | None = None
    speechai_secret_key: SecretStr | None = None
    admin_email: str = "admin@localhost"
    admin_password: SecretStr | None = None
    flower_basic_auth: SecretStr | None = None

    # Who is called when, by default
    tz_name: str = "America/Santiago"
    wave_times: Annotated[tuple[time, ...], NoDecode] = (time(9), time(12), time(15))
    daily_contacts: int = Field(60, ge=1)
    max_calls_per_day: int = Field(3, ge=1, le=50)
    max_days_without_answer: int = Field(3, ge=1)
    max_attempts: int | None = Field(None, ge=1, validation_alias=AliasChoices("max_attempts", "max_tries"))
    retry_delay_minutes: float = Field(30, ge=0)
    no_answer_retry_minutes: float = Field(60, ge=0)

    # Pace and patience
    max_concurrent_calls: int = Field(20, ge=1)
    calls_per_second: float = Field(1, gt=0)
    cost_per_minute_cents: Decimal = Field(Decimal(18), ge=0)
    call_polling_interval: float = Field(15, ge=0.1)  # seconds
    call_max_duration_minutes: float = Field(10, gt=0)
    lease_seconds: int = Field(120, ge=10)
    worker_count: int = Field(6, ge=1)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    @field_validator("tz_name")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not a time zone such as America/Santiago") from error
        return value

    @field_validator("wave_times", mode="before")
    @classmethod
    def _wave_times(cls, value: Any) -> Any:
        return parse_wave_times(value) if isinstance(value, str) else value

    @field_validator("retell_base_url", "public_url")
    @classmethod
    def _http_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address that starts with http:// or https://")
        return value.rstrip("/")

    @field_validator("retell_from_number")
    @classmethod
    def _from_number(cls, value: str | None) -> str | None:
        if value is not None and not E164.fullmatch(value):
            raise ValueError("must be a number in E.164 form, such as +56221234567")
        return value

    @field_validator("flower_basic_auth")
    @classmethod
    def _basic_auth(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all(value.get_secret_value().partition(":")):
            raise ValueError("must be user:password")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _log_level(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @property
    def zone(self) -> ZoneInfo:
        """The zone of accounts that name none."""
        return ZoneInfo(self.tz_name)

    @property
    def provider_is_local(self) -> bool:
        """Whether the provider is on this machine: then nobody can be rung for real."""
        host = urlsplit(self.retell_base_url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def provider_kind(self) -> ProviderKind:
        """A simulator, or one that rings people: the one rule by which they are told apart."""
        return "simulator" if self.provider_is_local else "real"

    @property
    def provider_key(self) -> str:
        """The name under which batches, attempts and slots remember the provider: its kind and its base URL.

        A batch is dialed only through the provider it was made for. RETELL_API_KEY is no part of the name: a
        rotated key reaches the same calls, so the slots in use go on being counted and are freed.
        """
        parts = urlsplit(self.retell_base_url)
        host = parts.netloc.rpartition("@")[2].lower().removesuffix(_DEFAULT_PORT[parts.scheme])
        return f"{self.provider_kind} {parts.scheme}://{host}{parts.path}"


def parse_wave_times(text: str) -> tuple[time, ...]:
    """Read "09:00,12:00,15:00" as local times, in order and without repeats.

    Raises ValueError, naming the part that is not a time of day.
    """
    times = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(\d{1,2}):(\d{2})", part)
        if not match or int(match[1]) > 23 or int(match[2]) > 59:
            raise ValueError(f"{part!r} is not a time of day such as 09:00")
        times.add(time(int(match[1]), int(match[2])))
    if not times:
        raise ValueError("needs at least one time of day such as 09:00")
    return tuple(sorted(times))


def load(**overrides: Any) -> Settings:
    """Read the settings now. Raises SettingsError, which names every bad variable."""
    # A variable of the process beats a file; of the files, `.env` (the operator's) beats stack.env (ours).
    home = Path(os.environ.get("SPEECHAI_HOME") or _from_dotenv("SPEECHAI_HOME") or "var")
    try:
        return Settings(_env_file=(home / STACK_FILE, ".env"), **overrides)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"][:1]).upper()
            lines.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
        raise SettingsError("bad environment:\n  " + "\n  ".join(lines)) from error


def _from_dotenv(name: str) -> str | None:
    from dotenv import dotenv_values

    return dotenv_values(".env").get(name)


@functools.cache
def current() -> Settings:
    """The settings of this process, read once."""
    return load()
