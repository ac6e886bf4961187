"""The do-not-call list: who is on it, add people and numbers, undo an entry on record."""

from __future__ import annotations

from typing import Any

from speechai.operation import do_not_call
from web.api.blueprint import blueprint, cursor_of_query, json_body, limit_of_query, page_of
from web.auth import caller
from web.context import services
from web.language import text
from web.problems import ProblemError

MOST = 10_000  # entries of one request


@blueprint.get("/do-not-call")
def list_do_not_call() -> dict[str, Any]:
    """Entries in force, in pages, and when each public register was last consulted."""
    limit = limit_of_query(100, 500)
    store = services().store
    found = store.do_not_call.page(limit=limit + 1, before=cursor_of_query())
    shown, cursor = page_of(found, limit, "_id")
    items = [{"entry_id": row.pop("_id"), **row} for row in shown]
    return {"items": items, "next_cursor": cursor, "registries": store.do_not_call.registries()}


@blueprint.post("/do-not-call")
def add_do_not_call() -> tuple[dict[str, Any], int]:
    """`{"entries": [{"number" | "document", "country"}], "scope"?, "reason"?}`, or with `registry`."""
    body = json_body()
    entries = body.get("entries")
    if not isinstance(entries, list) or len(entries) > MOST:
        raise ProblemError(422, text("do_not_call.entries", most=MOST), field="entries")
    if not all(isinstance(entry, dict) for entry in entries):
        raise ProblemError(422, text("do_not_call.entries", most=MOST), field="entries")
    registry = body.get("registry")
    try:
        if registry is not None:
            return do_not_call.consult(services(), _word(registry, "registry"), entries, caller()), 201
        scope = _word(body.get("scope", do_not_call.EVERYBODY), "scope")
        reason = _word(body.get("reason", "list"), "reason")
        return do_not_call.add(services(), entries, scope=scope, reason=reason, by=caller()), 201
    except do_not_call.EntryError as error:
        detail = text("do_not_call.entry", number=error.index + 1, field=error.field)
        raise ProblemError(422, detail, field=f"entries[{error.index}].{error.field}") from None


@blueprint.post("/do-not-call/<path:entry_id>/undo")
def undo_do_not_call(entry_id: str) -> dict[str, Any]:
    """Call again, on record: `{"why": "…"}`."""
    why = _word(json_body().get("why"), "why")
    if not do_not_call.undo(services(), entry_id, caller(), why):
        raise ProblemError(404, text("http.404"))
    return {"entry_id": entry_id, "in_force": False}


def _word(value: Any, field: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise ProblemError(422, text("option.too_long", limit=200), field=field)
    return value.strip()
