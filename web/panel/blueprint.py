"""The panel's blueprint: everything behind the login, but the login itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, current_app, request
from flask.sansio.blueprints import BlueprintSetupState
from flask_login import current_user
from jinja2 import Undefined

from web.language import current, name_of, text
from web.panel import show
from web.panel.markup import bar_segments, web_address
from web.texts.details import detail_in

blueprint = Blueprint("panel", __name__)

_OPEN = frozenset({"panel.login", "panel.enter", "panel.switch_language"})


@blueprint.before_request
def require_login() -> Any:
    """Whoever is not logged in goes to the login, or as a program gets 401."""
    if request.endpoint not in _OPEN and not current_user.is_authenticated:
        return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    return None


def safe_target(target: str | None, default: str) -> str:
    """Where to go next, if it is a path of ours: never another host."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return default
    parts = urlsplit(target)
    unsafe = parts.scheme or parts.netloc or any(ord(char) < 32 or char == "\\" for char in target)
    return default if unsafe else target


@blueprint.record_once
def _words(state: BlueprintSetupState) -> None:
    """What templates, their macros included, may call; each answers in the request's language."""
    state.app.jinja_env.globals.update(
        t=text,
        name_of=name_of,
        detail=lambda said: detail_in(current(), said),
        money=lambda amount, currency: show.money(amount, currency, current()),
        number=lambda value: show.number(_known(value), current()),
        usd=lambda cents: show.usd(cents, current()),
        amount_in=lambda unit, amount: show.amount_in(unit, amount, current()),
        seconds=show.duration,
        day=lambda value: show.day(value, current()),
        moment=lambda instant, zone: show.moment(_known(instant), zone, current()),
        clock=show.clock,
        bar_segments=bar_segments,
        web_address=web_address,
    )


def _known(value: Any) -> Any:
    """The value, or None where the document lacks it: a wave that was missed released nobody."""
    return None if isinstance(value, Undefined) else value


@blueprint.app_context_processor
def _language() -> dict[str, str]:
    return {"language": current()}
