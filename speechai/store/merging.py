"""What a newer upload says of somebody who is in a batch already, as it is read and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from speechai.core.debt import Debt
from speechai.store.database import Document
from speechai.store.job_documents import debt_fields, debt_from


@dataclass(frozen=True, slots=True)
class ActiveJob:
    """The job that somebody has in a batch, as far as a merge compares it."""

    id: str
    batch_id: str
    name: str
    phones: tuple[str, ...]
    debt: Debt | None
    merged_claim: str | None  # the claim of the upload that was merged into it last


@dataclass(frozen=True, slots=True)
class Merge:
    """What goes into somebody's job. What is None or empty says nothing and changes nothing."""

    claim: str  # of the upload
    rows: Sequence[int]  # of its file
    name: str
    phones: Sequence[str]
    company: str | None
    document: str | None
    document_label: str | None
    debt: Debt | None
    offer: dict[str, str]
    variables: dict[str, str]
    is_repeated: bool  # this upload said so before and was cut off: the debt is no newer than it was then


ACTIVE_JOB: Document = {
    "person_id": 1,
    "batch_id": 1,
    "created_at": 1,
    "nombre": 1,
    "try_phones": 1,
    "debt": 1,
    "merged_from.claim": 1,
}
"""The projection that `active_job_from` reads."""


def active_job_from(document: Document) -> ActiveJob:
    """The job as it was stored."""
    return ActiveJob(
        id=document["_id"],
        batch_id=document["batch_id"],
        name=document.get("nombre") or "",
        phones=tuple(document["try_phones"]),
        debt=debt_from(document.get("debt")),
        merged_claim=(document.get("merged_from") or {}).get("claim"),
    )


def merged_fields(merge: Merge, batch_id: str, instant: datetime) -> Document:
    """What of a job is written anew; numbers are added to it beside."""
    told = {
        "nombre": merge.name,
        "empresa": merge.company,
        "rut": merge.document,
        "document_label": merge.document_label,
        **{f"offer.{name}": value for name, value in merge.offer.items()},
        **{f"variables.{name}": value for name, value in merge.variables.items()},
    }
    fields: Document = {name: value for name, value in told.items() if value}
    if merge.debt is not None:
        fields |= debt_fields(merge.debt)
        if not merge.is_repeated:
            fields["debt_replaced_at"] = instant
    fields["merged_from"] = {
        "batch_id": batch_id,
        "claim": merge.claim,
        "rows": list(merge.rows),
        "at": instant,
    }
    return {**fields, "updated_at": instant}
