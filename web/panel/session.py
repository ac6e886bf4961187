"""In and out, and the language."""

from __future__ import annotations

from flask import current_app, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from web.auth import Throttle, verify_login
from web.language import LANGUAGES, text
from web.panel.blueprint import blueprint, safe_target
from web.problems import ProblemError


@blueprint.get("/login")
def login() -> Response | str:
    """The form."""
    if current_user.is_authenticated:
        return redirect(url_for("panel.batches"))
    return _form()


@blueprint.post("/login")
def enter() -> Response | tuple[str, int]:
    """Let the user in, if the password is right and there were not too many tries."""
    email, password = request.form.get("email", "").strip(), request.form.get("password", "")
    throttle: Throttle = current_app.extensions["login_throttle"]
    address = request.remote_addr or ""
    if not throttle.allows(address, email):
        return _form(text("login.throttled")), 429
    user = verify_login(email, password)
    if user is None:
        return _form(text("login.wrong")), 401
    throttle.forget(address, email)
    language = session.get("language")
    session.clear()  # nothing from before the login, its CSRF token included
    if language:
        session["language"] = language
    session.permanent = True
    login_user(user)
    return redirect(safe_target(request.form.get("next"), url_for("panel.batches")), 303)


@blueprint.post("/logout")
def logout() -> Response:
    """End the session."""
    logout_user()
    return redirect(url_for("panel.login"), 303)


@blueprint.get("/language/<code>")
def switch_language(code: str) -> Response:
    """Spanish or English from here on."""
    if code not in LANGUAGES:
        raise ProblemError(404, text("http.404"))
    session["language"] = code
    return redirect(safe_target(request.args.get("next"), url_for("panel.batches")), 303)


def _form(error: str | None = None) -> str:
    target = request.values.get("next", "")
    return render_template("panel/login.html", error=error, next=target, email=request.form.get("email", ""))
