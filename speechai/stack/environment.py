"""What the operator named, and the environment that the parts get."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from speechai import settings

MARK = (
    "SPEECHAI_STACK"  # in the environment of all that one stack starts, so that none of it can be overlooked
)
# What `celery -A speechai …` in another terminal needs to reach this stack.
FOR_OTHERS = (
    "MONGO_URI",
    "REDIS_URL",
    "RETELL_BASE_URL",
    "RETELL_API_KEY",
    "RETELL_AGENT_ID",
    "RETELL_FROM_NUMBER",
    "PORT",
    "FLOWER_PORT",
    "SPEECHAI_SECRET_KEY",
)


def named(overrides: Mapping[str, str]) -> dict[str, str]:
    """The variables that somebody set: by the caller, else in the process, else in `.env`. Empty is not set.

    `stack.env` is left out on purpose: it holds what an earlier stack made, not what the operator wants.
    """
    found = {**dotenv_values(".env"), **os.environ, **overrides}
    return {name: value for name, value in found.items() if value}


def check(variables: Mapping[str, str]) -> settings.Settings:
    """The same, typed. Raises SettingsError, which names every bad variable."""
    known = {field.upper() for field in settings.Settings.model_fields} | {"MAX_TRIES"}
    return settings.load(**{name.lower(): value for name, value in variables.items() if name in known})


def for_parts(variables: Mapping[str, str], *, mark: str) -> dict[str, str]:
    """The variables, and what makes the Procfile's lines find our programs and log at once."""
    programs = str(Path(sys.executable).parent)
    return {
        **variables,
        "PATH": os.pathsep.join(filter(None, (programs, variables.get("PATH", os.defpath)))),
        "PYTHONUNBUFFERED": "1",
        MARK: mark,
    }
