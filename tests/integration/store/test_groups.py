"""The day's group on the real mongod: places are given once, to somebody, and without reading all again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from speechai.core.waiting import WaitingFor
from speechai.store import groups
from tests.builders import MONDAY_NOON as NOON
from tests.integration.operation.conftest import add_batch, make, provider, services
from tests.integration.store.profiling import examined, profiled

__all__ = ["make", "provider", "services"]

TODAY, YESTERDAY = date(2026, 11, 23), date(2026, 11, 22)
BATCH = "batch-1"


def placed(services) -> int:
    return services.store.db["call_jobs"].count_documents({"group_date": TODAY.isoformat()})


@pytest.fixture
def waiting(services):
    """300 people of whom nobody was called."""
    add_batch(services, 300, start="next_wave")
    return services


def carry_over(services) -> None:
    services.store.db["call_jobs"].update_many(
        {},
        {
            "$set": {
                "group_date": YESTERDAY.isoformat(),
                "next_attempt_at": NOON,
                "waiting_for": WaitingFor.WAVE.value,
            }
        },
    )


def test_whoever_picks_at_once_picks_no_more_than_there_are_places(waiting):
    store = waiting.store
    with ThreadPoolExecutor(8) as threads:
        picked = list(threads.map(lambda _: store.groups.recruit_new(BATCH, TODAY, 40, NOON), range(8)))
        taken = list(threads.map(lambda _: store.groups.take_place(BATCH, TODAY, 50), range(20)))
    assert sum(picked) == 40 == placed(waiting)
    assert sum(taken) == 10
    assert store.groups.size(BATCH, TODAY) == 50


def test_a_place_whose_picker_dies_is_nobodys_and_not_lost(waiting, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(groups, "_add_people", die)
    with pytest.raises(KeyboardInterrupt):
        waiting.store.groups.recruit_new(BATCH, TODAY, 40, NOON)
    assert placed(waiting) == 0 == waiting.store.groups.size(BATCH, TODAY)
    monkeypatch.undo()
    assert waiting.store.groups.recruit_new(BATCH, TODAY, 40, NOON) == 40


@pytest.mark.parametrize("before", [False, True])
def test_picking_reads_each_person_once_however_many_places_there_are(waiting, before):
    if before:
        carry_over(waiting)
    store = waiting.store
    with profiled(store) as entries:
        picked = store.groups.recruit_called_before(BATCH, TODAY, 250, NOON + timedelta(hours=1))
        picked += store.groups.recruit_new(BATCH, TODAY, 250, NOON)
    assert picked == 250 == placed(waiting)
    assert examined(entries, "call_jobs") <= 3 * 250
