"""Which provider a batch is dialed through: the one it was made for, until an operator moves it, on record.

That is what keeps people who were called in a rehearsal from being rung for real, and the reverse.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from speechai.core.model import Batch
from speechai.core.states import BatchState, JobReason, JobState
from speechai.ingest.messages import Language
from speechai.operation.campaigns.batches import BatchNotFoundError, MoveRefusedError
from speechai.operation.campaigns.configuring import require_account, require_policy
from speechai.operation.services import Services
from speechai.store.database import Document

log = logging.getLogger(__name__)


class SameProviderError(Exception):
    """The batch is dialed through the provider in use already."""


class CallsInFlightError(Exception):
    """Calls of the batch are not over: they are at the provider that it would be moved away from."""


def is_held(services: Services, provider: str) -> bool:
    """Whether a batch of this provider is held: another one is in use."""
    return provider != services.settings.provider_key


def explained(services: Services, jobs: Iterable[Document]) -> list[Document]:
    """Stored jobs, where those whose batch is held say so as their reason."""
    found = list(jobs)
    providers = services.store.batches.providers(list({job["batch_id"] for job in found}))
    return [
        {**job, "reason": JobReason.OTHER_PROVIDER.value}
        if _waits(job) and is_held(services, providers.get(job["batch_id"], services.settings.provider_key))
        else job
        for job in found
    ]


def _waits(job: Document) -> bool:
    return job.get("reason") is None and job["status"] == JobState.PENDING.value


def overview(services: Services) -> dict[str, Any]:
    """The provider in use, and which open batches are dialed through which."""
    settings = services.settings
    by_provider = services.store.batches.open_by_provider()
    shown = ("batch_id", "account_id", "name", "status")
    return {
        "provider": settings.provider_key,
        "kind": settings.provider_kind,
        "batches": [
            {
                **{name: batch[name] for name in shown},
                "provider": provider,
                "held": is_held(services, provider),
            }
            for provider in sorted(by_provider, key=lambda name: is_held(services, name))
            for batch in by_provider[provider]
        ],
    }


def move(services: Services, batch_ids: Sequence[str], by: str, language: Language) -> list[str]:
    """Dial these batches through the provider in use from now on, on record. Returns them.

    Nothing is moved unless all can be. Raises BatchNotFoundError, SameProviderError, MoveRefusedError,
    CallsInFlightError, and RefusedOptionError where the policy is only for a simulated provider.
    """
    found = [_movable(services, batch_id, language) for batch_id in dict.fromkeys(batch_ids)]
    provider = services.settings.provider_key
    for batch in found:
        change = {"provider": {"from": batch.provider, "to": provider}}
        edit = {"at": services.clock.now(), "by": by, "changes": change}
        if not services.store.batches.move_provider(batch.id, batch.provider, provider, edit):
            raise MoveRefusedError(_require(services, batch.id).status)
        extra = {"batch_id": batch.id, "from": batch.provider, "to": provider}
        log.warning("moved to another provider by %s", by, extra=extra)
    services.nudges.dispatch()
    return [batch.id for batch in found]


def _movable(services: Services, batch_id: str, language: Language) -> Batch:
    batch = _require(services, batch_id)
    if not is_held(services, batch.provider):
        raise SameProviderError(batch_id)
    if batch.status.is_final or batch.status is BatchState.COMPLETED:
        raise MoveRefusedError(batch.status)
    if services.store.tallies.read(batch_id).in_flight:
        raise CallsInFlightError(batch_id)
    account = require_account(services, batch.account_id, language)
    require_policy(services, account, batch.policy_id, language)
    return batch


def _require(services: Services, batch_id: str) -> Batch:
    batch = services.store.batches.get(batch_id)
    if batch is None:
        raise BatchNotFoundError(batch_id)
    return batch
