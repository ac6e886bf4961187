"""A file's rows with their numbers as Excel shows them, and where its header is.

The header need not be the first row: titles, blank rows and merged groups may stand above it, and it may be
on a later sheet than the first.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum

from speechai.ingest.archive import Kind
from speechai.ingest.headers import mapped_keys, score
from speechai.ingest.limits import Limits
from speechai.ingest.messages import Language, file_error

HEADER_ROWS = 20  # a header further down is not looked for

_DELIMITERS = ";,\t|"
_CHUNK = 1 << 20

Row = tuple[int, Sequence[object]]


@dataclass(slots=True)
class Table:
    """A header and the rows below it."""

    headers: list[str]
    rows: Iterator[Row]
    warnings: list[str]


def open_table(
    path: Path, kind: Kind, mapping: Mapping[str, str] | None, limits: Limits, language: Language
) -> Table:
    """The first sheet with a usable header (of a CSV file, by the delimiter that makes the best one)."""
    mapped = mapped_keys(mapping)
    if kind is Kind.CSV:
        return _open_csv(path, mapped, limits, language)
    try:
        return _open_workbook(path, mapped, limits, language)
    except PasswordError as error:
        raise file_error("password", language) from error
    except (CalamineError, OSError, ValueError) as error:
        raise file_error("damaged", language) from error


def _open_workbook(path: Path, mapped: frozenset[str], limits: Limits, language: Language) -> Table:
    book = CalamineWorkbook.from_path(path)
    likely: Table | None = None
    for meta in book.sheets_metadata:
        if meta.typ is not SheetTypeEnum.WorkSheet:
            continue
        sheet = book.get_sheet_by_name(meta.name)
        if sheet.end and sheet.end[1] >= limits.columns:
            raise file_error("too_many_columns", language, limit=limits.columns)
        fields, table = _sheet_table(sheet, mapped)
        if table and fields >= 2:
            return table
        likely = likely or table  # one name alone may be a title; but nothing better may come
    if likely:
        return likely
    raise file_error("no_header", language, limit=HEADER_ROWS)


def _sheet_table(sheet: CalamineSheet, mapped: frozenset[str]) -> tuple[int, Table | None]:
    """How many fields the sheet's header names, and the sheet."""
    if sheet.start is None:
        return 0, None
    first: list[Sequence[object]] = [
        list(row) for row in sheet.to_python(skip_empty_area=False, nrows=HEADER_ROWS)
    ]
    merged = sheet.merged_cell_ranges or []
    _fill_merged(first, merged)
    position = _header_position(first, mapped)
    if position is None:
        return 0, None
    fields = score(first[position], mapped)[0]
    # A header cell merged downwards ends in the last of its rows; the groups' own headers are there too.
    ends = [bottom for (top, _), (bottom, _) in merged if top <= position <= bottom < len(first)]
    position = max([position, *ends])
    rows = enumerate(sheet.iter_rows(), start=1)
    headers = _headers(first[position])[sheet.start[1] :]  # iter_rows leaves out empty columns on the left
    return fields, Table(headers, islice(rows, position + 1, None), [])


def _fill_merged(
    rows: Sequence[Sequence[object]], merged: Sequence[tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    """Excel keeps a merged cell's text in its first corner only."""
    for (top, left), (bottom, right) in merged:
        if top >= len(rows) or left >= len(rows[top]):
            continue
        text = rows[top][left]
        for row in rows[top : bottom + 1]:
            for at in range(left, min(right + 1, len(row))):
                if row[at] in ("", None):
                    row[at] = text  # type: ignore[index]


def _header_position(rows: Sequence[Sequence[object]], mapped: frozenset[str]) -> int | None:
    """The row that names the most fields, the first of equals; a single name among others is enough."""
    scores = [score(row, mapped) for row in rows]
    best = max(scores, default=(0, 0))
    return scores.index(best) if best[0] else None


def _headers(cells: Sequence[object]) -> list[str]:
    return [" ".join(str(cell).split()) if cell not in (None, "") else "" for cell in cells]


def _open_csv(path: Path, mapped: frozenset[str], limits: Limits, language: Language) -> Table:
    encoding = _encoding(path, language)
    best: tuple[tuple[int, int], int, str, int] | None = None
    for preference, delimiter in enumerate(_DELIMITERS):
        first = list(islice(_csv_rows(path, encoding, delimiter, language), HEADER_ROWS))
        position = _header_position([row for _, row in first], mapped)
        if position is None:
            continue
        candidate = (score(first[position][1], mapped), -preference, delimiter, position)
        best = max(best, candidate) if best else candidate
    if best is None:
        raise file_error("no_header", language, limit=HEADER_ROWS)
    _, _, delimiter, position = best
    rows = _csv_rows(path, encoding, delimiter, language)
    _, header = next(islice(rows, position, None))
    if len(header) > limits.columns:
        raise file_error("too_many_columns", language, limit=limits.columns)
    return Table(_headers(header), rows, [])


def _csv_rows(path: Path, encoding: str, delimiter: str, language: Language) -> Iterator[Row]:
    """Records numbered as Excel numbers its rows: a quoted line break does not start a new one."""
    with path.open(encoding=encoding, newline="") as file:
        try:
            yield from enumerate(csv.reader(file, delimiter=delimiter), start=1)
        except csv.Error as error:  # a cell of more than 131,072 characters: a quote that never closes
            raise file_error("damaged", language) from error


def _encoding(path: Path, language: Language) -> str:
    """UTF-8 if all of it is, else Windows' Latin-1; UTF-16 by its mark, as Excel's "Unicode text" has it."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    windows = codecs.getincrementaldecoder("cp1252")()
    possible = {"utf-8-sig": utf8, "cp1252": windows}
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return _utf16(path, language)
        file.seek(0)
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk:
                raise file_error("not_text", language)
            for name, decoder in list(possible.items()):
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    del possible[name]
    if "utf-8-sig" in possible:
        try:
            utf8.decode(b"", final=True)
        except UnicodeDecodeError:
            del possible["utf-8-sig"]
    return next(iter(possible), "latin-1")


def _utf16(path: Path, language: Language) -> str:
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise file_error("damaged", language) from error
    return "utf-16"
