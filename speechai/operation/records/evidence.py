"""Evidence: why each call to a person was allowed, chained so that nobody can change it unseen.

Each final attempt gets a link: by the sweep within half a minute, and at once where somebody asks.
"""

from __future__ import annotations

import secrets
from typing import Any

from speechai.catalog.policies import PolicyNotFoundError, preset
from speechai.core.evidence import START, breaks, digest_of, link_of
from speechai.core.states import AttemptState
from speechai.operation.records.persons import history
from speechai.operation.services import Services
from speechai.store.database import Document
from speechai.store.evidence import link_document

_SHOWN_OF_A_BATCH = (
    "batch_id",
    "name",
    "use_case",
    "policy",
    "purpose",
    "legal_basis",
    "consent",
    "created_at",
)


def link_all(services: Services, person_id: str | None = None) -> int:
    """Give every final attempt without a link its link. Returns how many."""
    return sum(link(services, attempt) for attempt in services.store.evidence.unlinked(person_id))


def link(services: Services, attempt: Document) -> bool:
    """Give a final attempt its link, once. False where its person was erased."""
    store, person_id = services.store, attempt["person_id"]
    # Whoever was erased has no salt: the link counts the call, and says nothing of it to anybody.
    digest = digest_of(attempt, store.persons.salt(person_id) or secrets.token_hex(32))
    while not store.evidence.has_link(attempt["_id"]):
        head = store.evidence.head(person_id)
        previous, seq = (head["link"], head["seq"]) if head else (START, 0)
        made = link_document(
            person_id=person_id,
            seq=seq + 1,
            attempt_id=attempt["_id"],
            digest=digest,
            previous=previous,
            link=link_of(previous, digest),
            instant=services.clock.now(),
        )
        if store.evidence.append(made):
            break
    if store.evidence.linked(attempt["_id"], person_id):
        return True
    now = store.evidence.attempt(attempt["_id"])
    if now is None or "erased_at" not in now:
        return False  # joined to another person meanwhile: the next look links it there
    store.evidence.withdraw(attempt["_id"], person_id)
    store.persons.forget_unused(person_id)
    return link(services, now)


def pack(services: Services, person_id: str) -> dict[str, Any]:
    """What a regulator would ask for: every call, what allowed it, and whether the chain holds.

    Raises PersonNotFoundError.
    """
    found = history(services, person_id)
    store, person = services.store, found["person_id"]
    link_all(services, person)
    attempts = {attempt["_id"]: attempt for attempt in store.persons.attempts(person)}
    chains = [_chain(services, name, attempts) for name in (person, *found["known_as"])]
    policies = {attempt["verdict"]["policy"] for attempt in attempts.values() if attempt.get("verdict")}
    return {
        **found,
        "generated_at": services.clock.now(),
        "policies": [_policy(policy_id) for policy_id in sorted(policies)],
        "batches": [
            {name: batch.get(name) for name in _SHOWN_OF_A_BATCH}
            for batch_id in dict.fromkeys(job["batch_id"] for job in found["jobs"])
            if (batch := store.batches.document(batch_id))
        ],
        "holds": all(chain["holds"] for chain in chains)
        and sum(len(chain["links"]) for chain in chains) == sum(map(_is_final, attempts.values())),
        "chains": chains,
    }


def _chain(services: Services, person_id: str, attempts: dict[str, Document]) -> dict[str, Any]:
    """One name's links. A person who was known by two names has two chains."""
    links = services.store.evidence.chain(person_id)
    salt = services.store.persons.document(person_id).get("salt")
    broken = breaks(links, attempts, salt)
    return {
        "person_id": person_id,
        "links": [
            {name: link[name] for name in ("seq", "attempt_id", "digest", "previous", "link", "at")}
            for link in links
        ],
        "head": links[-1]["link"] if links else START,
        "erased": salt is None,
        "holds": not broken,
        "breaks": [{"seq": place.seq, "attempt_id": place.attempt_id, "why": place.why} for place in broken],
    }


def _is_final(attempt: Document) -> bool:
    return AttemptState(attempt["status"]).is_final


def _policy(policy_id: str) -> dict[str, Any]:
    """The policy's sources; one of an account's own, or two in force together, is named by its parts."""
    try:
        policy = preset(policy_id)
    except PolicyNotFoundError:
        return {"id": policy_id}
    return {
        "id": policy.id,
        "legal_basis": policy.legal_basis,
        "source": policy.source,
        "certainty": policy.certainty.value,
        "reviewed_on": policy.reviewed_on,
    }
