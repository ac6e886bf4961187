"""One contact: what is known, every call, and whether it may be called now."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from speechai.catalog.use_cases import Country
from speechai.core.call import Call
from speechai.core.callback import Callback
from speechai.core.states import JobState
from speechai.core.zones import ZONE_OF_COUNTRY
from speechai.operation.campaigns import eligibility
from speechai.operation.campaigns import jobs as operation
from speechai.operation.campaigns.jobs import JobNotFoundError, JobRefusedError
from web.auth import caller
from web.context import services
from web.language import current, text
from web.panel.blueprint import blueprint
from web.problems import ProblemError
from web.texts.details import detail_in

_LINE = re.compile(r"^(Agent|User|Transfer Target): ?(.*)$")


@blueprint.get("/jobs/<job_id>")
def job(job_id: str) -> str:
    """The contact with its calls, oldest first."""
    made = services()
    try:
        found = operation.view(made, job_id)
        verdict = eligibility.of_job(made, job_id)
        told = eligibility.preview(made, job_id)
    except JobNotFoundError:
        raise _no_job() from None
    batch = made.store.batches.document(found["batch_id"]) or {}
    return render_template(
        "panel/job.html",
        job=found,
        batch=batch,
        verdict=verdict,
        told=told,
        waits_help=verdict["next_allowed_at"] is not None,
        zone=ZONE_OF_COUNTRY[Country(found["country"])],
        can_call_back=found["status"] in (JobState.PENDING, JobState.DONE, JobState.FAILED)
        and found.get("reason") != "opted_out"
        and batch.get("status") != "cancelled",
        can_retry=found["status"] in (JobState.PENDING, JobState.DONE, JobState.FAILED)
        and found.get("reason") != "opted_out"
        and batch.get("status") != "cancelled",
        can_cancel=found["status"] in (JobState.PENDING, JobState.SUSPENDED),
        said=spoken,
        costs=product_costs,
        captured=captured,
        asked_for=asked_for,
    )


@blueprint.post("/jobs/<job_id>/<any(retry, cancel):move>")
def move_job(job_id: str, move: str) -> Response:
    """Call again, or call no more."""
    try:
        if move == "retry":
            operation.retry(services(), job_id, caller())
            flash(text("job.retried"), "ok")
        else:
            operation.cancel(services(), job_id)
            flash(text("job.cancelled"), "ok")
    except JobNotFoundError:
        raise _no_job() from None
    except JobRefusedError as error:
        flash(text("job.refused", why=detail_in(current(), str(error))), "error")
    return redirect(url_for("panel.job", job_id=job_id), 303)


@blueprint.post("/jobs/<job_id>/callback")
def call_back(job_id: str) -> Response:
    """Call at the hour that was agreed, in the person's own time."""
    made = services()
    found = made.store.jobs.get(job_id)
    if found is None:
        raise _no_job()
    try:
        local = datetime.fromisoformat(request.form.get("at", ""))
        operation.call_back(made, job_id, local.replace(tzinfo=found.zone).astimezone(UTC), caller())
    except (ValueError, OverflowError):  # no day, or one at the end of the calendar
        flash(text("job.callback_when"), "error")
    except JobRefusedError as error:
        flash(detail_in(current(), str(error)), "error")
    else:
        flash(text("page.saved"), "ok")
    return redirect(url_for("panel.job", job_id=job_id), 303)


def _no_job() -> ProblemError:
    return ProblemError(404, text("http.no_job"))


def spoken(call: dict[str, Any]) -> list[dict[str, Any]]:
    """The conversation turn by turn: who, what, and when in the recording if the provider says."""
    turns = call.get("transcript_object")
    if isinstance(turns, list) and turns:
        return [_turn(turn) for turn in turns if isinstance(turn, dict) and turn.get("content")]
    said: list[dict[str, Any]] = []
    for line in str(call.get("transcript") or "").splitlines():
        if found := _LINE.match(line.strip()):
            said.append({"who": found[1].lower(), "what": found[2], "at": None})
        elif said and line.strip():
            said[-1]["what"] += " " + line.strip()
    return said


def _turn(turn: dict[str, Any]) -> dict[str, Any]:
    words = turn.get("words")
    first = words[0] if isinstance(words, list) and words and isinstance(words[0], dict) else {}
    start = first.get("start")
    at = start if isinstance(start, int | float) and not isinstance(start, bool) else None
    return {"who": str(turn.get("role")), "what": str(turn["content"]), "at": at}


def product_costs(call: dict[str, Any]) -> list[tuple[str, float]]:
    """What each of the provider's products cost, in US cents."""
    return [(product.name, float(product.cents)) for product in Call.of(call).products]


def asked_for(attempt: dict[str, Any], zone: ZoneInfo) -> Callback:
    """The hour at which the person asked on that call to be called, and what is wrong with it."""
    return Call.of(attempt.get("call")).callback(zone, attempt.get("ended_at") or attempt["reserved_at"])


def captured(call: dict[str, Any]) -> dict[str, str]:
    """What the agent wrote down, by name."""
    return {str(name): str(value) for name, value in Call.of(call).said.items()}
