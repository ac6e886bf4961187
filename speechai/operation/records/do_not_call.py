"""The do-not-call list: opt-outs said on a call, entries by operators, and public registers.

An opt-out binds at once: for marketing in every account, for anything else in that creditor's batches. It is
judged at every dial, so jobs that wait in other batches end when their turn comes. A supervisor can undo an
entry, on record; what is said again after that is an entry anew, with its own author and date.

Entries are kept under the person's own id and the number's line, never under an isolated account's name for
them: the list is about people, and only histories are kept apart.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from speechai.catalog.accounts import plain_of
from speechai.catalog.policies import policy_of, presets
from speechai.catalog.use_cases import UseCaseId
from speechai.core.lines import line_of
from speechai.core.model import Attempt, Batch, Job
from speechai.operation.records.do_not_call_entries import Entry, keys_of
from speechai.operation.services import Services

log = logging.getLogger(__name__)


class Scope(StrEnum):
    """For whose calls an entry holds, beside those of one account (`account:<id>`)."""

    EVERYBODY = "everybody"
    MARKETING = "marketing"


_ACCOUNT = "account:"


class UnknownScopeError(LookupError):
    """No such scope; `known` are those that there are."""

    def __init__(self, scope: str, known: Sequence[str]) -> None:
        super().__init__(scope)
        self.known = known


class UnknownRegistryError(LookupError):
    """No policy knows a register of this name; `known` are those that some policy asks for."""

    def __init__(self, registry: str, known: Sequence[str]) -> None:
        super().__init__(registry)
        self.known = known


def scopes(services: Services) -> list[str]:
    """Every scope that an entry can have."""
    accounts = services.store.accounts.all()
    return [*(scope.value for scope in Scope), *(f"{_ACCOUNT}{account.id}" for account in accounts)]


def scopes_of(batch: Batch) -> list[str]:
    """The scopes that bind a batch."""
    own = [Scope.EVERYBODY.value, f"{_ACCOUNT}{batch.account_id}"]
    return [*own, Scope.MARKETING.value] if batch.use_case is UseCaseId.MARKETING else own


@dataclass(frozen=True, slots=True)
class Against:
    """What the list says against calling a job's person, or some of the person's numbers."""

    person: str | None = None  # why nobody may call the person at all
    numbers: Mapping[str, str] = field(default_factory=dict)  # the listed ones of the job's, and why


def against(services: Services, jobs: Sequence[Job], batch: Batch) -> list[Against]:
    """What is said against each job, in one read for all of them."""
    people = {job.person_id for job in jobs}
    lines = {line_of(phone) for job in jobs for phone in job.phones}
    keys = people | set(map(plain_of, people)) | lines
    found = services.store.do_not_call.about(sorted(keys), scopes_of(batch))
    if not found:
        return [Against()] * len(jobs)
    reasons = {key: _reason(entry, batch.zone) for key, entry in found.items()}
    return [
        Against(
            person=reasons.get(plain_of(job.person_id)) or reasons.get(job.person_id),
            numbers={phone: reasons[line_of(phone)] for phone in job.phones if line_of(phone) in reasons},
        )
        for job in jobs
    ]


def _reason(entry: Mapping[str, Any], zone: ZoneInfo) -> str:
    return f"{entry['reason']} since {entry['at'].astimezone(zone):%Y-%m-%d}, for {entry['scope']}"


def opt_out(services: Services, attempt: Attempt, batch: Batch) -> None:
    """The person said so on a call: no more calls, to the person nor to that number.

    Said once per call: to hear of the same call again changes nothing, even where the entry was undone since.
    """
    is_marketing = batch.use_case is UseCaseId.MARKETING
    scope = Scope.MARKETING.value if is_marketing else f"{_ACCOUNT}{batch.account_id}"
    origin = {"reason": "opted_out", "source": f"attempt:{attempt.id}", "by": "the person"}
    keys = [plain_of(attempt.person_id), line_of(attempt.to_number)]
    _add(services, keys, scope, origin, once=True)


def add(services: Services, entries: Sequence[Entry], *, scope: str, reason: str, by: str) -> dict[str, int]:
    """Add people and numbers. Answers how many were named, and how many of them were not in force before.

    Raises EntryError and UnknownScopeError; then nothing was added.
    """
    known = scopes(services)
    if scope not in known:
        raise UnknownScopeError(scope, known)
    keys = keys_of(entries)
    added = _add(services, keys, scope, {"reason": reason, "source": "list", "by": by})
    return {"given": len(keys), "added": added}


def registries(services: Services) -> list[str]:
    """The public registers that some policy asks for, of the presets and of the accounts' own."""
    policies = [*presets().values()]
    for account in services.store.accounts.all():
        policies += [policy_of(account, policy_id) for policy_id in account.policies]
    return sorted({registry.name for policy in policies for registry in policy.registries})


def consult(services: Services, registry: str, entries: Sequence[Entry], by: str) -> dict[str, int]:
    """A public register was consulted: those of its numbers that are ours. It binds marketing.

    Raises EntryError and UnknownRegistryError; then nothing was added.
    """
    if registry not in (known := registries(services)):
        raise UnknownRegistryError(registry, known)
    keys = keys_of(entries)
    origin = {"reason": f"registry {registry}", "source": "registry", "by": by}
    added = _add(services, keys, Scope.MARKETING.value, origin)
    services.store.do_not_call.consulted(registry, by, services.clock.now())
    return {"given": len(keys), "added": added}


def undo(services: Services, entry_id: str, by: str, why: str) -> bool:
    """Call again, on record. False where there is no such entry in force."""
    undone = services.store.do_not_call.undo(entry_id, by, why, services.clock.now())
    if undone:
        log.warning("do-not-call entry undone by %s", by, extra={"entry_id": entry_id})
    return undone


def _add(
    services: Services, keys: Sequence[str], scope: str, origin: Mapping[str, str], *, once: bool = False
) -> int:
    instant = services.clock.now()
    entries = [
        {"_id": f"{scope}|{key}", "key": key, "scope": scope, "at": instant, **origin}
        for key in dict.fromkeys(keys)
    ]
    return services.store.do_not_call.add(entries, once=once)
