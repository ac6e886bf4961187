"""Who is not to be called: look somebody up, add one or a list, undo an entry on record."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from speechai.ingest import FileError
from speechai.operation.records import do_not_call as operation
from speechai.operation.records.do_not_call_entries import EntryError, entries_of_file
from web.auth import caller
from web.context import services
from web.incoming import kept_file, sent_file
from web.language import current, text
from web.panel.blueprint import blueprint

PAGE = 50


@blueprint.get("/do-not-call")
def do_not_call() -> str:
    """The entries in force, and when each register was consulted."""
    made = services()
    before = request.args.get("before") or None
    found = made.store.do_not_call.page(limit=PAGE + 1, before=before)
    return render_template(
        "panel/do_not_call.html",
        entries=found[:PAGE],
        older=found[PAGE - 1]["_id"] if len(found) > PAGE else None,
        registries=operation.registries(made),
        consulted=made.store.do_not_call.registries(),
        zone=made.settings.zone,
        scopes=operation.scopes(made),
    )


@blueprint.post("/do-not-call")
def add_do_not_call() -> Response:
    """One person or number, or a file of them; of a public register also none, if none is ours."""
    made, form, sent = services(), request.form, sent_file()
    country = form.get("country", "CL")
    try:
        if sent is not None:
            with kept_file(sent[0]) as path:
                entries = entries_of_file(path, country, current())
        elif value := form.get("value", "").strip():
            entries = [{form.get("kind", "number"): value, "country": country}]
        else:
            entries = []
        if registry := form.get("registry"):
            added = operation.consult(made, registry, entries, caller())
        elif entries:
            scope, reason = (
                form.get("scope") or operation.Scope.EVERYBODY.value,
                form.get("reason", "").strip(),
            )
            added = operation.add(made, entries, scope=scope, reason=reason or "panel", by=caller())
        else:
            raise EntryError(0, form.get("kind", "number"), "blank_entry", {})
    except (operation.UnknownRegistryError, operation.UnknownScopeError) as error:
        flash(text("option.choice", known=", ".join(error.known)), "error")
    except FileError as error:
        flash(error.message, "error")
    except EntryError as error:
        flash(error.sentence(current()), "error")
    else:
        flash(text("dnc.added", **added), "ok")
    return redirect(url_for("panel.do_not_call"), 303)


@blueprint.post("/do-not-call/undo")
def undo_do_not_call() -> Response:
    """Call again, on record."""
    why = request.form.get("why", "").strip()
    if not why:
        flash(text("dnc.why"), "error")
    elif operation.undo(services(), request.form.get("entry_id", ""), caller(), why[:200]):
        flash(text("page.saved"), "ok")
    return redirect(url_for("panel.do_not_call"), 303)
