"""A ParsedFile between two processes: plain tuples, texts and numbers, so that loading it can run no code."""

from __future__ import annotations

import io
import pickle
from datetime import date
from typing import Any, NoReturn

from speechai.catalog.use_cases import Country, UseCaseId
from speechai.ingest.contacts import Contact, Debt, ParsedFile, Rejection


def pack(parsed: ParsedFile) -> tuple[Any, ...]:
    """The file as builtin types only; dates are their ordinals."""
    return (
        parsed.use_case.value,
        parsed.country.value,
        parsed.rows,
        [
            (
                contact.rows,
                contact.person_id,
                contact.document,
                contact.document_label,
                contact.name,
                contact.phones,
                contact.company,
                _pack_debt(contact.debt),
                contact.offer or None,
                contact.variables or None,
            )
            for contact in parsed.contacts
        ],
        parsed.merged,
        [
            (rejection.row, rejection.column, rejection.value, rejection.error)
            for rejection in parsed.rejected
        ],
        parsed.warnings,
        parsed.columns,
    )


def unpack(packed: tuple[Any, ...]) -> ParsedFile:
    """What `pack` was given."""
    use_case, country_name, rows, contacts, merged, rejected, warnings, columns = packed
    country = Country(country_name)
    return ParsedFile(
        UseCaseId(use_case),
        country,
        rows,
        [
            Contact(
                numbers,
                country,
                person_id,
                document,
                label,
                name,
                phones,
                company,
                _unpack_debt(debt),
                offer or {},
                variables or {},
            )
            for (
                numbers,
                person_id,
                document,
                label,
                name,
                phones,
                company,
                debt,
                offer,
                variables,
            ) in contacts
        ],
        merged,
        [Rejection(*rejection) for rejection in rejected],
        warnings,
        columns,
    )


def load(data: bytes) -> Any:
    """The pickled tuples; anything else that a pickle could name is refused."""
    return _Plain(io.BytesIO(data)).load()


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


def _ordinal(day: date | None) -> int | None:
    return None if day is None else day.toordinal()


def _day(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)


def _pack_debt(debt: Debt | None) -> tuple[Any, ...] | None:
    if debt is None:
        return None
    return (
        debt.total_minor,
        debt.currency,
        debt.instalments,
        _ordinal(debt.due_date_oldest),
        _ordinal(debt.due_date_latest),
        debt.days_late,
        _ordinal(debt.deadline),
        _ordinal(debt.final_deadline),
    )


def _unpack_debt(packed: tuple[Any, ...] | None) -> Debt | None:
    if packed is None:
        return None
    total, currency, instalments, oldest, latest, days_late, deadline, final = packed
    return Debt(
        total, currency, instalments, _day(oldest), _day(latest), days_late, _day(deadline), _day(final)
    )
