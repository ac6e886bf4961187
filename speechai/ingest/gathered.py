"""A person while its rows are being gathered: numbers united, debts summed, the first word on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from speechai.core.lines import line_of
from speechai.ingest.amounts import Amount
from speechai.ingest.documents import Document
from speechai.ingest.packing import Packed, ordinal

DEADLINE_DAYS = 3  # fecha_limite: days after the report's date, which is due date + days late
FINAL_DEADLINE_DAYS = 7  # fecha_maxima, likewise
MOST_PHONES = 10

# Of one row: instalments, due date, days late, deadline, final deadline; a plain tuple, made for every row.
Arrears = tuple[int | None, date | None, int | None, date | None, date | None]


class Person:
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

    def owe(self, amount: Amount, arrears: Arrears) -> None:
        """One row's debt more: sums add up, and of equal due dates the first row's days late stand."""
        instalments, due, days_late, deadline, final_deadline = arrears
        self.currency = amount.currency
        self.total_minor += amount.minor
        self.instalments += instalments or 1
        if deadline:
            self.deadline = max(self.deadline or deadline, deadline)
        if final_deadline:
            self.final_deadline = max(self.final_deadline or final_deadline, final_deadline)
        if due is None:
            if self.days_at_oldest is None and self.oldest is None:
                self.days_at_oldest = days_late
            return
        if self.oldest is None or due < self.oldest:
            self.oldest, self.days_at_oldest = due, days_late
        if self.latest is None or due > self.latest:
            self.latest, self.days_at_latest = due, days_late

    def unite_phones(self, phones: Sequence[str]) -> bool:
        """Add the numbers it does not have; False where they are too many.

        Of a line in both its forms the mobile one stays: whoever wrote it so knew more.
        """
        for phone in phones:
            if phone in self.phones:
                continue
            line = line_of(phone)
            known = next((at for at, one in enumerate(self.phones) if line_of(one) == line), None)
            if known is None and len(self.phones) == MOST_PHONES:
                return False
            if known is None:
                self.phones.append(phone)
            elif phone != line:
                self.phones[known] = phone
        return True

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

    def packed(self) -> Packed:
        """As `packing.unpack` reads a contact."""
        document = self.document
        return (
            tuple(self.rows),
            self.person_id,
            document.number if document else None,
            document.label if document else None,
            self.name,
            tuple(self.phones),
            self.company,
            self.debt(),
            self.offer or None,
            self.variables or None,
        )


def _after(due: date | None, days_late: int | None, days: int) -> int | None:
    return due.toordinal() + days_late + days if due is not None and days_late is not None else None
