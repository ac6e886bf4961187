"""The daily limits and the slots under real concurrency, on the real mongod (I2, I5)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from speechai.core.model import Taken
from speechai.core.outcomes import Outcome
from speechai.core.states import AttemptState, JobState
from speechai.store import connect, open_store
from speechai.store.attempt_documents import (
    AlreadyOpenError,
    Line,
    LookAgainError,
    NoPlaceLeftError,
    Reservation,
    Wanted,
)
from tests.builders import MONDAY_NOON, a_batch, a_job

DAY = date(2026, 11, 23)
PERSON, NUMBER = "CL:RUT:111111111", "+56911111111"


@pytest.fixture
def store(mongo_uri, database):
    store = open_store(connect(mongo_uri, database))
    store.ensure_indexes()
    store.pacing.ensure("p")
    return store


def a_reservation(attempt_id, *, person_id=PERSON, number=NUMBER, **changes):
    values = {
        "attempt_id": attempt_id,
        "job": a_job(id=f"job-of-{attempt_id}", person_id=person_id),
        "batch": a_batch(),
        "line": Line(number, number, DAY),
        "from_number": "+56600123456",
        "is_metered": False,
        "calls_per_day": 3,
        "provider": "p",
        "taken": Taken(),
        "verdict": {},
        "worker": "test",
        "instant": MONDAY_NOON,
        "lease_seconds": 60,
    }
    return Reservation(**{**values, **changes})


def reserve(store, attempt_id, **changes):
    """Look at what is taken, and reserve: what a dialer does."""
    wanted = a_reservation(attempt_id, **changes)
    day = wanted.instant.astimezone(wanted.job.zone).date()
    around = store.attempts.around([Wanted(wanted.job.person_id, day, {wanted.line.key: wanted.line.day})])
    store.attempts.reserve(replace(wanted, taken=around[0].taken(wanted.line.key)))


def settle(store, attempt_id, *, rang=True):
    store.attempts.begin_dialing(attempt_id, MONDAY_NOON, 60)
    store.attempts.placed(attempt_id, {"call_id": f"call_{attempt_id}"}, "token", MONDAY_NOON, 60)
    return store.attempts.settle(
        store.attempts.get(attempt_id),
        Outcome.NO_ANSWER,
        rang=rang,
        cost_cents=Decimal("1.5"),
        instant=MONDAY_NOON,
        details_due=None,
    )


def taken(store, look_back_days=1):
    wanted = [Wanted(PERSON, DAY, {NUMBER: DAY})]
    return store.attempts.around(wanted, look_back_days=look_back_days)[0].taken(NUMBER)


def race(count, work):
    """Run `work(n)` in `count` threads that start together; what each returned or raised."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait()
        try:
            return work(number)
        except (NoPlaceLeftError, AlreadyOpenError, LookAgainError) as error:
            return type(error)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_fifty_workers_for_one_person_open_one_call(store):
    results = race(50, lambda n: reserve(store, f"att-{n}", number=f"+5691111{n:04d}"))
    assert results.count(None) == 1


def test_fifty_workers_for_one_number_open_one_call(store):
    results = race(50, lambda n: reserve(store, f"att-{n}", person_id=f"CL:RUT:{n}"))
    assert results.count(None) == 1


def test_the_cap_of_the_day_holds_however_fast_calls_end(store):
    def dial(number):
        reserve(store, f"att-{number}")
        settle(store, f"att-{number}")
        return "rang"

    rang = 0
    for round_ in range(6):
        results = race(12, lambda n, round_=round_: dial(round_ * 100 + n))
        rang += results.count("rang")
    assert rang == 3
    assert len(taken(store).person_places) == 3


@pytest.mark.parametrize(
    "other",
    [
        lambda number: {"number": f"+5691111{number:04d}"},  # a person's many numbers
        lambda number: {"person_id": f"CL:RUT:{number}"},  # a number's many people
    ],
)
def test_the_cap_binds_the_person_over_all_numbers_and_the_number_over_all_people(store, other):
    def dial(number):
        reserve(store, f"att-{number}", **other(number))
        settle(store, f"att-{number}")
        return "rang"

    results = [result for round_ in range(6) for result in race(8, lambda n, r=round_: dial(r * 100 + n))]
    assert results.count("rang") == 3


def test_a_look_that_is_out_of_date_is_refused_whatever_has_happened_since(store):
    old = a_reservation("att-late")  # it saw nothing taken, …
    reserve(store, "att-1")
    settle(store, "att-1")  # … and then the person was called, and the call is over
    with pytest.raises(LookAgainError):
        store.attempts.reserve(old)


def test_the_days_before_are_seen_where_a_cap_needs_them(store):
    yesterday = DAY - timedelta(days=1)
    reserve(store, "att-1", instant=MONDAY_NOON - timedelta(days=1), line=Line(NUMBER, NUMBER, yesterday))
    settle(store, "att-1")
    assert taken(store).calls == ()
    week = taken(store, look_back_days=7)
    [call] = week.calls
    assert (call.day, call.of_person, call.of_number, call.is_conversation) == (yesterday, True, True, False)
    assert week.person_places == frozenset()


def test_a_dial_that_rang_nobody_gives_its_places_back(store):
    for number in range(5):
        reserve(store, f"att-{number}")
        assert settle(store, f"att-{number}", rang=False)
    assert len(taken(store).person_places) == 0
    assert len(taken(store).number_places) == 0


