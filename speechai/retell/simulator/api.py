"""Retell's HTTP API on a simulated world, and the controls of the simulation under `/_simulator/`."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from speechai.retell.simulator.calls import Call, RefusedError
from speechai.retell.simulator.faults import REFUSALS, UnknownFaultError
from speechai.retell.simulator.outcomes import UnknownOutcomeError
from speechai.retell.simulator.queries import BadFilterError, as_listed, matches_v2, matches_v3
from speechai.retell.simulator.world import World

SERVER_ERROR = "An unexpected server error occurred."
E164 = re.compile(r"\+[1-9]\d{6,14}")
AGENT_FIELDS = {
    "agent_name": "Agente simulado",
    "version": 0,
    "is_published": True,
    "language": "es-419",
    "voice_id": "11labs-Adrian",
    "response_engine": {"type": "retell-llm", "llm_id": "llm_simulated", "version": 0},
    "last_modification_timestamp": 1763856000000,
    "ring_duration_ms": 30000,
    "max_call_duration_ms": 3600000,
    "end_call_after_silence_ms": 600000,
    "voicemail_option": {"action": {"type": "hangup"}},
    "webhook_events": ["call_started", "call_ended", "call_analyzed"],
}


def create_app(world: World, api_key: str | None) -> Flask:
    """The API of `world`. Without `api_key`, any key is accepted."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _Api(world, api_key, app)
    return app


