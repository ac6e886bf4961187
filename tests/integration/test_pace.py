"""Calls per second, on the real Valkey."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from speechai.pace import Rate, RedisPace, rate_of


@pytest.fixture
def number():
    return f"+56600{secrets.randbelow(10**6):06d}"


def test_so_many_and_then_a_wait(redis_url, number):
    pace = RedisPace(redis_url, 3)
    waits = [pace.wait(number) for _ in range(5)]
    assert waits[:3] == [0, 0, 0]
    assert all(0 < wait <= 1 for wait in waits[3:])


def test_each_number_has_its_own(redis_url, number):
    pace = RedisPace(redis_url, 1)
    assert pace.wait(number) == 0
    assert pace.wait(number) > 0
    assert pace.wait(number + "1") == 0


def test_workers_share_it(redis_url, number):
    first, second = RedisPace(redis_url, 1), RedisPace(redis_url, 1)
    assert first.wait(number) == 0
    assert second.wait(number) > 0


def test_less_than_one_a_second(redis_url, number):
    pace = RedisPace(redis_url, 0.5)
    assert pace.wait(number) == 0
    assert 1 < pace.wait(number) <= 2


@pytest.mark.parametrize(("first", "then"), [(1, 5), (5, 1), (0.5, 5), (5, 0.5)])
def test_accounts_that_share_a_number_share_its_window_and_the_strictest_rate_holds(
    redis_url, number, first, then
):
    pace = RedisPace(redis_url, 20)
    assert pace.wait(number, first) == 0
    assert 0 < pace.wait(number, then) <= 1 / min(first, then, 1)
    assert pace.wait(number, first) > 0


def test_a_strict_account_counts_what_the_others_called(redis_url, number):
    pace = RedisPace(redis_url, 20)
    assert [pace.wait(number, 5) for _ in range(3)] == [0, 0, 0]
    assert pace.wait(number, 3) > 0
    assert pace.wait(number, 5) > 0, "a fast account would starve the strict one, which waits"


@pytest.mark.parametrize(
    ("per_second", "rate"),
    [
        (3, Rate(3, 1_000_000)),
        (2.5, Rate(2, 1_000_000)),
        (1, Rate(1, 1_000_000)),
        (0.5, Rate(1, 2_000_000)),
        (0.001, Rate(1, 1_000_000_000)),
    ],
)
def test_a_rate_is_never_more_calls_in_any_second_than_it_says(per_second, rate):
    assert rate_of(per_second) == rate


def test_many_workers_at_once_get_no_more_than_there_is(redis_url, number):
    workers = [RedisPace(redis_url, rate) for rate in (3, 5, 8)]
    with ThreadPoolExecutor(12) as pool:
        waits = list(pool.map(lambda turn: workers[turn % 3].wait(number), range(60)))
    assert 1 <= waits.count(0) <= 8
    assert workers[2].wait(number) > 0
