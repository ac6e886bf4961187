"""Batches: the list, and one as it lives."""

from __future__ import annotations

from typing import Any

from flask import Response as FlaskResponse
from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from speechai.catalog.policies import Consent, presets
from speechai.core.calendar import closed_reason, next_opening
from speechai.core.retry_table import RETRIES
from speechai.core.states import BatchState, JobState
from speechai.core.zones import ZONE_OF_COUNTRY
from speechai.operation.calling.readiness import missing_of_batch, readiness
from speechai.operation.campaigns import batches as operation
from speechai.operation.campaigns import configuring, providers, waterfall
from speechai.operation.campaigns.batches import BatchNotFoundError, MoveRefusedError
from speechai.operation.campaigns.configuring import NotEditableError, RefusedOptionError
from speechai.operation.campaigns.legal_warnings import sentence
from speechai.operation.shown import listed
from speechai.store.standing import Standing
from web.auth import caller
from web.context import services
from web.language import current, text
from web.panel import show
from web.panel.blueprint import blueprint
from web.panel.markup import bar_segments
from web.problems import ProblemError
from web.serialization import json_answer
from web.shared import shared
from web.upload_options import EDITABLE, BadOptionsError, read_edit

PAGE = 20
PEOPLE = 25
LATEST = 8
REJECTED = 200
MOST_ROWS = 10**9  # of a file: more than any has


@blueprint.get("/")
def batches() -> str:
    """Every batch, newest first."""
    made = services()
    before = request.args.get("before") or None

    def look() -> tuple[list[dict[str, Any]], str | None]:
        found = made.store.batches.page(limit=PAGE + 1, before=before)
        shown = operation.describe(made, found[:PAGE])
        return shown, shown[-1]["batch_id"] if len(found) > PAGE else None

    shown, older = shared().get(("batches", before), look)
    return render_template(
        "panel/batches.html", batches=shown, older=older, before=before, zone=made.settings.zone
    )


@blueprint.get("/batches/<batch_id>")
def batch(batch_id: str) -> str:
    """One batch: numbers, outcomes, waves, people."""
    return render_template("panel/batch.html", **_view(batch_id))


@blueprint.get("/panel/batches/<batch_id>.json")
def batch_live(batch_id: str) -> Response:
    """The same, for the page that is open: numbers as text, and the tables that change."""
    view = _view(batch_id)
    parts = {
        name: render_template(f"panel/parts/{name}.html", **view)
        for name in ("head", "notice", "outcomes", "waves", "latest", "people")
    }
    bar = [{"state": part.state, "x": part.x, "width": part.width} for part in bar_segments(view["counts"])]
    body = {"status": view["batch"]["status"], "text": view["numbers"], "bar": bar, "parts": parts}
    return json_answer(body)


@blueprint.post("/batches/<batch_id>/<any(start, pause, resume, cancel):move>")
def move_batch(batch_id: str, move: str) -> Response:
    """What its buttons do."""
    made = services()
    try:
        if move == "start":
            when = request.form.get("when")
            operation.start(made, batch_id, "now" if when == "now" else "next_wave")
        elif move == "pause":
            operation.pause(made, batch_id)
        elif move == "resume":
            operation.resume(made, batch_id)
        else:
            operation.cancel(made, batch_id)
    except BatchNotFoundError:
        raise _no_batch() from None
    except MoveRefusedError as error:
        flash(text("batch.refused", state=text(f"batch.{error.state.value}")), "error")
    return redirect(url_for("panel.batch", batch_id=batch_id), 303)


@blueprint.get("/batches/<batch_id>/why")
def batch_why(batch_id: str) -> str:
    """Who is held by which rule, and until when."""
    made, found = services(), _described(batch_id)
    batch = made.store.batches.get(batch_id)
    return render_template(
        "panel/why.html",
        batch=found,
        waterfall=shared().get(("why", batch_id), lambda: waterfall.of_batch(made, batch_id)),
        zone=batch.zone if batch else made.settings.zone,
    )


@blueprint.route("/batches/<batch_id>/edit", methods=["GET", "POST"])
def edit_batch(batch_id: str) -> Response | FlaskResponse | str:
    """Change a batch that is not over; the next call obeys."""
    found, errors = _described(batch_id), {}
    if request.method == "POST":
        given = {name: value for name in EDITABLE if (value := request.form.get(name, "").strip())}
        if days := request.form.getlist("weekdays"):
            given["weekdays"] = ",".join(days)
        try:
            configuring.edit(services(), batch_id, read_edit(given, current()), caller(), current())
        except BadOptionsError as error:
            errors = error.errors
        except RefusedOptionError as error:
            errors = {error.field: error.message}
        except NotEditableError:
            flash(text("batch.over"), "error")
            return redirect(url_for("panel.batch", batch_id=batch_id), 303)
        if not errors:
            flash(text("page.saved"), "ok")
            return redirect(url_for("panel.batch", batch_id=batch_id), 303)
    account = services().store.accounts.get(found["account_id"])
    page = render_template(
        "panel/edit.html",
        batch=found,
        errors=errors,
        given=request.form,
        policies=[*presets().values()],
        consents=[consent.value for consent in Consent],
        outcomes=[outcome.value for outcome in RETRIES],
        own_policies=list(account.policies) if account else [],
    )
    return FlaskResponse(page, 422) if errors else page


