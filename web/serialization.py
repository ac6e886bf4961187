"""How the product's values are written as JSON: times as ISO 8601 with Z, exact decimals as numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any

from flask import Response, current_app
from flask.json.provider import DefaultJSONProvider


def plain(value: Any) -> Any:
    """A value that JSON does not know, as one that it does. Raises TypeError for what has no form here."""
    if hasattr(value, "to_decimal"):  # MongoDB's Decimal128, without knowing MongoDB
        value = value.to_decimal()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def instant_text(instant: datetime) -> str:
    """An instant in UTC, in milliseconds: "2026-11-23T15:00:00.000Z"."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_answer(body: Any, status: int = 200) -> Response:
    """The body as JSON."""
    return Response(current_app.json.dumps(body), status, mimetype="application/json")


class JsonProvider(DefaultJSONProvider):
    """Flask's, with our forms, in our order, and with accents as they are."""

    default = staticmethod(plain)
    ensure_ascii = False
    sort_keys = False
