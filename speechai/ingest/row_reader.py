"""One row's cells → the values of its fields. One that cannot be read rejects its row or is remarked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from speechai.catalog.use_cases import CURRENCY_OF, MINOR_DIGITS, USE_CASES, Country, Field, UseCaseId
from speechai.ingest.amounts import Amount, UnreadableError, parse_amount, parse_currency
from speechai.ingest.cells import EXCEL_ERRORS, cell_text, is_blank, percentage, whole, whole_number
from speechai.ingest.columns import Column, Columns
from speechai.ingest.dates import parse_date
from speechai.ingest.documents import Document, parse_document
from speechai.ingest.gathered import Arrears, Person
from speechai.ingest.limits import Limits
from speechai.ingest.messages import Language
from speechai.ingest.phones import LineKind, parse_phones, plain_chilean
from speechai.ingest.remarks import Remarks

LONGEST_NAME = 200
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


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator said about the file."""

    use_case: UseCaseId | None
    country: Country
    currency: str | None
    language: Language
    today: date
    limits: Limits


class RejectedError(Exception):
    """This row becomes nothing."""

    def __init__(self, column: str | None, value: object, code: str, **values: object) -> None:
        super().__init__(code)
        self.column = column
        self.value = value
        self.code = code
        self.values = values


BadPhone = tuple[Column, str, str]  # where, what it says, the code of what is wrong


