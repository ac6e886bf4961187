"""Persons: their history over all batches, the evidence of why they were called, and forgetting them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speechai.operation.records import erasing, evidence, persons
from speechai.operation.records.erasing import StillCalledError
from speechai.operation.records.persons import PersonNotFoundError
from web.api.blueprint import blueprint, json_body, word
from web.auth import caller
from web.context import services
from web.language import current, text
from web.problems import ProblemError


@blueprint.get("/persons/<path:person_id>/evidence")
def person_evidence(person_id: str) -> dict[str, Any]:
    """Every call, what allowed it, and whether the chain of evidence holds."""
    return _found(lambda: evidence.pack(services(), person_id))


@blueprint.post("/persons/<path:person_id>/erase")
def erase_person(person_id: str) -> dict[str, Any]:
    """Forget the person on their demand, on record: `{"why": "…"}`. What was removed, what stays and why."""
    why = word(json_body().get("why"), "why")
    return _found(lambda: erasing.erase(services(), person_id, caller(), why).as_answer(current()))


@blueprint.get("/persons/<path:person_id>")
def get_person(person_id: str) -> dict[str, Any]:
    """Jobs, calls and entries of the do-not-call list, by `CL:RUT:…`, `AR:DNI:…` or `TEL:+…`."""
    return _found(lambda: persons.history(services(), person_id))


def _found(operation: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return operation()
    except PersonNotFoundError:
        raise ProblemError(404, text("http.no_person")) from None
    except StillCalledError:
        raise ProblemError(409, text("person.active")) from None