class _Api:
    def __init__(self, world: World, api_key: str | None, app: Flask) -> None:
        self.world = world
        self.api_key = api_key
        self.error_key = "message"  # or "error_message": both shapes are seen live
        self.ring_cap_ms = 30000
        routes: list[tuple[str, str, Callable[..., Any]]] = [
            ("POST", "/v2/create-phone-call", self.create),
            ("GET", "/v2/get-call/<call_id>", self.get),
            ("POST", "/v3/list-calls", self.list_v3),
            ("POST", "/v2/list-calls", self.list_v2),
            ("POST", "/v2/stop-call/<call_id>", self.stop),
            ("PATCH", "/v2/update-call/<call_id>", self.update),
            ("DELETE", "/v2/delete-call/<call_id>", self.delete),
            ("GET", "/get-concurrency", self.concurrency),
            ("GET", "/get-agent/<agent_id>", self.agent),
            ("GET", "/get-phone-number/<number>", self.number),
            ("GET", "/v2/list-phone-numbers", self.numbers),
            ("GET", "/get-api-key-info", self.key_info),
        ]
        for method, path, view in routes:
            app.add_url_rule(
                path, endpoint=f"{method} {path}", view_func=self._guarded(view), methods=[method]
            )
        controls: list[tuple[str, str, Callable[..., Any]]] = [
            ("GET", "ledger", lambda: jsonify(world.ledger())),
            ("GET", "faults", lambda: jsonify(world.faults.as_dict())),
            ("PUT", "faults", self.set_faults),
            ("PUT", "script", self.set_script),
            ("PUT", "mix", self.set_mix),
            ("PUT", "limits", self.set_limits),
            ("POST", "reset", self.reset),
        ]
        for method, name, view in controls:
            app.add_url_rule(
                f"/_simulator/{name}", endpoint=f"control {method} {name}", view_func=view, methods=[method]
            )
        app.register_error_handler(RefusedError, self._refused)
        app.register_error_handler(HTTPException, self._http_error)
        for bad in (BadFilterError, UnknownFaultError, UnknownOutcomeError):
            app.register_error_handler(bad, lambda error: self._error(400, str(error)))

    # -- answers ----------------------------------------------------------------------------------

    def _guarded(self, view: Callable[..., Any]) -> Callable[..., Any]:
        lookups = {self.get: "get", self.list_v2: "list", self.list_v3: "list"}

        @functools.wraps(view)
        def guarded(**arguments: Any) -> Any:
            with self.world.lock:
                self.world.requests[request.endpoint or ""] += 1
            given = request.headers.get("Authorization", "")
            if not given.startswith("Bearer ") or (self.api_key and given[7:] != self.api_key):
                raise RefusedError(401, "API key is missing or invalid.")
            if view != self.create and self.world.faults.strikes("read_500"):
                raise RefusedError(500, SERVER_ERROR)
            if lookup := lookups.get(view):
                self._fail_lookup(lookup)
            return view(**arguments)

        return guarded

    def _fail_lookup(self, lookup: str) -> None:
        faults = self.world.faults
        if faults.strikes(f"{lookup}_hangs"):
            threading.Event().wait(faults.seconds["hang_s"])
        if faults.strikes(f"{lookup}_500"):
            raise RefusedError(500, SERVER_ERROR)
        if faults.strikes(f"{lookup}_401"):
            raise RefusedError(*REFUSALS["401"])

    def _fail_create(self, key: Any) -> None:
        """Refuse it, as the faults say; where the key was used before, the call that it made goes on."""
        faults = self.world.faults
        for fault in ("repost", "create") if self.world.knows(key) else ("create",):
            for name, (status, message) in REFUSALS.items():
                if faults.strikes(f"{fault}_{name}"):
                    says_when = status == 429 and not faults.strikes("no_retry_after")
                    raise RefusedError(status, message, retry_after=1.0 if says_when else None)
        if faults.strikes("create_500"):
            raise RefusedError(500, SERVER_ERROR)

    def _error(self, status: int, message: str) -> Response:
        body = {"status": "error", "message": message}
        if self.error_key == "error_message":
            body = {"error_message": message}
        answer = jsonify(body)
        answer.status_code = status
        return answer

    def _refused(self, error: RefusedError) -> Response:
        answer = self._error(error.status, error.message)
        if error.retry_after is not None:
            answer.headers["Retry-After"] = f"{error.retry_after:g}"
        return answer

    def _http_error(self, error: HTTPException) -> Response:
        messages = {404: "The requested resource was not found."}
        return self._error(error.code or 500, messages.get(error.code or 0, error.description or "error"))

    def _body(self) -> dict[str, Any]:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise RefusedError(400, "Invalid request format, please check API reference.")
        return body

    def _call(self, call_id: str) -> Call:
        call = self.world.calls.get(call_id)
        if call is None or call.deleted:
            raise RefusedError(404, "The requested resource was not found.")
        return call

    # -- calls ------------------------------------------------------------------------------------

    def create(self) -> Any:
        body = self._body()
        _validate(body)
        faults = self.world.faults
        self._fail_create(body.get("idempotency_key"))
        call = self.world.create(body, request.headers["Authorization"].removeprefix("Bearer "))
        if faults.strikes("create_500_created"):
            raise RefusedError(500, SERVER_ERROR)
        if faults.strikes("lost_reply"):
            return _broken_answer()
        if faults.strikes("slow_create"):
            threading.Event().wait(faults.seconds["slow_create_s"])
        with self.world.lock:
            answer = jsonify(call.public)
        answer.status_code = 201
        return answer

    def get(self, call_id: str) -> Any:
        call = self._call(call_id)
        with self.world.lock:
            return jsonify(call.public)

    def list_v3(self) -> Any:
        body = self._body()
        limit = _limit(body)
        wanted = body.get("filter_criteria") or {}
        found, more = self._page(body, limit, lambda call: matches_v3(call.public, wanted), "pagination_key")
        if not found and "metadata" in wanted and self.world.faults.strikes("repost_unreachable"):
            self._shut_after_a_lagging_list(wanted)
        answer: dict[str, Any] = {"items": [as_listed(call.public) for call in found], "has_more": more}
        if more:
            answer["pagination_key"] = str(found[-1].seq)
        if body.get("include_total"):
            with self.world.lock:
                calls = self._visible(wanted)
                answer["total"] = sum(matches_v3(call.public, wanted) for call in calls)
        return jsonify(answer)

    def _shut_after_a_lagging_list(self, wanted: dict[str, Any]) -> None:
        with self.world.lock:
            exists = any(matches_v3(call.public, wanted) for call in self.world.by_seq)
        if exists:
            self.world.shut(self.world.faults.seconds["unreachable_s"])

    def list_v2(self) -> Any:
        body = self._body()
        wanted = body.get("filter_criteria") or {}
        key = body.get("pagination_key")
        if key in self.world.calls:
            body = {**body, "pagination_key": str(self.world.calls[key].seq)}
        found, _ = self._page(body, _limit(body), lambda call: matches_v2(call.public, wanted), "v2")
        return jsonify([as_listed(call.public) for call in found])

    def _visible(self, wanted: dict[str, Any]) -> list[Call]:
        """Calls that list-calls knows of: with `list_lag_s`, new ones are missing for a while.

        Where calls are asked for by their ids, only those: a page need not go through all of them.
        """
        lag = self.world.faults.seconds["list_lag_s"]
        now = self.world.clock.now()
        calls = self.world.by_seq
        by_id = wanted.get("call_id")
        if isinstance(by_id, dict) and by_id.get("op") == "in":
            known = self.world.calls
            calls = sorted((known[id_] for id_ in by_id["value"] if id_ in known), key=lambda call: call.seq)
        return [call for call in calls if not call.deleted and (now - call.created_at).total_seconds() >= lag]

    def _page(
        self, body: dict[str, Any], limit: int, fits: Callable[[Call], bool], _shape: str
    ) -> tuple[list[Call], bool]:
        descending = body.get("sort_order", "descending") != "ascending"
        key = body.get("pagination_key")
        after = int(key) if isinstance(key, str) and key.isdigit() else None
        found: list[Call] = []
        with self.world.lock:
            calls = self._visible(body.get("filter_criteria") or {})
            for call in reversed(calls) if descending else calls:
                passed = after is not None and (call.seq >= after if descending else call.seq <= after)
                if passed or not fits(call):
                    continue
                if len(found) == limit:
                    return found, True
                found.append(call)
        return found, False

    def stop(self, call_id: str) -> Any:
        self.world.stop(self._call(call_id))
        return Response(status=204)

    def update(self, call_id: str) -> Any:
        call, body = self._call(call_id), self._body()
        with self.world.lock:
            if call.is_live:
                raise RefusedError(400, "Call has not ended yet.")
            for name in ("metadata", "data_storage_setting", "custom_attributes"):
                if name in body:
                    call.public[name] = body[name]
            return jsonify(call.public)

    def delete(self, call_id: str) -> Any:
        self._call(call_id).deleted = True
        return Response(status=204)

    # -- the workspace ----------------------------------------------------------------------------

    def concurrency(self) -> Any:
        limit = self.world.limits.concurrency
        return jsonify(
            current_concurrency=self.world.live,
            concurrency_limit=limit,
            base_concurrency=limit,
            purchased_concurrency=0,
            concurrency_purchase_limit=100,
            remaining_purchase_limit=100,
            concurrency_burst_enabled=False,
            concurrency_burst_limit=0,
            reserved_inbound_concurrency=0,
        )

    def agent(self, agent_id: str) -> Any:
        if self.world.limits.agents and agent_id not in self.world.limits.agents:
            raise RefusedError(422, "Cannot find requested asset under given api key.")
        return jsonify({"agent_id": agent_id, **AGENT_FIELDS})

    def number(self, number: str) -> Any:
        if self.world.limits.from_numbers and number not in self.world.limits.from_numbers:
            raise RefusedError(422, "Cannot find requested asset under given api key.")
        return jsonify(_number(number))

    def numbers(self) -> Any:
        return jsonify(items=[_number(number) for number in self.world.limits.from_numbers], has_more=False)

    def key_info(self) -> Any:
        return jsonify(org_id="org_simulated", org_name="Simulator", api_key_name="simulated")

    # -- controls ---------------------------------------------------------------------------------

    def set_faults(self) -> Any:
        self.world.faults.set(self._body())
        return jsonify(self.world.faults.as_dict())

    def set_script(self) -> Any:
        self.world.casting.set_scripts(self._body())
        return Response(status=204)

    def set_mix(self) -> Any:
        self.world.casting.set_mix(self._body())
        return Response(status=204)

    def set_limits(self) -> Any:
        for name, value in self._body().items():
            if name == "error_shape":
                self.error_key = str(value)
            elif hasattr(self.world.limits, name):
                kind = type(getattr(self.world.limits, name))
                setattr(self.world.limits, name, kind(value))
            else:
                raise RefusedError(400, f"there is no limit {name!r}")
        return Response(status=204)

    def reset(self) -> Any:
        self.world.reset()
        return Response(status=204)


