"""Who gets in, and what leaves: keys, login, CSRF, headers, webhooks, health."""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from retell.lib import webhook_auth
from werkzeug.security import generate_password_hash

from speechai.operation.campaigns import accounts
from speechai.settings import Settings
from speechai.store import StoreError
from tests.fakes import ENDS, make_services
from tests.integration.operation.conftest import add_batch
from tests.integration.web.conftest import ANA, EMAIL, KEY, LIST, PASSWORD, WEBHOOK_KEY, Api
from web.app import create_app
from web.health import Monitor, make_checks


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}, {"Authorization": "Basic x"}]
)
@pytest.mark.parametrize("path", ["/api/batches", "/api/jobs", "/api/no-such-path", "/api"])
def test_nothing_under_api_answers_without_a_key(app, header, path):
    answer = app.test_client().get(path, headers=header)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_panel_session_does_not_open_the_api_nor_a_key_the_panel(app, panel):
    assert panel.get("/api/batches").status_code == 401
    assert app.test_client().get("/", headers={"Authorization": f"Bearer {KEY}"}).status_code == 302


@pytest.mark.parametrize("path", ["/", "/upload", "/batches/x", "/batches/x/rejected", "/jobs/x"])
def test_the_panel_asks_for_the_login_first(app, path):
    answer = app.test_client().get(path)
    assert answer.status_code == 302 and "/login" in answer.headers["Location"]


def test_a_wrong_password_is_refused_and_too_many_tries_wait(app):
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    tries = [client.post("/login", data={"email": EMAIL, "password": "x"}).status_code for _ in range(6)]
    assert tries == [401] * 5 + [429]
    assert client.post("/login", data={"email": EMAIL, "password": PASSWORD}).status_code == 429
    other = {"REMOTE_ADDR": "192.0.2.7"}
    assert (
        client.post("/login", data={"email": EMAIL, "password": PASSWORD}, environ_base=other).status_code
        == 303
    )


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"]
)
def test_after_the_login_nobody_is_sent_elsewhere(app, target):
    app.config["WTF_CSRF_ENABLED"] = False
    answer = app.test_client().post("/login", data={"email": EMAIL, "password": PASSWORD, "next": target})
    assert answer.headers["Location"] == "/"


def test_a_form_of_another_site_does_nothing(app, services):
    client = app.test_client()
    page = client.get("/login").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    form = {"email": EMAIL, "password": PASSWORD}
    assert client.post("/login", data=form).status_code == 400
    assert client.post("/login", data={**form, "csrf_token": token}).status_code == 303
    assert client.post("/logout", data={}).status_code == 400
    assert client.get("/").status_code == 200


def test_a_new_password_ends_every_session(panel, services):
    assert panel.get("/").status_code == 200
    services.store.users.set_password(EMAIL, generate_password_hash("otra contraseña"))
    assert panel.get("/").status_code == 302


def test_every_answer_carries_its_shields(panel, api: Api):
    for answer in (panel.get("/"), api.get("/api/batches"), panel.get("/health")):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
    page = panel.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|style=", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_what_a_file_says_is_shown_and_never_run(panel, api: Api):
    text = LIST + ANA.replace("Ana Ejemplo", "<script>alert(1)</script>")
    batch_id = api.upload(text, filename="<img src=x>.csv", start="draft").json["batch_id"]
    page = panel.get(f"/batches/{batch_id}").text
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page and "<img src=x>" not in page


def test_a_panel_upload_needs_the_confirmation(panel, api: Api):
    data = {"policy": "anytime", "start": "draft", "file": (io.BytesIO((LIST + ANA).encode()), "lista.csv")}
    preview = panel.post("/upload", data=data)
    assert preview.status_code == 200 and "Ana Ejemplo" in preview.text
    assert api.get("/api/batches").json["items"] == []
    token = re.search(r'name="token" value="([^"]+)"', preview.text)[1]
    confirmed = panel.post("/upload/confirm", data={"token": token})
    assert confirmed.status_code == 303 and "/batches/batch-" in confirmed.headers["Location"]
    again = panel.post("/upload/confirm", data={"token": token})
    assert again.headers["Location"] == "/upload"
    assert len(api.get("/api/batches").json["items"]) == 1


def confirm(panel):
    data = {"policy": "anytime", "start": "draft", "file": (io.BytesIO((LIST + ANA).encode()), "lista.csv")}
    preview = panel.post("/upload", data=data)
    token = re.search(r'name="token" value="([^"]+)"', preview.text)[1]
    return panel.post("/upload/confirm", data={"token": token})


def test_the_panel_says_that_the_file_is_being_read_in(panel, api: Api, services):
    batch_id = api.upload(LIST + ANA, start="draft").json["batch_id"]
    lease = {"lease_until": datetime.now(UTC) + timedelta(minutes=1), "given_up": False}
    services.store.db["batches"].update_one({}, {"$set": {"status": "uploading", "upload": lease}})
    answer = confirm(panel)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    page = panel.get("/").text
    assert batch_id in page and "se está leyendo" in page


