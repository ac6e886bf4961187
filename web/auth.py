"""Who may come in: bearer keys for the API, a login for the panel. Neither opens the other."""

from __future__ import annotations

import hashlib
import logging
import secrets
import sys
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, g, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response as BaseResponse

from speechai.operation.services import Services
from web.context import services
from web.language import text
from web.problems import is_for_programs, problem

log = logging.getLogger(__name__)

# A wrong e-mail takes as long as a wrong password.
_NOBODY = generate_password_hash(secrets.token_urlsafe(16))


# -- the API's keys ------------------------------------------------------------------------------------


def check_api_key() -> Response | None:
    """Before every request: nothing under /api answers without a key, not even that a path is unknown."""
    if not (request.path.startswith("/api/") or request.path in ("/api", "/metrics")):
        return None
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    name = services().store.api_keys.name_of(key.strip()) if scheme.lower() == "bearer" and key else None
    if name is None:
        answer = problem(401, text("http.401"))
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    g.caller = f"api:{name}"
    return None


def caller() -> str:
    """Who asked, for the record: the key's name, or the panel's user."""
    return str(g.caller) if "caller" in g else f"panel:{current_user.email}"


# -- the panel's login ---------------------------------------------------------------------------------


class User(UserMixin):  # type: ignore[misc]  # flask-login has no types
    """Somebody logged in to the panel."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.email: str = document["email"]
        self._password_hash: str = document["password_hash"]

    def get_id(self) -> str:
        """The e-mail and a fingerprint of the password: a new password ends every session."""
        mark = hashlib.sha256(self._password_hash.encode()).hexdigest()[:16]
        return f"{mark}|{self.email}"


def _load_user(session_id: str) -> User | None:
    _, _, email = session_id.partition("|")
    document = services().store.users.get(email)
    user = User(document) if document else None
    return user if user and secrets.compare_digest(user.get_id(), session_id) else None


def _refuse() -> BaseResponse:
    if is_for_programs():
        return problem(401, text("http.401_panel"))
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("panel.login", next=target if target != "/" else None))


def verify_login(email: str, password: str) -> User | None:
    """The user with that password, or None."""
    document = services().store.users.get(email)
    hashed = document["password_hash"] if document else _NOBODY
    matches = check_password_hash(hashed, password)
    return User(document) if document and matches else None


@dataclass(frozen=True, slots=True)
class Throttle:
    """How often a login may be tried: per address and e-mail, and per address."""

    limiter: MovingWindowRateLimiter
    per_user: RateLimitItemPerMinute
    per_address: RateLimitItemPerMinute

    def allows(self, address: str, email: str) -> bool:
        """Count a try. False when there were too many; that does not lock the user out elsewhere."""
        of_address = self.limiter.hit(self.per_address, "address", address)
        return self.limiter.hit(self.per_user, "user", address, email.lower()) and of_address

    def forget(self, address: str, email: str) -> None:
        """A login that worked: earlier slips of the finger do not count."""
        self.limiter.clear(self.per_user, "user", address, email.lower())


def make_throttle() -> Throttle:
    """Five tries in five minutes for a user from one address, fifty from the address."""
    return Throttle(
        MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerMinute(5, 5), RateLimitItemPerMinute(50, 5)
    )


# -- at start ------------------------------------------------------------------------------------------


def register(app: Flask) -> None:
    """Set up both ways in."""
    manager = LoginManager()
    manager.session_protection = "strong"
    manager.user_loader(_load_user)
    manager.unauthorized_handler(_refuse)
    manager.init_app(app)
    app.extensions["login_throttle"] = make_throttle()
    app.before_request(check_api_key)


def ensure_first(made: Services) -> None:
    """Let in the key of `SPEECHAI_API_KEY`, and a first user where there is none."""
    settings, store, instant = made.settings, made.store, made.clock.now()
    if settings.speechai_api_key:
        store.api_keys.add(settings.speechai_api_key.get_secret_value(), "env", instant)
    if store.users.all():
        return
    given = settings.admin_password.get_secret_value() if settings.admin_password else None
    password = given or secrets.token_urlsafe(12)
    added = store.users.add(settings.admin_email, generate_password_hash(password), instant)
    if added and not given:
        # Once, and to the terminal alone: a log would keep it.
        sys.stderr.write(f"panel: first user {settings.admin_email}, password {password}\n")
        sys.stderr.flush()
