"""Contact policies: when a person may be called. Each is a data file beside this module."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from datetime import date, time
from importlib import resources
from typing import Any

DEFAULT_POLICY = "house"


class PolicyNotFoundError(LookupError):
    """No policy has this id."""


class PolicyFileError(ValueError):
    """A policy file is not valid; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Window:
    """Hours in which calling is allowed, local to the contact, half-open: `start` is in, `end` is out."""

    days: frozenset[int]  # ISO weekdays, Monday is 1
    start: time
    end: time  # 00:00 means the end of the day

    @property
    def label(self) -> str:
        """The window as an operator writes it: "1-5 09:00–18:00"."""
        days = sorted(self.days)
        whole = len(days) > 1 and days == list(range(days[0], days[-1] + 1))
        named = f"{days[0]}-{days[-1]}" if whole else ",".join(map(str, days))
        end = "24:00" if self.end == time(0) else f"{self.end:%H:%M}"
        return f"{named} {self.start:%H:%M}–{end}"


@dataclass(frozen=True, slots=True)
class Policy:
    """When a person may be called, and where the rule comes from."""

    id: str
    label_es: str
    label_en: str
    description_es: str
    description_en: str
    windows: tuple[Window, ...]
    holidays: bool  # whether the public holidays of the contact's country are closed
    after_conversation_hours: float  # least wait after a person spoke without reaching the goal
    simulation_only: bool  # allowed only while the provider is on loopback
    legal_basis: str
    source: str
    certainty: str  # law, draft or house
    reviewed_on: date


@functools.cache
def presets() -> dict[str, Policy]:
    """Every preset by its id. Raises PolicyFileError where a file is not valid."""
    found = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            policy = _read(file.name, tomllib.loads(file.read_text("utf-8")))
            found[policy.id] = policy
    return found


def preset(policy_id: str) -> Policy:
    """The preset with this id. Raises PolicyNotFoundError."""
    try:
        return presets()[policy_id]
    except KeyError:
        raise PolicyNotFoundError(policy_id) from None


def _read(name: str, data: dict[str, Any]) -> Policy:
    try:
        windows = tuple(_window(entry) for entry in data.pop("windows"))
        data.pop("tz_rule")  # every preset so far judges in the contact's zone
        policy = Policy(windows=windows, simulation_only=data.pop("simulation_only", False), **data)
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyFileError(f"{name}: {error}") from error
    if not windows or policy.id != name.removesuffix(".toml"):
        raise PolicyFileError(f"{name}: needs a window, and an id equal to the file's name")
    return policy


def _window(entry: dict[str, Any]) -> Window:
    window = Window(frozenset(entry["days"]), entry["start"], entry["end"])
    if not window.days or not window.days <= set(range(1, 8)):
        raise ValueError("days are ISO weekdays, 1 to 7")
    if window.end != time(0) and window.end <= window.start:
        raise ValueError(f"window {window.label} ends before it starts")
    return window
