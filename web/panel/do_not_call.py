"""Who is not to be called: look somebody up, add one or a list, undo an entry on record."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from speechai.ingest import FileError
from speechai.operation.records import do_not_call as operation
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
        scopes=[operation.EVERYBODY, operation.MARKETING]
        + [f"account:{account.id}" for account in made.store.accounts.all()],
    )


@blueprint.post("/do-not-call")
def add_do_not_call() -> Response:
    """One person or number, or a file of them; of a public register also none, if none is ours."""
    made, form, sent = services(), request.form, sent_file()
    country = form.get("country", "CL")
    try:
        if sent is not None:
            with kept_file(sent[0]) as path:
                entries = operation.entries_of_file(path, country, current())
        elif value := form.get("value", "").strip():
            entries = [{form.get("kind", "number"): value, "country": country}]
        else:
            entries = []
        if registry := form.get("registry"):
            added = operation.consult(made, registry, entries, caller())
        elif entries:
            scope, reason = form.get("scope") or operation.EVERYBODY, form.get("reason", "").strip()
            added = operation.add(made, entries, scope=scope, reason=reason or "panel", by=caller())
        else:
            raise operation.EntryError(0, form.get("kind", "number"))
    except operation.UnknownRegistryError as error:
        flash(text("option.choice", known=", ".join(error.known)), "error")
    except FileError as error:
        flash(error.message, "error")
    except operation.EntryError as error:
        flash(text("do_not_call.entry", number=error.index + 1, field=error.field), "error")
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
