"""How stored jobs and attempts are shown: to lists, to a job's own page, in a person's history."""

from __future__ import annotations

from speechai.store.database import Document, decimal_of

# What of a stored job is shown in lists; `GET /api/jobs/{id}` shows the rest and the attempts.
LISTED = (
    "job_id",
    "batch_id",
    "account_id",
    "person_id",
    "status",
    "reason",
    "waiting_for",
    "held_by",
    "rut",
    "nombre",
    "to_number",
    "try_phones",
    "last_phone_tried",
    "monto_total",
    "currency",
    "attempts",
    "max_attempts",
    "next_attempt_at",
    "last_outcome",
    "call_id",
    "call_duration_seconds",
    "fecha_pago_cliente",
    "monto_pago_cliente",
    "created_at",
    "updated_at",
)
_COUNTING = frozenset({"counted", "uncounted"})
_HIDDEN = frozenset({"_id", "seq", "released_until", "schema_version"}) | _COUNTING
_HIDDEN_ATTEMPT = _COUNTING | frozenset(
    {"_id", "schema_version", "open_person", "open_number", "poll_token", "person_place", "number_place"}
)


def listed(document: Document) -> Document:
    """A job as lists show it."""
    return {**{name: document.get(name) for name in LISTED}, "cost_cents": _cost(document)}


def job(document: Document) -> Document:
    """A job by itself: everything but what is the machine's own."""
    return {**_without(document, _HIDDEN), "cost_cents": _cost(document)}


def attempt(document: Document) -> Document:
    """An attempt of a job that is shown by itself."""
    return {**_without(document, _HIDDEN_ATTEMPT), "cost_cents": _cost(document)}


def _without(document: Document, hidden: frozenset[str]) -> Document:
    return {name: value for name, value in document.items() if name not in hidden}


def _cost(document: Document) -> float:
    return float(decimal_of(document.get("cost_cents")))
