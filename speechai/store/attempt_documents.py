"""Attempts as they are stored, and back: reservations, and what of a day they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from speechai.catalog.use_cases import UseCaseId
from speechai.core.call import Call
from speechai.core.caps import PastCall
from speechai.core.model import Attempt, Batch, Job, Taken
from speechai.core.outcomes import CONVERSATIONS, Outcome
from speechai.core.states import AttemptState
from speechai.core.zones import local_day
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
    """Whose day is asked about: a person on its local date, and its numbers (by their keys) on theirs."""

    person_id: str
    person_day: date
    numbers: Mapping[str, date]


@dataclass(frozen=True, slots=True)
class Line:
    """The number that is dialed, and how its calls are counted."""

    number: str  # E.164
    key: str  # under which its calls are counted: apart, for an isolated account
    day: date  # the local date on which this call counts for it


@dataclass(frozen=True, slots=True)
class Reservation:
    """What an attempt is reserved with: for whom, on which line, by which verdict, under whose lease."""

    attempt_id: str
    job: Job
    batch: Batch
    line: Line
    from_number: str
    taken: Taken
    calls_per_day: int
    is_metered: bool
    provider: str
    verdict: Document
    worker: str
    instant: datetime
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Around:
    """The calls around a person and its numbers, as they were read."""

    wanted: Wanted
    of_person: Sequence[Document]
    of_number: Mapping[str, Sequence[Document]]  # by key; other people's too
    look_back_days: int

    def struck(self, account_id: str) -> frozenset[str]:
        """The numbers that some call of the account found not to be this person's, or to be none."""
        return frozenset(
            row["to_number"]
            for row in self.of_person
            if row.get("strikes") and row["account_id"] == account_id
        )

    def taken(self, number_key: str) -> Taken:
        """What of the person's day, and of that number's, is taken, and whether a call to either is open."""
        wanted, of_number = self.wanted, self.of_number.get(number_key, ())
        since = (wanted.person_day - timedelta(days=self.look_back_days - 1)).isoformat()
        rang = {
            row["_id"]: row
            for row in (*self.of_person, *of_number)
            if "person_place" in row and row["person_day"] >= since
        }
        number_day = wanted.numbers.get(number_key, wanted.person_day)
        return Taken(
            person_places=_places("person", self.of_person, wanted.person_day),
            number_places=_places("number", of_number, number_day),
            person_open=any("open_person" in row for row in self.of_person),
            number_open=any("open_number" in row for row in of_number),
            calls=tuple(_past_call(row, wanted.person_id, number_key) for row in rang.values()),
        )


def _places(of: str, rows: Sequence[Document], day: date) -> frozenset[int]:
    text = day.isoformat()
    return frozenset(row[f"{of}_place"] for row in rows if row[f"{of}_day"] == text and f"{of}_place" in row)


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
    job, line = wanted.job, wanted.line
    return {
        "_id": wanted.attempt_id,
        "attempt_id": wanted.attempt_id,
        "schema_version": SCHEMA_VERSION,
        "job_id": job.id,
        "batch_id": job.batch_id,
        "account_id": job.account_id,
        "person_id": job.person_id,
        "to_number": line.number,
        "number_key": line.key,
        "from_number": wanted.from_number,
        "provider": wanted.provider,
        "person_day": local_day(wanted.instant, job.zone).isoformat(),
        "number_day": line.day.isoformat(),
        "person_place": person_place,
        "number_place": number_place,
        "open_person": job.person_id,
        "open_number": line.key,
        "uses_place": True,
        "status": AttemptState.RESERVED.value,
        "history": [{"at": wanted.instant, "status": AttemptState.RESERVED.value}],
        "verdict": wanted.verdict,
        "use_case": wanted.batch.use_case.value,
        # what the person owes as the call is placed: what a promise made on it is checked against
        "owed": {"total_minor": job.debt.total_minor, "currency": job.debt.currency} if job.debt else None,
        "is_metered": wanted.is_metered,
        **MARK,
        "unlinked": True,  # no link in the chain of evidence yet
        "worker_id": wanted.worker,
        "reserved_at": wanted.instant,
        "posted_at": None,
        "posts": 0,
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
        call=Call.of(document.get("call")),
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
        posts=document.get("posts", 0),
        refined_at=(document.get("refined") or {}).get("at"),
        is_erased="erased_at" in document,
        job_due=document.get("job_due"),
    )
