"""People of an upload who are in another batch of the account already: joined to it, skipped, or called anew.

`merge` joins only somebody's job in a batch that will call them: of the same account, use case and provider,
running or paused. A draft may never be started, a cancelled or completed batch calls nobody any more, another
provider's is held, another use case is another conversation: whoever is in one of those gets a job of their
own. `skip` leaves out whoever is in any batch that calls, or will once it is started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from speechai.catalog.accounts import Account
from speechai.catalog.use_cases import UseCaseId
from speechai.core.states import BatchState
from speechai.ingest import Contact
from speechai.ingest.messages import Language
from speechai.operation.services import Services
from speechai.store.merging import ActiveJob, Merge

Duplicates = Literal["merge", "skip", "allow"]
Joined = tuple[ActiveJob, Contact]  # the job that somebody has, and what the file says of them

MOST_NUMBERS = 30  # of one job, however many uploads bring further ones

_TEXTS = {
    "active_elsewhere": {
        "es": "Esta persona ya está en una campaña activa de la cuenta ({job}); se pidió omitirla.",
        "en": "This person is already in an active batch of the account ({job}); skipping was asked for.",
    },
    "merged_elsewhere": {
        "es": (
            "{people} personas ya estaban en una campaña activa y siguen allí. Se reemplazó lo que deben de "
            "{debts}, el nombre de {names}; números agregados: {numbers}."
        ),
        "en": (
            "{people} people were already in an active batch and stay in it. Replaced: what {debts} of them "
            "owe, the names of {names}; numbers added: {numbers}."
        ),
    },
}


@dataclass(frozen=True, slots=True)
class Replaced:
    """What an upload replaced in other batches' jobs, compared with what was there before."""

    people: int = 0  # who joined a job of another batch
    debts: int = 0  # of these, whose debt is another now
    names: int = 0  # of these, whose name is
    numbers: int = 0  # that nobody knew before

    def as_answer(self) -> dict[str, int]:
        """The API's answer."""
        return asdict(self)

    def sentence(self, language: Language) -> str:
        """The same for an operator."""
        return _TEXTS["merged_elsewhere"][language].format(**asdict(self))


class OtherBatches:
    """The account's other batches, as one upload sees them: read once, not for every person."""

    def __init__(
        self, services: Services, account: Account, use_case: UseCaseId, duplicates: Duplicates
    ) -> None:
        self._services = services
        self._account_id = account.id
        self._use_case = use_case
        self._duplicates = duplicates
        self._batch_ids = self._read()

    @property
    def merges(self) -> bool:
        """Whether people of the other batches are joined to them (else they are left out)."""
        return self._duplicates != "skip"

    def _read(self) -> frozenset[str]:
        if self._duplicates == "allow":
            return frozenset()
        provider = self._services.settings.provider_key
        found = self._services.store.batches.that_call(self._account_id, provider)
        if self._duplicates == "merge":
            found = [
                batch
                for batch in found
                if batch.status is not BatchState.DRAFT and batch.use_case is self._use_case
            ]
        return frozenset(batch.id for batch in found)

    def sort(self, contacts: Sequence[Contact]) -> tuple[list[Contact], list[Joined]]:
        """Who becomes a job of the new batch, and who is in one of the others already."""
        people = [contact.person_id for contact in contacts]
        active = self._services.store.jobs.active_people(self._batch_ids, people)
        if not active:
            return list(contacts), []
        anew = [contact for contact in contacts if contact.person_id not in active]
        known = [(active[contact.person_id], contact) for contact in contacts if contact.person_id in active]
        return anew, known

    def merge(self, joined: Sequence[Joined], batch_id: str, claim: str, instant: datetime) -> set[str]:
        """Bring debts, numbers, names and variables into the jobs. Returns those that were final by then."""
        if not joined:
            return set()
        merges = {job.id: _merge(job, contact, claim) for job, contact in joined}
        return self._services.store.jobs.replace_debts(merges, batch_id, instant)

    def left_behind(self, joined: Sequence[Joined]) -> list[Joined]:
        """Those whose batch stopped calling while the upload was being written."""
        if not joined:
            return []
        still = self._read()
        return [(job, contact) for job, contact in joined if job.batch_id not in still]


def skipped(joined: Sequence[Joined], language: Language) -> list[dict[str, Any]]:
    """The rows of those whom `skip` leaves out, each with its reason."""
    text = _TEXTS["active_elsewhere"][language]
    return [
        {"row": row, "column": None, "value": contact.name, "error": text.format(job=job.id)}
        for job, contact in joined
        for row in contact.rows
    ]


def replaced(joined: Sequence[Joined]) -> Replaced:
    """What the merge of these replaces."""
    return Replaced(
        people=len(joined),
        debts=sum(contact.debt is not None and contact.debt != job.debt for job, contact in joined),
        names=sum(contact.name != job.name for job, contact in joined),
        numbers=sum(len(_new_numbers(job, contact)) for job, contact in joined),
    )


def _merge(job: ActiveJob, contact: Contact, claim: str) -> Merge:
    return Merge(
        claim=claim,
        rows=contact.rows,
        name=contact.name,
        phones=_new_numbers(job, contact),
        company=contact.company,
        document=contact.document,
        document_label=contact.document_label,
        debt=contact.debt,
        offer=contact.offer,
        variables=contact.variables,
        is_repeated=job.merged_claim == claim and job.debt == contact.debt,
    )


def _new_numbers(job: ActiveJob, contact: Contact) -> list[str]:
    """What the job does not know; a number that was struck is known, and stays struck."""
    new = [phone for phone in contact.phones if phone not in job.phones]
    return new[: max(0, MOST_NUMBERS - len(job.phones))]
