"""Batches: lists, one, its moves, what its upload rejected, its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request

from speechai.operation.campaigns import batches, providers, waterfall
from speechai.operation.campaigns.batches import BatchNotFoundError, MoveRefusedError
from speechai.operation.campaigns.configuring import NotEditableError, RefusedOptionError, edit
from speechai.results import reports
from web.api.blueprint import blueprint, cursor_of_query, json_body, limit_of_query, page_of
from web.auth import caller
from web.context import services
from web.language import current, text
from web.problems import ProblemError
from web.upload_options import BadOptionsError, read_edit


@blueprint.get("/batches")
def list_batches() -> dict[str, Any]:
    """Newest first, in pages."""
    limit, made = limit_of_query(50, 200), services()
    found = made.store.batches.page(limit=limit + 1, before=cursor_of_query())
    shown, cursor = page_of(found, limit, "_id")
    return {"items": batches.describe(made, shown), "next_cursor": cursor}


@blueprint.get("/batches/<batch_id>")
def get_batch(batch_id: str) -> dict[str, Any]:
    """State, counts, cost."""
    return _found(lambda: batches.view(services(), batch_id))


@blueprint.post("/batches/<batch_id>/start")
def start_batch(batch_id: str) -> dict[str, Any]:
    """Start a draft, `now` or with the next wave."""
    when = json_body().get("when", "next_wave")
    if when not in ("now", "next_wave"):
        raise ProblemError(422, text("option.choice", known="now, next_wave"), field="when")
    return _found(lambda: batches.start(services(), batch_id, when))


@blueprint.post("/batches/<batch_id>/pause")
def pause_batch(batch_id: str) -> dict[str, Any]:
    """No new call; calls in flight end normally."""
    return _found(lambda: batches.pause(services(), batch_id))


@blueprint.post("/batches/<batch_id>/resume")
def resume_batch(batch_id: str) -> dict[str, Any]:
    """Go on after a pause."""
    return _found(lambda: batches.resume(services(), batch_id))


@blueprint.post("/batches/<batch_id>/cancel")
def cancel_batch(batch_id: str) -> dict[str, Any]:
    """Call it off for good."""
    return _found(lambda: batches.cancel(services(), batch_id))


@blueprint.get("/batches/<batch_id>/rejected")
def rejected_rows(batch_id: str) -> dict[str, Any]:
    """The rows of the file that became nothing, each with its reason, in pages."""
    limit, store = limit_of_query(100, 1000), services().store
    if store.batches.get(batch_id) is None:
        raise _no_batch()
    rows = list(store.batches.rejections(batch_id, limit=limit + 1, after=row_cursor()))
    shown, cursor = page_of(rows, limit, "row")
    items = [{name: value for name, value in row.items() if name != "batch_id"} for row in shown]
    return {"items": items, "next_cursor": None if cursor is None else str(cursor)}


@blueprint.patch("/batches/<batch_id>")
def edit_batch(batch_id: str) -> dict[str, Any]:
    """Change what is given; the next call obeys."""
    made = services()

    def _edit() -> dict[str, Any]:
        try:
            wished = read_edit(json_body(), current())
            edit(made, batch_id, wished, caller(), current())
        except BadOptionsError as error:
            raise ProblemError(422, str(error), errors=error.errors) from error
        except RefusedOptionError as error:
            raise ProblemError(422, error.message, field=error.field) from error
        except NotEditableError:
            raise ProblemError(409, text("batch.over")) from None
        except LookupError:
            raise _no_batch() from None
        return batches.view(made, batch_id)

    return _found(_edit)


@blueprint.post("/batches/<batch_id>/provider")
def move_provider(batch_id: str) -> dict[str, Any]:
    """Dial a held batch through the provider in use from now on, on record (`edits`)."""
    made = services()

    def _move() -> dict[str, Any]:
        try:
            providers.move(made, [batch_id], caller(), current())
        except providers.SameProviderError:
            raise ProblemError(409, text("provider.same")) from None
        except providers.CallsInFlightError:
            raise ProblemError(409, text("provider.in_flight")) from None
        except RefusedOptionError as error:
            raise ProblemError(422, error.message, field=error.field) from error
        return batches.view(made, batch_id)

    return _found(_move)


@blueprint.get("/provider")
def get_provider() -> dict[str, Any]:
    """The provider in use, and which open batches are dialed through which."""
    return providers.overview(services())


@blueprint.get("/batches/<batch_id>/eligibility")
def batch_eligibility(batch_id: str) -> dict[str, Any]:
    """The waterfall: how many jobs are held by which rule, and until when."""
    return _found(lambda: waterfall.of_batch(services(), batch_id))


@blueprint.get("/reports/batches/<batch_id>")
def report(batch_id: str) -> dict[str, Any]:
    """What the batch came to."""
    return _found(lambda: reports.batch_report(services(), batch_id))


def row_cursor() -> int:
    """The cursor of rejected rows: the number of the last one shown."""
    value = request.args.get("cursor") or "0"
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise ProblemError(422, text("option.cursor"), field="cursor")
    return int(value)


def _found(operation: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return operation()
    except BatchNotFoundError:
        raise _no_batch() from None
    except MoveRefusedError as error:
        raise ProblemError(
            409, text("batch.refused", state=text(f"batch.{error.state}")), state=error.state.value
        ) from error


def _no_batch() -> ProblemError:
    return ProblemError(404, text("http.no_batch"))
