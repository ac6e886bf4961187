"""The web on the real mongod, without a socket: Flask's own client, and a worker in the test's thread."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from speechai.operation.services import Services
from tests.fakes import FakeProvider, Worker, make_services
from web import shared
from web.app import create_app

KEY = "key-of-the-web-tests"
EMAIL, PASSWORD = "operadora@example.com", "una contraseña larga"
WEBHOOK_KEY = "key-that-signs-webhooks"

LIST = "RUT;NOMBRE;TELEFONO;MONTO;FECHA_VENC\n"
ANA = "11.111.111-1;Ana Ejemplo;+56961000001;104.050;01-11-2026\n"
BETO = "22.222.222-2;Beto Ejemplo;+56961000002;50.000;02-11-2026\n"
WRONG = "33.333.333-4;Caro Ejemplo;+56961000003;1.000;02-11-2026\n"  # its check digit is 3


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def services(mongo_uri: str, database: str, provider: FakeProvider, tmp_path) -> Services:
    return make_services(
        mongo_uri,
        database,
        provider=provider,
        speechai_api_key=KEY,
        admin_email=EMAIL,
        admin_password=PASSWORD,
        retell_webhook_key=WEBHOOK_KEY,
        speechai_home=tmp_path,
    )


@pytest.fixture
def worker(services: Services) -> Worker:
    assert isinstance(services.nudges, Worker)
    return services.nudges


@pytest.fixture
def app(services: Services) -> Flask:
    app = create_app(services)
    app.extensions[shared.KEY].fresh = 0  # what a test does beside the web is seen at once
    return app


class Api:
    """The API as a program uses it."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {KEY}", "Accept-Language": "en"}

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(path, query_string=query, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.client.post(path, json=body, headers={**self.headers, **headers})

    def upload(self, text: str, filename: str = "lista.csv", **fields: Any) -> TestResponse:
        data = {"policy": "anytime", **fields, "file": (io.BytesIO(text.encode()), filename)}
        return self.client.post("/api/upload/excel", data=data, headers=self.headers)


@pytest.fixture
def api(app: Flask) -> Api:
    return Api(app.test_client())


Login = Callable[[], FlaskClient]


@pytest.fixture
def panel(app: Flask) -> FlaskClient:
    """A browser that is logged in. CSRF is tested for itself."""
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    answer = client.post("/login", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return client
