"""Many viewers of one batch cost one look; whoever orders something sees it at once."""

from __future__ import annotations

from tests.integration.web.conftest import ANA, BETO, LIST, Api
from web import shared
from web.panel import batches as page


def test_viewers_share_a_look_and_an_order_is_seen_at_once(app, api: Api, panel, monkeypatch):
    batch_id = api.upload(LIST + ANA + BETO, start="now").json["batch_id"]
    app.extensions[shared.KEY].fresh = 1000
    looks = []
    view = page.operation.view
    monkeypatch.setattr(page.operation, "view", lambda *given: looks.append(given) or view(*given))
    for _ in range(8):
        live = panel.get(f"/panel/batches/{batch_id}.json").json
    assert (live["status"], len(looks)) == ("running", 1)
    assert api.post(f"/api/batches/{batch_id}/pause").status_code == 200
    assert panel.get(f"/panel/batches/{batch_id}.json").json["status"] == "paused"
    assert panel.post(f"/batches/{batch_id}/resume").status_code == 303
    assert panel.get(f"/panel/batches/{batch_id}.json").json["status"] == "running"
    api.client.post("/webhooks/retell", data=b"{}")  # the provider's messages do not count as orders
    before = len(looks)
    panel.get(f"/panel/batches/{batch_id}.json")
    assert len(looks) == before
