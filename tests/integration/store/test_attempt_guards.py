"""What was read of an attempt is not so any more: whoever was slower writes nothing (I1, I2, I7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from speechai.core.call import Call
from speechai.core.outcomes import Outcome
from speechai.core.states import AttemptState
from speechai.store.attempt_documents import LookAgainError, Wanted
from tests.builders import MONDAY_NOON
from tests.integration.store.test_reservation import DAY, Line, a_reservation, reserve, settle, store

__all__ = ["store"]

OTHER = "+56922222222"
ENDED = Call.of({"call_id": "call_att-1", "call_status": "ended", "disconnection_reason": "user_hangup"})
ANALYSED = Call.of({**ENDED.kept, "call_analysis": {"call_successful": True}})


def an_ongoing(store):
    reserve(store, "att-1")
    store.attempts.begin_dialing("att-1", MONDAY_NOON, 60)
    store.attempts.placed("att-1", {"call_id": "call_att-1"}, "token", MONDAY_NOON, 60)
    return store.attempts.get("att-1")


def an_unknown(store):
    reserve(store, "att-1")
    store.attempts.begin_dialing("att-1", MONDAY_NOON, 60)
    store.attempts.unknown("att-1", "read timed out", MONDAY_NOON, 60)
    return store.attempts.get("att-1")


def observe(store, before, call):
    return store.attempts.observe(before, call, MONDAY_NOON, ended=True, lease_seconds=60)


def settle_as(store, before, outcome):
    return store.attempts.settle(
        before, outcome, rang=True, cost_cents=Decimal(1), instant=MONDAY_NOON, details_due=None
    )


def amend(store, before, call):
    return store.attempts.amend(before, call, Decimal(2), MONDAY_NOON, None, None)


def test_a_persons_place_is_one_over_all_numbers(store):
    old = a_reservation("att-late", line=Line(OTHER, OTHER, DAY))
    reserve(store, "att-1")
    settle(store, "att-1")
    with pytest.raises(LookAgainError):
        store.attempts.reserve(old)


def test_a_numbers_place_is_one_over_all_people(store):
    old = a_reservation("att-late", person_id="CL:RUT:222222222")
    reserve(store, "att-1")
    settle(store, "att-1")
    with pytest.raises(LookAgainError):
        store.attempts.reserve(old)


def test_a_reservation_takes_nobody_elses_id(store):
    """It is an upsert: what is there under the id stays as it is."""
    before = an_ongoing(store)
    again = a_reservation("att-1", person_id="CL:RUT:222222222", line=Line(OTHER, OTHER, DAY))
    with pytest.raises(LookAgainError):
        store.attempts.reserve(again)
    assert store.attempts.get("att-1") == before


def test_what_was_read_before_an_answer_came_in_does_not_settle_it(store):
    before = an_ongoing(store)
    assert observe(store, before, ANALYSED)
    assert not settle_as(store, before, Outcome.NO_ANSWER)
    assert store.attempts.get("att-1").status is AttemptState.ONGOING
    assert settle_as(store, store.attempts.get("att-1"), Outcome.GOAL_MET)


def test_of_two_answers_at_once_the_second_reads_again(store):
    before = an_ongoing(store)
    assert observe(store, before, ANALYSED)
    assert not observe(store, before, ENDED)
    assert store.attempts.get("att-1").call.analysis


def test_a_final_attempt_takes_no_answer_but_by_an_amendment(store):
    before = an_ongoing(store)
    assert settle_as(store, before, Outcome.NO_ANSWER)
    assert not observe(store, before, ANALYSED)
    settled = store.attempts.get("att-1")
    assert not amend(store, before, ANALYSED)  # nor one that was read while it went on
    assert amend(store, settled, ANALYSED)
    assert not amend(store, settled, ENDED)
    assert store.attempts.get("att-1").status is AttemptState.SETTLED


def test_news_that_came_after_those_that_were_obeyed_are_still_to_be_obeyed(store):
    settle_as(store, an_ongoing(store), Outcome.NO_ANSWER)
    first = store.attempts.get("att-1")
    assert amend(store, first, ENDED)
    second = store.attempts.get("att-1")
    assert amend(store, second, ANALYSED)
    store.attempts.applied("att-1", second.revision)
    assert [attempt.id for attempt in store.attempts.unapplied()] == ["att-1"]
    store.attempts.applied("att-1", second.revision + 1)
    assert store.attempts.unapplied() == []


def test_only_a_look_that_was_answered_is_a_look(store):
    """What is posted again was looked for in vain twice; a time-out looked for nothing."""
    an_unknown(store)
    store.attempts.searched("att-1", MONDAY_NOON, answered=False, lease_seconds=60)
    assert store.attempts.get("att-1").looks == 0
    store.attempts.searched("att-1", MONDAY_NOON, answered=True, lease_seconds=60)
    assert store.attempts.get("att-1").looks == 1


@pytest.mark.parametrize("stale", [{"posts": 0}, {"last_posted_at": MONDAY_NOON - timedelta(minutes=1)}])
def test_a_repost_is_of_what_was_read(store, stale):
    before = an_unknown(store)
    assert not store.attempts.dial_again(replace(before, **stale), MONDAY_NOON, 60)
    assert store.attempts.dial_again(before, MONDAY_NOON, 60)


def test_what_is_found_is_no_longer_missing(store):
    an_ongoing(store)
    store.attempts.missing_since("att-1", MONDAY_NOON + timedelta(hours=1))
    store.attempts.searched("att-1", MONDAY_NOON, answered=True, lease_seconds=60)
    found = store.attempts.get("att-1")
    assert (found.last_posted_at, found.looks) == (MONDAY_NOON, 0)


def test_a_number_is_struck_for_the_account_whose_call_found_it_out(store):
    attempt = an_ongoing(store)
    store.attempts.strike("att-1")
    [around] = store.attempts.around([Wanted(attempt.person_id, DAY, {})])
    assert around.struck("default") == {attempt.to_number}
    assert around.struck("another") == frozenset()