def test_the_panel_says_that_an_upload_was_cut_off(panel, services, monkeypatch):
    monkeypatch.setattr(services.store.batches, "finish_upload", lambda *_: False)
    answer = confirm(panel)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/upload")
    assert "Suba el archivo de nuevo" in panel.get("/upload").text


# -- webhooks ------------------------------------------------------------------------------------------


def deliver(app, body: bytes, signature: str | None):
    headers = {"X-Retell-Signature": signature} if signature else {}
    return app.test_client().post("/webhooks/retell", data=body, headers=headers)


def sign(services, body: bytes, age_seconds: float = 0) -> str:
    """As the official SDK signs."""
    at = int((services.clock.now().timestamp() - age_seconds) * 1000)
    return str(webhook_auth.symmetric["sign"](body.decode(), WEBHOOK_KEY, at))


def signed(services, event: object) -> tuple[bytes, str]:
    body = json.dumps(event).encode()
    return body, sign(services, body)


def test_a_webhook_settles_the_call_once_and_a_repeat_changes_nothing(
    app, api: Api, services, worker, provider
):
    provider.lasts = 10_000  # by polling it would go on for ever
    batch_id = api.upload(LIST + ANA, start="now").json["batch_id"]
    worker.run(before="poll_call")
    [call] = provider.rings
    ended = {**call, **ENDS["promise"]}
    body, signature = signed(services, {"event": "call_analyzed", "call": ended})
    for _ in range(2):
        assert deliver(app, body, signature).status_code == 204
        worker.run()
    [item] = api.get("/api/jobs", batch_id=batch_id).json["items"]
    job = api.get(f"/api/jobs/{item['job_id']}").json
    assert (job["status"], len(job["attempts"]), len(provider.rings)) == ("done", 1, 1)


def test_a_callback_without_a_valid_hour_is_shown_with_what_is_wrong(
    app, api: Api, services, worker, provider, panel
):
    provider.lasts = 10_000
    batch_id = api.upload(LIST + ANA, start="now").json["batch_id"]
    worker.run(before="poll_call")
    [call] = provider.rings
    said = {"call_analysis": {"custom_analysis_data": {"callback_at": "9999-12-31"}}, "odd": 10**30}
    ended = {**call, **ENDS["callback"], **said}
    assert deliver(app, *signed(services, {"event": "call_analyzed", "call": ended})).status_code == 204
    worker.run()
    [item] = api.get("/api/jobs", batch_id=batch_id).json["items"]
    page = panel.get(f"/jobs/{item['job_id']}", headers={"Accept-Language": "en"})
    assert "without a valid hour: “9999-12-31”, more than 60 days after the call" in page.text


def test_webhooks_are_judged_by_their_signature(app, services):
    body, good = signed(services, {"event": "call_ended", "call": {"call_id": "call_of_another"}})
    stale = sign(services, body, age_seconds=3600)
    for signature in (None, "", "v=1,d=0", good[:-1] + "0", stale):
        assert deliver(app, body, signature).status_code == 401
    assert deliver(app, body + b" ", good).status_code == 401
    assert deliver(app, body, good).status_code == 204
    for malformed in (b"{", b"[]", b'{"event": 1}', b'{"event": "call_ended"}'):
        assert deliver(app, malformed, sign(services, malformed)).status_code == 400


def test_a_webhook_too_large_is_refused(app):
    assert deliver(app, b"x" * (10 * 1024 * 1024 + 1), "v=1,d=0").status_code == 413


def test_webhooks_are_counted_by_what_became_of_them(app, api: Api, services, worker, provider, monkeypatch):
    provider.lasts = 10_000
    api.upload(LIST + ANA, start="now")
    worker.run(before="poll_call")
    [call] = provider.rings
    started = {"event": "call_started", "call": {**call, "call_status": "ongoing"}}
    ended = {"event": "call_ended", "call": {**call, **ENDS["not_analysed"]}}
    richer = {"event": "call_analyzed", "call": {**call, **ENDS["no_agreement"]}}
    foreign = {"event": "call_ended", "call": {"call_id": "call_of_another"}}
    for event in (started, ended, ended, richer, richer, foreign):
        assert deliver(app, *signed(services, event)).status_code == 204
    body, good = signed(services, ended)
    assert deliver(app, body, "v=1,d=0").status_code == 401
    assert deliver(app, b"{", sign(services, b"{")).status_code == 400

    def gone(*_):
        raise StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(services.store.attempts), "get", gone)
        answer = deliver(app, body, good)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")

    assert app.test_client().get("/metrics").status_code == 401
    shown = api.get("/metrics").text
    for result, count in {
        "news": 2,
        "repeat": 3,  # a start says nothing new either
        "foreign": 1,
        "forged or stale": 1,
        "malformed": 1,
        "database away": 1,
    }.items():
        assert f'speechai_webhooks_total{{result="{result}"}} {count}.0' in shown
    assert "speechai_slots_used 0.0" in shown and "speechai_slots_limit 20.0" in shown


