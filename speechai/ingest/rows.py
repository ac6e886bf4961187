"""Rows → contacts: one person per document (or number), debts summed, numbers united, the rest rejected.

How a row ends: as a contact; merged into an earlier row of the same person; or rejected. A cell that cannot
be read rejects its row if its field is required, else it is left out with a warning. A name or a number that
is merely blank may stand in another row of the same person; a person without one loses all its rows.

The same row twice (equal in every column that is used, and in the debt export's own keys of an instalment)
counts once, so a file pasted onto itself does not double the debts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from operator import itemgetter

from speechai.catalog.use_cases import CURRENCY_OF, MINOR_DIGITS, USE_CASES, Country, Field, UseCaseId
from speechai.ingest.amounts import Amount, UnreadableError, parse_amount, parse_currency
from speechai.ingest.columns import Column, Columns
from speechai.ingest.dates import parse_date
from speechai.ingest.documents import Document, parse_document
from speechai.ingest.limits import Limits
from speechai.ingest.messages import Language, field_label, file_error, say, shorten
from speechai.ingest.packing import Packed, ordinal
from speechai.ingest.phones import LineKind, parse_phones, plain_chilean
from speechai.ingest.sheet import Row, Table

DEADLINE_DAYS = 3  # fecha_limite: days after the report's date, which is due date + days late
FINAL_DEADLINE_DAYS = 7  # fecha_maxima, likewise
MOST_PHONES = 10
LONGEST_NAME = 200
_PHONES = 5  # where a packed contact has its numbers
LONGEST_VARIABLE = 500
MOST_DAYS_LATE = 20_000
MOST_INSTALMENTS = 1_000

OFFER_FIELDS = (
    Field.OFFER,
    Field.DISCOUNT,
    Field.OFFER_VALUE,
    Field.OFFER_EXPIRES,
    Field.PRODUCT_CATEGORY,
    Field.SEGMENT,
    Field.CAMPAIGN_TYPE,
    Field.CALL_TO_ACTION,
)
_EXCEL_ERRORS = frozenset(
    {
        "#N/A",
        "#REF!",
        "#VALUE!",
        "#DIV/0!",
        "#NAME?",
        "#NUM!",
        "#NULL!",
        "#¡REF!",
        "#¡VALOR!",
        "#¡DIV/0!",
        "#¿NOMBRE?",
    }
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator said about the file."""

    use_case: UseCaseId | None
    country: Country
    currency: str | None
    language: Language
    today: date
    limits: Limits


class _RejectedError(Exception):
    """This row becomes nothing."""

    def __init__(self, column: str | None, value: object, code: str, **values: object) -> None:
        super().__init__(code)
        self.column = column
        self.value = value
        self.code = code
        self.values = values


class _Person:
    """A person while its rows are being gathered."""

    __slots__ = (
        "company",
        "currency",
        "days_at_latest",
        "days_at_oldest",
        "deadline",
        "document",
        "final_deadline",
        "instalments",
        "latest",
        "name",
        "offer",
        "oldest",
        "person_id",
        "phones",
        "rows",
        "total_minor",
        "variables",
    )

    def __init__(self, person_id: str, document: Document | None) -> None:
        self.person_id = person_id
        self.document = document
        self.rows: list[int] = []
        self.name = ""
        self.phones: list[str] = []
        self.company: str | None = None
        self.currency: str | None = None
        self.total_minor = 0
        self.instalments = 0
        self.oldest: date | None = None
        self.latest: date | None = None
        self.days_at_oldest: int | None = None
        self.days_at_latest: int | None = None
        self.deadline: date | None = None
        self.final_deadline: date | None = None
        self.offer: dict[str, str] = {}
        self.variables: dict[str, str] = {}

    def owe(self, due: date | None, days_late: int | None) -> None:
        """One more instalment's dates: of equal ones the first row's days late stand."""
        if due is None:
            if self.days_at_oldest is None and self.oldest is None:
                self.days_at_oldest = days_late
            return
        if self.oldest is None or due < self.oldest:
            self.oldest, self.days_at_oldest = due, days_late
        if self.latest is None or due > self.latest:
            self.latest, self.days_at_latest = due, days_late

    def debt(self) -> Packed | None:
        """The sum over its rows; None if no row had an amount."""
        if self.currency is None:
            return None
        days_late = self.days_at_oldest
        return (
            self.total_minor,
            self.currency,
            self.instalments,
            ordinal(self.oldest),
            ordinal(self.latest),
            None if days_late is None else max(0, days_late),
            ordinal(self.deadline) or _after(self.latest, self.days_at_latest, DEADLINE_DAYS),
            ordinal(self.final_deadline) or _after(self.oldest, days_late, FINAL_DEADLINE_DAYS),
        )


