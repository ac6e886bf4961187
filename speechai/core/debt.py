"""What a person owes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Debt:
    """What a person owes in a batch: the sum over the person's rows, as the upload said it."""

    total_minor: int  # ISO 4217 minor units of `currency` (CLP has none)
    currency: str
    instalments: int
    due_date_oldest: date | None  # first due date of the overdue instalments
    due_date_latest: date | None
    days_late: int | None  # of the oldest instalment, as the file says it
    deadline: date | None  # fecha_limite as the original makes it: latest due date + its days late + 3
    final_deadline: date | None  # fecha_maxima: oldest due date + its days late + 7
