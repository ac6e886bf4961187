"""When a call is looked at."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.core.watching import OVERDUE, PAGE, PAGES_EVERY, Patience, Traffic, until_next_page, watch
from tests.builders import MONDAY_NOON

INTERVAL = timedelta(seconds=15)
PATIENCE = Patience(INTERVAL, lease=timedelta(seconds=120))
HEARD = MONDAY_NOON - timedelta(minutes=1)


def test_by_the_interval_while_nothing_is_known_of_webhooks():
    assert watch(Traffic(), PATIENCE, MONDAY_NOON).chain == INTERVAL


def test_first_when_it_is_overdue_while_webhooks_arrive():
    assert watch(Traffic(heard_at=HEARD), PATIENCE, MONDAY_NOON).chain == OVERDUE


@pytest.mark.parametrize(
    ("heard", "missed"),
    [
        (timedelta(minutes=11), None),  # too long ago
        (timedelta(minutes=1), timedelta(seconds=90)),  # one was missed lately
    ],
)
def test_webhooks_that_cannot_be_relied_on(heard, missed):
    traffic = Traffic(0, MONDAY_NOON - heard, MONDAY_NOON - missed if missed else None)
    assert watch(traffic, PATIENCE, MONDAY_NOON).chain == INTERVAL


@pytest.mark.parametrize(("lease", "looked_at_after"), [(10, 15), (60, 60), (3600, 120)])
def test_a_webhook_that_never_comes_is_made_up_for_by_the_lease(lease, looked_at_after):
    patience = Patience(INTERVAL, timedelta(seconds=lease))
    watched = watch(Traffic(heard_at=HEARD), patience, MONDAY_NOON)
    assert watched.chain == timedelta(seconds=looked_at_after)
    crowd = watch(Traffic(PAGE + 1, heard_at=HEARD), patience, MONDAY_NOON)
    assert crowd.lease == timedelta(seconds=looked_at_after)


def test_a_missed_webhook_is_forgiven():
    traffic = Traffic(0, HEARD, MONDAY_NOON - timedelta(minutes=3))
    assert traffic.webhooks_arrive(MONDAY_NOON)


def test_a_crowd_is_looked_at_in_pages_and_in_time():
    watched = watch(Traffic(in_flight=PAGE + 1), PATIENCE, MONDAY_NOON)
    assert watched.chain is None
    assert watched.lease + PAGES_EVERY < INTERVAL


def test_what_is_left_of_a_crowd_is_looked_at_in_time_too():
    left = Traffic(in_flight=PAGE)
    assert until_next_page(left, PATIENCE, MONDAY_NOON) + PAGES_EVERY < INTERVAL


@given(
    st.integers(0, 20_000),
    st.none() | st.integers(0, 3600),
    st.none() | st.integers(0, 3600),
    st.floats(0.1, 3600),
    st.integers(10, 3600),
)
def test_somebody_always_looks_and_no_countdown_is_long(in_flight, heard, missed, interval, lease):
    def ago(seconds):
        return None if seconds is None else MONDAY_NOON - timedelta(seconds=seconds)

    traffic = Traffic(in_flight, ago(heard), ago(missed))
    patience = Patience(timedelta(seconds=interval), timedelta(seconds=lease))
    watched = watch(traffic, patience, MONDAY_NOON)
    assert timedelta(0) < watched.lease <= OVERDUE + PAGES_EVERY
    if watched.chain is not None:  # a chain goes first; the pages are the net under it
        assert timedelta(0) < watched.chain <= OVERDUE
        assert watched.lease == watched.chain + PAGES_EVERY
    assert (watched.chain is None) == traffic.is_crowded
