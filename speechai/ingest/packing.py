"""A ParsedFile between two processes: plain tuples, texts and numbers, so that loading it can run no code.

`rows` gathers in this shape at once: making a hundred thousand objects only to take them apart again would
cost as much as reading their cells.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NoReturn, overload

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
        Unpacked(contacts, country),
        merged,
        [Rejection(*rejection) for rejection in rejected],
        warnings,
        columns,
    )


class Unpacked(Sequence[Contact]):
    """Contacts, each made when it is asked for: whoever stores them neither holds nor awaits all of them."""

    def __init__(self, packed: Sequence[Packed], country: Country) -> None:
        self._packed = packed
        self._country = country

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, at: int) -> Contact: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Contact]: ...
    def __getitem__(self, at: int | slice) -> Contact | Sequence[Contact]:
        if isinstance(at, slice):
            return Unpacked(self._packed[at], self._country)
        return _unpack_contact(self._packed[at], self._country)

    def __iter__(self) -> Iterator[Contact]:
        country = self._country
        return (_unpack_contact(packed, country) for packed in self._packed)


def _unpack_contact(packed: Packed, country: Country) -> Contact:
    numbers, person_id, document, label, name, phones, company, debt, offer, variables = packed
    owed = debt and _unpack_debt(debt)
    return Contact(
        numbers,
        country,
        person_id,
        document,
        label,
        name,
        phones,
        company,
        owed,
        offer or {},
        variables or {},
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


@lru_cache(maxsize=20_000)  # the days of some decades; a file has few
def _day(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)


def _unpack_debt(packed: Packed) -> Debt:
    total, currency, instalments, oldest, latest, days_late, deadline, final = packed
    return Debt(
        total, currency, instalments, _day(oldest), _day(latest), days_late, _day(deadline), _day(final)
    )
