"""The do-not-call list: opt-outs said on a call, entries by operators, and public registers.

An opt-out binds at once: for marketing in every account, for anything else in that creditor's batches. It is
judged at every dial, so jobs that wait in other batches end when their turn comes. A supervisor can undo an
entry, on record.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechai.catalog.policies import policy_of, presets
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.model import Attempt, Batch, Job
from speechai.ingest import FileError, read_table
from speechai.ingest.amounts import UnreadableError
from speechai.ingest.documents import parse_document
from speechai.ingest.messages import Language
from speechai.ingest.phones import parse_phones
from speechai.operation.services import Services
from speechai.store.standing import Standing

log = logging.getLogger(__name__)

EVERYBODY, MARKETING = "everybody", "marketing"


class EntryError(ValueError):
    """An entry that cannot be read: `index` in what was given, and which field."""

    def __init__(self, index: int, field: str) -> None:
        super().__init__(f"entry {index + 1}: {field}")
        self.index = index
        self.field = field


class UnknownRegistryError(LookupError):
    """No policy knows a register of this name; `known` are those that some policy asks for."""

    def __init__(self, registry: str, known: Sequence[str]) -> None:
        super().__init__(registry)
        self.known = known


def scopes_of(batch: Batch) -> list[str]:
    """The scopes that bind a batch."""
    own = [EVERYBODY, f"account:{batch.account_id}"]
    return [*own, MARKETING] if batch.use_case is UseCaseId.MARKETING else own


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list says about a job's person, and about each of its numbers that is on it."""

    person: str | None
    numbers: Mapping[str, str]


def listed_of(services: Services, jobs: Sequence[Job], standing: Standing) -> list[Listed]:
    """Of each job of a batch, why nobody may call its person, or which of its numbers."""
    keys = [key for job in jobs for key in (job.person_id, *job.phones)]
    entries = services.store.do_not_call.about(keys, scopes_of(standing.batch))
    return [
        Listed(
            person=_reason(entries[job.person_id]) if job.person_id in entries else None,
            numbers={phone: _reason(entries[phone]) for phone in job.phones if phone in entries},
        )
        for job in jobs
    ]


def _reason(entry: Mapping[str, Any]) -> str:
    return f"{entry['reason']} since {entry['at']:%Y-%m-%d}, for {entry['scope']}"


def opt_out(services: Services, attempt: Attempt, batch: Batch) -> None:
    """The person said so on a call: no more calls, to the person nor to that number."""
    scope = MARKETING if batch.use_case is UseCaseId.MARKETING else f"account:{batch.account_id}"
    origin = {"reason": "opted_out", "source": f"attempt:{attempt.id}", "by": "the person"}
    _add(services, [attempt.person_id, attempt.to_number], scope, origin)


def add(
    services: Services, entries: Sequence[Mapping[str, Any]], *, scope: str, reason: str, by: str
) -> dict[str, int]:
    """Add people and numbers: `{"document" | "number", "country"}`. EntryError: nothing was added."""
    keys = [_key(index, entry) for index, entry in enumerate(entries)]
    added = _add(services, keys, scope, {"reason": reason, "source": "list", "by": by})
    return {"given": len(keys), "added": added}


def entries_of_file(path: Path, country: str, language: Language) -> list[dict[str, str]]:
    """The entries of a list as a file: a column of numbers, of documents, or both. Raises FileError."""
    table = read_table(path, language=language)
    places = table.columns(COLUMNS)
    if not places:
        raise FileError("columns", _NO_COLUMN[language])
    entries = []
    for _, cells in table.rows:
        entry = {name: cells[at] for name, at in places.items() if at < len(cells) and cells[at]}
        if "document" in entry:
            entry.pop("number", None)  # the person, whatever the number
        entries.append({**entry, "country": country})
    return entries


COLUMNS = {
    "number": frozenset({"telefono", "fono", "numero", "celular", "movil", "phone", "number"}),
    "document": frozenset({"rut", "run", "dni", "cuit", "cuil", "documento", "document"}),
}
_NO_COLUMN: dict[Language, str] = {
    "es": "El archivo necesita una columna «teléfono» o «RUT» / «DNI».",
    "en": "The file needs a column “phone” or “RUT” / “DNI”.",
}


def registries(services: Services) -> list[str]:
    """The public registers that some policy asks for, of the presets and of the accounts' own."""
    policies = [*presets().values()]
    for account in services.store.accounts.all():
        policies += [policy_of(account, policy_id) for policy_id in account.policies]
    return sorted({registry.name for policy in policies for registry in policy.registries})


def consult(
    services: Services, registry: str, entries: Sequence[Mapping[str, Any]], by: str
) -> dict[str, int]:
    """A public register was consulted: those of its numbers that are ours. It binds marketing.

    Raises EntryError and UnknownRegistryError; then nothing was added.
    """
    if registry not in (known := registries(services)):
        raise UnknownRegistryError(registry, known)
    keys = [_key(index, entry) for index, entry in enumerate(entries)]
    added = _add(
        services, keys, MARKETING, {"reason": f"registry {registry}", "source": "registry", "by": by}
    )
    services.store.do_not_call.consulted(registry, by, services.clock.now())
    return {"given": len(keys), "added": added}


def undo(services: Services, entry_id: str, by: str, why: str) -> bool:
    """Call again, on record. False where there is no such entry in force."""
    undone = services.store.do_not_call.undo(entry_id, by, why, services.clock.now())
    if undone:
        log.warning("do-not-call entry undone by %s", by, extra={"entry_id": entry_id})
    return undone


def _add(services: Services, keys: Sequence[str], scope: str, origin: Mapping[str, str]) -> int:
    instant = services.clock.now()
    entries = [
        {"_id": f"{scope}|{key}", "key": key, "scope": scope, "at": instant, **origin}
        for key in dict.fromkeys(keys)
    ]
    return services.store.do_not_call.add(entries)


def _key(index: int, entry: Mapping[str, Any]) -> str:
    try:
        country = Country(entry.get("country", "CL"))
    except ValueError:
        raise EntryError(index, "country") from None
    if "document" in entry:
        try:
            return parse_document(str(entry["document"]), country).person_id
        except UnreadableError:
            raise EntryError(index, "document") from None
    numbers, unread = parse_phones(str(entry.get("number", "")), country)
    if len(numbers) != 1 or unread:
        raise EntryError(index, "number")
    return numbers[0]