# -- health --------------------------------------------------------------------------------------------


def test_health_names_what_does_not_answer_and_takes_bounded_time(app):
    began = time.monotonic()
    answer = app.test_client().get("/health")
    assert time.monotonic() - began < 5
    assert answer.status_code == 503  # there is a database here, but neither broker nor worker
    parts = answer.json["parts"]
    assert (parts["web"]["status"], parts["database"]["status"]) == ("ok", "ok")
    assert (parts["broker"]["status"], parts["workers"]["status"]) == ("error", "error")


# -- whether anybody can be called ---------------------------------------------------------------------

ALL_OF_IT = ["RETELL_API_KEY", "RETELL_AGENT_ID", "RETELL_FROM_NUMBER"]


@pytest.fixture
def unconfigured(mongo_uri, database, tmp_path):
    """A web on the environment of somebody who has set nothing of the provider's."""
    return make_services(
        mongo_uri,
        database,
        retell_api_key=None,
        retell_from_number=None,
        speechai_api_key=KEY,
        admin_email=EMAIL,
        admin_password=PASSWORD,
        speechai_home=tmp_path,
    )


def told(made):
    """What /health tells of the provider, and of dialing."""
    checks = make_checks(made)
    return checks["provider"](), checks["dialing"]()


def configured(made, **more):
    """The same database, with more set in the environment."""
    settings = Settings(_env_file=None, **{**made.settings.model_dump(), **more})
    return replace(made, settings=settings)


def test_health_says_that_nobody_can_be_called_and_why(unconfigured):
    provider, dialing = told(unconfigured)
    assert (provider["status"], provider["missing"]) == ("unconfigured", tuple(ALL_OF_IT))
    assert all(name in provider["detail"] for name in ALL_OF_IT) and dialing["status"] == "unconfigured"
    report = Monitor({"provider": lambda: provider, "dialing": lambda: dialing}).report()
    assert report["status"] == "ok", "nothing is broken: still 200"


@pytest.mark.parametrize("missing", ALL_OF_IT)
def test_each_of_the_three_is_missed_by_itself(unconfigured, missing):
    values = {"RETELL_API_KEY": "k", "RETELL_AGENT_ID": "a", "RETELL_FROM_NUMBER": "+56600123456"}
    given = {name.lower(): value for name, value in values.items() if name != missing}
    assert told(configured(unconfigured, **given))[0]["missing"] == (missing,)
    whole = configured(unconfigured, **{name.lower(): value for name, value in values.items()})
    assert [part["status"] for part in told(whole)] == ["ok", "ok"]


def test_an_account_with_its_own_agent_and_numbers_is_configured(unconfigured):
    made = configured(unconfigured, retell_api_key="k")
    own = {"name": "Propia", "agent_id": "agent_1", "from_numbers": ["+56600123457"]}
    accounts.make(made, "propia", own, "ana", "es")
    provider, dialing = told(made)
    assert (provider["status"], dialing["status"]) == ("ok", "ok")
    assert provider["unconfigured_accounts"] == {"default": ("RETELL_AGENT_ID", "RETELL_FROM_NUMBER")}


@pytest.mark.parametrize(("language", "word"), [("es", "sin configurar"), ("en", "unconfigured")])
def test_the_panel_says_so_on_every_page(unconfigured, language, word):
    add_batch(unconfigured)
    app = create_app(unconfigured)
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.post("/login", data={"email": EMAIL, "password": PASSWORD})
    for path in ("/", "/batches/batch-1", "/accounts", "/accounts/default", "/upload"):
        page = client.get(path, headers={"Accept-Language": language}).text
        assert f"provider {word}" in page.lower() or f"proveedor {word}" in page.lower()
        assert all(name in page for name in ALL_OF_IT)


def test_a_batch_says_what_its_own_account_lacks(unconfigured):
    made = configured(unconfigured, retell_api_key="k")
    accounts.make(
        made, "propia", {"name": "P", "agent_id": "a", "from_numbers": ["+56600123457"]}, "ana", "es"
    )
    add_batch(made)
    add_batch(made, batch_id="batch-2", account_id="propia")
    app = create_app(made)
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.post("/login", data={"email": EMAIL, "password": PASSWORD})
    for path in ("/batches/batch-1", "/panel/batches/batch-1.json", "/accounts/default", "/accounts"):
        assert "Sin configurar" in client.get(path).text, path
    for path in ("/batches/batch-2", "/panel/batches/batch-2.json", "/accounts/propia", "/"):
        assert "in configurar" not in client.get(path).text, path
