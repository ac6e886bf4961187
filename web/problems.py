"""Errors as HTTP tells them: problem+json for programs, a page for people, and never an inner detail."""

from __future__ import annotations

import logging
import uuid
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from speechai.store import StoreError
from web.language import text
from web.serialization import json_answer

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
_FOR_PROGRAMS = ("/api/", "/webhooks/", "/health", "/metrics")


class ProblemError(Exception):
    """A refusal with its reason: `detail` is for whoever reads it, `more` for whoever parses it."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def problem(status: int, detail: str, **more: Any) -> Response:
    """A problem+json answer (RFC 9457)."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    answer = json_answer(body, status)
    answer.mimetype = PROBLEM_JSON
    return answer


def is_for_programs() -> bool:
    """Whether the request is a program's, by its path."""
    path = request.path
    return path.startswith(_FOR_PROGRAMS) or path.endswith(".json") or path == "/api"


def answer_for(status: int, detail: str, **more: Any) -> Response:
    """The error in the form of whoever asked: JSON for a program, a page for a person."""
    if is_for_programs():
        return problem(status, detail, **more)
    page = render_template("error.html", status=status, detail=detail, **more)
    return Response(page, status, mimetype="text/html")


def _on_problem(error: ProblemError) -> Response:
    return answer_for(error.status, error.detail, **error.more)


def _on_http_error(error: HTTPException) -> BaseResponse:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()
    key = f"http.{error.code}"
    try:
        detail = text(key)
    except KeyError:
        detail = error.description or error.name
    answer = answer_for(error.code or 500, detail)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def _on_database_error(error: StoreError) -> Response:
    log.error("the database does not answer: %s", type(error).__name__, extra={"path": request.path})
    answer = answer_for(503, text("http.503"))
    answer.headers["Retry-After"] = "5"
    return answer


def _on_unexpected(error: Exception) -> Response:
    error_id = uuid.uuid4().hex
    log.error("unexpected error", exc_info=error, extra={"error_id": error_id, "endpoint": request.endpoint})
    return answer_for(500, text("http.500", error_id=error_id), error_id=error_id)


def register(app: Flask) -> None:
    """Let every error of the app leave as one of these."""
    app.register_error_handler(ProblemError, _on_problem)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(StoreError, _on_database_error)
    app.register_error_handler(Exception, _on_unexpected)
