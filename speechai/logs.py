"""Logs: text for a terminal or JSON for a collector, with ids and never with personal data (I9).

Every line goes through one filter that strikes out what looks like a phone number, a key or a password in
an address, whoever wrote it.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Literal

# Nobody's id has a plus sign before eight digits or more; every phone number we hold has.
_REDACTIONS = (
    (re.compile(r"\+\d{5,}(\d{3})(?!\d)"), r"+…\1"),
    (re.compile(r"(://[^:/@\s]*):[^@/\s]+@"), r"\1:…@"),
    (re.compile(r"(?i)\b(bearer\s+|key_|api[_-]?key[\"'=:\s]+)[\w.-]{6,}"), r"\1…"),
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}


def redact(text: str) -> str:
    """The text without phone numbers (but their last three digits), keys and passwords."""
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and isinstance(value, str | int | float | bool | None)
    }


class TextFormatter(logging.Formatter):
    """One line for people: time (UTC), level, logger, message, then the ids as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The redacted line."""
        at = datetime.fromtimestamp(record.created, UTC)
        ids = "".join(f" {name}={value}" for name, value in _extra(record).items() if value is not None)
        line = f"{at:%H:%M:%S}.{int(record.msecs):03d} {record.levelname:<7} {record.name}: "
        line += record.getMessage() + ids
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The redacted line."""
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # Each text by itself: inside JSON its quotes are escaped, and a pattern might not know it again.
        texts = {name: redact(value) if isinstance(value, str) else value for name, value in entry.items()}
        return json.dumps(texts, ensure_ascii=False, default=str)


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Send every log line of this process to standard error in the given form."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("urllib3", "pymongo", "amqp", "kombu", "tornado.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # One line a task at INFO says nothing that the task's own lines do not.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
