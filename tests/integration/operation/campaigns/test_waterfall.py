"""Who waits for what: of small batches at once, of large ones in pieces; it always adds up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.operation.campaigns import counting, eligibility, waterfall
from speechai.operation.campaigns.batches import BatchNotFoundError
from speechai.operation.records import do_not_call
from tests.builders import MONDAY_NOON
from tests.integration.operation.conftest import add_batch, job_id, phone
from tests.integration.store.profiling import examined, profiled

TUESDAY = MONDAY_NOON + timedelta(days=1)


def adds_up(found) -> bool:
    held = sum(rule["jobs"] for rule in found["rules"])
    return found["jobs"] == found["final"] + found["in_progress"] + found["callable"] + held


def of_rule(found, name: str) -> int:
    return sum(rule["jobs"] for rule in found["rules"] if rule["rule"] == name)


def without_time(found) -> dict:
    return {name: value for name, value in found.items() if name != "at"}


@pytest.fixture
def large(services, monkeypatch):
    """35 people, where ten are many: some are called, some never may be."""
    add_batch(services, 35, start="next_wave", policy="house", daily_contacts=12)
    for number in (4, 20, 33):
        entries = [{"number": phone(number), "country": "CL"}]
        do_not_call.add(services, entries, scope="everybody", reason="asked", by="ana")
    services.nudges.tick()
    whole = waterfall.of_batch(services, "batch-1")
    monkeypatch.setattr(waterfall, "AT_ONCE", 10)
    return services, whole


def test_the_waterfall_says_how_many_each_rule_holds(services, worker, provider):
    provider.script = {phone(3): ["never_ends"], phone(4): ["promise"]}
    add_batch(services, 8, policy="house", daily_contacts=6)
    worker.run(before="poll_call")
    while services.nudges.inbox and services.nudges.inbox[0][0] == "poll_call":
        services.nudges.inbox.popleft()
        worker.run(before="poll_call")
    services.clock.set(MONDAY_NOON + timedelta(hours=8))
    found = waterfall.of_batch(services, "batch-1")
    assert (
        found["jobs"]
        == 8
        == found["final"]
        + found["in_progress"]
        + found["callable"]
        + sum(rule["jobs"] for rule in found["rules"])
    )
    by_rule = {rule["rule"]: rule for rule in found["rules"]}
    assert by_rule["window"]["forbids"] == 8 - found["in_progress"] - found["final"]
    assert by_rule["window"]["earliest"] == TUESDAY - timedelta(hours=3)


def test_the_waterfall_and_the_single_question_agree(services, worker):
    add_batch(services, 5, policy="house")
    worker.tick()
    services.clock.set(MONDAY_NOON + timedelta(minutes=90))
    asked = [eligibility.of_job(services, job_id(number=number))["allowed"] for number in range(1, 6)]
    assert waterfall.of_batch(services, "batch-1")["callable"] == sum(asked)


def test_a_large_batch_is_judged_in_pieces_that_always_add_up(large):
    services, whole = large
    first = waterfall.of_batch(services, "batch-1")
    assert (first["complete"], adds_up(first), adds_up(whole)) == (False, True, True)
    assert of_rule(first, "not_judged") == whole["jobs"] - whole["final"] - 10
    for _ in range(4):
        found = waterfall.of_batch(services, "batch-1")
        assert adds_up(found)
        if found["complete"]:
            break
    assert without_time(found) == without_time(whole)


def test_a_look_reads_no_more_of_a_large_batch_than_one_piece(large):
    services, _ = large
    counting.count_moves(services)
    with profiled(services.store) as entries:
        waterfall.of_batch(services, "batch-1")
    assert examined(entries, "call_jobs") <= waterfall.AT_ONCE + 3  # one of each state that follows


def test_the_sweep_goes_on_only_while_somebody_looks(large):
    services, whole = large
    assert waterfall.judge_on(services) == 0
    waterfall.of_batch(services, "batch-1")
    assert waterfall.judge_on(services) == whole["jobs"] - whole["final"] - 10
    assert waterfall.judge_on(services) == 0
    began = services.clock.now()
    services.clock.advance(timedelta(seconds=90))
    assert waterfall.judge_on(services) == whole["jobs"] - whole["final"]
    services.clock.advance(timedelta(minutes=5))
    assert waterfall.judge_on(services) == 0
    found = waterfall.of_batch(services, "batch-1")
    assert found["complete"] and began < found["at"] < services.clock.now()  # its age is shown
    assert without_time(found) == without_time(whole)


def test_two_looks_at_the_same_piece_count_it_once(large):
    services, whole = large
    store = services.store
    waterfall.of_batch(services, "batch-1")
    known = store.waterfalls.get("batch-1")
    standing, sums = store.standing.of("batch-1"), store.tallies.read("batch-1")
    for _ in range(2):
        waterfall._judge_piece(services, standing, known, sums)
    assert store.waterfalls.get("batch-1")["walk"]["judged"] == 20
    waterfall.judge_on(services)
    assert without_time(waterfall.of_batch(services, "batch-1")) == without_time(whole)


def test_no_batch_has_no_waterfall(services):
    with pytest.raises(BatchNotFoundError):
        waterfall.of_batch(services, "none")