@blueprint.get("/batches/<batch_id>/cancel")
def confirm_cancel(batch_id: str) -> str:
    """Asked once more: it cannot be undone."""
    found = _described(batch_id)
    left = found["counts"]["pending"] + found["counts"]["suspended"]
    return render_template("panel/cancel.html", batch=found, left=left)


@blueprint.route("/batches/<batch_id>/provider", methods=["GET", "POST"])
def move_provider(batch_id: str) -> Response | str:
    """Asked once more, then done: the batch is dialed through the provider in use."""
    found = _described(batch_id)
    if request.method == "GET":
        return render_template("panel/provider.html", batch=found, provider=services().settings.provider_key)
    try:
        providers.move(services(), [batch_id], caller(), current())
        flash(text("provider.moved", provider=services().settings.provider_key), "ok")
    except MoveRefusedError:
        flash(text("batch.over"), "error")
    except providers.SameProviderError:
        flash(text("provider.same"), "error")
    except providers.CallsInFlightError:
        flash(text("provider.in_flight"), "error")
    except RefusedOptionError as error:
        flash(error.message, "error")
    return redirect(url_for("panel.batch", batch_id=batch_id), 303)


@blueprint.get("/batches/<batch_id>/rejected")
def rejected(batch_id: str) -> str:
    """The rows of the file that became nothing, each with its reason."""
    found = _described(batch_id)
    after = min(max(0, request.args.get("after", type=int, default=0)), MOST_ROWS)
    rows = list(services().store.batches.rejections(batch_id, limit=REJECTED + 1, after=after))
    more = rows[REJECTED - 1]["row"] if len(rows) > REJECTED else None
    return render_template("panel/rejected.html", batch=found, rows=rows[:REJECTED], more=more)


def _described(batch_id: str) -> dict[str, Any]:
    try:
        return operation.view(services(), batch_id)
    except BatchNotFoundError:
        raise _no_batch() from None


def _no_batch() -> ProblemError:
    return ProblemError(404, text("http.no_batch"))


def _view(batch_id: str) -> dict[str, Any]:
    """What the page shows; what does not depend on who looks comes from one look for all."""
    made = services()
    status, after = _status_of_query(), request.args.get("after") or None
    seen = shared().get(("batch", batch_id), lambda: _look(batch_id))
    people = shared().get(
        ("people", batch_id, status, after),
        lambda: made.store.job_reports.page(batch_id=batch_id, status=status, limit=PEOPLE + 1, after=after),
    )
    found = seen["batch"]
    return {
        **seen,
        "counts": found["counts"],
        "states": [state.value for state in JobState],
        "numbers": _numbers(found),
        "legal": [sentence(laxity, current()) for laxity in found.get("legal_warnings", ())],
        "people": [listed(job) for job in providers.explained(made, people[:PEOPLE])],
        "more": people[PEOPLE - 1]["_id"] if len(people) > PEOPLE else None,
        "status": status.value if status else None,
        "after": after,
    }


def _look(batch_id: str) -> dict[str, Any]:
    made, found = services(), _described(batch_id)
    standing = made.store.standing.of(batch_id)
    if standing is None:
        raise _no_batch()
    batch = standing.batch
    return {
        "batch": found,
        "zone": batch.zone,
        "closed": _closed(standing),
        "provider": made.settings.provider_key,
        # Where no account is configured, the page says so above everything.
        "missing_here": () if readiness(made).is_unconfigured else missing_of_batch(made, standing),
        "outage": standing.breaker if standing.breaker.is_open else None,
        "waves": made.store.waves.of_batch(batch_id, limit=12),
        "latest": made.store.attempts.latest(batch_id, LATEST),
        "people_zone": ZONE_OF_COUNTRY[batch.country],
    }


def _status_of_query() -> JobState | None:
    value = request.args.get("status")
    return JobState(value) if value in set(JobState) else None


def _numbers(found: dict[str, Any]) -> dict[str, str]:
    """Every number of the page that changes, as it is written there."""
    language = current()
    counts = found["counts"]
    final = sum(counts[state.value] for state in JobState if state.is_final)
    amounts = " + ".join(
        show.money(amount, currency, language) for currency, amount in sorted(found["promised"].items())
    )
    return {
        **{f"count.{state}": show.number(count, language) for state, count in counts.items()},
        "percent": f"{100 * final // found['jobs'] if found['jobs'] else 0} %",
        "finished": text(
            "batch.finished",
            final=show.number(final, language),
            jobs=show.number(found["jobs"], language),
        ),
        "in_flight": show.number(found["in_flight"], language),
        "rings": show.number(found["rings"], language),
        "talked": show.duration(found["talk_seconds"]),
        "cost": show.usd(found["cost_cents"], language),
        "promises": show.number(found["promises"], language),
        "promised": amounts,
        "contacts_today": f"{found['contacts_today']} / {found['daily_contacts']}",
    }


def _closed(standing: Standing) -> dict[str, Any] | None:
    """Why nobody of a running batch can be called at this hour, and until when."""
    made, batch = services(), standing.batch
    if batch.status is not BatchState.RUNNING:
        return None
    policy, instant = made.rulebook(standing).policy, made.clock.now()
    zone = ZONE_OF_COUNTRY[batch.country]
    why = closed_reason(policy, instant, zone, batch.country)
    if why is None:
        return None
    return {"why": why, "until": next_opening(policy, instant, zone, batch.country), "zone": zone}
