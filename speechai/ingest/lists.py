"""Lists that are no contacts (payments, people not to be called), by the readers of the uploads' own files.

The header may stand anywhere in the first rows and be spelt in any way; a RUT's check digit may have a column
of its own; each phone column says what kind of line it holds. What a cell means is for whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechai.catalog.use_cases import Country, Field
from speechai.ingest.aliases import PAYMENT_ALIASES
from speechai.ingest.cells import PlainCell, is_blank, whole
from speechai.ingest.columns import Column, Columns, resolve
from speechai.ingest.headers import key_of
from speechai.ingest.messages import Language, field_label, file_error, shorten
from speechai.ingest.phones import LineKind
from speechai.ingest.reader import PlainTable, read_table


@dataclass(frozen=True, slots=True)
class ListKind:
    """What a list's columns can mean beside what an upload's can, and which it cannot do without."""

    needed: tuple[tuple[str, ...], ...]  # fields; of each group at least one
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # field → aliases, most telling first
    synonyms: Mapping[str, str] = field(default_factory=dict)  # a header of these lists → an upload's


DO_NOT_CALL = ListKind(needed=((Field.DOCUMENT, Field.PHONE),), synonyms={"number": "phone number"})
PAYMENTS = ListKind(needed=((Field.DOCUMENT,), (Field.AMOUNT,), ("paid_on",)), own=PAYMENT_ALIASES)
_SURE = frozenset({Field.AMOUNT.value, "paid_on"})  # two columns that claim one of these equally are refused


@dataclass(frozen=True, slots=True)
class ListCell:
    """A cell that is not blank."""

    value: PlainCell
    line: LineKind = LineKind.UNKNOWN  # what a phone column's header says


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row's cells by the field of their columns."""

    number: int  # as Excel shows it
    cells: Mapping[str, tuple[ListCell, ...]]
    is_ragged: bool  # more cells than the header: a stray separator, so that none is sure to be in its place


def read_list(path: Path, kind: ListKind, country: Country, language: Language) -> list[ListRow]:
    """The filled rows of a list's file, which only the uploads' bounded process opens. Raises FileError."""
    known = {alias: name for name, aliases in kind.own.items() for alias in aliases}
    table = read_table(path, known={**known, **kind.synonyms}, language=language)
    return list(_Reading(table, kind, country, language).rows())


class _Reading:
    """One list: its header resolved, its rows to be taken apart."""

    def __init__(self, table: PlainTable, kind: ListKind, country: Country, language: Language) -> None:
        self.table = table
        self.language = language
        own = self._own_columns(kind)
        columns = self._resolved(kind, own, country)
        self.kinds = columns.phone_kinds
        self.check_digit = columns.check_digit
        self.places: dict[str, list[Column]] = {
            name.value: columns.fields[name]
            for name in (Field.DOCUMENT, Field.PHONE, Field.CURRENCY)
            if name in columns.fields
        } | own
        self._require(kind.needed)

    def rows(self) -> Iterator[ListRow]:
        """The rows with something in them."""
        width = len(self.table.headers)
        for number, cells in self.table.rows:
            found = {name: tuple(self._filled(cells, columns, name)) for name, columns in self.places.items()}
            ragged = any(not is_blank(cell) for cell in cells[width:])
            yield ListRow(number, {name: filled for name, filled in found.items() if filled}, ragged)

    def _filled(self, cells: Sequence[PlainCell], columns: Sequence[Column], name: str) -> Iterator[ListCell]:
        for column in columns:
            value = _at(cells, column)
            if is_blank(value):
                continue
            if name == Field.DOCUMENT and self.check_digit:
                value = f"{whole(value)}-{whole(_at(cells, self.check_digit))}"
            yield ListCell(value, self.kinds.get(column.index, LineKind.UNKNOWN))

    def _own_columns(self, kind: ListKind) -> dict[str, list[Column]]:
        """The columns of the list's own fields: every one that qualifies, but of an amount or a day the one
        whose header tells the most."""
        all_of_it = [Column(at, header) for at, header in enumerate(self.table.headers)]
        found: dict[str, list[Column]] = {}
        for name, aliases in kind.own.items():
            ranks = {key_of(alias): rank for rank, alias in enumerate(aliases)}
            claims = [column for column in all_of_it if key_of(column.header) in ranks]
            if name in _SURE and claims:
                best = min(ranks[key_of(column.header)] for column in claims)
                claims = [column for column in claims if ranks[key_of(column.header)] == best]
                if len(claims) > 1:
                    first, second, *_ = claims
                    twins = {"first": first.header, "second": second.header}
                    raise file_error("twin_columns", self.language, **twins)
            if claims:
                found[name] = claims
        return found

    def _resolved(self, kind: ListKind, own: Mapping[str, Sequence[Column]], country: Country) -> Columns:
        """The uploads' own reading of the header, in which the list's own columns are taken already."""
        synonyms = {key_of(header): theirs for header, theirs in kind.synonyms.items()}
        headers = [synonyms.get(key_of(header), header) for header in self.table.headers]
        mapping = {
            column.header: name if name == Field.AMOUNT else Field.IGNORE.value
            for name, columns in own.items()
            for column in columns
        }
        return resolve(headers, country, mapping, self.language)

    def _require(self, needed: Sequence[Sequence[str]]) -> None:
        missing = [group for group in needed if not any(name in self.places for name in group)]
        if missing:
            raise file_error(
                "columns",
                self.language,
                missing=", ".join(
                    " / ".join(field_label(name, self.language) for name in group) for group in missing
                ),
                found=", ".join(shorten(header) for header in self.table.headers[:30] if header),
            )


def _at(cells: Sequence[PlainCell], column: Column) -> PlainCell:
    return cells[column.index] if column.index < len(cells) else ""