def test_a_new_day_has_new_places(store):
    for number in range(3):
        reserve(store, f"att-{number}")
        settle(store, f"att-{number}")
    with pytest.raises(NoPlaceLeftError):
        reserve(store, "att-4")
    tomorrow = MONDAY_NOON + timedelta(days=1)
    reserve(store, "att-5", instant=tomorrow, line=Line(NUMBER, NUMBER, tomorrow.date()))


def test_an_attempt_settles_once_and_for_good(store):
    reserve(store, "att-1")
    store.attempts.begin_dialing("att-1", MONDAY_NOON, 60)
    store.attempts.placed("att-1", {"call_id": "call_1"}, "token", MONDAY_NOON, 60)
    ongoing = store.attempts.get("att-1")
    results = race(
        20,
        lambda n: store.attempts.settle(
            ongoing,
            Outcome.NO_ANSWER if n % 2 else Outcome.BUSY,
            rang=True,
            cost_cents=Decimal(n),
            instant=MONDAY_NOON,
            details_due=None,
        ),
    )
    assert results.count(True) == 1
    before = store.attempts.get("att-1")
    for move in (
        lambda: store.attempts.release("att-1", "x", MONDAY_NOON, MONDAY_NOON, before=AttemptState.DIALING),
        lambda: store.attempts.unknown("att-1", "x", MONDAY_NOON, 60),
        lambda: store.attempts.begin_dialing("att-1", MONDAY_NOON, 60),
        lambda: store.attempts.placed("att-1", {"call_id": "call_9"}, "t", MONDAY_NOON, 60),
        lambda: store.attempts.needs_review(store.attempts.get("att-1"), MONDAY_NOON),
    ):
        assert move() is False
    assert store.attempts.get("att-1") == before


def test_slots_are_never_more_than_there_are(store):
    results = race(40, lambda n: store.pacing.take_slot("p", f"att-{n}", 7, "a"))
    assert sum(traffic is not None for traffic in results) == 7
    assert store.pacing.slots("p", 7).free == 0
    # Lowering the limit hangs up nobody, and gives no slot away either.
    assert store.pacing.slots("p", 3).free == 0
    assert not store.pacing.take_slot("p", "att-99", 3, "a")


def test_a_slot_is_given_back_once(store):
    assert store.pacing.take_slot("p", "att-1", 5, "a")
    assert not store.pacing.take_slot("p", "att-1", 5, "a")  # the same owner twice
    results = race(20, lambda _: store.pacing.free_slot("p", "att-1", "a"))
    assert results.count(True) == 1
    assert store.pacing.slots("p", 5).free == 5


def test_leaked_slots_name_their_owner(store):
    store.pacing.take_slot("p", "att-gone", 5, "a")
    assert store.pacing.holders(older_than_seconds=60) == []
    assert store.pacing.holders(older_than_seconds=-1) == [("p", "att-gone", "a")]
    assert store.attempts.open_ids(["att-gone"]) == set()


def test_leases_end_by_the_databases_clock(store):
    reserve(store, "att-1", lease_seconds=60)
    reserve(store, "att-2", person_id="CL:RUT:2", number="+56922222222", lease_seconds=-1)
    expired = store.attempts.expired(AttemptState.RESERVED)
    assert [attempt.id for attempt in expired] == ["att-2"]


def test_the_group_of_the_day_is_never_larger_than_its_limit(store):
    results = race(40, lambda _: store.groups.take_place("batch-1", DAY, 10))
    assert results.count(True) == 10
    assert store.groups.size("batch-1", DAY) == 10


def test_the_totals_are_the_sums_of_the_attempts(store):
    for number in range(3):
        reserve(store, f"att-{number}")
        settle(store, f"att-{number}", rang=number > 0)
    sums = store.tallies.read("batch-1")
    assert (sums.dials, sums.rings) == (3, 2)
    assert sums.cost_cents == Decimal("4.5")
    assert sums.outcomes == {"no_answer": 3}


@pytest.mark.parametrize(
    ("wanted", "order", "examined"),
    [
        (
            {
                "status": "pending",
                "waiting_for": {"$in": ["turn", "hour"]},
                "next_attempt_at": {"$lte": MONDAY_NOON},
            },
            {"next_attempt_at": 1, "seq": 1},
            1,
        ),
        ({"status": "pending", "waiting_for": "wave", "group_date": None}, {"seq": 1}, 1),
        ({"status": {"$in": ["pending", "in_progress", "suspended"]}}, {}, 1),
        ({"status": {"$in": list(JobState)}}, {"_id": 1}, len(JobState)),
        ({"status": "failed"}, {"_id": 1}, 0),
        ({"batch_id": {"$exists": True}, "status": "suspended"}, {}, 0),
        ({"batch_id": {"$exists": True}, "person_id": {"$in": ["p-7"]}, "status": "pending"}, {}, 1),
    ],
)
def test_a_job_is_found_by_an_index_however_many_there_are(store, wanted, order, examined):
    store.db["call_jobs"].insert_many(
        {
            "_id": f"job-{number}",
            "batch_id": "b",
            "person_id": f"p-{number}",
            "status": "done" if number < 900 else "pending",
            "waiting_for": "wave" if number % 2 else "turn",
            "next_attempt_at": MONDAY_NOON - timedelta(seconds=1),
            "group_date": None,
            "seq": number,
        }
        for number in range(1000)
    )
    find = {"find": "call_jobs", "filter": {"batch_id": "b", **wanted}, "sort": order}
    plan = store.db.command("explain", {**find, "limit": 1}, verbosity="executionStats")
    assert plan["executionStats"]["totalDocsExamined"] <= examined
