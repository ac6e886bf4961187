"""Retell's API for the rest of the product: pooled connections, a timeout on every request, plain dicts.

Unknown fields and values pass through untouched. Reads are tried again where that helps; a create never is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from speechai.clock import Clock, SystemClock
from speechai.core.call import Call
from speechai.retell.errors import ProviderError, Retryable, Throttled, UnknownResult, error_of

Answer = dict[str, Any]
"""A call in the provider's own words (`speechai.core.call` reads it)."""

READ_TRIES = 3
READ_SECONDS = 15.0  # all tries of one read together
LONGEST_WAIT = 5.0  # of what a read waits because it was asked to; a longer wish becomes the caller's matter
PAGE = 200  # calls per page of list-calls
LONGEST_CALL_MS = (60_000, 7_200_000)
"""The bounds of `max_call_duration_ms`: the provider refuses a create beyond them. Source:
reference/retell-api.md, get-agent. A shorter call is ended by our own watchdog."""


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One call to place."""

    from_number: str
    to_number: str
    attempt_id: str
    job_id: str
    batch_id: str
    agent_id: str | None = None
    agent_version: int | None = None
    dynamic_variables: dict[str, str] = field(default_factory=dict)
    agent_override: dict[str, Any] | None = None
    max_call_duration: timedelta | None = None  # after which the provider ends it; None: as its agent says

    def to_body(self) -> dict[str, Any]:
        """The request's body: the attempt's id is the idempotency key, and in the metadata to be found by."""
        body: dict[str, Any] = {
            "from_number": self.from_number,
            "to_number": self.to_number,
            "idempotency_key": self.attempt_id,
            "metadata": {
                "attempt_id": self.attempt_id,
                "job_id": self.job_id,
                "batch_id": self.batch_id,
            },
            # Values must be strings, and an empty one would be spoken as its name.
            "retell_llm_dynamic_variables": {
                name: str(value) for name, value in self.dynamic_variables.items() if value
            },
        }
        if self.agent_id:
            body["override_agent_id"] = self.agent_id
        if self.agent_version is not None:
            body["override_agent_version"] = self.agent_version
        if override := self._override():
            body["agent_override"] = override
        return body

    def _override(self) -> dict[str, Any]:
        override = dict(self.agent_override or {})
        if self.max_call_duration is not None:
            least, most = LONGEST_CALL_MS
            wished = round(self.max_call_duration / timedelta(milliseconds=1))
            longest = {"max_call_duration_ms": min(most, max(least, wished))}
            override["agent"] = {**longest, **override.get("agent", {})}
        return override


@dataclass(frozen=True, slots=True)
class CallPage:
    """One page of list-calls."""

    items: list[Answer]
    has_more: bool
    pagination_key: str | None


class RetellClient:
    """Retell's API under one key. Safe for threads: it holds nothing but a pool of connections."""

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        read_timeout: tuple[float, float] = (5, 10),
        create_timeout: tuple[float, float] = (5, 20),
        pool_size: int = 32,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Timeouts are (connect, read) in seconds; a create's is well under the lease of an attempt."""
        self._base_url = base_url.rstrip("/")
        self._read_timeout = read_timeout
        self._create_timeout = create_timeout
        self._clock = clock or SystemClock()
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {api_key}"
        adapter = HTTPAdapter(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._retrying = Retrying(
            retry=retry_if_exception_type((Retryable, Throttled)),
            stop=stop_after_attempt(READ_TRIES) | stop_after_delay(READ_SECONDS),
            wait=_wait,
            reraise=True,
            sleep=sleep,
        )

    def __repr__(self) -> str:
        return f"RetellClient({self._base_url!r})"

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    # -- the one request that rings ---------------------------------------------------------------

    def create_phone_call(self, request: CallRequest) -> Answer:
        """Place a call; sent once, whatever happens.

        Raises Refused (definitely not placed), Throttled and Retryable (nothing was sent or accepted), and
        UnknownResult where nobody can tell: a timeout, a broken connection, a 5xx, an unreadable answer.
        """
        try:
            response = self._session.post(
                f"{self._base_url}/v2/create-phone-call",
                json=request.to_body(),
                timeout=self._create_timeout,
                allow_redirects=False,
            )
        except requests.ConnectTimeout as error:
            raise Retryable("no connection to the provider in time") from error
        except requests.ConnectionError as error:
            if _never_connected(error):
                raise Retryable("no connection to the provider") from error
            raise UnknownResult("the connection broke during the request") from error
        except requests.RequestException as error:
            raise UnknownResult(f"no answer to the request: {type(error).__name__}") from error
        if response.status_code >= 400:
            raise error_of(response, self._clock.now(), create=True, get_call=False)
        try:
            call = response.json()
        except ValueError as error:
            raise UnknownResult("the answer to the request cannot be read") from error
        if response.status_code >= 300 or not isinstance(call, dict) or not call.get("call_id"):
            raise UnknownResult(
                "the answer to the request names no call",
                status=response.status_code,
                body=call if isinstance(call, dict) else {},
            )
        return call

    # -- reads ------------------------------------------------------------------------------------

    def get_call(self, call_id: str) -> Answer:
        """The call as it stands. Raises NotFound where the provider does not know it."""
        return _object(self._read("GET", f"/v2/get-call/{quote(call_id, safe='')}", get_call=True))

    def list_calls(
        self,
        *,
        filter_criteria: dict[str, Any],
        limit: int = 50,
        pagination_key: str | None = None,
        sort_order: str = "descending",
    ) -> CallPage:
        """One page of calls (v3); items carry no transcript. A bare array, as v2 answers, is one page too."""
        body: dict[str, Any] = {
            "filter_criteria": filter_criteria,
            "limit": limit,
            "sort_order": sort_order,
        }
        if pagination_key:
            body["pagination_key"] = pagination_key
        answer = self._read("POST", "/v3/list-calls", json=body)
        if isinstance(answer, list):
            return CallPage(answer, False, None)
        answer = _object(answer)
        items = answer["items"] if isinstance(answer.get("items"), list) else []
        return CallPage(items, bool(answer.get("has_more")), answer.get("pagination_key"))

    def find_by_attempt(self, attempt_id: str) -> list[Answer]:
        """Every call that carries this attempt's id in its metadata."""
        condition = {"type": "string", "key": "attempt_id", "op": "eq", "value": attempt_id}
        calls = self._all_pages({"metadata": [condition]})
        # Filtered again: a provider that does not know the filter answers with everything.
        return [call for call in calls if Call.of(call).attempt_id == attempt_id and Call.of(call).call_id]

    def get_calls(self, call_ids: Sequence[str]) -> list[Answer]:
        """Many calls at once, in pages of list-calls: without transcripts, and without those unknown."""
        wanted = set(call_ids)
        found: list[Answer] = []
        for start in range(0, len(call_ids), PAGE):
            chunk = list(call_ids[start : start + PAGE])
            found += self._all_pages({"call_id": {"type": "enum", "op": "in", "value": chunk}})
        return [call for call in found if Call.of(call).call_id in wanted]

    def get_concurrency(self) -> dict[str, Any]:
        """How many calls are running in the workspace, and how many may."""
        return _object(self._read("GET", "/get-concurrency"))

    def get_agent(self, agent_id: str) -> dict[str, Any]:
        """An agent's settings. Raises NotFound."""
        return _object(self._read("GET", f"/get-agent/{quote(agent_id, safe='')}", get_call=True))

    def stop_call(self, call_id: str) -> None:
        """End a call. Saying so twice is harmless, so it is tried again like a read."""
        self._read("POST", f"/v2/stop-call/{quote(call_id, safe='')}", get_call=True)

    def _all_pages(self, filter_criteria: dict[str, Any], most: int = 50) -> list[Answer]:
        found: list[Answer] = []
        key = None
        for _ in range(most):
            page = self.list_calls(filter_criteria=filter_criteria, limit=PAGE, pagination_key=key)
            found += page.items
            key = page.pagination_key
            if not page.has_more or not key:
                break
        return found

    def _read(self, method: str, path: str, *, json: Any = None, get_call: bool = False) -> Any:
        return self._retrying(self._read_once, method, path, json, get_call)

    def _read_once(self, method: str, path: str, json: Any, get_call: bool) -> Any:
        try:
            response = self._session.request(
                method, f"{self._base_url}{path}", json=json, timeout=self._read_timeout
            )
        except requests.RequestException as error:
            raise Retryable(f"no answer from the provider: {type(error).__name__}") from error
        if response.status_code >= 400:
            raise error_of(response, self._clock.now(), create=False, get_call=get_call)
        if not response.content:
            return {}
        try:
            return response.json()
        except ValueError as error:
            raise Retryable("an answer that cannot be read", status=response.status_code) from error


def _object(answer: Any) -> dict[str, Any]:
    """The answer, if it is the JSON object that it should be. Raises Retryable."""
    if not isinstance(answer, dict):
        raise Retryable("an answer that is no object")
    return answer


_backoff = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)


def _wait(state: RetryCallState) -> float:
    """As long as the provider asks, within reason; else exponential with jitter."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Throttled) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT)
    return float(_backoff(state))


def _never_connected(error: requests.ConnectionError) -> bool:
    """Whether the connection was refused or never made, so that nothing can have been sent."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


__all__ = ["CallPage", "CallRequest", "ProviderError", "RetellClient"]
