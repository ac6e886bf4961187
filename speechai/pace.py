"""Calls per second, per from-number, over every worker, host and account: a moving window on the broker's
Redis.

A number has one window, whichever accounts call from it, and of the rates that they asked for within the last
minute the strictest holds. (That the asking binds, not only the call, keeps a fast account from starving a
slow one.)
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass

from redis import Redis

MINIMUM_WAIT = 0.05  # seconds: what a message costs anyhow
KEPT = 60  # seconds that a rate binds after it was last asked for, if it does not reach further itself

# One step for the server, by its own clock: two workers never both see the last free place.
_HIT = """
local calls, rates = KEYS[1], KEYS[2]
local call, kept = ARGV[1], tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

redis.call('ZADD', rates, string.format('%.0f', now), ARGV[2] .. '/' .. ARGV[3])
local wait, longest = 0, kept
local asked = redis.call('ZRANGE', rates, 0, -1, 'WITHSCORES')
for place = 1, #asked, 2 do
  local most, window = string.match(asked[place], '(%d+)/(%d+)')
  if asked[place + 1] + math.max(window, kept) < now then
    redis.call('ZREM', rates, asked[place])
  else
    local nth = redis.call('ZREVRANGE', calls, most - 1, most - 1, 'WITHSCORES')[2]
    if nth then wait = math.max(wait, nth + window - now) end
    longest = math.max(longest, window)
  end
end
if wait == 0 then
  redis.call('ZADD', calls, string.format('%.0f', now), call)
  redis.call('ZREMRANGEBYSCORE', calls, '-inf', string.format('(%.0f', now - longest))
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, math.ceil(longest / 1000)) end
return wait
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `most` calls in any `window` microseconds."""

    most: int
    window: int


def rate_of(per_second: float) -> Rate:
    """So many whole calls in any second; less than one a second is one in as many seconds as that takes."""
    if per_second >= 1:
        return Rate(math.floor(per_second), 1_000_000)
    return Rate(1, math.ceil(1_000_000 / per_second))


class RedisPace:
    """At most `calls_per_second` calls from one number in any second, unless its account says other."""

    def __init__(self, redis_url: str, calls_per_second: float) -> None:
        self._per_second = calls_per_second
        self._hit = Redis.from_url(redis_url).register_script(_HIT)

    def wait(self, from_number: str, per_second: float | None = None) -> float:
        """0 when a call may be placed now (and it counts), else the seconds to wait."""
        rate = rate_of(per_second or self._per_second)
        keys = [f"speechai-cps:{{{from_number}}}:{part}" for part in ("calls", "rates")]
        wait = int(self._hit(keys, [uuid.uuid4().hex, rate.most, rate.window, KEPT * 1_000_000]))
        return max(MINIMUM_WAIT, math.ceil(wait / 1000) / 1000) if wait else 0
