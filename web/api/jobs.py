"""Jobs: lists, one with its attempts, its moves, and whether it may be called now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request

from speechai.core.states import JobState
from speechai.operation.campaigns import eligibility, jobs, providers
from speechai.operation.campaigns.jobs import JobNotFoundError, JobRefusedError
from speechai.operation.shown import listed
from web.api.blueprint import (
    blueprint,
    cursor_of_query,
    instant_of,
    json_body,
    limit_of_query,
    page_of,
)
from web.auth import caller
from web.context import services
from web.language import text
from web.problems import ProblemError


@blueprint.get("/jobs")
def list_jobs() -> dict[str, Any]:
    """In the file's order, in pages; by batch and by state."""
    limit = limit_of_query(100, 500)
    store = services().store
    found = store.job_reports.page(
        batch_id=request.args.get("batch_id") or None,
        status=status_of_query(),
        limit=limit + 1,
        after=cursor_of_query(),
        hidden=store.batches.being_read_in(),
    )
    page, cursor = page_of(found, limit, "_id")
    return {"items": [listed(job) for job in providers.explained(services(), page)], "next_cursor": cursor}


@blueprint.get("/jobs/<job_id>")
def get_job(job_id: str) -> dict[str, Any]:
    """The job with its attempts, oldest first."""
    return _found(lambda: jobs.view(services(), job_id))


@blueprint.post("/jobs/<job_id>/retry")
def retry_job(job_id: str) -> dict[str, Any]:
    """Call again: as soon as the rules allow, a final job by a recorded reopening."""
    return _found(lambda: jobs.retry(services(), job_id, caller()))


@blueprint.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> dict[str, Any]:
    """End a job that is not being called."""
    return _found(lambda: jobs.cancel(services(), job_id))


@blueprint.get("/jobs/<job_id>/eligibility")
def job_eligibility(job_id: str) -> dict[str, Any]:
    """What the dialer itself would decide now, rule by rule."""
    return _found(lambda: eligibility.of_job(services(), job_id))


@blueprint.get("/jobs/<job_id>/preview")
def job_preview(job_id: str) -> dict[str, Any]:
    """What the agent would be told if it called now."""
    return _found(lambda: eligibility.preview(services(), job_id))


@blueprint.post("/jobs/<job_id>/callback")
def job_callback(job_id: str) -> dict[str, Any]:
    """Call at the agreed hour, `{"at": "2026-11-24T10:30:00-03:00"}`, or the next legal moment after it."""
    at = instant_of(json_body().get("at"))
    return _found(lambda: jobs.call_back(services(), job_id, at, caller()))


def status_of_query() -> JobState | None:
    """`status`, one of the jobs' states."""
    value = request.args.get("status") or None
    try:
        return JobState(value) if value else None
    except ValueError:
        known = ", ".join(JobState)
        raise ProblemError(422, text("option.choice", known=known), field="status") from None


def _found(operation: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return operation()
    except JobNotFoundError:
        raise ProblemError(404, text("http.no_job")) from None
    except JobRefusedError as error:
        raise ProblemError(409, str(error)) from error
