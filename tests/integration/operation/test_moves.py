"""The watch over every test of this folder: it lets the product's moves pass, and sees others."""

from __future__ import annotations

import pytest

from speechai.core.states import AttemptState, BatchState, JobState, WaveState
from speechai.operation.campaigns import batches, jobs
from speechai.store import attempts as attempt_store
from speechai.store import batches as batch_store
from speechai.store import jobs as job_store
from tests.integration.operation.conftest import add_batch, job_id


def test_a_whole_batch_moves_by_the_tables_only(services, worker, provider, moves):
    provider.default = "promise"
    add_batch(services, people=2)
    worker.run()
    jobs.retry(services, job_id(), "ana@ejemplo.cl")
    worker.run()
    assert moves.moves > 20 and moves.faults == []


def any_state(*_):
    return {}


@pytest.mark.parametrize("module", [attempt_store, job_store, batch_store], ids=["attempt", "job", "batch"])
def test_a_move_without_its_guard_is_seen(services, worker, moves, monkeypatch, module):
    add_batch(services, start=None)
    monkeypatch.setattr(module, "moving_to", any_state)
    batches.start(services, "batch-1", "now")
    worker.run(before="persist_result")
    assert moves.faults
    moves.faults.clear()


def test_what_a_test_writes_by_itself_is_its_own_affair(services, moves):
    add_batch(services)
    services.store.db["call_jobs"].update_many({}, {"$set": {"status": "done"}})
    assert moves.faults == []


def test_a_move_that_no_table_has_is_refused_before_it_is_written(services):
    """The repositories raise; the database is not asked."""
    day, instant = services.clock.now().date(), services.clock.now()
    add_batch(services, start="next_wave")
    for move in (
        lambda: services.store.batches.move("batch-1", BatchState.UPLOADING, {}),
        lambda: services.store.batches.move("batch-1", BatchState.COMPLETED, {}, only_from=BatchState.PAUSED),
        lambda: services.store.waves.move("batch-1", day, "09:00", WaveState.SKIPPED, {}),
        lambda: services.store.attempts.release(
            "any", "a test", instant, instant, before=AttemptState.UNKNOWN
        ),
        lambda: services.store.jobs._move("any", JobState.SUSPENDED, {}, only_from=[JobState.DONE]),
    ):
        with pytest.raises(ValueError, match="no move to"):
            move()
