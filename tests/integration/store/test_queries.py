"""Every query of the store on a filled database: none scans a collection, none sorts in memory.

Every public method of every repository is called, its arguments found by their names; a new method is covered
as it is, or fails here until `ARGUMENTS` knows its arguments. The server's own profiler is the judge.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from speechai.catalog.accounts import Account, Plan
from speechai.core.breaker import CLOSED
from speechai.core.call import Call
from speechai.core.model import Taken
from speechai.core.money import EntryKind, Price
from speechai.core.next_step import Step
from speechai.core.outcomes import Outcome
from speechai.core.promises import PromiseState
from speechai.core.states import AttemptState, BatchState, JobReason, JobState, WaveState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.operation import recovery
from speechai.operation.campaigns import batches, waterfall
from speechai.operation.services import Services
from speechai.results import reports
from speechai.store import Store
from speechai.store.attempt_documents import (
    AlreadyOpenError,
    Line,
    LookAgainError,
    NoPlaceLeftError,
    Reservation,
    Wanted,
)
from speechai.store.erasure import Erasure, Traces
from speechai.store.funds import Entry
from speechai.store.merging import Merge
from tests.builders import MONDAY_NOON, a_batch, a_debt, a_job, an_attempt
from tests.fakes import Worker
from tests.integration.operation.conftest import add_batch, job_id, make, phone, provider, services
from tests.integration.store.profiling import profiled, slow

__all__ = ["make", "provider", "services"]

PEOPLE = 60  # of each batch
TODAY = date(2026, 11, 23)
DAY_AGO = MONDAY_NOON - timedelta(days=1)
NEW_JOB = {"batch_id": "batch-9", "status": "pending", "attempts": 0}
TRACES = Traces(frozenset({"Ana"}), frozenset({"111111111"}), frozenset({phone(1)}))
ACCOUNT = Account("default", "Casa Ejemplo", Plan.CREDIT, "America/Santiago", None, ())

ARGUMENTS: dict[str, Any] = {
    "account": ACCOUNT,
    "aliases": ["TEL:+56961000001"],
    "as_of": TODAY,
    "account_id": "default",
    "after": None,
    "alias": "TEL:+56961000001",
    "at": MONDAY_NOON,
    "attempt": an_attempt(),
    "attempt_id": "att-1",
    "attempt_ids": ["att-1", "att-2"],
    "attempts": 1,
    "attempts_collection": "call_logs",
    "answered": True,
    "batch": a_batch(),
    "batch_id": "batch-1",
    "batch_ids": ["batch-1", "batch-2"],
    "because": "a test",
    "before": an_attempt(),
    "breaker": CLOSED,
    "by": "test",
    "call": {"call_id": "call_1", "call_status": "ongoing"},
    "call_id": "call_1",
    "call_ids": ["call_1"],
    "changes": {"note": "changed"},
    "cost_cents": Decimal(1),
    "day": TODAY,
    "debts": {job_id(number=1): a_debt(), job_id(number=2): None},
    "details": {"at": MONDAY_NOON},
    "details_due": None,
    "due": None,
    "edit": {"at": MONDAY_NOON, "by": "test"},
    "edits": 0,
    "email": "ana@example.com",
    "ended": True,
    "entry_id": "entry-1",
    "erasure": Erasure("ERASED:1", "CL:RUT:10000001", ("TEL:+56961000001",), MONDAY_NOON),
    "error": "no answer",
    "every": timedelta(minutes=1),
    "from_number": "+56600123456",
    "instant": MONDAY_NOON,
    "job": a_job(id=job_id()),
    "job_id": job_id(),
    "job_ids": [job_id(number=number) for number in range(1, 9)],
    "key": "a key",
    "keys": [phone(1), "CL:RUT:10000001"],
    "lease_seconds": 120.0,
    "longest": timedelta(hours=1),
    "limit": 10,
    "merges": {job_id(): Merge("c", [2], "Ana", [phone(2)], None, None, None, a_debt(), {}, {}, False)},
    "most": 10,
    "name": "a key",
    "next_attempt_at": MONDAY_NOON,
    "number": phone(1),
    "number_day": TODAY,
    "older_than_seconds": 0.0,
    "part": "unknown",
    "refined": Outcome.GOAL_MET,
    "refusal": {"status": 400},
    "outcome": Outcome.NO_ANSWER,
    "paid_minor": 100,
    "password_hash": "hash",
    "owed_since": MONDAY_NOON,
    "patience": timedelta(seconds=120),
    "people": [f"CL:RUT:{10_000_000 + number}" for number in range(1, 9)],
    "person_day": TODAY,
    "person_id": "CL:RUT:10000001",
    "person_ids": [f"CL:RUT:{10_000_000 + number}" for number in range(1, 500)],
    "poll_token": "token",
    "price": Price(units=Decimal(1), cents=Decimal(1)),
    "provider": "http://127.0.0.1:9#test",
    "pseudonym": "ERASED:1",
    "reason": JobReason.NO_CREDIT,
    "registry": "no-molestar",
    "result": {"note": "later"},
    "quiet_seconds": 120.0,
    "rang": True,
    "revision": 0,
    "rows": [{"row": 1, "error": "no"}],
    "rules": ["window"],
    "scopes": ["everybody"],
    "seconds": 120.0,
    "sha256": "batch-1",
    "since": DAY_AGO,
    "slot": "09:00",
    "slots": 5,
    "state": AttemptState.UNKNOWN,
    "status": None,
    "step": Step(JobState.PENDING, waiting=Waiting(WaitingFor.TURN, MONDAY_NOON)),
    "text": "persona",
    "to_number": phone(1),
    "today": TODAY,
    "traces": TRACES,
    "token": "token",
    "until": MONDAY_NOON + timedelta(hours=9),
    "waiting": Waiting(WaitingFor.WAVE, MONDAY_NOON),
    "when": MONDAY_NOON,
    "why": "a test",
    "worker": "test",
}
# Where a name means something else in one repository or method.
OWN: dict[str, dict[str, Any]] = {
    "accounts.set_slots": {"slots": 5},
    "accounts.change": {"before": ACCOUNT},
    "batches.begin_upload": {
        "document": {"_id": "batch-8", "account_id": "none", "provider": "p", "file": {"claim": "x"}}
    },
    "tallies.count_new": {"jobs": 3},
    "batches.move_provider": {"before": "p", "after": "q"},
    "batches.insert": {"document": {"_id": "batch-9", "status": "draft", "provider": "p"}},
    "batches.move": {"target": BatchState.PAUSED},
    "batches.page": {"before": "batch-9"},
    "breakers.take_probe": {"patience": timedelta(seconds=1)},
    "do_not_call.add": {
        "entries": [
            {
                "_id": "entry-9",
                "key": phone(9),
                "scope": "everybody",
                "at": DAY_AGO,
                "by": "test",
                "reason": "a letter",
                "source": "list",
            }
        ]
    },
    "do_not_call.page": {"before": "entry-5"},
    "evidence.append": {"link": {"_id": "att-900", "person_id": "CL:RUT:1", "seq": 1}},
    "funds.charge": {
        "entry": Entry("call:att-1", EntryKind.CALL, Decimal(-1), "call", MONDAY_NOON, attempt_id="att-1")
    },
    "funds.charge_rest": {"entry": Entry("call:att-1", EntryKind.CALL, Decimal(-2), "call", MONDAY_NOON)},
    "funds.ledger": {"before": f"{MONDAY_NOON.isoformat()}|entry-5"},
    "funds.post": {"entry": Entry("top-up:1", EntryKind.TOP_UP, Decimal(5), "test", MONDAY_NOON)},
    "jobs.apply": {"result": {}},
    "jobs.finish": {"state": JobState.FAILED},
    "jobs.hold": {"step": Step(JobState.SUSPENDED, JobReason.PROVIDER_REFUSED)},
    "jobs.insert_many": {"documents": [{"_id": "job-9", "uncounted": True, **NEW_JOB}]},
    "tallies.insert_new": {"documents": [{"_id": "job-8", **NEW_JOB}]},
    "groups.sizes": {"days": {"batch-1": TODAY, "batch-2": TODAY}},
    "pacing.set_limit": {"limit": 20},
    "payments.add": {"payments": [{"_id": "payment-9", "account_id": "default", "person_id": "CL:RUT:1"}]},
    "payments.judge_promise": {"state": PromiseState.KEPT},
    "uploads.purge": {"before": DAY_AGO},
    "waves.record": {"status": WaveState.MISSED, "slot": "12:00"},
    "waves.move": {"target": WaveState.RUN},
    "attempts.expired": {"state": AttemptState.DIALING},
    "attempts.reserve": {
        "wanted": Reservation(
            attempt_id="att-800",
            job=a_job(id=job_id(number=8), person_id="CL:RUT:10000008"),
            batch=a_batch(),
            line=Line(phone(8), phone(8), TODAY),
            from_number="+56600123456",
            taken=Taken(),
            calls_per_day=3,
            is_metered=False,
            provider="p",
            verdict={},
            worker="test",
            instant=MONDAY_NOON,
            lease_seconds=120,
        )
    },
    "attempts.around": {"wanted": [Wanted("CL:RUT:10000001", TODAY, {phone(1): TODAY})]},
    "attempts.release": {"before": AttemptState.RESERVED},
    "attempts.observe": {"call": Call.of({"call_id": "call_1", "call_status": "ongoing"})},
    "attempts.amend": {"call": Call.of({"call_id": "call_1", "call_status": "ended"})},
}
# Files are GridFS's own: by id, but for `purge`.
NOT_CALLED = {"uploads.save", "uploads.fetch", "users.get", "api_keys.fingerprint"}
EXPECTED = (NoPlaceLeftError, AlreadyOpenError, LookAgainError)


@pytest.fixture
def filled(services: Services) -> Services:
    """Batches in every state, people called and not, and something in every other collection."""
    store, db = services.store, services.store.db
    for number in range(1, 5):
        start = (None, "now", "next_wave", "now")[number - 1]
        people = [f"CL:RUT:{10_000_000 * number + person}" for person in range(1, PEOPLE + 1)]
        phones = [[phone(1000 * number + person)] for person in range(1, PEOPLE + 1)]
        add_batch(services, PEOPLE, batch_id=f"batch-{number}", start=start, person_ids=people, phones=phones)
    worker = services.nudges
    assert isinstance(worker, Worker)
    worker.run()
    db["persons"].insert_many(
        {"_id": f"TEL:+5696200{number:04d}", "joined_into": f"CL:RUT:{number}", "joined_at": DAY_AGO}
        for number in range(300)
    )
    db["do_not_call"].insert_many(
        {"_id": f"entry-{number}", "key": phone(number), "scope": "x", "in_force": True, "at": DAY_AGO}
        for number in range(5000, 5300)
    )
    db["waves"].insert_many(
        {"_id": f"w{number}", "batch_id": f"old-{number}", "day": "2026-11-20", "slot": "x", "status": "run"}
        for number in range(300)
    )
    store.funds.post("default", Entry("t", EntryKind.TOP_UP, Decimal(5), "test", DAY_AGO))
    return services


def methods(store: Store) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public method of every repository."""
    for part in store.__dataclass_fields__:
        repository = getattr(store, part)
        if not type(repository).__name__.endswith("Repository"):
            continue
        for name, method in inspect.getmembers(repository, inspect.ismethod):
            if not name.startswith("_") and f"{part}.{name}" not in NOT_CALLED:
                yield f"{part}.{name}", method


