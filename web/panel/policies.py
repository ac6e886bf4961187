"""Which policies there are, and where each of their rules comes from."""

from __future__ import annotations

from flask import render_template

from speechai.catalog.policies import presets
from web.panel.blueprint import blueprint


@blueprint.get("/policies")
def policies() -> str:
    """Every preset with its rules, articles, certainty and review date."""
    return render_template("panel/policies.html", policies=list(presets().values()))
