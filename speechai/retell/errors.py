"""What can go wrong between us and the provider, and the one place that says which answer means what.

The tree is about what the caller may do next, not about HTTP: try again, wait, give up, or find out first.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

_PHONE = re.compile(r"\+\d{5,}(\d{3})(?!\d)")


class ProviderError(Exception):
    """Anything the provider did not do as asked. The text never holds a key or a whole phone number."""

    def __init__(
        self, message: str, *, status: int | None = None, body: dict[str, Any] | None = None
    ) -> None:
        super().__init__(_PHONE.sub(r"+…\1", message))
        self.status = status
        self.body = body or {}


class Retryable(ProviderError):  # noqa: N818 - the names say what may be done, not that it is an error
    """Nothing was done and the same request may be sent again."""


class Throttled(ProviderError):  # noqa: N818
    """Too many requests or too many calls (429): nothing was done. Again after `retry_after` seconds."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = 429,
        body: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, body=body)
        self.retry_after = retry_after


class Refused(ProviderError):  # noqa: N818
    """A definite no (4xx): the same request would be refused again."""


class NotFound(Refused):
    """The provider does not know what was asked for."""


class UnknownResult(ProviderError):  # noqa: N818
    """A create whose fate nobody knows: it may be ringing. Never send it again blindly; read first."""


def message_of(response: requests.Response) -> tuple[str, dict[str, Any]]:
    """The error's text from either of the provider's two body shapes, else the raw text; and the body."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:300] or response.reason or "no text", {}
    if not isinstance(body, dict):
        return str(body)[:300], {}
    return str(body.get("message") or body.get("error_message") or body)[:300], body


def retry_after_of(response: requests.Response, now: datetime) -> float | None:
    """The seconds that the answer asks to wait (`retry-after-ms`, or Retry-After in either form)."""
    milliseconds = response.headers.get("retry-after-ms")
    if milliseconds and milliseconds.strip().isdigit():
        return int(milliseconds) / 1000
    value = response.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def error_of(response: requests.Response, now: datetime, *, create: bool, get_call: bool) -> ProviderError:
    """The error that an answer of 400 or more means. Source: reference/retell-api.md, sections 1 and 2."""
    message, body = message_of(response)
    status = response.status_code
    text = f"HTTP {status}: {message}"
    if status == 429:
        return Throttled(text, status=status, body=body, retry_after=retry_after_of(response, now))
    if status >= 500 or status == 408:
        # A create may have been carried out before it failed; a read may simply be repeated.
        return (UnknownResult if create else Retryable)(text, status=status, body=body)
    if status == 404 or (status == 422 and get_call):
        return NotFound(text, status=status, body=body)
    return Refused(text, status=status, body=body)
