"""The client: one create is one request, whatever happens; every answer has one meaning."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import NewConnectionError, ProtocolError

from speechai.clock import ManualClock
from speechai.retell.client import CallRequest, RetellClient
from speechai.retell.errors import (
    NotFound,
    ProviderError,
    Refused,
    Retryable,
    Throttled,
    UnknownResult,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REQUEST = CallRequest(
    "+56600123456", "+56911111111", "att-1", "job-1", "batch-1", dynamic_variables={"a": "1"}
)


class Answers(BaseAdapter):
    """Gives prepared answers, or raises prepared errors; keeps what was asked."""

    def __init__(self, *prepared):
        super().__init__()
        self.prepared = list(prepared)
        self.requests = []

    def send(self, request, **options):
        self.requests.append((request, options))
        answer = self.prepared.pop(0) if len(self.prepared) > 1 else self.prepared[0]
        if isinstance(answer, Exception):
            raise answer
        status, body, headers = (*answer, {})[:3]
        response = requests.Response()
        response.status_code = status
        response._content = body if isinstance(body, bytes) else body.encode()
        response.headers.update(headers)
        response.request = request
        return response

    def close(self):
        pass


def a_client(*prepared):
    waits = []
    client = RetellClient(
        "key_secret123", "http://provider.test/", clock=ManualClock(NOW), sleep=waits.append
    )
    answers = Answers(*prepared)
    client._session.mount("http://", answers)
    return client, answers, waits


OK = (201, '{"call_id": "call_1", "call_status": "registered", "new_field": {"x": 1}}')
BAD_CONNECTION = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError()))


def never_connected():
    class RefusalError(Exception):
        reason = NewConnectionError(None, "refused")

    return requests.ConnectionError(RefusalError())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, '{"status":"error","message":"bad"}'), Refused),
        ((400, '{"error_message":"bad"}'), Refused),
        ((400, "<html>bad</html>"), Refused),
        ((401, "{}"), Refused),
        ((402, '{"message":"Trial has ended"}'), Refused),
        ((403, "{}"), Refused),
        ((404, "{}"), NotFound),
        ((409, "{}"), Refused),
        ((422, "{}"), Refused),
        ((429, "{}"), Throttled),
        ((408, "{}"), UnknownResult),
        ((500, "{}"), UnknownResult),
        ((502, "bad gateway"), UnknownResult),
        ((503, "{}"), UnknownResult),
        ((201, "not json"), UnknownResult),
        ((201, "{}"), UnknownResult),
        ((302, ""), UnknownResult),
        (requests.ReadTimeout(), UnknownResult),
        (BAD_CONNECTION, UnknownResult),
        (requests.exceptions.ChunkedEncodingError(), UnknownResult),
        (requests.ConnectTimeout(), Retryable),
        (never_connected(), Retryable),
    ],
)
def test_what_a_create_may_come_to_and_that_it_is_sent_once(answer, error):
    client, answers, waits = a_client(answer)
    with pytest.raises(ProviderError) as raised:
        client.create_phone_call(REQUEST)
    assert type(raised.value) is error
    assert len(answers.requests) == 1 and waits == []


def test_a_create_carries_its_key_and_metadata_and_has_a_timeout():
    client, answers, _ = a_client(OK)
    call = client.create_phone_call(REQUEST)
    assert call["new_field"] == {"x": 1}  # what we do not know passes through
    request, options = answers.requests[0]
    body = REQUEST.to_body()
    assert body["idempotency_key"] == "att-1"
    assert body["metadata"] == {"attempt_id": "att-1", "job_id": "job-1", "batch_id": "batch-1"}
    assert request.headers["Authorization"] == "Bearer key_secret123"
    assert options["timeout"] == (5, 20)


def test_empty_variables_are_left_out_and_values_are_strings():
    request = CallRequest("+1", "+2", "a", "j", "b", dynamic_variables={"x": "", "y": 5})
    assert request.to_body()["retell_llm_dynamic_variables"] == {"y": "5"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30),
        ({"Retry-After": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_a_429_asks_to_wait(headers, seconds):
    client, _, _ = a_client((429, "{}", headers))
    with pytest.raises(Throttled) as raised:
        client.create_phone_call(REQUEST)
    assert raised.value.retry_after == seconds


def test_reads_are_tried_again_and_waits_are_honoured():
    client, answers, waits = a_client(
        (429, "{}", {"Retry-After": "2"}), (500, "{}"), (200, '{"call_id": "c"}')
    )
    assert client.get_call("c") == {"call_id": "c"}
    assert len(answers.requests) == 3
    assert waits[0] == 2


def test_a_read_gives_up_after_a_few_tries():
    client, answers, waits = a_client(requests.ConnectionError("x"))
    with pytest.raises(Retryable):
        client.get_call("c")
    assert len(answers.requests) == 3 and len(waits) == 2


def test_a_read_does_not_wait_for_ever_because_it_was_asked_to():
    client, _, waits = a_client((429, "{}", {"Retry-After": "3600"}), (200, "{}"))
    client.get_call("c")
    assert waits == [5.0]


@pytest.mark.parametrize("status", [404, 422])
def test_an_unknown_call_is_not_found(status):
    client, answers, _ = a_client((status, "{}"))
    with pytest.raises(NotFound):
        client.get_call("call_x")
    assert len(answers.requests) == 1


@pytest.mark.parametrize("body", ["[1]", '"full"', "3"])
def test_an_answer_that_is_no_object_is_an_error_of_the_provider(body):
    client, _, _ = a_client((200, body))
    for ask in (client.get_concurrency, lambda: client.get_agent("agent"), lambda: client.get_call("c")):
        with pytest.raises(Retryable):
            ask()


def test_a_call_id_cannot_leave_its_path():
    client, answers, _ = a_client((200, "{}"))
    client.get_call("../get-concurrency?x=")
    assert answers.requests[0][0].path_url == "/v2/get-call/..%2Fget-concurrency%3Fx%3D"


def test_attempts_are_found_even_where_the_filter_is_ignored():
    calls = [
        {"call_id": "1", "metadata": {"attempt_id": "a"}},
        {"call_id": "2", "metadata": {"attempt_id": "b"}},
        {"call_id": "3"},
    ]
    body = json.dumps({"items": calls})
    client, _, _ = a_client((200, body))
    assert [call["call_id"] for call in client.find_by_attempt("b")] == ["2"]


def test_pages_are_followed():
    first = '{"items": [{"call_id":"1"}], "has_more": true, "pagination_key": "k"}'
    client, answers, _ = a_client((200, first), (200, '[{"call_id":"2"},{"call_id":"9"}]'))
    assert [call["call_id"] for call in client.get_calls(["1", "2"])] == ["1", "2"]
    assert b'"pagination_key": "k"' in answers.requests[1][0].body


def test_no_key_and_no_number_in_an_errors_text():
    client, _, _ = a_client((400, '{"message": "to_number +56911111111 is bad"}'))
    with pytest.raises(Refused) as raised:
        client.create_phone_call(REQUEST)
    assert "+56911111111" not in str(raised.value) and "111" in str(raised.value)
    assert "secret" not in repr(client)


@pytest.mark.parametrize(
    ("wished", "sent"),
    [
        (timedelta(minutes=10), 600_000),
        (timedelta(seconds=3), 60_000),  # the provider's least: our watchdog ends it before
        (timedelta(hours=5), 7_200_000),
    ],
)
def test_a_create_says_how_long_the_call_may_last_within_what_the_provider_takes(wished, sent):
    override = {"agent": {"webhook_url": "https://ours.example/webhooks/retell"}}
    request = replace(REQUEST, max_call_duration=wished, agent_override=override)
    assert request.to_body()["agent_override"] == {
        "agent": {
            "webhook_url": "https://ours.example/webhooks/retell",
            "max_call_duration_ms": sent,
        }
    }
    assert override == {"agent": {"webhook_url": "https://ours.example/webhooks/retell"}}


def test_without_a_wish_the_call_lasts_as_its_agent_says():
    assert "agent_override" not in REQUEST.to_body()
