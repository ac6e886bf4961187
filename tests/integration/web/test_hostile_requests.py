"""Whatever is sent to the API, it answers: nothing that a client can write is an error of ours (5xx)."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from speechai.operation.records import do_not_call
from speechai.operation.services import Services
from tests.integration.operation.conftest import add_batch, job_id, phone
from tests.integration.web.conftest import ANA, LIST, Api

DEEP = '{"a":' * 3_000 + "1" + "}" * 3_000
HALF = "\ud800".encode("utf-8", "surrogatepass")  # of a surrogate pair: no character
# As a body writes them, since some of these no Python value stands for.
VALUES = (
    *("null", "true", "-1", "1e400", "NaN", "-Infinity", "1e-400", "9" * 19, "9" * 5000, "1e22", '""', '"x"'),
    *('"a\\u0000b"', '"\\ud800"', '"\\u202e\\ufeff"', f'"{"á" * 10_000}"', '"²"', "[]", DEEP),
    *('"9999-12-31T23:59:59-12:00"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31"'),
    '[null, [[]], {}, "\\ud800", 1e400]',
    '{"$ne": null, "": "", "a.b": 1, "\\u0000": 1}',
    '{"x": {"\\ud800": 1}}',
    f'{{"x": {"9" * 40}}}',
    '{"x": {"extends": "house", "caps": [{"count": 1e400}]}}',
    '{"busy": {"wait_minutes": 1e400}}',
    f'{{"busy": {{"wait_minutes": {"9" * 30}}}}}',
)
STEP = 5  # each field meets every fifth value, the next field those after: all of each would take minutes
BODIES = (
    *("", "{", "[]", "3", '"x"', "NaN", "null", "\x00", HALF, b'{"a": "' + HALF + b'"}', b"\xff\xfe{"),
    *("[" * 100_000, '{"a":' * 100_000, "{}", '{"\\ud800": 1}', '{"\\u0000": 1}', '{"$where": 1}'),
)
WORDS = (
    *("0", "-1", "1" * 20, "NaN", "²", "a\x00b", "\ud800", "x" * 5000, "$ne", "a|b", "%"),
    *("9999-12-31T23:59:59-12:00|x", "0001-01-01T00:00:00+14:00|x"),
)


@pytest.fixture
def filled(services: Services, worker, api: Api) -> Api:
    """A batch whose only call goes on, and an entry of the do-not-call list."""
    add_batch(services)
    worker.run(before="poll_call")
    do_not_call.add(
        services, [{"number": phone(9), "country": "CL"}], scope="everybody", reason="list", by="a"
    )
    return api


IDS = {
    "batch_id": "batch-1",
    "job_id": job_id(),
    "account_id": "default",
    "person_id": "CL:RUT:10000001",
    "entry_id": f"everybody|{phone(9)}",
}
CONTACT = {"rut": "11.111.111-1", "nombre": "Ana", "telefono": "961000001", "monto": 1000}
PAYMENT = {
    "document": "11.111.111-1",
    "amount": 1,
    "paid_on": "2026-11-20",
    "reference": "r",
    "currency": "CLP",
}
ENTRY = {"number": "+56961000001", "document": "11.111.111-1", "country": "CL"}
INNER = {"contacts": CONTACT, "entries": ENTRY, "payments": PAYMENT}
RETRIES = {"busy": {"wait_minutes": 5}}
EDIT = {
    "name": "x",
    "policy": "anytime",
    "flow": "collections",
    "wave_times": "09:00",
    "weekdays": [1],
    "daily_contacts": 5,
    "priority": 2,
    "agent_id": "a",
    "company": "c",
    "purpose": "p",
    "consent": "none",
    "retries": RETRIES,
}
BATCH = {
    **EDIT,
    "use_case": "debt_collection",
    "country": "CL",
    "start": "draft",
    "duplicates": "merge",
    "again": True,
    "mapping": {"rut": "document"},
    "dry_run": True,
    "dias_fecha_limite": 1,
    "dias_fecha_maxima": 2,
    "legal_basis": "l",
    "account_id": "default",
    "contacts": [CONTACT],
}
ACCOUNT = {
    "name": "n",
    "plan": "credit_based",
    "status": "active",
    "tz_name": "America/Santiago",
    "agent_id": "a",
    "from_numbers": ["+56600123456"],
    "slots": 3,
    "calls_per_second": 1,
    "daily_budget_cents": 100,
    "alert_below": [5],
    "legal": "warn",
    "caller_id_statement": "c",
    "isolated": False,
    "policies": {"own": {"extends": "house"}},
    "flows": {"own": {"extends": "collections"}},
    "retries": RETRIES,
}
TOP_UP = {"cents": 5, "credits": 1, "minutes": 1, "reference": "r", "note": "n"}
BODY_OF: dict[str, dict[str, Any]] = {
    "api.create_batch": BATCH,
    "api.edit_batch": EDIT,
    "api.start_batch": {"when": "now"},
    "api.make_account": {**ACCOUNT, "account_id": "other"},
    "api.change_account": ACCOUNT,
    "api.top_up_account": TOP_UP,
    "api.adjust_account": TOP_UP,
    "api.job_callback": {"at": "2026-11-24T10:30:00-03:00"},
    "api.erase_person": {"why": "w"},
    "api.add_do_not_call": {"entries": [ENTRY], "scope": "everybody", "reason": "r", "registry": "no_llame"},
    "api.undo_do_not_call": {"why": "w"},
    "api.receive_payments": {"payments": [PAYMENT], "as_of": "2026-11-20", "complete": True, "country": "CL"},
    "api.stop_everything": {"hang_up": True},
}
QUERIES = ("limit", "cursor", "status", "batch_id", "from", "to", "account_id")


def routes(app: Flask, method: str) -> list[Rule]:
    """The API's, of a method."""
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("api.")]
    return [rule for rule in found if method in (rule.methods or ())]


