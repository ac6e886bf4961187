"""Contact policies: when a person may be called, and how often. Each is a data file beside this module."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from speechai.catalog.accounts import Account, Legal
from speechai.catalog.policies.law import law_of
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
    on_weekdays,
    read_policy,
    strictest,
)
from speechai.catalog.presets import OverrideError, files_of, override
from speechai.catalog.use_cases import Country, UseCaseId


class PolicyNotFoundError(LookupError):
    """No policy has this id."""


@functools.cache
def _files() -> dict[str, dict[str, Any]]:
    return files_of(__name__)


@functools.cache
def presets() -> dict[str, Policy]:
    """Every preset by its id. Raises PolicyFileError where a file is not valid."""
    return {name: read_policy(name, data) for name, data in _files().items()}


def preset(policy_id: str) -> Policy:
    """The preset with this id. Raises PolicyNotFoundError."""
    try:
        return presets()[policy_id]
    except KeyError:
        raise PolicyNotFoundError(policy_id) from None


def policy_of(account: Account | None, policy_id: str) -> Policy:
    """The account's own policy of that id, else the preset. Raises PolicyNotFoundError, OverrideError."""
    if account is None or policy_id not in account.policies:
        return preset(policy_id)
    return _own(policy_id, json.dumps(account.policies[policy_id], sort_keys=True, default=str))


def policy_in_force(
    account: Account | None,
    policy_id: str,
    country: Country,
    use_case: UseCaseId,
    weekdays: frozenset[int] | None = None,
) -> Policy:
    """What holds for a contact: the policy on the batch's weekdays, and the law with it where it is enforced.

    Raises PolicyNotFoundError, OverrideError, and PolicyFileError where that leaves no hour at all.
    """
    policy = policy_of(account, policy_id)
    law = law_of(country, use_case)
    is_enforced = account is not None and account.legal is Legal.ENFORCE and not policy.simulation_only
    return _combined(policy, law if is_enforced and law != policy_id else None, weekdays)


@functools.lru_cache(maxsize=256)
def _own(policy_id: str, changes: str) -> Policy:
    wished = json.loads(changes)
    policy = override(policy_id, wished, lambda base: _files()[base], _read_own)
    if preset(wished["extends"]).simulation_only and not policy.simulation_only:
        why = f"{wished['extends']} is only for a simulated provider, and so is what extends it"
        raise OverrideError(f"{policy_id}: simulation_only: {why}", "simulation_only")
    return policy


def _read_own(policy_id: str, data: Mapping[str, Any]) -> Policy:
    if policy_id in _files():
        raise PolicyFileError(f"{policy_id}: a preset has this id; choose another one")
    return read_policy(policy_id, data)


@functools.lru_cache(maxsize=256)
def _combined(policy: Policy, law: str | None, weekdays: frozenset[int] | None) -> Policy:
    held = strictest(policy, preset(law)) if law else policy
    return on_weekdays(held, weekdays) if weekdays else held


__all__ = [
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
    "policy_in_force",
    "policy_of",
    "preset",
    "presets",
    "strictest",
]
