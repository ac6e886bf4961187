"""What of an attempt is proved, and how its digests chain. Pure: the same record gives the same digest."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

START = "0" * 64  # what the first link of a person follows

PROVED = (
    "attempt_id",
    "account_id",
    "batch_id",
    "job_id",
    "number_key",
    "from_number",
    "person_day",
    "reserved_at",
    "posted_at",
    "status",
    "outcome",
    "uses_place",
    "verdict",
)
"""The fields of an attempt that never change once it is final."""


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold."""

    seq: int
    attempt_id: str
    why: str


def digest_of(attempt: Mapping[str, Any], salt: str) -> str:
    """The salted digest of what is proved of an attempt. Without the salt it says nothing of the person."""
    record = {name: _plain(attempt.get(name)) for name in PROVED}
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(bytes.fromhex(salt), text.encode(), hashlib.sha256).hexdigest()


def link_of(previous: str, digest: str) -> str:
    """The link that follows `previous`."""
    return hashlib.sha256(f"{previous}{digest}".encode()).hexdigest()


def breaks(
    links: Iterable[Mapping[str, Any]], attempts: Mapping[str, Mapping[str, Any]], salt: str | None
) -> list[Break]:
    """Every place where the chain does not hold. Without the salt (erased) only its links are checked."""
    found, previous = [], START
    for place, link in enumerate(links, start=1):
        why = None
        if link["seq"] != place or link["previous"] != previous:
            why = "a link is missing or was put in"
        elif link_of(link["previous"], link["digest"]) != link["link"]:
            why = "the link was changed"
        elif salt is not None and link["attempt_id"] not in attempts:
            why = "its attempt is gone"
        elif salt is not None and digest_of(attempts[link["attempt_id"]], salt) != link["digest"]:
            why = "its attempt was changed"
        if why:
            found.append(Break(link["seq"], link["attempt_id"], why))
        previous = link["link"]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
