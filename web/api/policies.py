"""The policies that an upload may name, with the source of every rule."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from speechai.catalog.policies import presets
from web.api.blueprint import blueprint


@blueprint.get("/policies")
def list_policies() -> dict[str, Any]:
    """Every preset as its data file says it."""
    return {"items": [asdict(policy) for policy in presets().values()], "next_cursor": None}
