"""Whether anybody can be called at all: the provider's key, an agent that speaks, a number to call from.

A call goes through what its batch or its flow names, else its account, else the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from speechai.catalog.accounts import Account
from speechai.operation.services import Services
from speechai.settings import Settings
from speechai.store.standing import Standing


class Missing(StrEnum):
    """What no call can be made without; named by the variable that gives it to every account."""

    KEY = "RETELL_API_KEY"
    AGENT = "RETELL_AGENT_ID"
    """Or the account's, the batch's or the flow's `agent_id`."""
    FROM_NUMBER = "RETELL_FROM_NUMBER"
    """Or the account's `from_numbers`."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What each account lacks, by its id; nothing, where its people can be called."""

    lacks: Mapping[str, tuple[Missing, ...]]

    @property
    def is_unconfigured(self) -> bool:
        """Whether no account can call anybody (without an agent: but by a batch or flow that names one)."""
        return bool(self.lacks) and all(self.lacks.values())

    @property
    def missing(self) -> tuple[Missing, ...]:
        """Everything that some account lacks, each once."""
        found = {part for lacks in self.lacks.values() for part in lacks}
        return tuple(part for part in Missing if part in found)


def readiness(services: Services) -> Readiness:
    """Of every account, as it is configured now."""
    accounts = services.store.accounts.all()
    return Readiness({account.id: missing_of(services.settings, account) for account in accounts})


def missing_of(
    settings: Settings, account: Account | None, *, has_agent: bool = False
) -> tuple[Missing, ...]:
    """What the calls of an account lack. `has_agent`: their batch or flow names one."""
    given = {
        Missing.KEY: settings.retell_api_key,
        Missing.AGENT: has_agent or (account and account.agent_id) or settings.retell_agent_id,
        Missing.FROM_NUMBER: (account and account.from_numbers) or settings.retell_from_number,
    }
    return tuple(part for part, value in given.items() if not value)


def missing_of_batch(services: Services, standing: Standing) -> tuple[Missing, ...]:
    """What the calls of a batch lack."""
    buckets = services.flow(standing).buckets
    has_agent = bool(standing.batch.agent_id) or all(bucket.agent_id for bucket in buckets)
    return missing_of(services.settings, standing.account, has_agent=has_agent)
