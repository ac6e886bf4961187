"""The kill switch: whether all dialing is stopped, stop it, go on."""

from __future__ import annotations

from typing import Any

from speechai.operation.calling import stopping
from web.api.blueprint import blueprint, json_body
from web.auth import caller
from web.context import services
from web.language import text
from web.problems import ProblemError


@blueprint.get("/stop")
def stop_state() -> dict[str, Any]:
    """Whether dialing is stopped, by whom, since when, and how many calls are live."""
    return stopping.state(services())


@blueprint.post("/stop")
def stop_everything() -> dict[str, Any]:
    """No new call starts anywhere; with `{"hang_up": true}` live calls are ended too."""
    hang_up = json_body().get("hang_up", False)
    if not isinstance(hang_up, bool):
        raise ProblemError(422, text("option.flag"), field="hang_up")
    return stopping.stop(services(), caller(), hang_up=hang_up)


@blueprint.post("/resume")
def resume_everything() -> dict[str, Any]:
    """Dial again."""
    return stopping.resume(services(), caller())