def arguments_of(name: str, method: Callable[..., Any]) -> dict[str, Any]:
    known = {**ARGUMENTS, **OWN.get(name, {})}
    wanted = inspect.signature(method).parameters
    unknown = [one for one, how in wanted.items() if one not in known and how.default is how.empty]
    assert not unknown, f"{name}: give {unknown} a value in ARGUMENTS or OWN, so that its query is looked at"
    return {one: known[one] for one, how in wanted.items() if one in known and how.default is how.empty}


def test_no_query_of_the_store_scans_or_sorts(filled):
    store = filled.store
    with profiled(store) as entries:
        for name, method in methods(store):
            with contextlib.suppress(*EXPECTED):
                answer = method(**arguments_of(name, method))
                if inspect.isgenerator(answer):
                    list(itertools.islice(answer, 5))
    assert entries
    assert slow(entries) == []


@pytest.mark.parametrize("batch_id", [None, "batch-1"])
@pytest.mark.parametrize("status", [None, JobState.PENDING, JobState.DONE])
def test_a_page_of_jobs_reads_no_more_than_it_shows(filled, batch_id, status):
    pages = filled.store.job_reports
    with profiled(filled.store) as entries:
        for after in (None, job_id(number=3)):
            pages.page(batch_id=batch_id, status=status, limit=10, after=after)
    assert slow(entries) == []
    assert max(entry["docsExamined"] for entry in entries if "docsExamined" in entry) <= 10


def test_no_operation_scans_or_sorts(filled):
    with profiled(filled.store) as entries:
        recovery.sweep(filled)
        filled.nudges.tick()
        batches.view(filled, "batch-2")
        waterfall.of_batch(filled, "batch-3")
        reports.batch_report(filled, "batch-2")
        batches.pause(filled, "batch-3")
        batches.resume(filled, "batch-3")
        batches.start(filled, "batch-1", "next_wave")
        batches.cancel(filled, "batch-4")
        filled.clock.advance(timedelta(hours=21))
        filled.nudges.tick()
    assert entries
    assert slow(entries) == []
