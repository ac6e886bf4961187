"""A person over all batches and accounts: history, and the joining of two histories."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from speechai.catalog.accounts import Account, plain_of
from speechai.catalog.use_cases import Country
from speechai.core.lines import line_of, person_of_number
from speechai.core.zones import ZONE_OF_COUNTRY, local_day
from speechai.ingest import Contact
from speechai.operation.services import Services
from speechai.operation.shown import listed
from speechai.store.database import Document, decimal_of

log = logging.getLogger(__name__)

JOIN_AGAIN_FOR = timedelta(minutes=10)  # longer than a dial that knew the person by the old name can take


class PersonNotFoundError(LookupError):
    """Nobody of that id was ever in a batch."""


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
                owners.setdefault(account.key_of(person_of_number(phone)), contact.person_id)
    for alias in sorted(services.store.persons.known(list(owners))):
        services.store.persons.join(alias, owners[alias], by, services.clock.now())
        log.info("two histories joined", extra={"account_id": account.id})


def recent_joins(services: Services, _: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(alias, person) joined so lately that a dial which was on its way may still have the old name."""
    return services.store.persons.recent_joins(services.clock.now() - JOIN_AGAIN_FOR)


def join_again(services: Services, joined: tuple[str, str]) -> int:
    """Take along what a dial wrote under the old name while two histories were being joined."""
    alias, person_id = joined
    services.store.persons.rejoin(alias, person_id, services.clock.now())
    return 1


def history(services: Services, person_id: str) -> dict[str, Any]:
    """Everything about a person, under whichever id they were known. Raises PersonNotFoundError."""
    store = services.store
    person_id = store.persons.joined_into([person_id]).get(person_id, person_id)
    found = store.persons.jobs(person_id)
    if not found:
        raise PersonNotFoundError(person_id)
    attempts = store.persons.attempts(person_id)
    phones = list(dict.fromkeys(phone for job in found for phone in job.get("try_phones", ())))
    aliases = store.persons.aliases(person_id)
    names = {name for known in (person_id, *aliases) for name in (known, plain_of(known))}
    entries = store.do_not_call.all_about(sorted(names | set(map(line_of, phones))))
    zone = ZONE_OF_COUNTRY[Country(found[0]["country"])]
    today = local_day(services.clock.now(), zone).isoformat()
    return {
        "person_id": person_id,
        "known_as": aliases,
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
