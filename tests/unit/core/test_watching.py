"""When a call is looked at."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.core.watching import OVERDUE, PAGE, PAGES_EVERY, Traffic, until_next_page, watch
from tests.builders import MONDAY_NOON

INTERVAL = timedelta(seconds=15)
HEARD = MONDAY_NOON - timedelta(minutes=1)


def test_by_the_interval_while_nothing_is_known_of_webhooks():
    assert watch(Traffic(), INTERVAL, MONDAY_NOON).chain == INTERVAL


def test_first_when_it_is_overdue_while_webhooks_arrive():
    assert watch(Traffic(heard_at=HEARD), INTERVAL, MONDAY_NOON).chain == OVERDUE


@pytest.mark.parametrize(
    ("heard", "missed"),
    [
        (timedelta(minutes=11), None),  # too long ago
        (timedelta(minutes=1), timedelta(seconds=90)),  # one was missed lately
    ],
)
def test_webhooks_that_cannot_be_relied_on(heard, missed):
    traffic = Traffic(0, MONDAY_NOON - heard, MONDAY_NOON - missed if missed else None)
    assert watch(traffic, INTERVAL, MONDAY_NOON).chain == INTERVAL


def test_a_missed_webhook_is_forgiven():
    traffic = Traffic(0, HEARD, MONDAY_NOON - timedelta(minutes=3))
    assert traffic.webhooks_arrive(MONDAY_NOON)


def test_a_crowd_is_looked_at_in_pages_and_in_time():
    watched = watch(Traffic(in_flight=PAGE + 1), INTERVAL, MONDAY_NOON)
    assert watched.chain is None
    assert watched.lease + PAGES_EVERY < INTERVAL


def test_what_is_left_of_a_crowd_is_looked_at_in_time_too():
    left = Traffic(in_flight=PAGE)
    assert until_next_page(left, INTERVAL, MONDAY_NOON) + PAGES_EVERY < INTERVAL


@given(
    st.integers(0, 20_000),
    st.none() | st.integers(0, 3600),
    st.none() | st.integers(0, 3600),
    st.floats(0.1, 3600),
)
def test_somebody_always_looks_and_no_countdown_is_long(in_flight, heard, missed, interval):
    def ago(seconds):
        return None if seconds is None else MONDAY_NOON - timedelta(seconds=seconds)

    traffic = Traffic(in_flight, ago(heard), ago(missed))
    watched = watch(traffic, timedelta(seconds=interval), MONDAY_NOON)
    assert timedelta(0) < watched.lease <= OVERDUE + PAGES_EVERY
    if watched.chain is not None:  # a chain goes first; the pages are the net under it
        assert timedelta(0) < watched.chain <= OVERDUE
        assert watched.lease == watched.chain + PAGES_EVERY
    assert (watched.chain is None) == traffic.is_crowded