def address(rule: Rule, **changed: str) -> str:
    """The route's path, with what is there or what somebody made up."""
    path = str(rule)
    for name in rule.arguments:
        value = _quoted(changed.get(name, IDS[name]))
        path = path.replace(f"<{name}>", value).replace(f"<path:{name}>", value)
    return path


def _quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"))


def bodies(fields: dict[str, Any]) -> Iterator[str]:
    """The body with each of its fields, and of the objects in its lists, replaced by values."""
    turn = itertools.cycle(range(STEP))
    for name in fields:
        for value in VALUES[next(turn) :: STEP]:
            yield _with(fields, name, value)
        for inner in INNER.get(name, ()):
            for value in VALUES[next(turn) :: STEP]:
                yield f'{{"{name}": [{_with(INNER[name], inner, value)}]}}'


def _with(fields: dict[str, Any], name: str, value: str) -> str:
    rest = json.dumps({other: kept for other, kept in fields.items() if other != name})[1:-1]
    return f'{{"{name}": {value}{rest and ","}{rest}}}'


class Asking:
    """Asks, and remembers what was answered by an error of ours."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.wrong: list[str] = []

    def __call__(self, method: str, path: str, **options: Any) -> None:
        answer = self.api.client.open(path, method=method, headers=self.api.headers, **options)
        if answer.status_code >= 500:
            self.wrong.append(f"{answer.status_code} {method} {path} {str(options)[:160]}")


def test_every_body_is_answered(app: Flask, filled: Api):
    ask = Asking(filled)
    for method in ("POST", "PATCH"):
        for rule in routes(app, method):
            for body in itertools.chain(BODIES, bodies(BODY_OF.get(rule.endpoint, {}))):
                ask(method, address(rule), data=body)
    assert ask.wrong == []


def test_every_query_and_address_is_answered(app: Flask, filled: Api):
    ask = Asking(filled)
    for rule in routes(app, "GET"):
        for name, value in itertools.product(QUERIES, WORDS):
            ask("GET", f"{address(rule)}?{name}={_quoted(value)}")
    for method in ("GET", "POST", "PATCH"):
        for rule in routes(app, method):
            for name, value in itertools.product(rule.arguments, WORDS):
                ask(method, address(rule, **{name: value}), data="{}")
    assert ask.wrong == []


FILES = (
    *(
        b"",
        b"\x00",
        b"\xff\xfe",
        b"PK\x03\x04",
        b"nombre;telefono\n\x00;\x00\n",
        b"nombre;telefono\n" + HALF + b";9\n",
    ),
    ("nombre;telefono;" + ";".join(f"c{n}" for n in range(5000)) + "\n").encode(),
    b"nombre;telefono;a.b;$c;\x01\nAna;961000001;1;2;3\n",
    b"rut;nombre;telefono;monto;fecha\n11.111.111-1;A;961000001;" + b"9" * 400 + b";9999-12-31\n",
)
FORMS = {
    "/api/upload/excel": (
        "name",
        "wave_times",
        "daily_contacts",
        "mapping",
        "weekdays",
        "retries",
        "account_id",
    ),
    "/api/do-not-call": ("country", "scope", "reason", "registry"),
    "/api/payments": ("account_id", "country", "as_of", "complete"),
}


def test_every_file_and_form_is_answered(filled: Api):
    ask = Asking(filled)
    for path, names in FORMS.items():
        for content in FILES:
            ask("POST", path, data={"file": (io.BytesIO(content), "../x.csv")})
        for name, value in itertools.product(names, [word for word in WORDS if word != "\ud800"]):
            data = {"file": (io.BytesIO((LIST + ANA).encode()), "x.csv"), "dry_run": "1", name: value}
            ask("POST", path, data=data)
    assert ask.wrong == []


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (f"/jobs/{IDS['job_id']}/callback", {"at": "9999-12-31T23:59"}),
        (f"/jobs/{IDS['job_id']}/callback", {"at": "0001-01-01T00:00"}),
        ("/accounts/default", {"slots": "²"}),
        ("/accounts/default", {"slots": "9" * 5000}),
        ("/accounts/default", {"daily_budget": "1e999999"}),
        ("/accounts/default", {"daily_budget": "NaN"}),
        ("/accounts/default/topup", {"unit": "credits", "amount": "1e999999"}),
        ("/accounts/default/topup", {"unit": "$ne", "amount": "²"}),
    ],
)
def test_the_panels_forms_are_answered_too(filled: Api, panel: FlaskClient, path: str, form: dict[str, str]):
    assert panel.post(path, data=form).status_code < 500
    assert panel.get("/batches/batch-1/rejected?after=" + "9" * 30).status_code == 200