class RowReader:
    """Reads the rows of one sheet, whose columns are known."""

    def __init__(self, columns: Columns, use_case: UseCaseId, request: Request, remarks: Remarks) -> None:
        fields = columns.fields
        self._columns = columns
        self._country = request.country
        self._today = request.today
        self._currency = request.currency or CURRENCY_OF[request.country]
        self._required = USE_CASES[use_case].required
        self._warn = remarks.warn
        self._document_columns = fields.get(Field.DOCUMENT, [])
        self._name_columns = fields.get(Field.NAME, [])
        self._phone_columns = [
            (column, columns.phone_kinds[column.index]) for column in fields.get(Field.PHONE, [])
        ]
        self._amount_column = columns.single(Field.AMOUNT)
        self._currency_column = columns.single(Field.CURRENCY)
        self._instalments_column = columns.single(Field.INSTALMENTS)
        self._due_column = columns.single(Field.DUE_DATE)
        self._days_column = columns.single(Field.DAYS_LATE)
        self._deadline_column = columns.single(Field.DEADLINE)
        self._final_deadline_column = columns.single(Field.FINAL_DEADLINE)
        self._company_column = columns.single(Field.COMPANY)
        self._offer_columns = [(target, fields[target][0]) for target in OFFER_FIELDS if target in fields]
        self._variable_columns = list(columns.variables.items())

    def document(self, cells: Sequence[object]) -> Document | None:
        """Who it is. Raises RejectedError where that cannot be read, or is required and blank."""
        found: Document | None = None
        for column in self._document_columns:
            value = cells[column.index]
            if is_blank(value):
                continue
            if check := self._columns.check_digit:
                value = f"{whole(value)}-{whole(cells[check.index])}"
            try:
                document = parse_document(value, self._country)
            except UnreadableError as error:
                raise RejectedError(column.header, value, error.code) from error
            if found and found.person_id != document.person_id:
                raise RejectedError(column.header, value, "documents_differ")
            found = found or document
        if found is None and Field.DOCUMENT in self._required:
            raise self.blank(Field.DOCUMENT)
        return found

    def name(self, cells: Sequence[object]) -> str:
        """The name, "" where it is blank. Raises RejectedError for what is no name."""
        parts = []
        for column in self._name_columns:
            value = cells[column.index]
            if is_blank(value):
                continue
            if type(value) is not str or not any(map(str.isalpha, value)):
                raise RejectedError(column.header, value, "bad_name")
            if value in EXCEL_ERRORS:
                raise RejectedError(column.header, value, "cell_error")
            parts += value.split()
        name = " ".join(parts)
        if len(name) > LONGEST_NAME:
            raise RejectedError(self._name_columns[0].header, name, "long_text", limit=LONGEST_NAME)
        return name

    def phones(self, cells: Sequence[object], document: Document | None) -> tuple[list[str], list[BadPhone]]:
        """Every number that is sure, in order, and the others. Raises RejectedError for only others.

        The person's own document, copied into a phone's column, is no number.
        """
        phones: list[str] = []
        bad: list[BadPhone] = []
        chile = self._country is Country.CL
        for column, kind in self._phone_columns:
            value = cells[column.index]
            if value == "" or value is None:
                continue
            if chile and (quick := plain_chilean(value)):
                phones.append(quick)
                continue
            numbers, problems = _parse_phones_once(value, self._country, kind)
            phones += numbers
            bad += [(column, text, code) for text, code in problems]
        if document and any(phone.endswith(document.number) for phone in phones):
            copied = [phone for phone in phones if phone.endswith(document.number)]
            phones = [phone for phone in phones if phone not in copied]
            bad += [(self._phone_columns[0][0], document.label, "phone_is_document") for _ in copied]
        if bad and not phones:
            column, text, code = bad[0]
            raise RejectedError(column.header, text, code, country=self._country.value)
        return phones, bad

    def amount(self, number: int, cells: Sequence[object]) -> Amount | None:
        """What is owed; None where that is blank or unreadable and not required, else RejectedError."""
        if not (column := self._amount_column):
            return None
        value = cells[column.index]
        if is_blank(value):
            if Field.AMOUNT in self._required:
                raise self.blank(Field.AMOUNT)
            return None
        try:
            told = self._currency_of(cells)
            amount = parse_amount(value, told or self._currency)
            if amount.stated and told and told != amount.currency:
                raise UnreadableError("currency_conflict")
        except UnreadableError as error:
            code = "cell_error" if value in EXCEL_ERRORS else error.code
            if Field.AMOUNT in self._required:
                raise RejectedError(column.header, value, code) from error
            self._warn(number, column, value, code)
            return None
        if amount.rounded:
            values = {"currency": amount.currency, "amount": _major(amount)}
            self._warn(number, column, value, "rounded_amount", left_out=False, **values)
        return amount

    def _currency_of(self, cells: Sequence[object]) -> str | None:
        if not (column := self._currency_column):
            return None
        value = cells[column.index]
        if is_blank(value):
            return None
        try:
            return parse_currency(value, self._country)
        except UnreadableError as error:
            raise RejectedError(column.header, value, error.code) from error

    def arrears(self, number: int, cells: Sequence[object]) -> Arrears:
        """Of the row's debt everything but its amount."""
        return (
            self._count(number, cells, self._instalments_column, 1, MOST_INSTALMENTS),
            self._date(number, cells, self._due_column),
            self._count(number, cells, self._days_column, -MOST_DAYS_LATE, MOST_DAYS_LATE),
            self._date(number, cells, self._deadline_column),
            self._date(number, cells, self._final_deadline_column),
        )

    def describe(self, number: int, cells: Sequence[object], person: Person) -> None:
        """What the agent may be told besides; the first row that says something has the word."""
        if self._company_column and not person.company:
            person.company = self._text(number, cells, self._company_column) or None
        for target, column in self._offer_columns:
            if target.value not in person.offer and (text := self._offer(number, cells, target, column)):
                person.offer[target.value] = text
        for name, column in self._variable_columns:
            if name not in person.variables and (text := self._text(number, cells, column)):
                person.variables[name] = text

    def blank(self, target: Field) -> RejectedError:
        """The rejection of a row whose cell for `target` is blank."""
        group = self._columns.fields.get(target)
        return RejectedError(group[0].header if group else None, "", f"blank_{target.value}")

    def other_currency(self, cells: Sequence[object], person: Person) -> RejectedError:
        """The rejection of a row whose amount cannot be added to what the person's other rows owe."""
        column = self._columns.fields[Field.AMOUNT][0]
        return RejectedError(column.header, cells[column.index], "currency_mixed", currency=person.currency)

    def _date(self, number: int, cells: Sequence[object], column: Column | None) -> date | None:
        if column is None or is_blank(value := cells[column.index]):
            return None
        try:
            return parse_date(value, self._today)
        except UnreadableError as error:
            self._warn(number, column, value, error.code)
            return None

    def _count(
        self, number: int, cells: Sequence[object], column: Column | None, least: int, most: int
    ) -> int | None:
        if column is None or is_blank(value := cells[column.index]):
            return None
        count = whole_number(value)
        if count is None or not least <= count <= most:
            self._warn(number, column, value, "count_form")
            return None
        return count

    def _offer(self, number: int, cells: Sequence[object], target: Field, column: Column) -> str:
        value = cells[column.index]
        if target is Field.DISCOUNT:
            return percentage(value, self._text(number, cells, column))
        if target is Field.OFFER_EXPIRES and not is_blank(value):
            parsed = self._date(number, cells, column)
            return parsed.isoformat() if parsed else ""
        return self._text(number, cells, column)

    def _text(self, number: int, cells: Sequence[object], column: Column) -> str:
        text = cell_text(cells[column.index])
        if text in EXCEL_ERRORS:
            self._warn(number, column, text, "cell_error")
            return ""
        if len(text) > LONGEST_VARIABLE:
            self._warn(number, column, text, "long_text", limit=LONGEST_VARIABLE)
            return ""
        return text


@lru_cache(maxsize=20_000, typed=True)
def _parse_phones_once(
    value: object, country: Country, kind: LineKind
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    good, bad = parse_phones(value, country, kind)
    return tuple(good), tuple(bad)


def _major(amount: Amount) -> str:
    digits = MINOR_DIGITS.get(amount.currency, 2)
    return f"{amount.minor / 10**digits:.{digits}f}"
