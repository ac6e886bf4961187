"""The JSON API as `contract.md` and docs/api.md promise it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.web.conftest import ANA, BETO, LIST, WRONG, Api


def started(api: Api, text: str = LIST + ANA + BETO, **fields: str) -> str:
    answer = api.upload(text, **{"start": "now", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json["batch_id"])


def jobs(api: Api, batch_id: str) -> list[dict]:
    return list(api.get("/api/jobs", batch_id=batch_id).json["items"])


# -- uploads -------------------------------------------------------------------------------------------


def test_an_upload_says_of_every_row_what_became_of_it(api: Api):
    second = ANA.replace("104.050", "20.000")
    answer = api.upload(LIST + ANA + WRONG + second + BETO)
    assert answer.status_code == 201
    body = answer.json
    assert (body["rows"], body["jobs_created"], body["merged"]) == (4, 2, 1)
    assert [(row["row"], row["column"], row["value"]) for row in body["rejected"]] == [
        (3, "RUT", "33.333.333-4")
    ]
    assert body["use_case"] == "debt_collection"
    [ana, beto] = jobs(api, body["batch_id"])
    assert (ana["nombre"], ana["rut"], ana["to_number"]) == ("Ana Ejemplo", "111111111", "+56961000001")
    assert (ana["monto_total"], ana["currency"], ana["try_phones"]) == (124050, "CLP", ["+56961000001"])
    assert (beto["status"], beto["attempts"], beto["reason"]) == ("pending", 0, None)


def test_the_reasons_come_in_the_readers_language(api: Api):
    english = api.upload(LIST + ANA + WRONG, dry_run="1").json["rejected"][0]["error"]
    api.headers["Accept-Language"] = "es-CL,es;q=0.9"
    spanish = api.upload(LIST + ANA + WRONG, dry_run="1").json["rejected"][0]["error"]
    assert "check digit" in english and "dígito verificador" in spanish


def test_a_dry_run_makes_nothing(api: Api):
    answer = api.upload(LIST + ANA, dry_run="1", start="now")
    assert answer.status_code == 200
    assert (answer.json["batch_id"], answer.json["jobs_created"]) == (None, 1)
    assert api.get("/api/batches").json == {"items": [], "next_cursor": None}


def test_the_same_content_twice_is_refused_unless_said_again(api: Api):
    first = api.upload(LIST + ANA).json["batch_id"]
    refused = api.upload(LIST + ANA, filename="otro-nombre.csv")
    assert refused.status_code == 409
    assert refused.json["batch_id"] == first
    assert refused.mimetype == "application/problem+json"
    assert api.upload(LIST + ANA, again="1").status_code == 201


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"policy": "no-such-policy"}, "policy"),
        ({"use_case": "poetry"}, "use_case"),
        ({"country": "BR"}, "country"),
        ({"start": "tomorrow"}, "start"),
        ({"daily_contacts": "0"}, "daily_contacts"),
        ({"wave_times": "25:00"}, "wave_times"),
        ({"duplicates": "perhaps"}, "duplicates"),
        ({"mapping": "{"}, "mapping"),
        ({"account_id": "nobody"}, "account_id"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(api: Api, fields, field):
    answer = api.upload(LIST + ANA, **fields)
    assert answer.status_code == 422
    assert answer.json["field"] == field and answer.json["detail"]
    assert api.get("/api/batches").json["items"] == []


@pytest.mark.parametrize("content", ["", "sin encabezados\n", "COLUMNA;OTRA\n1;2\n"])
def test_a_file_that_cannot_be_used_says_why(api: Api, content):
    answer = api.upload(content)
    assert answer.status_code == 422 and answer.json["detail"]


def test_no_file_is_named(api: Api):
    answer = api.client.post("/api/upload/excel", data={}, headers=api.headers)
    assert (answer.status_code, answer.json["field"]) == (422, "file")


def test_columns_are_named_by_hand(api: Api):
    answer = api.upload(
        "A;B;C\nAna;961000001;x\n", mapping='{"A": "name", "B": "phone"}', use_case="reminder"
    )
    assert answer.status_code == 201, answer.text
    assert jobs(api, answer.json["batch_id"])[0]["to_number"] == "+56961000001"


def test_contacts_as_json_go_the_same_way(api: Api):
    contacts = [
        {"rut": "11.111.111-1", "nombre": "Ana", "telefono": ["961000001", "222345678"], "monto": 104050},
        {"rut": "33.333.333-4", "nombre": "Caro", "telefono": "961000003", "monto": 1},
    ]
    answer = api.post("/api/batches", {"name": "Por API", "policy": "anytime", "contacts": contacts})
    assert answer.status_code == 201, answer.text
    assert answer.json["name"] == "Por API"
    [job] = jobs(api, answer.json["batch_id"])
    assert job["try_phones"] == ["+56961000001", "+56222345678"] and job["monto_total"] == 104050
    assert answer.json["rejected"][0]["row"] == 3


# -- batches and jobs ----------------------------------------------------------------------------------


def test_a_batch_through_its_life(api: Api, worker, provider):
    provider.default = "promise"
    batch_id = started(api, start="draft")
    url = f"/api/batches/{batch_id}"
    assert api.get(url).json["status"] == "draft"
    assert api.post(f"{url}/start", {"when": "never"}).status_code == 422
    assert api.post(f"{url}/start", {"when": "now"}).json["status"] == "running"
    assert api.post(f"{url}/pause").json["status"] == "paused"
    assert api.post(f"{url}/resume").json["status"] == "running"
    worker.run()
    batch = api.get(url).json
    assert batch["status"] == "completed"
    assert batch["counts"] == {"pending": 0, "in_progress": 0, "done": 2, "failed": 0, "suspended": 0}
    assert (batch["rings"], batch["cost_cents"]) == (2, 30.74)
    refused = api.post(f"{url}/cancel")
    assert (refused.status_code, refused.json["state"]) == (409, "completed")
    report = api.get(f"/api/reports/batches/{batch_id}").json
    assert report["counts"] == batch["counts"]


def test_a_job_with_its_attempts_and_the_providers_whole_answer(api: Api, worker, provider):
    provider.default = "promise"
    batch_id = started(api, LIST + ANA)
    worker.run()
    [listed] = jobs(api, batch_id)
    job = api.get(f"/api/jobs/{listed['job_id']}").json
    assert (job["status"], job["reason"]) == ("done", "goal_met")
    assert job["fecha_pago_cliente"] == "2026-11-27" and job["monto_pago_cliente"] == 104050
    [attempt] = job["attempts"]
    assert attempt["outcome"] == "goal_met" and attempt["call"]["transcript"].startswith("Agent:")
    assert listed["attempts"] == 1


def test_retry_cancel_and_eligibility(api: Api, worker, provider):
    provider.default = "promise"
    batch_id = started(api, LIST + ANA)
    worker.run()
    url = f"/api/jobs/{jobs(api, batch_id)[0]['job_id']}"
    verdict = api.get(f"{url}/eligibility").json
    assert verdict["allowed"] is False and verdict["next_allowed_at"] is None
    forbidding = {rule["rule"] for rule in verdict["rules"] if not rule["allowed"]}
    assert forbidding == {"job_state", "batch_state"}
    assert api.post(f"{url}/retry").json["status"] == "pending"
    assert api.get(f"{url}/eligibility").json["allowed"] is True
    assert api.post(f"{url}/cancel").json["status"] == "failed"
    assert api.post(f"{url}/cancel").status_code == 409


def test_lists_come_in_pages_and_by_state(api: Api, worker, provider):
    many = "".join(f"Persona {n};9610000{n:02}\n" for n in range(25))
    batch_id = started(api, "nombre;telefono\n" + many, start="draft")
    seen, cursor = [], None
    while True:
        page = api.get("/api/jobs", batch_id=batch_id, limit=10, cursor=cursor or "").json
        seen += [item["nombre"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"Persona {n}" for n in range(25)]
    assert api.get("/api/jobs", batch_id=batch_id, status="done").json["items"] == []
    assert api.get("/api/jobs", status="asleep").status_code == 422
    for limit in ("0", "501", "-1", "x"):
        assert api.get("/api/jobs", limit=limit).status_code == 422


def test_the_rejected_rows_can_be_asked_for(api: Api):
    batch_id = started(api, LIST + ANA + WRONG)
    [row] = api.get(f"/api/batches/{batch_id}/rejected").json["items"]
    assert (row["row"], row["column"]) == (3, "RUT")


@pytest.mark.parametrize(
    "path",
    [
        "/api/batches/none",
        "/api/jobs/none",
        "/api/jobs/none/eligibility",
        "/api/reports/batches/none",
        "/api/none",
    ],
)
def test_what_is_not_there_is_a_404_as_a_problem(api: Api, path):
    answer = api.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_a_body_that_is_no_json_object_is_a_400(api: Api):
    batch_id = started(api, start="draft")
    for body in ("{", "[]", "3"):
        answer = api.client.post(f"/api/batches/{batch_id}/start", data=body, headers=api.headers)
        assert answer.status_code == 400


def test_people_of_an_active_batch_are_merged_skipped_or_allowed(api: Api):
    first = started(api, LIST + ANA)
    more = LIST + ANA.replace("104.050", "200.000") + BETO

    skipped = api.upload(more, duplicates="skip", start="draft").json
    assert (skipped["jobs_created"], skipped["merged"], len(skipped["rejected"])) == (1, 0, 1)
    assert jobs(api, first)[0]["job_id"] in skipped["rejected"][0]["error"]
    api.post(f"/api/batches/{skipped['batch_id']}/cancel")

    shown = api.upload(more, duplicates="merge", again="1", dry_run="1").json
    merged = api.upload(more, duplicates="merge", again="1", start="draft").json
    assert (merged["jobs_created"], merged["merged"], merged["rejected"]) == (1, 1, [])
    assert merged["replaced"] == shown["replaced"] == {"people": 1, "debts": 1, "names": 0, "numbers": 0}
    assert jobs(api, first)[0]["monto_total"] == 200000
    api.post(f"/api/batches/{merged['batch_id']}/cancel")

    allowed = api.upload(more, duplicates="allow", again="1", start="draft").json
    assert (allowed["jobs_created"], allowed["merged"]) == (2, 0)
    assert allowed["replaced"]["people"] == 0


def test_a_draft_absorbs_nobody(api: Api):
    draft = started(api, LIST + ANA, start="draft")
    result = api.upload(LIST + ANA.replace("104.050", "200.000"), start="now").json
    assert (result["jobs_created"], result["merged"]) == (1, 0)
    assert jobs(api, draft)[0]["monto_total"] == 104050


def being_read_in(services, api: Api) -> str:
    """A batch as it is while its upload has not come to its end."""
    batch_id = started(api, start="draft")
    lease = {"lease_until": datetime.now(UTC) + timedelta(minutes=1), "given_up": False}
    change = {"status": "uploading", "upload": lease}
    services.store.db["batches"].update_one({"_id": batch_id}, {"$set": change})
    return batch_id


def test_nobody_sees_a_batch_whose_file_is_being_read_in(api: Api, panel, services):
    batch_id = being_read_in(services, api)
    url = f"/api/batches/{batch_id}"
    for path in (url, f"{url}/rejected", f"{url}/eligibility", f"/api/reports/batches/{batch_id}"):
        assert api.get(path).status_code == 404, path
    for move in ("start", "pause", "resume", "cancel"):
        assert api.post(f"{url}/{move}", {}).status_code == 404, move
    assert api.client.patch(url, json={"name": "x"}, headers=api.headers).status_code == 404
    assert api.get("/api/batches").json["items"] == []
    assert api.get("/api/jobs").json["items"] == jobs(api, batch_id) == []
    assert panel.get(f"/batches/{batch_id}").status_code == 404
    assert batch_id not in panel.get("/").text


def test_the_same_file_meanwhile_is_told_to_wait(api: Api, services):
    batch_id = being_read_in(services, api)
    refused = api.upload(LIST + ANA + BETO)
    assert (refused.status_code, refused.json["batch_id"]) == (409, batch_id)
    assert "being read in right now" in refused.json["detail"]


def test_an_upload_that_was_cut_off_says_so(api: Api, services, monkeypatch):
    monkeypatch.setattr(services.store.batches, "finish_upload", lambda *_: False)
    lost = api.upload(LIST + ANA)
    assert lost.status_code == 503 and "Upload the file again" in lost.json["detail"]
    monkeypatch.undo()
    assert api.upload(LIST + ANA).status_code == 201


def test_the_kill_switch(api: Api, panel, worker, provider):
    provider.default = "promise"
    assert api.get("/api/stop").json["stopped"] is False
    assert api.post("/api/stop", {"hang_up": "yes"}).status_code == 422
    stopped = api.post("/api/stop").json
    assert (stopped["stopped"], stopped["by"], stopped["hung_up"]) == (True, "api:env", 0)
    started(api)
    worker.run()
    assert provider.rings == []
    page = panel.get("/").text
    assert "Todas las llamadas están detenidas." in page and "api:env" in page
    assert panel.post("/resume").status_code == 303
    worker.run()
    assert len(provider.rings) == 2
    assert panel.get("/stop").status_code == 200
    panel.post("/stop", data={"hang_up": "1"})
    assert api.post("/api/resume").json["stopped"] is False
