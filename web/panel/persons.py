"""One person over all batches: every call, and the evidence of why each was allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, current_app, render_template

from speechai.catalog.use_cases import Country
from speechai.core.zones import ZONE_OF_COUNTRY
from speechai.operation.records import evidence, persons
from speechai.operation.records.persons import PersonNotFoundError
from speechai.operation.services import Services
from web.context import services
from web.language import text
from web.panel.blueprint import blueprint
from web.problems import ProblemError


@blueprint.get("/persons/<path:person_id>/evidence.json")
def evidence_pack(person_id: str) -> Response:
    """The pack that a regulator would ask for, as a file."""
    pack = _found(evidence.pack, person_id)
    body = current_app.json.dumps(pack, indent=2)
    name = "".join(char if char.isalnum() else "-" for char in pack["person_id"])
    disposition = f'attachment; filename="evidence-{name}.json"'
    return Response(body, mimetype="application/json", headers={"Content-Disposition": disposition})


@blueprint.get("/persons/<path:person_id>")
def person(person_id: str) -> str:
    """The person's jobs and calls."""
    found = _found(persons.history, person_id)
    country = Country.AR if found["person_id"].startswith("AR:") else Country.CL
    return render_template("panel/person.html", person=found, zone=ZONE_OF_COUNTRY[country])


def _found(operation: Callable[[Services, str], dict[str, Any]], person_id: str) -> dict[str, Any]:
    try:
        return operation(services(), person_id)
    except PersonNotFoundError:
        raise ProblemError(404, text("http.no_person")) from None
