"""Calls per second, per from-number, over every worker and host: a moving window on the broker's Redis."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from speechai.clock import SystemClock

MINIMUM_WAIT = 0.05  # seconds: what a message costs anyhow


@functools.lru_cache(maxsize=64)
def _limit(per_second: float) -> RateLimitItemPerSecond:
    rate = Fraction(per_second).limit_denominator(60)
    return RateLimitItemPerSecond(rate.numerator, rate.denominator, namespace="speechai-cps")


class RedisPace:
    """At most `calls_per_second` calls from one number in any second (a fraction: per several seconds)."""

    def __init__(self, redis_url: str, calls_per_second: float) -> None:
        self._per_second = calls_per_second
        self._window = MovingWindowRateLimiter(RedisStorage(redis_url))
        self._clock = SystemClock()

    def wait(self, from_number: str, per_second: float | None = None) -> float:
        """0 when a call may be placed now (and it counts), else the seconds to wait."""
        limit = _limit(per_second or self._per_second)
        if self._window.hit(limit, from_number):
            return 0
        resets_at = self._window.get_window_stats(limit, from_number).reset_time
        wait = resets_at - self._clock.now().timestamp()
        return max(MINIMUM_WAIT, math.ceil(wait * 1000) / 1000)
