"""What the provider tells us: judged by its signature over the raw bytes, then handed on. Never logged."""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from speechai.operation.calling import webhooks
from speechai.retell import webhook
from speechai.settings import Settings
from speechai.store import StoreError
from web.context import services
from web.metrics import metrics
from web.problems import ProblemError

log = logging.getLogger(__name__)

MAX_BYTES = 10 * 1024 * 1024

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/webhooks/retell")
def retell() -> Response:
    """204 for whatever is well signed and well formed: a repeat and a call that is not ours included."""
    try:
        event, call = _read(_verified_body())
        _count(webhooks.receive(services(), event, call))
    except RequestEntityTooLarge:
        _count("oversized")
        raise
    except ProblemError as error:
        _count("malformed" if error.status == 400 else "forged or stale")
        log.warning("webhook refused: %s", error.detail, extra={"address": request.remote_addr})
        raise
    except StoreError:
        _count("database away")  # answered 503, so that the provider tries again
        raise
    return Response(status=204)


def _count(result: str) -> None:
    metrics().webhooks.labels(result).inc()


def _verified_body() -> bytes:
    request.max_content_length = MAX_BYTES
    made = services()
    body = request.get_data(cache=False)
    key = _key(made.settings)
    if not key:
        raise ProblemError(401, "there is no key to verify signatures with")
    try:
        webhook.verify(body, key, request.headers.get(webhook.HEADER), made.clock.now())
    except webhook.SignatureError as error:
        raise ProblemError(401, str(error)) from None
    return body


def _key(settings: Settings) -> str | None:
    secret = settings.retell_webhook_key or settings.retell_api_key
    return secret.get_secret_value() if secret else None


def _read(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise ProblemError(400, "the body is not JSON") from None
    event = message.get("event") if isinstance(message, dict) else None
    call = message.get("call") if isinstance(message, dict) else None
    if not isinstance(event, str) or not isinstance(call, dict):
        raise ProblemError(400, "the body needs an event and a call")
    return event, call
