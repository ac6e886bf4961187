"""A person over all batches and accounts: history, the joining of two histories, and forgetting."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from speechai.catalog.accounts import Account
from speechai.catalog.use_cases import Country
from speechai.core.states import JobState
from speechai.core.zones import ZONE_OF_COUNTRY, local_day
from speechai.ingest import Contact
from speechai.operation.services import Services
from speechai.operation.shown import listed
from speechai.store.database import Document, decimal_of

log = logging.getLogger(__name__)

JOIN_AGAIN_FOR = timedelta(minutes=10)  # longer than a dial that knew the person by the old name can take


class PersonNotFoundError(LookupError):
    """Nobody of that id was ever in a batch."""


class StillCalledError(Exception):
    """The person is in an active batch."""


def identified(services: Services, account: Account, contacts: Sequence[Contact]) -> list[Contact]:
    """The contacts under the ids by which their histories are kept."""
    ids = [account.key_of(contact.person_id) for contact in contacts]
    joined = services.store.persons.joined_into([one for one in ids if one.startswith("TEL:")])
    found = [joined.get(one, one) for one in ids]
    return [
        contact if person_id == contact.person_id else replace(contact, person_id=person_id)
        for contact, person_id in zip(contacts, found, strict=True)
    ]


def join_histories(services: Services, account: Account, contacts: Sequence[Contact], by: str) -> None:
    """Somebody known only by a number whose document is now given is one with that document from now on."""
    if not services.store.persons.any_by_number():
        return
    owners: dict[str, str] = {}
    for contact in contacts:
        if contact.document:
            for phone in contact.phones:
                owners.setdefault(account.key_of(f"TEL:{phone}"), contact.person_id)
    for alias in sorted(services.store.persons.known(list(owners))):
        services.store.persons.join(alias, owners[alias], by, services.clock.now())
        log.info("two histories joined", extra={"account_id": account.id})


def join_again(services: Services) -> int:
    """Take along what a dial wrote under the old name while two histories were being joined."""
    since = services.clock.now() - JOIN_AGAIN_FOR
    joins = services.store.persons.recent_joins(since)
    for alias, person_id in joins:
        services.store.persons.join(alias, person_id, "sweep", services.clock.now())
    return len(joins)


def history(services: Services, person_id: str) -> dict[str, Any]:
    """Everything about a person, under whichever id they were known. Raises PersonNotFoundError."""
    store = services.store
    person_id = store.persons.joined_into([person_id]).get(person_id, person_id)
    found = store.persons.jobs(person_id)
    if not found:
        raise PersonNotFoundError(person_id)
    attempts = store.persons.attempts(person_id)
    phones = list(dict.fromkeys(phone for job in found for phone in job.get("try_phones", ())))
    entries = store.do_not_call.all_about([person_id, *phones])
    zone = ZONE_OF_COUNTRY[Country(found[0]["country"])]
    today = local_day(services.clock.now(), zone).isoformat()
    return {
        "person_id": person_id,
        "known_as": store.persons.aliases(person_id),
        "names": sorted({job["nombre"] for job in found if job.get("nombre")}),
        "documents": sorted({job["rut"] for job in found if job.get("rut")}),
        "phones": phones,
        "calls_today": sum(
            "person_place" in attempt and attempt["person_day"] == today for attempt in attempts
        ),
        "cost_cents": float(sum(decimal_of(attempt.get("cost_cents")) for attempt in attempts)),
        "do_not_call": [{"entry_id": entry.pop("_id"), **entry} for entry in entries],
        "jobs": [listed(job) for job in found],
        "attempts": [_attempt(attempt) for attempt in attempts],
        "erased_at": store.persons.document(person_id).get("erased_at"),
    }


def _attempt(attempt: Mapping[str, Any]) -> Document:
    shown = (
        "attempt_id",
        "job_id",
        "batch_id",
        "account_id",
        "to_number",
        "from_number",
        "reserved_at",
        "ended_at",
        "status",
        "outcome",
        "uses_place",
        "person_day",
        "call_id",
        "verdict",
    )
    return {
        **{name: attempt.get(name) for name in shown},
        "cost_cents": float(decimal_of(attempt.get("cost_cents"))),
    }


def erase(services: Services, person_id: str, by: str, why: str) -> str:
    """Forget a person on their demand (Ley 21.719): what names them goes, the digests and the wish not to be
    called stay, under a pseudonym. Raises PersonNotFoundError, StillCalledError."""
    person_id = history(services, person_id)["person_id"]
    if any(not JobState(job["status"]).is_final for job in services.store.persons.jobs(person_id)):
        raise StillCalledError(person_id)
    pseudonym = f"ERASED:{uuid.uuid4().hex}"
    services.store.persons.erase(person_id, pseudonym, by, why, services.clock.now())
    log.warning("a person was erased by %s, and is %s now: %s", by, pseudonym, why)
    return pseudonym