def _after(due: date | None, days_late: int | None, days: int) -> int | None:
    return due.toordinal() + days_late + days if due is not None and days_late is not None else None


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
        self.country = request.country
        self.language = request.language
        self.currency = request.currency or CURRENCY_OF[request.country]
        self.required = USE_CASES[use_case].required
        self.persons: dict[str, _Person] = {}
        self.seen: dict[object, _Person] = {}
        self.rejected: list[tuple[int, str | None, str, str]] = []
        self.warnings: list[str] = list(columns.warnings)
        self.warnings_unlisted = 0
        self.rows = 0
        self.merged = 0
        self.future = 0
        self.identity = itemgetter(*columns.identity)
        fields = columns.fields
        self.document_columns = fields.get(Field.DOCUMENT, [])
        self.name_columns = fields.get(Field.NAME, [])
        self.phone_columns = [
            (column, columns.phone_kinds[column.index]) for column in fields.get(Field.PHONE, [])
        ]
        self.amount_column = self._single(Field.AMOUNT)
        self.currency_column = self._single(Field.CURRENCY)
        self.instalments_column = self._single(Field.INSTALMENTS)
        self.due_column = self._single(Field.DUE_DATE)
        self.days_column = self._single(Field.DAYS_LATE)
        self.deadline_column = self._single(Field.DEADLINE)
        self.final_deadline_column = self._single(Field.FINAL_DEADLINE)
        self.company_column = self._single(Field.COMPANY)
        self.offer_columns = [(target, fields[target][0]) for target in OFFER_FIELDS if target in fields]
        self.variable_columns = list(columns.variables.items())

    def _single(self, target: Field) -> Column | None:
        group = self.columns.fields.get(target)
        return group[0] if group else None

    def run(self, table: Table) -> Packed:
        for number, cells in _filled(table.rows, len(table.headers)):
            self.rows += 1
            if self.rows > self.request.limits.rows:
                raise file_error("too_many_rows", self.language, limit=self.request.limits.rows)
            self._add(number, cells, len(table.headers))
        if not self.rows:
            raise file_error("no_rows", self.language)
        contacts = self._contacts()
        self._warn_of_shared_phones(contacts)
        if self.future:
            self.warnings.append(say("future_dates", self.language, count=self.future))
        if self.warnings_unlisted:
            self.warnings.append(say("more_warnings", self.language, count=self.warnings_unlisted))
        self.rejected.sort(key=itemgetter(0))
        return (
            self.use_case.value,
            self.country.value,
            self.rows,
            contacts,
            self.merged,
            self.rejected,
            [*table.warnings, *self.warnings],
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
                raise _RejectedError(None, cells[width], "extra_cells")
            person = self._read(number, cells)
        except _RejectedError as rejection:
            self._reject(number, cells, rejection)
            return
        if person.rows:
            self.merged += 1
        person.rows.append(number)
        self.seen[key] = person

    def _read(self, number: int, cells: Sequence[object]) -> _Person:
        """Everything that may reject the row comes before anything of it is kept."""
        document = self._document(cells)
        name = self._name(cells)
        phones, bad = self._phones(cells)
        if bad and not phones:
            column, value, code = bad[0]
            raise _RejectedError(column.header, value, code, country=self.country.value)
        if document is None and not phones:
            raise self._blank(Field.PHONE)
        person_id = document.person_id if document else f"TEL:{phones[0]}"
        person = self.persons.get(person_id)
        amount = self._amount(number, cells) if self.amount_column else None
        if person and amount and person.currency not in (None, amount.currency):
            raise _RejectedError(
                self.amount_column.header if self.amount_column else None,
                cells[self.amount_column.index] if self.amount_column else "",
                "currency_mixed",
                currency=person.currency,
            )
        if person is None:
            person = self.persons[person_id] = _Person(person_id, document)
        for column, value, code in bad:
            self._warn(number, column, value, code, left_out=False)
        person.name = person.name or name
        self._unite_phones(number, person, phones)
        if amount:
            self._owe(number, cells, person, amount)
        self._describe(number, cells, person)
        return person

    def _blank(self, target: Field) -> _RejectedError:
        group = self.columns.fields.get(target)
        return _RejectedError(group[0].header if group else None, "", f"blank_{target.value}")

    def _document(self, cells: Sequence[object]) -> Document | None:
        found: Document | None = None
        for column in self.document_columns:
            value = cells[column.index]
            if _is_blank(value):
                continue
            if check := self.columns.check_digit:
                value = f"{_whole(value)}-{_whole(cells[check.index])}"
            try:
                document = parse_document(value, self.country)
            except UnreadableError as error:
                raise _RejectedError(column.header, value, error.code) from error
            if found and found.person_id != document.person_id:
                raise _RejectedError(column.header, value, "documents_differ")
            found = found or document
        if found is None and Field.DOCUMENT in self.required:
            raise self._blank(Field.DOCUMENT)
        return found

    def _name(self, cells: Sequence[object]) -> str:
        parts = []
        for column in self.name_columns:
            value = cells[column.index]
            if _is_blank(value):
                continue
            if type(value) is not str or not any(map(str.isalpha, value)):
                raise _RejectedError(column.header, value, "bad_name")
            if value in _EXCEL_ERRORS:
                raise _RejectedError(column.header, value, "cell_error")
            parts += value.split()
        name = " ".join(parts)
        if len(name) > LONGEST_NAME:
            raise _RejectedError(self.name_columns[0].header, name, "long_text", limit=LONGEST_NAME)
        return name

    def _phones(self, cells: Sequence[object]) -> tuple[list[str], list[tuple[Column, str, str]]]:
        phones: list[str] = []
        bad: list[tuple[Column, str, str]] = []
        chile = self.country is Country.CL
        for column, kind in self.phone_columns:
            value = cells[column.index]
            if value == "" or value is None:
                continue
            if chile and (quick := plain_chilean(value)):
                phones.append(quick)
                continue
            numbers, problems = _parse_phones_once(value, self.country, kind)
            phones += numbers
            bad += [(column, text, code) for text, code in problems]
        return phones, bad

    def _unite_phones(self, number: int, person: _Person, phones: Sequence[str]) -> None:
        for phone in phones:
            if phone in person.phones:
                continue
            if len(person.phones) == MOST_PHONES:
                self._note(say("many_phones", self.language, row=number, limit=MOST_PHONES))
                return
            person.phones.append(phone)

    def _amount(self, number: int, cells: Sequence[object]) -> Amount | None:
        assert self.amount_column  # noqa: S101 - the caller has looked
        column = self.amount_column
        value = cells[column.index]
        if _is_blank(value):
            if Field.AMOUNT in self.required:
                raise self._blank(Field.AMOUNT)
            return None
        try:
            told = self._row_currency(cells) if self.currency_column else None
            amount = parse_amount(value, told or self.currency)
            if amount.stated and told and told != amount.currency:
                raise UnreadableError("currency_conflict")
        except UnreadableError as error:
            code = "cell_error" if value in _EXCEL_ERRORS else error.code
            if Field.AMOUNT in self.required:
                raise _RejectedError(column.header, value, code) from error
            self._warn(number, column, value, code)
            return None
        if amount.rounded:
            values = {"currency": amount.currency, "amount": _major(amount)}
            self._warn(number, column, value, "rounded_amount", left_out=False, **values)
        return amount

    def _row_currency(self, cells: Sequence[object]) -> str | None:
        assert self.currency_column  # noqa: S101 - the caller has looked
        value = cells[self.currency_column.index]
        if _is_blank(value):
            return None
        try:
            return parse_currency(value, self.country)
        except UnreadableError as error:
            raise _RejectedError(self.currency_column.header, value, error.code) from error

    def _owe(self, number: int, cells: Sequence[object], person: _Person, amount: Amount) -> None:
        person.currency = amount.currency
        person.total_minor += amount.minor
        count = due = days = None
        if self.instalments_column:
            count = self._count(number, cells, self.instalments_column, 1, MOST_INSTALMENTS)
        if self.due_column:
            due = self._date(number, cells, self.due_column)
        if self.days_column:
            days = self._count(number, cells, self.days_column, -MOST_DAYS_LATE, MOST_DAYS_LATE)
        person.instalments += count or 1
        person.owe(due, days)
        if due and due > self.request.today:
            self.future += 1
        if self.deadline_column and (given := self._date(number, cells, self.deadline_column)):
            person.deadline = max(person.deadline or given, given)
        if self.final_deadline_column and (given := self._date(number, cells, self.final_deadline_column)):
            person.final_deadline = max(person.final_deadline or given, given)

    def _date(self, number: int, cells: Sequence[object], column: Column) -> date | None:
        if _is_blank(value := cells[column.index]):
            return None
        try:
            return parse_date(value)
        except UnreadableError as error:
            self._warn(number, column, value, error.code)
            return None

    def _count(
        self, number: int, cells: Sequence[object], column: Column, least: int, most: int
    ) -> int | None:
        if _is_blank(value := cells[column.index]):
            return None
        count = _whole_number(value)
        if count is None or not least <= count <= most:
            self._warn(number, column, value, "count_form")
            return None
        return count

    def _describe(self, number: int, cells: Sequence[object], person: _Person) -> None:
        """What the agent may be told besides; the first row that says something has the word."""
        if self.company_column and not person.company:
            person.company = self._text(number, cells, self.company_column) or None
        for target, column in self.offer_columns:
            if target.value not in person.offer and (text := self._offer(number, cells, target, column)):
                person.offer[target.value] = text
        for name, column in self.variable_columns:
            if name not in person.variables and (text := self._text(number, cells, column)):
                person.variables[name] = text

    def _offer(self, number: int, cells: Sequence[object], target: Field, column: Column) -> str:
        value = cells[column.index]
        if target is Field.DISCOUNT:
            return _percentage(value, self._text(number, cells, column))
        if target is Field.OFFER_EXPIRES and not _is_blank(value):
            parsed = self._date(number, cells, column)
            return parsed.isoformat() if parsed else ""
        return self._text(number, cells, column)

    def _text(self, number: int, cells: Sequence[object], column: Column) -> str:
        text = cell_text(cells[column.index])
        if text in _EXCEL_ERRORS:
            self._warn(number, column, text, "cell_error")
            return ""
        if len(text) > LONGEST_VARIABLE:
            self._warn(number, column, text, "long_text", limit=LONGEST_VARIABLE)
            return ""
        return text

    def _reject(self, number: int, cells: Sequence[object], rejection: _RejectedError) -> None:
        if all(_is_blank(cell) for cell in cells):
            self.rows -= 1  # blanks that are not empty: still an empty row
            return
        code = rejection.code
        headers = self.columns.taken_for
        if sum(isinstance(cell, str) and cell.strip() in headers for cell in cells) >= 2:
            code = "repeated_header"
        error = say(code, self.language, **rejection.values)
        self.rejected.append((number, rejection.column, shorten(cell_text(rejection.value)), error))

    def _warn(
        self, number: int, column: Column, value: object, code: str, left_out: bool = True, **values: object
    ) -> None:
        error = say(code, self.language, country=self.country.value, **values)
        if left_out:
            error += say("left_out", self.language)
        self._note(
            say(
                "at_row",
                self.language,
                row=number,
                column=shorten(column.header),
                value=shorten(cell_text(value)),
                error=error,
            )
        )

    def _note(self, warning: str) -> None:
        if len(self.warnings) < self.request.limits.warnings:
            self.warnings.append(warning)
        else:
            self.warnings_unlisted += 1

    def _contacts(self) -> list[Packed]:
        self.seen.clear()
        contacts = []
        for person in self.persons.values():
            missing = None if person.name else Field.NAME
            missing = missing if person.phones else Field.PHONE
            if missing:
                self._reject_person(person, missing)
                continue
            document = person.document
            contacts.append(
                (
                    tuple(person.rows),
                    person.person_id,
                    document.number if document else None,
                    document.label if document else None,
                    person.name,
                    tuple(person.phones),
                    person.company,
                    person.debt(),
                    person.offer or None,
                    person.variables or None,
                )
            )
        return contacts

    def _reject_person(self, person: _Person, missing: Field) -> None:
        """No row of the person has what every call needs."""
        self.merged -= len(person.rows) - 1
        column = self.columns.fields[missing][0].header
        error = say(f"blank_{missing.value}", self.language)
        self.rejected += [(row, column, "", error) for row in person.rows]

    def _warn_of_shared_phones(self, contacts: Sequence[Packed]) -> None:
        seen: set[str] = set()
        shared: set[str] = set()
        for contact in contacts:
            for phone in contact[_PHONES]:
                if phone in seen:
                    shared.add(phone)
                else:
                    seen.add(phone)
        if shared:
            self.warnings.append(say("shared_phones", self.language, count=len(shared)))


@lru_cache(maxsize=20_000, typed=True)
def _parse_phones_once(
    value: object, country: Country, kind: LineKind
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    good, bad = parse_phones(value, country, kind)
    return tuple(good), tuple(bad)


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


def _is_blank(value: object) -> bool:
    return value is None or (type(value) is str and (not value or value.isspace()))


def _whole(value: object) -> str:
    """A number that Excel made a float as its integer again, else the text."""
    return str(int(value)) if type(value) is float and value.is_integer() else str(value).strip()


def _whole_number(value: object) -> int | None:
    if type(value) is int:
        return value
    if type(value) is float:
        return int(value) if value.is_integer() else None
    if type(value) is not str:
        return None
    text = value.strip().removesuffix("días").removesuffix("dias").strip()
    text = text.removesuffix(".0").removesuffix(",0")
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 10 else None


def cell_text(value: object) -> str:
    """A cell as the agent may say it and a message may show it."""
    if type(value) is str:
        return " ".join(value.split())
    if value is None:
        return ""
    if type(value) is bool:
        return "sí" if value else "no"
    if type(value) is float:
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    return str(value)


def _percentage(value: object, text: str) -> str:
    """Excel stores 20 % as 0.2; people write 20, "20%" or "20 %"."""
    if type(value) is float and 0 < value < 1 and math.isfinite(value):
        return f"{value * 100:.10g}"
    return text.removesuffix("%").strip()


def _major(amount: Amount) -> str:
    digits = MINOR_DIGITS.get(amount.currency, 2)
    return f"{amount.minor / 10**digits:.{digits}f}"
