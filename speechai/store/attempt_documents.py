"""Attempts as they are stored, and back: reservations, and what of a day they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from speechai.catalog.use_cases import UseCaseId
from speechai.core.caps import PastCall
from speechai.core.model import Attempt, Taken
from speechai.core.outcomes import CONVERSATIONS, Outcome
from speechai.core.states import AttemptState
from speechai.store.database import SCHEMA_VERSION, Document, day_of, decimal_of, money
from speechai.store.tallies import MARK


class NoPlaceLeftError(Exception):
    """The person or the number has used every place of the day."""


class AlreadyOpenError(Exception):
    """Another call to this person or this number is open."""


class LookAgainError(Exception):
    """The person's or the number's day changed since it was looked at: the rules must be asked again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose day is asked about: a person and a number, each on its own local date."""

    person_id: str
    person_day: date
    number: str  # its key
    number_day: date


@dataclass(frozen=True, slots=True)
class Reservation:
    """What an attempt is reserved with."""

    attempt_id: str
    job_id: str
    batch_id: str
    account_id: str
    person_id: str
    to_number: str
    from_number: str
    person_day: date
    number_day: date
    number_key: str  # under which the number's calls are counted: apart, for an isolated account
    calls_per_day: int
    provider: str
    taken: Taken
    use_case: str
    owed: Document | None
    is_metered: bool
    verdict: Document
    worker: str
    instant: datetime
    lease_seconds: float


def taken_from(
    wanted: Wanted, of_person: Sequence[Document], of_number: Sequence[Document], look_back_days: int
) -> Taken:
    person_day, number_day = wanted.person_day.isoformat(), wanted.number_day.isoformat()
    since = (wanted.person_day - timedelta(days=look_back_days - 1)).isoformat()
    rang = {
        row["_id"]: row
        for row in (*of_person, *of_number)
        if "person_place" in row and row["person_day"] >= since
    }
    return Taken(
        person_places=frozenset(
            row["person_place"]
            for row in of_person
            if row["person_day"] == person_day and "person_place" in row
        ),
        number_places=frozenset(
            row["number_place"]
            for row in of_number
            if row["number_day"] == number_day and "number_place" in row
        ),
        person_open=any("open_person" in row for row in of_person),
        number_open=any("open_number" in row for row in of_number),
        calls=tuple(_past_call(row, wanted.person_id, wanted.number) for row in rang.values()),
    )


def _past_call(row: Document, person_id: str, number: str) -> PastCall:
    outcome = row.get("outcome")
    return PastCall(
        at=row["reserved_at"],
        day=date.fromisoformat(row["person_day"]),
        of_person=row["person_id"] == person_id,
        of_number=row["number_key"] == number,
        account_id=row["account_id"],
        is_conversation=outcome is not None and Outcome(outcome) in CONVERSATIONS,
    )


def free_place(of: str, taken: frozenset[int], calls_per_day: int) -> int:
    # Places above a limit that was lowered since still count as used.
    if len(taken) < calls_per_day:
        for place in range(1, calls_per_day + 1):
            if place not in taken:
                return place
    raise NoPlaceLeftError(of)


def reserved_document(wanted: Reservation, person_place: int, number_place: int) -> Document:
    return {
        "_id": wanted.attempt_id,
        "attempt_id": wanted.attempt_id,
        "schema_version": SCHEMA_VERSION,
        "job_id": wanted.job_id,
        "batch_id": wanted.batch_id,
        "account_id": wanted.account_id,
        "person_id": wanted.person_id,
        "to_number": wanted.to_number,
        "number_key": wanted.number_key,
        "from_number": wanted.from_number,
        "provider": wanted.provider,
        "person_day": wanted.person_day.isoformat(),
        "number_day": wanted.number_day.isoformat(),
        "person_place": person_place,
        "number_place": number_place,
        "open_person": wanted.person_id,
        "open_number": wanted.number_key,
        "uses_place": True,
        "status": AttemptState.RESERVED.value,
        "history": [{"at": wanted.instant, "status": AttemptState.RESERVED.value}],
        "verdict": wanted.verdict,
        "use_case": wanted.use_case,
        "owed": wanted.owed,
        "is_metered": wanted.is_metered,
        **MARK,
        "unlinked": True,  # no link in the chain of evidence yet
        "worker_id": wanted.worker,
        "reserved_at": wanted.instant,
        "posted_at": None,
        "call_id": None,
        "outcome": None,
        "cost_cents": money(Decimal(0)),
        "ended_at": None,
        "settled_at": None,
        "looks": 0,
        "call": {},
        "revision": 0,
    }


def attempt_from(document: Document) -> Attempt:
    outcome = document.get("outcome")
    return Attempt(
        id=document["_id"],
        job_id=document["job_id"],
        batch_id=document["batch_id"],
        account_id=document["account_id"],
        person_id=document["person_id"],
        to_number=document["to_number"],
        from_number=document["from_number"],
        status=AttemptState(document["status"]),
        person_day=day_of(document["person_day"]) or date.min,
        uses_place=document["uses_place"],
        reserved_at=document["reserved_at"],
        posted_at=document.get("posted_at"),
        last_posted_at=document.get("last_posted_at"),
        call_id=document.get("call_id"),
        outcome=Outcome(outcome) if outcome else None,
        lease_until=document["lease_until"],
        poll_token=document.get("poll_token"),
        provider=document["provider"],
        call=document.get("call") or {},
        ended_at=document.get("ended_at"),
        settled_at=document.get("settled_at"),
        cost_cents=decimal_of(document.get("cost_cents")),
        looks=document.get("looks", 0),
        stop_requested_at=document.get("stop_requested_at"),
        revision=document.get("revision", 0),
        use_case=UseCaseId(document["use_case"]),
        owed_minor=(document.get("owed") or {}).get("total_minor"),
        currency=(document.get("owed") or {}).get("currency"),
        details_due=document.get("details_due"),
        is_metered=document.get("is_metered", False),
    )
