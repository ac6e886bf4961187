"""From the rows of a list of payments, as JSON or as a file, to payments; what cannot be read is named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from speechai.catalog.accounts import Account
from speechai.catalog.use_cases import CURRENCY_OF, Country, Field
from speechai.ingest import PAYMENTS, ListRow, read_list
from speechai.ingest.amounts import Amount, UnreadableError, parse_amount, parse_currency
from speechai.ingest.cells import is_blank, whole
from speechai.ingest.dates import parse_date
from speechai.ingest.documents import parse_document
from speechai.ingest.messages import Language, say, shorten
from speechai.store.database import Document
from speechai.store.payments import payment_document

LONGEST_NUMBER = 200  # characters of a receipt's number or a reference

Row = Mapping[str, Any]
"""A payment as it was given, by `FIELDS`; of a file also whether its cells are in their places."""
FIELDS = ("document", "amount", "paid_on", "currency", "receipt", "reference")


@dataclass(slots=True)
class ReadPayments:
    """What was read of a list."""

    payments: dict[str, Document] = field(default_factory=dict)  # by their ids, each once
    rejected: list[dict[str, Any]] = field(default_factory=list)
    unclear: set[str] = field(default_factory=set)  # people of rejected rows: they paid, we cannot say what


class _RejectedError(Exception):
    def __init__(self, column: str, code: str, value: object) -> None:
        super().__init__(code)
        self.column = column
        self.code = code
        self.value = value


def rows_of_file(path: Path, country: Country, language: Language) -> list[tuple[int, Row]]:
    """The rows of a payments file, by their numbers. Raises FileError."""
    return [(row.number, _row_of(row)) for row in read_list(path, PAYMENTS, country, language)]


def _row_of(row: ListRow) -> Row:
    """Several columns may say who it is, or which payment: they must agree, or are read together."""
    cells = {name: [cell.value for cell in found] for name, found in row.cells.items()}
    named = {name: values[0] for name, values in cells.items()}
    for name in ("receipt", "reference"):
        if name in cells:
            named[name] = " / ".join(map(whole, cells[name]))
    return {**named, "documents": cells.get(Field.DOCUMENT, []), "is_ragged": row.is_ragged}


def read_payments(
    rows: Iterable[tuple[int, Row]],
    *,
    account: Account,
    country: Country,
    today: date,
    by: str,
    instant: datetime,
    language: Language,
) -> ReadPayments:
    """The payments of the rows, under the names by which the account's people are known.

    `today` is the account's local date: nothing was paid later.
    """
    read = ReadPayments()
    for number, row in rows:
        person_id: str | None = None
        try:
            person_id = account.key_of(_person(row, country))
            paid = _paid(row, country, today)
        except _RejectedError as error:
            if person_id:
                read.unclear.add(person_id)
            read.rejected.append(
                {
                    "row": number,
                    "column": error.column,
                    "value": shorten(error.value),
                    "error": say(error.code, language),
                }
            )
            continue
        payment_id = _id_of(account.id, person_id, paid)
        read.payments[payment_id] = payment_document(
            payment_id=payment_id,
            account_id=account.id,
            person_id=person_id,
            amount_minor=paid.amount.minor,
            currency=paid.amount.currency,
            paid_on=paid.on,
            receipt=paid.receipt,
            reference=paid.reference,
            by=by,
            instant=instant,
        )
    return read


@dataclass(frozen=True, slots=True)
class _Paid:
    amount: Amount
    on: date
    receipt: str | None
    reference: str | None


def _person(row: Row, country: Country) -> str:
    if row.get("is_ragged"):
        raise _RejectedError("document", "extra_cells", row.get("document"))
    values = row.get("documents") or [row.get("document")]
    people = set()
    for value in values:
        try:
            people.add(parse_document(value, country).person_id)
        except UnreadableError as error:
            code = "blank_document" if is_blank(value) else error.code
            raise _RejectedError("document", code, value) from None
    if len(people) != 1:
        raise _RejectedError("document", "documents_differ", values[-1])
    return people.pop()


def _paid(row: Row, country: Country, today: date) -> _Paid:
    column = "currency"
    try:
        told = row.get("currency")
        currency = None if is_blank(told) else parse_currency(told, country)
        column = "amount"
        amount = parse_amount(row.get("amount"), currency or CURRENCY_OF[country])
        if currency and amount.currency != currency:
            raise UnreadableError("currency_conflict")
        column = "paid_on"
        paid_on = parse_date(row.get("paid_on"), today)
        if paid_on > today:
            raise UnreadableError("date_future")
    except UnreadableError as error:
        raise _RejectedError(column, error.code, row.get(column)) from None
    return _Paid(amount, paid_on, *_numbers(row))


def _numbers(row: Row) -> tuple[str | None, str | None]:
    """The receipt's number and the reference. A receipt without a digit ("efectivo") numbers nothing."""
    receipt, reference = _text(row.get("receipt")), _text(row.get("reference"))
    if receipt and not any(map(str.isdigit, receipt)):
        receipt, reference = None, " / ".join(filter(None, (receipt, reference)))
    return receipt, reference


def _text(value: object) -> str | None:
    return None if is_blank(value) else whole(value)[:LONGEST_NUMBER]


def _id_of(account_id: str, person_id: str, paid: _Paid) -> str:
    """A payment is the person's with that receipt; without one, that of the date, amount and reference.

    A reference alone names no payment: an instalment's or a contract's number comes again with the next one.
    One receipt may cover several references.
    """
    told: tuple[object, ...] = (person_id, paid.receipt, paid.reference)
    if paid.receipt is None:
        told += (paid.on.isoformat(), paid.amount.minor, paid.amount.currency)
    text = "|".join(f"{len(str(part))}:{part}" for part in (account_id, *told))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
