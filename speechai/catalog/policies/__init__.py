"""Contact policies: when a person may be called, and how often. Each is a data file beside this module."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

from speechai.catalog.policies.policy import (
    Cap,
    Certainty,
    Consent,
    Of,
    Per,
    Policy,
    PolicyFileError,
    PromptRule,
    Registry,
    Scope,
    Window,
    read_policy,
    strictest,
)

DEFAULT_POLICY = "house"


class PolicyNotFoundError(LookupError):
    """No policy has this id."""


@functools.cache
def presets() -> dict[str, Policy]:
    """Every preset by its id. Raises PolicyFileError where a file is not valid."""
    found = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            policy = read_policy(file.name, tomllib.loads(file.read_text("utf-8")))
            found[policy.id] = policy
    return found


def preset(policy_id: str) -> Policy:
    """The preset with this id. Raises PolicyNotFoundError."""
    try:
        return presets()[policy_id]
    except KeyError:
        raise PolicyNotFoundError(policy_id) from None


__all__ = [
    "DEFAULT_POLICY",
    "Cap",
    "Certainty",
    "Consent",
    "Of",
    "Per",
    "Policy",
    "PolicyFileError",
    "PolicyNotFoundError",
    "PromptRule",
    "Registry",
    "Scope",
    "Window",
    "preset",
    "presets",
    "strictest",
]
