"""Calls per second, on the real Valkey."""

import secrets

import pytest

from speechai.pace import RedisPace


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
