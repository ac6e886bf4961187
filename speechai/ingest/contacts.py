"""What ingest hands over: contacts, merged rows and rejected rows, and how they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.debt import Debt

__all__ = ["Contact", "Debt", "FileError", "ParsedFile", "Rejection"]


@dataclass(frozen=True, slots=True)
class Contact:
    """One person of the file: the rows that name the same person, as one."""

    rows: tuple[int, ...]  # row numbers as Excel shows them, the header being row 1; first the row it became
    country: Country
    person_id: str  # CL:RUT:123456785, AR:DNI:12345678, else TEL:+56912345678 (the line)
    document: str | None  # RUT without dots or dash ("123456785"), DNI digits
    document_label: str | None  # as it is said and written: "12345678-5"
    name: str
    phones: tuple[str, ...]  # E.164, in the order of dialing, without repeats
    company: str | None
    debt: Debt | None
    offer: dict[str, str] = field(default_factory=dict)  # marketing fields by Field name
    variables: dict[str, str] = field(default_factory=dict)  # extra columns, by their variable name


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that became nothing, and why."""

    row: int
    column: str | None  # the header as the file writes it
    value: str  # the cell as text, shortened
    error: str  # a sentence in the operator's language: what is wrong and what to do


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A whole file. `rows == len(contacts) + merged + len(rejected)` always holds (I8)."""

    use_case: UseCaseId
    country: Country
    rows: int
    contacts: Sequence[Contact]
    merged: int  # rows that joined an earlier row of the same person
    rejected: list[Rejection]
    warnings: list[str]
    columns: dict[
        str, str
    ]  # header as the file writes it → what it was taken for (a Field, or "variable:<name>")


class FileError(Exception):
    """The file as a whole cannot be used. `code` is stable; the message is in the operator's language."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
