"""The do-not-call list: who is on it, add people and numbers, undo an entry on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request
from werkzeug.datastructures import FileStorage

from speechai.ingest import FileError
from speechai.operation.records import do_not_call
from speechai.operation.records.do_not_call import Scope
from speechai.operation.records.do_not_call_entries import Entry, EntryError, entries_of_file
from web.api.blueprint import blueprint, cursor_of_query, json_body, limit_of_query, page_of, word
from web.auth import caller
from web.context import services
from web.incoming import kept_file, sent_file
from web.language import accepted, text
from web.problems import ProblemError

MOST = 200_000  # entries of one request


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
    """`{"entries": [{"number" | "document", "country"}], "scope"?, "reason"?}`, or with `registry`.

    Or a `file` with a column of numbers or documents. All of it is added, or nothing.
    """
    sent = sent_file()
    body: dict[str, Any] = dict(request.form) if sent else json_body()
    registry = body.get("registry")
    try:
        entries = _entries_of_file(sent[0], body) if sent else _entries(body)
        if registry is not None:
            return do_not_call.consult(services(), word(registry, "registry"), entries, caller()), 201
        scope = word(body.get("scope", Scope.EVERYBODY.value), "scope")
        reason = word(body.get("reason", "list"), "reason")
        return do_not_call.add(services(), entries, scope=scope, reason=reason, by=caller()), 201
    except do_not_call.UnknownRegistryError as error:
        known = ", ".join(error.known)
        raise ProblemError(422, text("option.choice", known=known), field="registry") from None
    except do_not_call.UnknownScopeError as error:
        known = ", ".join(error.known)
        raise ProblemError(422, text("option.choice", known=known), field="scope") from None
    except EntryError as error:
        field = f"entries[{error.index}].{error.field}"
        raise ProblemError(422, error.sentence(accepted()), field=field) from None


def _entries(given: Mapping[str, Any]) -> list[Entry]:
    entries = given.get("entries")
    if (
        not isinstance(entries, list)
        or len(entries) > MOST
        or not all(isinstance(entry, dict) for entry in entries)
    ):
        raise ProblemError(422, text("do_not_call.entries", most=MOST), field="entries")
    return entries


def _entries_of_file(uploaded: FileStorage, given: Mapping[str, Any]) -> list[Entry]:
    with kept_file(uploaded) as path:
        try:
            return entries_of_file(path, str(given.get("country") or "CL"), accepted())
        except FileError as error:
            raise ProblemError(422, error.message, field="file", code=error.code) from error


@blueprint.post("/do-not-call/<path:entry_id>/undo")
def undo_do_not_call(entry_id: str) -> dict[str, Any]:
    """Call again, on record: `{"why": "…"}`."""
    why = word(json_body().get("why"), "why")
    if not do_not_call.undo(services(), entry_id, caller(), why):
        raise ProblemError(404, text("http.404"))
    return {"entry_id": entry_id, "in_force": False}
