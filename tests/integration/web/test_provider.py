"""A batch that was made for another provider, in the API and in the panel."""

from __future__ import annotations

import pytest

OTHER = "real https://api.retellai.com"
FILE = "nombre;rut;telefono;monto\nAna;11.111.111-1;961000001;104050\n"


@pytest.fixture
def held(api, services):
    batch_id = api.upload(FILE, policy="house", start="next_wave").json["batch_id"]
    services.store.db["batches"].update_one({"_id": batch_id}, {"$set": {"provider": OTHER}})
    return batch_id


def test_the_api_says_that_a_batch_is_held_and_moves_it(api, services, held):
    assert api.get(f"/api/batches/{held}").json["held_by_provider"] is True
    [job] = api.get("/api/jobs", batch_id=held).json["items"]
    assert (job["status"], job["reason"]) == ("pending", "other_provider")
    found = api.get("/api/provider").json
    assert found["kind"] == "simulator"
    assert [(row["batch_id"], row["provider"], row["held"]) for row in found["batches"]] == [
        (held, OTHER, True)
    ]

    moved = api.post(f"/api/batches/{held}/provider")
    assert (moved.status_code, moved.json["held_by_provider"]) == (200, False)
    assert moved.json["edits"][-1]["changes"]["provider"]["from"] == OTHER
    assert api.get("/api/jobs", batch_id=held).json["items"][0]["reason"] is None
    again = api.post(f"/api/batches/{held}/provider")
    assert (again.status_code, again.json["detail"]) == (
        409,
        "The batch is dialed through the provider in use already.",
    )
    assert api.post("/api/batches/none/provider").status_code == 404


def test_the_panel_says_so_and_asks_before_it_moves(panel, services, held):
    assert OTHER in panel.get(f"/batches/{held}").text
    asked = panel.get(f"/batches/{held}/provider")
    assert asked.status_code == 200
    assert OTHER in asked.text and services.settings.provider_key in asked.text
    assert services.store.batches.get(held).provider == OTHER
    assert panel.post(f"/batches/{held}/provider").status_code == 303
    assert services.store.batches.get(held).provider == services.settings.provider_key
    assert OTHER not in panel.get(f"/batches/{held}").text
    assert "ya llama" in panel.post(f"/batches/{held}/provider", follow_redirects=True).text
