"""What every page says first, and the kill switch: stop all dialing, go on."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from speechai.operation.calling import stopping
from speechai.operation.calling.readiness import Missing, readiness
from speechai.operation.parts import set_aside
from web.auth import caller
from web.context import services
from web.language import text
from web.panel.blueprint import blueprint


@blueprint.app_context_processor
def stop_in_force() -> dict[str, Any]:
    """What the layout's banners say; asked only where they are shown."""
    return {
        "stop_in_force": lambda: current_user.is_authenticated and services().store.stops.current(),
        "zone_of_house": lambda: services().settings.zone,
        "nobody_callable": lambda: current_user.is_authenticated and _missing_everywhere(),
        "set_aside": lambda: set_aside(services()) if current_user.is_authenticated else None,
    }


def _missing_everywhere() -> tuple[Missing, ...]:
    ready = readiness(services())
    return ready.missing if ready.is_unconfigured else ()


@blueprint.get("/stop")
def confirm_stop() -> str:
    """What will happen, and whether to hang up."""
    return render_template("panel/stop.html", state=stopping.state(services()))


@blueprint.post("/stop")
def stop_everything() -> Response:
    """Start no new call anywhere."""
    stopping.stop(services(), caller(), hang_up=request.form.get("hang_up") == "1")
    return redirect(url_for("panel.batches"), 303)


@blueprint.post("/resume")
def resume_everything() -> Response:
    """Dial again."""
    stopping.resume(services(), caller())
    flash(text("stop.resumed"), "ok")
    return redirect(url_for("panel.batches"), 303)
