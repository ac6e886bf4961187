"""The Flask app: `gunicorn 'web.app:create_app()'`."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFError, CSRFProtect

from speechai import composition, logs
from speechai.operation.services import Services
from speechai.settings import Settings
from web import api, auth, health, metrics, panel, problems, shared, webhooks
from web.context import KEY
from web.language import text
from web.secret import secret_key
from web.serialization import JsonProvider

MAX_UPLOAD_BYTES = 64 * 1024 * 1024

# No inline script or style anywhere; nothing from another host; in nobody's frame.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class _Flask(Flask):
    json_provider_class = JsonProvider


def create_app(services: Services | None = None) -> Flask:
    """The whole web: API, panel, webhook receiver and health, on the given services or this process's own."""
    made = services or composition.services()
    settings = made.settings
    if services is None:
        logs.configure(settings.log_level, settings.log_format)
    app = _Flask(__name__)
    app.extensions[KEY] = made
    app.extensions[metrics.KEY] = metrics.Metrics(made)
    _configure(app, settings)
    problems.register(app)
    auth.register(app)
    shared.register(app)
    csrf = CSRFProtect(app)
    for part in (api.blueprint, webhooks.blueprint, health.blueprint, metrics.blueprint):
        csrf.exempt(part)  # programs, which have no session: a bearer key or a signature lets them in
        app.register_blueprint(part)
    app.register_blueprint(panel.blueprint)
    app.register_error_handler(CSRFError, _on_csrf_error)
    app.after_request(_secure)
    auth.ensure_first(made)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    https = (settings.public_url or "").startswith("https://")
    app.config.update(
        SECRET_KEY=secret_key(settings),
        MAX_CONTENT_LENGTH=MAX_UPLOAD_BYTES,
        SESSION_COOKIE_NAME="speechai",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form may be open over lunch
    )
    app.jinja_options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}


def _on_csrf_error(_: CSRFError) -> Response:
    return problems.answer_for(400, text("http.csrf"))


def _secure(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        # Names, debts and what people said: in no cache.
        response.headers.setdefault("Cache-Control", "no-store")
    return response
