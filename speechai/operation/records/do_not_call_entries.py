"""Who is meant by an entry of the do-not-call list, whether it came as JSON or as a line of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speechai.catalog.use_cases import Country, Field
from speechai.core.lines import line_of
from speechai.ingest import DO_NOT_CALL, ListRow, read_list
from speechai.ingest.amounts import UnreadableError
from speechai.ingest.documents import parse_document
from speechai.ingest.messages import Language, field_label, say, shorten
from speechai.ingest.phones import LineKind, parse_phones

Entry = Mapping[str, Any]
"""`{"document" | "number", "country"}`; of a file also its `row` and what its column says of the `line`."""


class EntryError(ValueError):
    """An entry that cannot be read: `index` in what was given, which field, and the code of what is wrong."""

    def __init__(self, index: int, field: str, code: str, entry: Entry) -> None:
        super().__init__(f"entry {index + 1}: {field}")
        self.index = index
        self.field = field
        self.code = code
        self.entry = entry

    def sentence(self, language: Language) -> str:
        """Where it is, what is wrong with it and what to do, for the operator."""
        row = self.entry.get("row")
        place = _ROW[language].format(row) if row else _ENTRY[language].format(self.index + 1)
        return _WRONG[language].format(
            place=place,
            field=field_label("phone" if self.field == "number" else self.field, language),
            value=shorten(self.entry.get(self.field)),
            why=say(self.code, language, country=self.entry.get("country", Country.CL)),
        )


_ROW: dict[Language, str] = {"es": "Fila {}", "en": "Row {}"}
_ENTRY: dict[Language, str] = {"es": "Entrada {}", "en": "Entry {}"}
_WRONG: dict[Language, str] = {
    "es": "{place}, {field}, «{value}»: {why} No se agregó nada.",
    "en": "{place}, {field}, “{value}”: {why} Nothing was added.",
}


def entries_of_file(path: Path, country: str, language: Language) -> list[Entry]:
    """The entries of a list as a file: of each row whatever it names, people and numbers.

    Raises FileError, and EntryError for a row that names nobody.
    """
    chosen = _country(0, {"country": country})
    entries: list[Entry] = []
    for row in read_list(path, DO_NOT_CALL, chosen, language):
        entries += _of_row(row, chosen, len(entries))
    return entries


def _of_row(row: ListRow, country: Country, index: int) -> list[Entry]:
    base = {"country": country.value, "row": row.number}
    if row.is_ragged:
        raise EntryError(index, "number", "extra_cells", base)
    documents = [{**base, "document": cell.value} for cell in row.cells.get(Field.DOCUMENT, ())]
    numbers = [
        {**base, "number": cell.value, "line": cell.line.value} for cell in row.cells.get(Field.PHONE, ())
    ]
    if not documents and not numbers:
        raise EntryError(index, "number", "blank_entry", base)
    return [*documents, *numbers]


def keys_of(entries: Sequence[Entry]) -> list[str]:
    """Under which names the entries' people and lines are kept, in order. Raises EntryError."""
    return [key for index, entry in enumerate(entries) for key in _keys(index, entry)]


def _keys(index: int, entry: Entry) -> list[str]:
    """An entry that names a person and numbers binds both, as an opt-out on a call does."""
    country = _country(index, entry)
    document, number = entry.get("document"), entry.get("number")
    keys = []
    if document not in (None, ""):
        try:
            keys.append(parse_document(document, country).person_id)
        except UnreadableError as error:
            raise EntryError(index, "document", error.code, entry) from None
    if number not in (None, "") or not keys:
        keys += _lines(index, entry, country)
    return keys


def _lines(index: int, entry: Entry, country: Country) -> list[str]:
    try:
        kind = LineKind(entry.get("line", LineKind.UNKNOWN))
    except ValueError:
        raise EntryError(index, "number", "phone_ambiguous", entry) from None
    numbers, unread = parse_phones(entry.get("number"), country, kind)
    if unread or not numbers:
        raise EntryError(index, "number", unread[0][1] if unread else "blank_entry", entry)
    return [line_of(number) for number in numbers]


def _country(index: int, entry: Entry) -> Country:
    try:
        return Country(entry.get("country") or Country.CL)
    except ValueError:
        raise EntryError(index, "country", "country_unknown", entry) from None
