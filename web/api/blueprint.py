"""The API's blueprint, and how a query is read."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, request

from web.language import text
from web.problems import ProblemError

blueprint = Blueprint("api", __name__, url_prefix="/api")

MAX_CURSOR = 200
_HALF_A_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


def limit_of_query(default: int, most: int) -> int:
    """`limit`, 1 to `most`."""
    value = request.args.get("limit", str(default))
    if not value.isascii() or not value.isdigit() or len(value) > 9 or not 1 <= int(value) <= most:
        raise ProblemError(422, text("option.count", least=1, most=most), field="limit")
    return int(value)


def cursor_of_query() -> str | None:
    """`cursor`, as an earlier page's `next_cursor` gave it."""
    value = request.args.get("cursor") or None
    if value and len(value) > MAX_CURSOR:
        raise ProblemError(422, text("option.too_long", limit=MAX_CURSOR), field="cursor")
    return value


def page_of(documents: Sequence[dict[str, Any]], limit: int, key: str) -> tuple[list[dict[str, Any]], Any]:
    """The page's documents and the next cursor, from one document more than the page holds."""
    shown = list(documents[:limit])
    return shown, shown[-1][key] if len(documents) > limit else None


def instant_of(value: Any) -> datetime:
    """An instant as ISO 8601 with its offset."""
    try:
        instant = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        if instant.tzinfo:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):  # not an instant, or one at the end of the calendar
        pass
    raise ProblemError(422, text("option.instant"), field="at")


def json_body() -> dict[str, Any]:
    """The request's JSON object; an empty body is an empty object."""
    sent = request.get_data()
    if not sent:
        return {}
    try:
        body = json.loads(sent.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ProblemError(400, text("http.json")) from None
    if not isinstance(body, dict):
        raise ProblemError(400, text("http.json"))
    if _HALF_A_CHARACTER.search(sent):
        _refuse_half_characters(body)
    return body


def _refuse_half_characters(body: dict[str, Any]) -> None:
    """JSON may escape half of a surrogate pair, which is no character: nothing could store or answer it."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ProblemError(400, text("http.half_character")) from None


def word(value: Any, field: str) -> str:
    """A short text that must be there."""
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise ProblemError(422, text("option.too_long", limit=200), field=field)
    return value.strip()
