"""Accounts, batches' edits, do-not-call, persons, payments, over HTTP and in the panel's pages."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

from speechai.operation.campaigns import waterfall
from tests.builders import MONDAY_NOON
from tests.integration.web.conftest import ANA, BETO, LIST, Api
from tests.integration.web.test_api import jobs, started

ANA_ID = "CL:RUT:111111111"


def patch(api: Api, path: str, body: object):
    return api.client.patch(path, json=body, headers=api.headers)


# -- accounts ---------------------------------------------------------------------------------------


def test_an_account_through_its_life(api: Api, worker, provider):
    made = api.post("/api/accounts", {"account_id": "acme", "name": "Acme", "plan": "credit_based"})
    assert (made.status_code, made.json["balance"], made.json["lacks"]) == (201, 0, "no_credit")
    assert api.post("/api/accounts", {"account_id": "acme", "name": "Acme"}).status_code == 409

    provider.script = {"+56961000001": ["promise"]}
    batch_id = started(api, LIST + ANA, account_id="acme")
    worker.run()
    assert jobs(api, batch_id)[0]["reason"] == "no_credit"
    found = api.get(f"/api/jobs/{jobs(api, batch_id)[0]['job_id']}/eligibility").json
    credit = next(rule for rule in found["rules"] if rule["rule"] == "credit")
    assert (credit["allowed"], credit["source"], credit["until"]) == (False, "account", None)

    topped = api.post("/api/accounts/acme/topup", {"credits": 5, "reference": "inv-1"})
    assert (topped.status_code, topped.json["balance"], topped.json["unit"]) == (200, 500, "cents")
    worker.run()
    assert jobs(api, batch_id)[0]["status"] == "done"
    ledger = api.get("/api/accounts/acme/ledger").json["items"]
    assert [(entry["kind"], entry["amount"]) for entry in ledger] == [("call", -15.37), ("top_up", 500)]
    assert api.get("/api/accounts/acme").json["balance"] == 484.63
    first = api.get("/api/accounts/acme/ledger", limit=1).json
    second = api.get("/api/accounts/acme/ledger", limit=1, cursor=first["next_cursor"]).json
    assert (first["items"] + second["items"], second["next_cursor"]) == (ledger, None)
    assert {row["account_id"] for row in api.get("/api/accounts").json["items"]} == {"acme", "default"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/accounts", {}, "name"),
        ("/api/accounts", {"name": "x", "account_id": 5}, "account_id"),
        ("/api/accounts", {"name": "x", "account_id": "No!"}, "account_id"),
        ("/api/accounts", {"name": "x", "plan": "free"}, "plan"),
        ("/api/accounts", {"name": "x", "slots": "many"}, "slots"),
        ("/api/accounts/default/topup", {"cents": 5}, "plan"),
    ],
)
def test_what_an_account_cannot_be_is_named(api: Api, path, body, field):
    answer = api.post(path, body)
    assert (answer.status_code, answer.json["field"]) == (422, field)


def test_an_account_that_is_not_there(api: Api):
    assert api.get("/api/accounts/none").status_code == 404
    assert api.get("/api/accounts/none/ledger").status_code == 404
    assert patch(api, "/api/accounts/none", {}).status_code == 404
    assert api.post("/api/accounts/none/topup", {"cents": 1}).status_code == 404
    assert api.get("/api/accounts/default/ledger", cursor="x").status_code == 422


def test_a_negative_adjustment_needs_its_reason(api: Api):
    api.post("/api/accounts", {"account_id": "acme", "name": "Acme", "plan": "minutes_based"})
    assert api.post("/api/accounts/acme/topup", {"minutes": 10}).json["balance"] == 600
    assert api.post("/api/accounts/acme/adjustments", {"minutes": -1}).status_code == 422
    answer = api.post("/api/accounts/acme/adjustments", {"minutes": -1, "note": "test call"})
    assert answer.json["balance"] == 540


def test_enforcing_the_law_silences_its_warning_and_stating_the_prefix_too(api: Api):
    warned = api.upload(LIST + ANA, policy="house", dry_run="1").json["warnings"]
    assert any("Ley 19.496" in warning for warning in warned)
    patch(api, "/api/accounts/default", {"legal": "enforce", "caller_id_statement": "600, con Entel"})
    assert api.upload(LIST + ANA, policy="house", dry_run="1", company="Casa").json["warnings"] == []


# -- batches ----------------------------------------------------------------------------------------


def test_a_batch_is_edited_while_it_runs(api: Api):
    batch_id = started(api)
    edited = patch(
        api,
        f"/api/batches/{batch_id}",
        {"name": "Otra", "priority": 4, "weekdays": [1, 2], "retries": {"busy": {"wait_minutes": 10}}},
    )
    assert edited.status_code == 200
    assert (edited.json["name"], edited.json["priority"], edited.json["weekdays"]) == ("Otra", 4, [1, 2])
    assert edited.json["edits"][0]["changes"]["name"] == "Otra"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"priority": 9}, "priority"),
        ({"weekdays": [8]}, "weekdays"),
        ({"colour": "red"}, "colour"),
        ({"policy": "nothing"}, "nothing"),
        ({"retries": {"opted_out": {"again": True}}}, "opted_out"),
        ({"retries": [1]}, "retries"),
    ],
)
def test_an_edit_that_cannot_be_is_named(api: Api, body, named):
    answer = patch(api, f"/api/batches/{started(api)}", body)
    assert answer.status_code == 422
    assert named in str(answer.json)


def test_an_edit_of_what_is_over_or_not_there(api: Api):
    batch_id = started(api)
    api.post(f"/api/batches/{batch_id}/cancel")
    assert patch(api, f"/api/batches/{batch_id}", {"name": "x"}).status_code == 409
    assert patch(api, "/api/batches/none", {"name": "x"}).status_code == 404
    assert api.get("/api/batches/none/eligibility").status_code == 404


def test_the_waterfall_of_a_batch(api: Api, services):
    batch_id = started(api, policy="house")
    services.clock.set(MONDAY_NOON + timedelta(hours=8))
    found = api.get(f"/api/batches/{batch_id}/eligibility").json
    [window] = found["rules"]
    assert (found["jobs"], found["callable"]) == (2, 0)
    assert (window["rule"], window["jobs"], window["forbids"]) == ("window", 2, 2)
    assert window["earliest"] == window["latest"] == "2026-11-24T12:00:00.000Z"


def test_the_page_of_a_large_batch_completes_itself(api: Api, panel, services, monkeypatch):
    batch_id = started(api, policy="house")
    monkeypatch.setattr(waterfall, "AT_ONCE", 1)
    page = panel.get(f"/batches/{batch_id}/why").text
    assert 'http-equiv="refresh"' in page and "Aún sin juzgar" in page
    for _ in range(3):
        page = panel.get(f"/batches/{batch_id}/why").text
    assert 'http-equiv="refresh"' not in page and "Juzgado el" in page
    assert api.get(f"/api/batches/{batch_id}/eligibility").json["complete"] is True


def test_the_options_of_an_upload_reach_the_batch(api: Api):
    batch_id = started(
        api,
        flow="collections",
        priority="3",
        weekdays="1,2,3",
        purpose="Cobrar cuotas",
        legal_basis="contrato",
        consent="express",
        retries='{"voicemail": {"again": false}}',
    )
    found = api.get(f"/api/batches/{batch_id}").json
    assert (found["flow"], found["priority"], found["weekdays"]) == ("collections", 3, [1, 2, 3])
    assert (found["purpose"], found["legal_basis"]) == ("Cobrar cuotas", "contrato")
    assert found["consent"] == "express"
    assert api.upload(LIST + BETO, flow="marketing", again="1").status_code == 422


def test_consent_that_a_policy_asks_for_is_warned_of_until_it_is_stated(api: Api):
    def warned(**options) -> bool:
        answer = api.upload(LIST + ANA, policy="us-reg-f", dry_run="1", **options).json
        return any("FCC 24-17" in warning for warning in answer["warnings"])

    assert warned()
    assert warned(consent="none")
    assert not warned(consent="express")
    assert api.upload(LIST + ANA, consent="perhaps").status_code == 422


# -- jobs -------------------------------------------------------------------------------------------


def test_an_agreed_hour_and_the_preview(api: Api, worker, provider):
    batch_id = started(api)
    worker.run()
    job_id = jobs(api, batch_id)[0]["job_id"]
    answer = api.post(f"/api/jobs/{job_id}/callback", {"at": "2026-11-24T10:30:00-03:00"})
    assert (answer.status_code, answer.json["next_attempt_at"]) == (200, "2026-11-24T13:30:00.000Z")
    assert api.post(f"/api/jobs/{job_id}/callback", {"at": "2026-11-24T10:30:00"}).status_code == 422
    assert api.post(f"/api/jobs/{job_id}/callback", {"at": "2027-11-24T10:30:00Z"}).status_code == 409
    told = api.get(f"/api/jobs/{job_id}/preview").json
    assert told["bucket"] == "temprana"
    assert told["variables"]["monto_total_hablado"] == "ciento cuatro mil cincuenta pesos"


# -- do not call ------------------------------------------------------------------------------------


def test_the_do_not_call_list(api: Api, worker, provider):
    entries = [{"number": "+56961000001"}, {"document": "22.222.222-2", "country": "CL"}]
    assert api.post("/api/do-not-call", {"entries": entries}).json == {"given": 2, "added": 2}
    batch_id = started(api)
    worker.run()
    assert provider.rings == []
    assert {job["reason"] for job in jobs(api, batch_id)} == {"do_not_call"}
    listed = api.get("/api/do-not-call").json["items"]
    assert {entry["key"] for entry in listed} == {"+56961000001", "CL:RUT:222222222"}
    undo = f"/api/do-not-call/{listed[0]['entry_id']}/undo"
    assert api.post(undo).status_code == 422
    assert api.post(undo, {"why": "a mistake"}).status_code == 200
    assert api.post(undo, {"why": "again"}).status_code == 404


def test_a_list_is_uploaded_and_a_wrong_line_adds_nothing(api: Api):
    def send(text):
        data = {"file": (io.BytesIO(text.encode()), "lista.csv"), "scope": "marketing"}
        return api.client.post("/api/do-not-call", data=data, headers=api.headers)

    assert send("Teléfono\n+56961000001\n961000002\n").json == {"given": 2, "added": 2}
    wrong = send("Teléfono\n+56961000003\n12\n")
    assert (wrong.status_code, wrong.json["field"]) == (422, "entries[1].number")
    assert "Row 3, phone" in wrong.json["detail"] and "too few digits" in wrong.json["detail"]
    assert len(api.get("/api/do-not-call").json["items"]) == 2
    assert send("Color\nrojo\n").status_code == 422
    assert api.post("/api/do-not-call", {"entries": "x"}).status_code == 422


def test_an_entrys_scope_is_one_of_those_that_there_are(api: Api):
    entries = [{"number": "11 2345-6789", "country": "AR"}, {"number": "+54 9 11 2345-6789"}]
    answer = api.post("/api/do-not-call", {"entries": entries, "scope": "account:none"})
    assert (answer.status_code, answer.json["field"]) == (422, "scope")
    assert "everybody, marketing, account:default" in answer.json["detail"]
    assert api.post("/api/do-not-call", {"entries": entries, "scope": ["everybody"]}).status_code == 422
    assert api.post("/api/do-not-call", {"entries": entries, "scope": "account:default"}).json == {
        "given": 2,
        "added": 1,
    }
    for bad in ([{"number": "12"}], [{}], [{"document": [1]}], [{"number": "961000001", "country": "XX"}]):
        refused = api.post("/api/do-not-call", {"entries": bad})
        assert (refused.status_code, refused.json["field"][:10]) == (422, "entries[0]")


def test_a_register_is_consulted(api: Api):
    api.post("/api/do-not-call", {"registry": "no_llame", "entries": []})
    assert "no_llame" in api.get("/api/do-not-call").json["registries"]
    unknown = api.post("/api/do-not-call", {"registry": "no-llame", "entries": []})
    assert (unknown.status_code, unknown.json["field"]) == (422, "registry")
    assert "no_llame" in unknown.json["detail"]


# -- persons and payments ---------------------------------------------------------------------------


def test_the_policies_say_where_their_rules_come_from(api: Api):
    items = {policy["id"]: policy for policy in api.get("/api/policies").json["items"]}
    assert items["cl-collections"]["caps"][0]["certainty"] == "law"
    assert all(policy["reviewed_on"] and policy["source"] for policy in items.values())


def test_a_person_with_evidence_until_forgotten(api: Api, panel, worker, provider):
    started(api, LIST + ANA)
    worker.run()
    found = api.get(f"/api/persons/{ANA_ID}").json
    assert (found["names"], found["calls_today"], len(found["attempts"])) == (["Ana Ejemplo"], 1, 1)
    pack = api.get(f"/api/persons/{ANA_ID}/evidence").json
    assert (pack["holds"], len(pack["chains"][0]["links"])) == (True, 1)
    assert pack["batches"][0]["purpose"]
    assert api.post(f"/api/persons/{ANA_ID}/erase", {"why": "asked"}).status_code == 409
    api.post(f"/api/jobs/{found['jobs'][0]['job_id']}/cancel")
    erased = api.post(f"/api/persons/{ANA_ID}/erase", {"why": "asked"})
    assert erased.json["erased_as"].startswith("ERASED:")
    assert api.get(f"/api/persons/{ANA_ID}").status_code == 404
    assert api.get(f"/api/persons/{erased.json['erased_as']}/evidence").json["holds"]
    assert {part["what"] for part in erased.json["removed"]} >= {"jobs", "attempts", "payments", "files"}
    assert all(part["text"] for part in erased.json["stays"])
    for path in (f"/persons/{erased.json['erased_as']}", f"/jobs/{found['jobs'][0]['job_id']}"):
        assert panel.get(path).status_code == 200, path
    assert api.get("/api/jobs", batch_id=found["jobs"][0]["batch_id"]).status_code == 200


def test_payments_as_json_and_as_a_file(api: Api, worker, services):
    started(api, LIST + ANA + BETO)
    worker.run()
    paid = {"document": "11.111.111-1", "amount": "104.050", "paid_on": "2026-11-23", "reference": "A1"}
    answer = api.post("/api/payments", {"payments": [paid, {"document": "x"}]})
    assert (answer.json["added"], answer.json["ended"]) == (1, 1)
    assert [(row["row"], row["column"]) for row in answer.json["rejected"]] == [(2, "document")]
    text = "RUT;Monto;Fecha de pago\n22.222.222-2;$50.000;23/11/2026\n"
    data = {"file": (io.BytesIO(text.encode()), "pagos.csv"), "as_of": "2026-11-23"}
    answer = api.client.post("/api/payments", data=data, headers=api.headers)
    assert (answer.status_code, answer.json["added"], answer.json["ended"]) == (200, 1, 1)
    assert api.post("/api/payments", {"payments": 5}).status_code == 422
    assert api.post("/api/payments", {"payments": [], "as_of": "soon"}).status_code == 422
    future = api.post("/api/payments", {"payments": [], "as_of": "2026-11-24"})
    assert (future.status_code, future.json["field"]) == (422, "as_of")
    strange = [
        {"document": ["x"], "documents": 5, "amount": {}, "reference": [1], "is_ragged": True},
        {"paid_on": 1},
    ]
    answer = api.post("/api/payments", {"payments": strange})
    assert (answer.status_code, len(answer.json["rejected"])) == (200, 2)
    assert api.post("/api/payments", {"payments": [], "account_id": "none"}).status_code == 404


# -- the panel --------------------------------------------------------------------------------------


def test_the_pages_of_the_panel_say_it_too(api: Api, panel, worker, provider):
    provider.script = {"+56961000001": ["promise"]}
    batch_id = started(api, policy="house", start="next_wave")
    api.post(f"/api/batches/{batch_id}/pause")
    api.post(f"/api/batches/{batch_id}/resume")
    job_id = jobs(api, batch_id)[0]["job_id"]
    for path in (
        "/accounts",
        "/accounts/default",
        "/do-not-call",
        "/policies",
        f"/batches/{batch_id}/why",
        f"/batches/{batch_id}/edit",
        f"/persons/{ANA_ID}",
        f"/jobs/{job_id}",
        f"/batches/{batch_id}",
    ):
        page = panel.get(path)
        assert page.status_code == 200, path
        assert "{{" not in page.text and "undefined" not in page.text.lower(), path
    assert "Ley 19.496" in panel.get(f"/batches/{batch_id}").text
    assert panel.get(f"/persons/{ANA_ID}/evidence.json").json["person_id"] == ANA_ID
    assert panel.get("/persons/CL:RUT:9").status_code == 404
    assert panel.get("/accounts/none").status_code == 404


def test_what_the_forms_of_the_panel_do(api: Api, panel):
    batch_id = started(api, start="next_wave")
    assert (
        panel.post(f"/batches/{batch_id}/edit", data={"name": "Otra", "weekdays": ["1", "2"]}).status_code
        == 303
    )
    assert api.get(f"/api/batches/{batch_id}").json["weekdays"] == [1, 2]
    assert panel.post(f"/batches/{batch_id}/edit", data={"priority": "9"}).status_code == 422

    panel.post("/accounts", data={"name": "Acme", "account_id": "acme", "plan": "credit_based"})
    panel.post("/accounts/acme/topup", data={"unit": "credits", "amount": "12,50", "note": "transferencia"})
    panel.post("/accounts/acme/topup", data={"unit": "credits", "amount": "mucho"})
    panel.post("/accounts/acme", data={"status": "active", "legal": "enforce", "daily_budget": "3"})
    acme = api.get("/api/accounts/acme").json
    assert (acme["balance"], acme["legal"], acme["daily_budget_cents"]) == (1250, "enforce", 300)
    assert "transferencia" in panel.get("/accounts/acme").text

    panel.post("/do-not-call", data={"kind": "number", "value": "961000009", "country": "CL"})
    panel.post("/do-not-call", data={"kind": "number", "value": "no", "country": "CL"})
    panel.post("/do-not-call", data={"kind": "number", "value": "", "country": "CL"})
    panel.post("/do-not-call", data={"kind": "number", "value": "961000008", "scope": "todos"})
    assert "everybody, marketing" in panel.get("/do-not-call").text
    [entry] = api.get("/api/do-not-call").json["items"]
    panel.post("/do-not-call", data={"value": "", "registry": "robinson"})
    panel.post("/do-not-call", data={"value": "", "registry": "nobody's"})
    assert list(api.get("/api/do-not-call").json["registries"]) == ["robinson"]
    panel.post("/do-not-call/undo", data={"entry_id": entry["entry_id"], "why": "error"})
    assert api.get("/api/do-not-call").json["items"] == []

    job_id = jobs(api, batch_id)[0]["job_id"]
    panel.post(f"/jobs/{job_id}/callback", data={"at": "2026-11-24T10:30"})
    assert jobs(api, batch_id)[0]["next_attempt_at"] == "2026-11-24T13:30:00.000Z"
