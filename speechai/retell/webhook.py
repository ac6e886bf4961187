"""The signature of Retell's webhooks: HMAC-SHA256 over the raw bytes and a time.

Header: `x-retell-signature: v=<epoch ms>,d=<64 lower-case hex>`. Source: reference/retell-api.md, section 5.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta

HEADER = "x-retell-signature"
TOLERANCE = timedelta(minutes=5)
_FORM = re.compile(r"v=(\d{1,16}),d=([0-9a-f]{64})")


class SignatureError(Exception):
    """The request is not the provider's, or not of now; the message says which."""


def sign(body: bytes, key: str, timestamp_ms: int) -> str:
    """The header's value for these bytes at that time."""
    digest = hmac.new(key.encode(), body + str(timestamp_ms).encode(), hashlib.sha256).hexdigest()
    return f"v={timestamp_ms},d={digest}"


def verify(
    body: bytes, key: str, header: str | None, now: datetime, tolerance: timedelta = TOLERANCE
) -> None:
    """Raises SignatureError unless `header` signs exactly these bytes, within `tolerance` of `now`."""
    if not header:
        raise SignatureError("missing signature")
    match = _FORM.fullmatch(header)
    if not match:
        raise SignatureError("malformed signature")
    timestamp_ms = int(match[1])
    if not hmac.compare_digest(sign(body, key, timestamp_ms), header):
        raise SignatureError("wrong signature")
    if abs(now.timestamp() * 1000 - timestamp_ms) > tolerance.total_seconds() * 1000:
        raise SignatureError("stale signature")
