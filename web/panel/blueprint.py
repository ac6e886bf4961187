"""The panel's blueprint: everything behind the login, but the login itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, current_app, request
from flask.sansio.blueprints import BlueprintSetupState
from flask_login import current_user
from jinja2 import Undefined

from speechai.core.states import OPEN_ATTEMPTS
from web.language import current, name_of, text
from web.panel import show
from web.panel.markup import bar_segments, web_address
from web.texts.details import detail_in, entry_word_in

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


def _shown(write: Callable[..., str]) -> Callable[..., str]:
    """What a document does not have (yet) is Undefined in a template; `write` is given None for it."""
    return lambda *values: write(*(None if isinstance(value, Undefined) else value for value in values))


@blueprint.record_once
def _words(state: BlueprintSetupState) -> None:
    """What templates, their macros included, may call; each answers in the request's language."""
    state.app.jinja_env.globals.update(
        t=text,
        name_of=name_of,
        detail=_shown(lambda said: detail_in(current(), said) if said else show.NOTHING),
        money=_shown(lambda amount, currency: show.money(amount, currency, current())),
        number=_shown(lambda value: show.number(value, current())),
        usd=_shown(lambda cents: show.usd(cents, current())),
        amount_in=_shown(lambda unit, amount: show.amount_in(unit, amount, current())),
        seconds=_shown(show.duration),
        day=_shown(lambda value: show.day(value, current())),
        moment=_shown(lambda instant, zone: show.moment(instant, zone, current())),
        clock=_shown(show.clock),
        entry_word=lambda word: entry_word_in(current(), word),
        open_attempts=OPEN_ATTEMPTS,
        bar_segments=bar_segments,
        web_address=web_address,
    )


@blueprint.app_context_processor
def _language() -> dict[str, str]:
    return {"language": current()}