def _validate(body: dict[str, Any]) -> None:
    """As the real API's schema does. Raises RefusedError 400."""
    for name in ("from_number", "to_number"):
        if not isinstance(body.get(name), str):
            raise RefusedError(400, f"request/body must have required property '{name}'")
        if not body[name]:
            raise RefusedError(400, f"request/body/{name} must NOT have fewer than 1 characters")
        if not E164.fullmatch(body[name]) and not (
            name == "from_number" and body.get("ignore_e164_validation")
        ):
            raise RefusedError(400, f"request/body/{name} must be in E.164 format")
    variables = body.get("retell_llm_dynamic_variables") or {}
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise RefusedError(400, "request/body/retell_llm_dynamic_variables values must be string")
    if body.get("metadata") is not None and not isinstance(body["metadata"], dict):
        raise RefusedError(400, "request/body/metadata must be object")


def _limit(body: dict[str, Any]) -> int:
    limit = body.get("limit", 50)
    if not isinstance(limit, int) or not 1 <= limit <= 1000:
        raise RefusedError(400, "request/body/limit must be between 1 and 1000")
    return limit


def _number(number: str) -> dict[str, Any]:
    return {
        "phone_number": number,
        "phone_number_type": "retell-twilio",
        "phone_number_pretty": number,
        "nickname": "Simulado",
        "last_modification_timestamp": 1763856000000,
        "outbound_agents": [{"agent_id": "agent_simulated", "weight": 1}],
    }


def _broken_answer() -> Response:
    """An answer that promises more than it sends: the client sees the connection break."""
    answer = Response(b"{", status=201, content_type="application/json")
    answer.headers["Content-Length"] = "4096"
    answer.headers["Connection"] = "close"
    return answer
