"""The breaker opens after failures in a row, pauses longer each time, and forgets at the first answer."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from speechai.core.breaker import CLOSED, FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from tests.builders import MONDAY_NOON


def after(failures: int) -> Breaker:
    breaker = CLOSED
    for _ in range(failures):
        breaker = breaker.failed(MONDAY_NOON, "no connection", probe=breaker.is_open)
    return breaker


def test_single_failures_open_nothing():
    assert not after(FAILURES_TO_OPEN - 1).is_open
    assert not after(FAILURES_TO_OPEN - 1).forbids(MONDAY_NOON)


def test_failures_in_a_row_open_it_until_the_probe():
    breaker = after(FAILURES_TO_OPEN)
    assert breaker.is_open and breaker.last_error == "no connection"
    assert breaker.forbids(MONDAY_NOON + FIRST_PAUSE - timedelta(milliseconds=1))
    assert not breaker.forbids(MONDAY_NOON + FIRST_PAUSE)


@given(st.integers(FAILURES_TO_OPEN, 200))
def test_the_pause_grows_up_to_a_limit_and_the_beginning_is_remembered(failures):
    now, before = after(failures), after(failures + 1)
    assert MONDAY_NOON + FIRST_PAUSE <= now.probe_at <= before.probe_at <= MONDAY_NOON + LONGEST_PAUSE
    later = now.failed(MONDAY_NOON + timedelta(hours=1), "x", probe=True)
    assert later.opened_at == MONDAY_NOON


def test_calls_that_were_on_their_way_when_it_opened_do_not_lengthen_the_pause():
    breaker = after(FAILURES_TO_OPEN)
    for seconds in range(20):
        breaker = breaker.failed(MONDAY_NOON + timedelta(seconds=seconds), "timeout")
    assert breaker == after(FAILURES_TO_OPEN)
