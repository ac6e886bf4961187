"""A ParsedFile between two processes: plain tuples, texts and numbers, so that loading it can run no code.

`rows` gathers in this shape at once: making a hundred thousand objects only to take them apart again would
cost as much as reading their cells.
"""

from __future__ import annotations

import io
import pickle
from datetime import date
from typing import Any, NoReturn

from speechai.catalog.use_cases import Country, UseCaseId
from speechai.ingest.contacts import Contact, Debt, ParsedFile, Rejection

# Contacts: rows, person_id, document, label, name, phones, company, debt, offer, variables.
# Debts: total, currency, instalments, oldest, latest, days late, deadline, final deadline; dates as ordinals.
Packed = tuple[Any, ...]


def unpack(packed: Packed) -> ParsedFile:
    """The file as the rest of the program has it."""
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


def ordinal(day: date | None) -> int | None:
    """A date as it is packed."""
    return None if day is None else day.toordinal()


def _day(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)


def _unpack_debt(packed: Packed | None) -> Debt | None:
    if packed is None:
        return None
    total, currency, instalments, oldest, latest, days_late, deadline, final = packed
    return Debt(
        total, currency, instalments, _day(oldest), _day(latest), days_late, _day(deadline), _day(final)
    )
