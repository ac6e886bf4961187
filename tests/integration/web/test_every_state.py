"""Every state of every entity is shown, whatever its document lacks."""

from __future__ import annotations

import pytest

from speechai.core.states import AttemptState, BatchState, JobReason, JobState, WaitReason, WaveState
from tests.builders import MONDAY_NOON
from tests.integration.web.conftest import ANA, BETO, LIST, Api


@pytest.fixture
def batch_id(api: Api) -> str:
    return api.upload(LIST + ANA + BETO, start="next_wave").json["batch_id"]


def job_ids(api: Api, batch_id: str) -> list[str]:
    return [job["job_id"] for job in api.get("/api/jobs", batch_id=batch_id).json["items"]]


@pytest.mark.parametrize("state", WaveState)
def test_a_wave_in_every_state(panel, services, batch_id, state):
    services.store.waves.record(batch_id, MONDAY_NOON.date(), "09:00", state.value, {"at": MONDAY_NOON})
    assert panel.get(f"/batches/{batch_id}").status_code == 200
    assert panel.get(f"/panel/batches/{batch_id}.json").status_code == 200


@pytest.mark.parametrize("state", BatchState)
def test_a_batch_in_every_state(api: Api, panel, services, batch_id, state):
    services.store.db["batches"].update_one({"_id": batch_id}, {"$set": {"status": state.value}})
    for path in ("/", f"/batches/{batch_id}", f"/panel/batches/{batch_id}.json", f"/batches/{batch_id}/why"):
        assert panel.get(path).status_code == 200
    assert api.get(f"/api/batches/{batch_id}/eligibility").status_code == 200


@pytest.mark.parametrize("state", JobState)
def test_a_job_in_every_state(panel, services, batch_id, api: Api, state):
    [job, _] = job_ids(api, batch_id)
    changes = [{"reason": reason} for reason in (None, *JobReason)]
    changes += [{"waiting_for": waiting} for waiting in (None, *WaitReason)]
    for change in changes:
        services.store.db["call_jobs"].update_one({"_id": job}, {"$set": {"status": state, **change}})
        assert panel.get(f"/jobs/{job}").status_code == 200, change
        assert panel.get(f"/batches/{batch_id}").status_code == 200, change


@pytest.mark.parametrize("state", AttemptState)
def test_an_attempt_in_every_state_and_never_placed(api: Api, panel, services, batch_id, state):
    [job, _] = job_ids(api, batch_id)
    document = {
        "_id": "att-1",
        "attempt_id": "att-1",
        "job_id": job,
        "batch_id": batch_id,
        "account_id": "default",
        "person_id": "CL:RUT:111111111",
        "person_day": "2026-11-23",
        "to_number": "+56961000001",
        "from_number": "+56600123456",
        "provider": services.settings.provider_key,
        "use_case": "debt_collection",
        "status": state.value,
        "uses_place": True,
        "reserved_at": MONDAY_NOON,
        "lease_until": MONDAY_NOON,
    }
    services.store.db["call_logs"].insert_one(document)
    assert panel.get(f"/jobs/{job}").status_code == 200
    assert panel.get(f"/batches/{batch_id}").status_code == 200
    assert api.get(f"/api/jobs/{job}").status_code == 200
