"""The sweep is many small sweeps: one that fails, or hangs, or is done by somebody else, keeps none back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from speechai.core.states import AttemptState, JobState
from speechai.operation import parts, recovery
from speechai.operation.calling import settling
from speechai.operation.parts import Part, do, whole
from speechai.operation.recovery import PARTS, sweep, sweep_part
from tests.fakes import make_services
from tests.integration.operation.conftest import add_batch, job_id, job_of


def three(heal, name="three"):
    return Part(name, lambda _, aside: [n for n in "abc" if n not in aside], heal, str)


def test_one_item_that_raises_is_set_aside_and_the_rest_is_healed(services, caplog):
    healed = []

    def heal(_, item):
        if item == "a":
            raise ValueError("a is broken")
        healed.append(item)
        return 1

    assert do(services, three(heal)) == 2
    assert healed == ["b", "c"]
    assert "set aside" in caplog.text
    [aside] = services.store.sweeps.all_aside()
    assert (aside["part"], aside["key"], aside["times"]) == ("three", "a", 1)
    assert do(services, three(heal)) == 2  # it is left alone for a while, …
    services.clock.advance(timedelta(minutes=2))
    do(services, three(heal))  # … for longer each time
    [aside] = services.store.sweeps.all_aside()
    assert aside["times"] == 2 and aside["until"] > services.clock.now() + timedelta(minutes=1)


def test_a_part_that_is_one_piece_is_tried_again_soon_however_often_it_raised(services):
    """The watchdog is in one of them: an hour without it would leave every long call to itself."""
    tried = []

    def fails(_):
        tried.append(1)
        raise ValueError

    for _ in range(10):
        do(services, whole("one", fails))
        services.clock.advance(timedelta(minutes=1, seconds=1))
    assert len(tried) == 10


def test_what_is_well_again_is_forgotten(services):
    broken = {"a"}

    def heal(_, item):
        if item in broken:
            raise ValueError(item)
        return 1

    do(services, three(heal))
    broken.clear()
    services.clock.advance(timedelta(hours=2))
    assert do(services, three(heal)) == 3
    assert services.store.sweeps.all_aside() == []


def test_what_somebody_else_healed_meanwhile_is_forgotten(services):
    left = ["a", "b"]

    def heal(_, item):
        raise ValueError(item)

    part = Part("three", lambda _, aside: [n for n in left if n not in aside], heal, str)
    do(services, part)
    left.remove("a")  # by a webhook, for one: no turn finds it any more
    do(services, part)
    assert sorted(services.store.sweeps.aside("three", services.clock.now())[1]) == ["a", "b"]
    services.clock.advance(timedelta(minutes=2))
    do(services, part)
    assert [aside["key"] for aside in services.store.sweeps.all_aside()] == ["b"]


def test_what_a_turn_had_no_time_for_stays_on_record(services):
    def heal(_, item):
        if item == "c":
            raise ValueError(item)
        return 1

    do(services, three(heal))
    services.clock.advance(timedelta(minutes=2))
    do(services, three(heal), seconds=0)  # only the first of them
    assert [aside["key"] for aside in services.store.sweeps.all_aside()] == ["c"]


def test_a_part_is_done_by_one_worker_at_a_time(mongo_uri, services):
    began, end = threading.Event(), threading.Event()

    def slow(_, item):
        began.set()
        assert end.wait(20)
        return 1

    hanging = threading.Thread(target=do, args=(services, three(slow)))
    hanging.start()
    assert began.wait(20)
    other = make_services(mongo_uri, "test")
    assert do(other, three(lambda *_: 1)) == 0  # somebody does it
    assert do(other, three(lambda *_: 1, name="another")) == 3  # and nothing else waits for that
    end.set()
    hanging.join()
    assert do(other, three(lambda *_: 1)) == 3


def test_a_dead_workers_part_is_free_when_its_time_is_over(services):
    assert services.store.sweeps.take("three", "dead", -1)  # by the database's clock: over already
    assert do(services, three(lambda *_: 1)) == 3


def test_a_part_leaves_the_rest_to_its_next_turn(services, monkeypatch):
    ticks = iter(range(0, 1000, 15))
    monkeypatch.setattr(parts, "monotonic", lambda: next(ticks))
    assert do(services, three(lambda *_: 1)) == 2  # the third would begin after 20 s


def test_every_part_goes_on_though_another_cannot_even_begin(services, worker, monkeypatch):
    add_batch(services)
    services.store.jobs.take_back(job_id())

    def broken(*_):
        raise RuntimeError("no such collection")

    monkeypatch.setitem(recovery.PARTS, "reservations", Part("reservations", broken, broken, str))
    with pytest.raises(ExceptionGroup):
        sweep(services)
    assert worker.inbox  # it dispatched all the same


def test_one_stranded_job_that_raises_keeps_the_others_from_nothing(services, worker, provider, monkeypatch):
    provider.default = "promise"
    add_batch(services, people=3)
    worker.run(before="persist_result")
    with monkeypatch.context() as crash:
        crash.setattr(settling, "conclude", lambda *_, **__: False)  # every worker dies before it
        worker.run()
    assert {job_of(services, number)["status"] for number in (1, 2, 3)} == {"in_progress"}
    conclude = settling.conclude

    def poisoned(services, attempt, **late):
        if attempt.job_id == job_id(number=1):
            raise ValueError("cannot be concluded")
        return conclude(services, attempt, **late)

    monkeypatch.setattr(settling, "conclude", poisoned)
    sweep_part(services, "jobs")
    assert [job_of(services, number)["status"] for number in (1, 2, 3)] == ["in_progress", "done", "done"]
    assert [aside["key"] for aside in services.store.sweeps.all_aside()] == [job_id(number=1)]


def test_one_account_whose_rules_cannot_be_asked_stops_no_others_wave(services, worker, provider):
    provider.default = "promise"
    services.clock.advance(timedelta(hours=-4))
    add_batch(services, batch_id="batch-0", policy="house", start="next_wave", account_id="broken")
    add_batch(services, policy="house", start="next_wave", person_ids=["CL:RUT:9"], phones=[["+56969999999"]])
    services.store.db["accounts"].insert_one(
        {
            **services.store.accounts.document("default"),
            "_id": "broken",
            "account_id": "broken",
            "policies": {"house-own": {"extends": "house", "holidays": "NEVERLAND"}},
        }
    )
    services.store.db["batches"].update_one({"_id": "batch-0"}, {"$set": {"policy": "house-own"}})
    services.clock.advance(timedelta(hours=1))
    worker.tick()
    assert [call["to_number"] for call in provider.rings] == ["+56969999999"]
    assert [aside["key"] for aside in services.store.sweeps.all_aside()] == ["batch-0"]


def test_a_job_that_cannot_be_judged_holds_no_place_that_others_could_take(services, worker, provider):
    provider.default = "promise"
    add_batch(services, batch_id="batch-0", retries={"busy": {"wait_minutes": -1}})
    add_batch(services, person_ids=["CL:RUT:9"], phones=[["+56969999999"]])
    name, args, _ = (
        next(message for message in worker.inbox if message[0] == "dispatch")
        if worker.inbox
        else (
            "dispatch",
            (),
            0,
        )
    )
    worker.dispatch()
    errors = 0
    while worker.inbox:
        try:
            worker.run()
        except ValueError:
            errors += 1
    assert errors >= 1
    assert [call["to_number"] for call in provider.rings] == ["+56969999999"]
    job = job_of(services, batch_id="batch-0")
    assert job["status"] == JobState.PENDING and job["held_by"] == ["unjudged"]
    assert job["next_attempt_at"] > services.clock.now() and job["released_until"] is None


def test_the_parts_have_names_of_their_own():
    assert len(PARTS) >= 20
    assert all(part.name == name for name, part in PARTS.items())


def test_a_reservation_whose_owner_is_only_slow_is_given_back_or_rings_and_never_both(
    services, worker, provider
):
    """The sweep found it expired; its owner posts at that moment: the job does not go back to waiting."""
    provider.default = "never_ends"
    add_batch(services)
    begin = services.store.attempts.begin_dialing

    def slow(attempt_id, instant, lease):
        services.store.attempts.extend_lease(attempt_id, -1)
        [expired] = services.store.attempts.expired(AttemptState.RESERVED)
        moved = begin(attempt_id, instant, lease)
        PARTS["reservations"].heal(services, expired)
        return moved

    services.store.attempts.begin_dialing = slow
    worker.run(before="poll_call")
    assert job_of(services)["status"] == "in_progress"
    assert services.store.pacing.slots(services.settings.provider_key, 20).used == 1
    assert len(provider.rings) == 1
