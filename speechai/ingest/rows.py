"""Rows → contacts: one person per document (or number), debts summed, numbers united, the rest rejected.

How a row ends: as a contact; merged into an earlier row of the same person; or rejected. A cell that cannot
be read rejects its row if its field is required, else it is left out with a warning. A name or a number that
is merely blank may stand in another row of the same person; a person without one loses all its rows.

The same row twice (equal in every column that is used, and in the debt export's own keys of an instalment)
counts once, so a file pasted onto itself does not double the debts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter

from speechai.catalog.use_cases import USE_CASES, Field, UseCaseId
from speechai.core.lines import line_of, person_of_number
from speechai.ingest.cells import is_blank
from speechai.ingest.columns import Columns
from speechai.ingest.gathered import MOST_PHONES, Person
from speechai.ingest.messages import field_label, file_error, say, shorten
from speechai.ingest.packing import Packed
from speechai.ingest.remarks import Remarks
from speechai.ingest.row_reader import RejectedError, Request, RowReader
from speechai.ingest.sheet import Row, Table


def choose_use_case(columns: Columns, request: Request) -> UseCaseId:
    """The one asked for, else the one the columns betray; its required columns must be there."""
    present = set(columns.fields)
    chosen = request.use_case
    if chosen is None:
        best = 0
        chosen = UseCaseId.NOTIFICATION
        for case in USE_CASES.values():
            hits = len(case.recognised_by & present)
            if hits > best and case.required & case.recognised_by <= present:
                best, chosen = hits, case.id
    case = USE_CASES[chosen]
    if missing := [target for target in Field if target in case.required - present]:
        language = request.language
        raise file_error(
            "missing_columns",
            language,
            use_case=case.label_es if language == "es" else case.label_en,
            missing=", ".join(field_label(target, language) for target in missing),
            found=", ".join(shorten(header) for header in list(columns.taken_for)[:30]),
        )
    return chosen


def gather(table: Table, columns: Columns, use_case: UseCaseId, request: Request) -> Packed:
    """Read every row of the table; `packing.unpack` makes a ParsedFile of it."""
    return _Gathering(columns, use_case, request).run(table)


class _Gathering:
    """One file's rows on their way to contacts."""

    def __init__(self, columns: Columns, use_case: UseCaseId, request: Request) -> None:
        self.columns = columns
        self.use_case = use_case
        self.request = request
        self.language = request.language
        self.remarks = Remarks(request.country, request.language, request.limits.warnings)
        self.reader = RowReader(columns, use_case, request, self.remarks)
        self.identity = itemgetter(*columns.identity)
        self.persons: dict[str, Person] = {}
        self.seen: dict[object, Person] = {}  # a row's identity → whose it was
        self.rows = 0
        self.merged = 0
        self.future = 0  # rows with a due date to come

    def run(self, table: Table) -> Packed:
        for number, cells in _filled(table.rows, len(table.headers)):
            self.rows += 1
            if self.rows > self.request.limits.rows:
                raise file_error("too_many_rows", self.language, limit=self.request.limits.rows)
            self._add(number, cells, len(table.headers))
        if not self.rows:
            raise file_error("no_rows", self.language)
        people = self._complete_people()
        return (
            self.use_case.value,
            self.request.country.value,
            self.rows,
            [person.packed() for person in people],
            self.merged,
            self.remarks.rejected(),
            [*table.warnings, *self.columns.warnings, *self.remarks.warnings(), *self._of_the_whole(people)],
            self.columns.taken_for,
        )

    def _add(self, number: int, cells: Sequence[object], width: int) -> None:
        key = self.identity(cells)
        if person := self.seen.get(key):
            person.rows.append(number)
            self.merged += 1
            return
        try:
            if len(cells) > width:
                raise RejectedError(None, cells[width], "extra_cells")
            person = self._read(number, cells)
        except RejectedError as rejection:
            self._reject(number, cells, rejection)
            return
        if person.rows:
            self.merged += 1
        person.rows.append(number)
        self.seen[key] = person

    def _read(self, number: int, cells: Sequence[object]) -> Person:
        """Everything that may reject the row comes before anything of it is kept."""
        reader = self.reader
        document = reader.document(cells)
        name = reader.name(cells)
        phones, bad_phones = reader.phones(cells, document)
        if document is None and not phones:
            raise reader.blank(Field.PHONE)
        person_id = document.person_id if document else person_of_number(phones[0])
        person = self.persons.get(person_id)
        amount = reader.amount(number, cells)
        if person and amount and person.currency not in (None, amount.currency):
            raise reader.other_currency(cells, person)
        if person is None:
            person = self.persons[person_id] = Person(person_id, document)
        for column, text, code in bad_phones:
            self.remarks.warn(number, column, text, code, left_out=False)
        person.name = person.name or name
        if not person.unite_phones(phones):
            self.remarks.note(say("many_phones", self.language, row=number, limit=MOST_PHONES))
        if amount:
            arrears = reader.arrears(number, cells)
            person.owe(amount, arrears)
            due = arrears[1]
            self.future += due is not None and due > self.request.today
        reader.describe(number, cells, person)
        return person

    def _reject(self, number: int, cells: Sequence[object], rejection: RejectedError) -> None:
        if all(is_blank(cell) for cell in cells):
            self.rows -= 1  # blanks that are not empty: still an empty row
            return
        code = rejection.code
        headers = self.columns.taken_for
        if sum(isinstance(cell, str) and cell.strip() in headers for cell in cells) >= 2:
            code = "repeated_header"
        self.remarks.reject(number, rejection.column, rejection.value, code, **rejection.values)

    def _complete_people(self) -> list[Person]:
        """Those with a name and a number in some row; the others lose all their rows."""
        self.seen.clear()
        complete = []
        for person in self.persons.values():
            if person.name and person.phones:
                complete.append(person)
                continue
            missing = Field.NAME if person.phones else Field.PHONE
            self.merged -= len(person.rows) - 1
            for row in person.rows:
                self.remarks.reject(row, self.columns.fields[missing][0].header, "", f"blank_{missing.value}")
        return complete

    def _of_the_whole(self, people: Sequence[Person]) -> Iterator[str]:
        seen: set[str] = set()
        shared: set[str] = set()
        for person in people:
            for line in map(line_of, person.phones):
                (shared if line in seen else seen).add(line)
        if shared:
            yield say("shared_phones", self.language, count=len(shared))
        if self.future:
            yield say("future_dates", self.language, count=self.future)


def _filled(rows: Iterator[Row], width: int) -> Iterator[Row]:
    """Rows with something in them, all at least as wide as the header; blank cells beyond it cut off."""
    for number, cells in rows:
        if not any(cells):
            continue
        if len(cells) < width:
            cells = [*cells, *[""] * (width - len(cells))]
        elif len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        yield number, cells
