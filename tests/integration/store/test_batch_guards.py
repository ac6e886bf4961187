"""What was read of a batch or a wave is not so any more: whoever was slower writes nothing (I4, I8)."""

from __future__ import annotations

from datetime import date

import pytest
from pymongo.errors import DuplicateKeyError

from speechai.core.states import BatchState, WaveState
from speechai.store import connect, open_store
from tests.builders import MONDAY_NOON, a_batch_document

DAY = date(2026, 11, 23)
EDIT = {"at": MONDAY_NOON, "by": "ana@ejemplo.cl", "changes": {}}


@pytest.fixture
def store(mongo_uri, database):
    store = open_store(connect(mongo_uri, database))
    store.ensure_indexes()
    return store


def document(batch_id="batch-1", claim="sha"):
    return a_batch_document(batch_id, file={"name": "x.xlsx", "sha256": "sha", "claim": claim})


def put(store, state):
    store.batches.insert({**document(), "status": state.value})
    return store.batches.get("batch-1")


def stored(store):
    return store.db["batches"].find_one({"_id": "batch-1"})


def test_an_upload_that_was_given_up_goes_on_no_further(store):
    assert store.batches.begin_upload(document(), 60)
    assert store.batches.keep_upload("batch-1", 60)
    store.batches.give_up_upload("batch-1")
    assert not store.batches.keep_upload("batch-1", 60)
    assert not store.batches.keep_upload("batch-1", 60, seal=True)
    assert not store.batches.finish_upload("batch-1", {})
    assert store.batches.abandoned_uploads() == ["batch-1"]


def test_an_upload_whose_lease_was_extended_is_not_taken(store):
    assert store.batches.begin_upload(document(), -1)
    assert store.batches.abandoned_uploads() == ["batch-1"]
    assert store.batches.keep_upload("batch-1", 60)
    assert not store.batches.take_abandoned("batch-1")
    assert store.batches.finish_upload("batch-1", {})


def test_a_batch_that_is_whole_is_neither_taken_nor_deleted(store):
    before = put(store, BatchState.DRAFT)
    store.batches.give_up_upload("batch-1")
    assert not store.batches.take_abandoned("batch-1")
    assert not store.batches.keep_upload("batch-1", 60)
    assert not store.batches.finish_upload("batch-1", {})
    store.batches.delete("batch-1")
    assert store.batches.get("batch-1") == before


def test_an_upload_takes_nobody_elses_id(store):
    before = put(store, BatchState.RUNNING)
    with pytest.raises(DuplicateKeyError):
        store.batches.begin_upload(document(claim="another"), 60)
    assert store.batches.get("batch-1") == before


def test_of_one_content_there_is_one_claim(store):
    assert store.batches.begin_upload(document(), 60)
    assert not store.batches.begin_upload(document("batch-2"), 60)
    assert store.batches.begin_upload(document("batch-3", "sha#again"), 60)


@pytest.mark.parametrize("state", sorted(set(BatchState) - {BatchState.UPLOADING}))
def test_a_batch_completes_only_while_it_runs(store, state):
    read = put(store, state)
    assert store.batches.complete(read, MONDAY_NOON) is (state is BatchState.RUNNING)


def test_a_batch_does_not_complete_while_or_after_a_job_is_reopened(store):
    read = put(store, BatchState.RUNNING)
    assert store.batches.begin_reopening("batch-1", "job-1", MONDAY_NOON)
    assert not store.batches.complete(read, MONDAY_NOON)
    assert not store.batches.complete(store.batches.get("batch-1"), MONDAY_NOON)  # it is under way
    store.batches.end_reopening("batch-1", "job-1")
    assert not store.batches.complete(read, MONDAY_NOON)  # it may have an active job again
    assert store.batches.complete(store.batches.get("batch-1"), MONDAY_NOON)


def test_a_cancelled_batch_has_not_ended_while_or_after_a_job_is_reopened(store):
    put(store, BatchState.RUNNING)
    assert store.batches.begin_reopening("batch-1", "job-1", MONDAY_NOON)
    assert store.batches.move("batch-1", BatchState.CANCELLED, {"ending": True})
    read = store.batches.get("batch-1")
    assert not store.batches.ended(read)
    store.batches.end_reopening("batch-1", "job-1")
    assert not store.batches.ended(read)
    assert store.batches.ended(store.batches.get("batch-1"))
    assert not store.batches.ended(store.batches.get("batch-1"))


@pytest.mark.parametrize("state", sorted(set(BatchState) - {BatchState.UPLOADING}))
def test_only_a_cancelled_batch_refuses_a_reopening(store, state):
    put(store, state)
    before = stored(store)
    assert store.batches.begin_reopening("batch-1", "job-1", MONDAY_NOON) is (
        state is not BatchState.CANCELLED
    )
    if state is BatchState.CANCELLED:
        assert stored(store) == before
    elif state is BatchState.COMPLETED:
        assert stored(store)["status"] == "running"
    else:
        assert stored(store)["status"] == state


@pytest.mark.parametrize("state", [BatchState.COMPLETED, BatchState.CANCELLED])
def test_a_batch_that_is_over_is_not_changed(store, state):
    put(store, state)
    before = stored(store)
    assert not store.batches.change("batch-1", {"daily_contacts": 1}, EDIT)
    assert not store.batches.move_provider("batch-1", "p", "q", EDIT)
    assert stored(store) == before


def test_a_batch_is_moved_from_the_provider_that_was_read(store):
    put(store, BatchState.PAUSED)
    assert not store.batches.move_provider("batch-1", "another", "q", EDIT)
    assert store.batches.move_provider("batch-1", "p", "q", EDIT)
    assert not store.batches.move_provider("batch-1", "p", "r", EDIT)


@pytest.mark.parametrize("state", list(WaveState))
def test_a_wave_is_made_once_and_finished_once(store, state):
    assert store.waves.record("batch-1", DAY, "09:00", state, {})
    assert not store.waves.record("batch-1", DAY, "09:00", WaveState.OPEN, {})
    for target in (WaveState.RUN, WaveState.MISSED):
        moved = store.waves.move("batch-1", DAY, "09:00", target, {})
        assert moved is (state is WaveState.OPEN and target is WaveState.RUN)
