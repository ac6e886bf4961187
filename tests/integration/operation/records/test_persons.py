"""One person over batches, accounts, names and lists: joins, isolation, evidence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.operation import recovery
from speechai.operation.campaigns import accounts
from speechai.operation.records import evidence, persons
from speechai.store.attempt_documents import Wanted
from tests.builders import MONDAY_NOON
from tests.integration.operation.conftest import add_batch, job_of
from tests.integration.operation.records.lists import add, write

RUT = "12345678-5"
PERSON = "CL:RUT:123456785"


def test_a_document_that_arrives_later_joins_two_histories(services, worker, provider, tmp_path):
    add(services, write(tmp_path, ("Ana", "", "+56911111111")), duplicates="allow")
    worker.run()
    assert persons.history(services, "TEL:+56911111111")["calls_today"] == 1

    add(
        services,
        write(tmp_path, ("Ana", RUT, "+56911111111 / +56922222222"), name="b.csv"),
        duplicates="allow",
    )
    found = persons.history(services, "TEL:+56911111111")
    assert found["person_id"] == PERSON
    assert found["known_as"] == ["TEL:+56911111111"]
    assert (found["calls_today"], len(found["jobs"])) == (1, 2)

    # Three calls a day bind the person under both names, whatever number is dialed.
    for _ in range(6):
        services.clock.advance(timedelta(hours=1))
        worker.tick()
    assert len(provider.rings) == 3
    assert persons.history(services, PERSON)["calls_today"] == 3

    # … and who is known only by that number is the same person from now on.
    add(services, write(tmp_path, ("Ana", "", "+56911111111"), name="c.csv"), duplicates="allow")
    assert len(persons.history(services, PERSON)["jobs"]) == 3


def test_joining_in_a_full_day_keeps_every_call(services, worker, provider, tmp_path):
    add(services, write(tmp_path, ("Ana", "", "+56911111111")), duplicates="allow")
    add(services, write(tmp_path, ("Ana", RUT, "+56922222222"), name="b.csv"), duplicates="allow")
    for _ in range(3):
        worker.tick()
        services.clock.advance(timedelta(hours=1))
    assert len(provider.rings) == 6  # two people, three calls each
    add(services, write(tmp_path, ("Ana", RUT, "+56911111111"), name="c.csv"), duplicates="allow")
    assert persons.history(services, PERSON)["calls_today"] == 6
    worker.tick()
    assert len(provider.rings) == 6


def test_a_dial_that_knew_the_old_name_is_taken_along(services, worker, provider, tmp_path):
    provider.default = "never_ends"
    add(services, write(tmp_path, ("Ana", "", "+56911111111")), duplicates="allow")
    worker.run(before="poll_call")
    alias = "TEL:+56911111111"
    services.store.db["persons"].insert_one(
        {"_id": alias, "joined_into": PERSON, "joined_at": services.clock.now(), "joined_by": "test"}
    )
    recovery.sweep(services)
    assert services.store.persons.attempts(alias) == []
    [around] = services.store.attempts.around([Wanted(PERSON, services.clock.now().date(), {})])
    assert around.taken("").person_open


def test_a_preview_joins_nobody(services, tmp_path):
    add(services, write(tmp_path, ("Ana", "", "+56911111111")))
    add(services, write(tmp_path, ("Ana", RUT, "+56911111111"), name="b.csv"), dry_run=True)
    assert persons.history(services, "TEL:+56911111111")["person_id"] == "TEL:+56911111111"


def test_caps_bind_over_accounts_unless_one_is_isolated(services, worker, provider, tmp_path):
    for account_id, isolated in (("acme", False), ("apart", True)):
        accounts.make(services, account_id, {"name": account_id, "isolated": isolated}, "test", "en")
    path = write(tmp_path, ("Ana", RUT, "+56911111111"))
    for account_id in ("default", "acme", "apart"):
        add(services, path, account_id=account_id)
    for _ in range(8):
        worker.tick()
        services.clock.advance(timedelta(minutes=61))
    of_account = {"default": 0, "acme": 0, "apart": 0}
    for attempt in services.store.db["call_logs"].find({"uses_place": True}):
        of_account[attempt["account_id"]] += 1
    assert of_account["default"] + of_account["acme"] == 3
    assert of_account["apart"] == 3
    assert persons.history(services, f"{PERSON}@apart")["calls_today"] == 3


# -- evidence ---------------------------------------------------------------------------------------


@pytest.fixture
def called(services, worker):
    """A person with three calls on record."""
    add_batch(services)
    for _ in range(3):
        worker.tick()
        services.clock.advance(timedelta(hours=1))
    recovery.sweep(services)
    return job_of(services)["person_id"]


def test_the_evidence_tells_what_allowed_each_call(services, called):
    pack = evidence.pack(services, called)
    assert pack["holds"]
    (chain,) = pack["chains"]
    assert [link["seq"] for link in chain["links"]] == [1, 2, 3]
    verdict = pack["attempts"][0]["verdict"]
    assert verdict["policy"] == "anytime"
    assert {"rule": "window", "detail": "open", "source": pack["policies"][0]["source"]} in verdict["rules"]
    assert services.store.db["call_logs"].count_documents({"unlinked": True}) == 0


def setting(collection, **changes):
    return lambda db, ids: db[collection].update_one({"_id": ids[1]}, {"$set": changes})


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (
            lambda db, ids: db["call_logs"].update_one({"_id": ids[1]}, {"$set": {"outcome": "busy"}}),
            "changed",
        ),
        (
            lambda db, ids: db["call_logs"].update_one(
                {"_id": ids[0]}, {"$set": {"verdict.policy": "house"}}
            ),
            "its attempt was changed",
        ),
        (lambda db, ids: db["call_logs"].delete_one({"_id": ids[2]}), "its attempt is gone"),
        (lambda db, ids: db["evidence"].delete_one({"_id": ids[1]}), "missing"),
        (
            lambda db, ids: db["evidence"].update_one({"_id": ids[1]}, {"$set": {"digest": "0" * 64}}),
            "changed",
        ),
        (
            lambda db, ids: db["call_logs"].update_one(
                {"_id": ids[2]}, {"$set": {"reserved_at": MONDAY_NOON - timedelta(days=9)}}
            ),
            "its attempt was changed",
        ),
    ],
)
def test_whatever_is_changed_afterwards_shows(services, called, tamper, why):
    ids = [attempt["_id"] for attempt in services.store.persons.attempts(called)]
    tamper(services.store.db, ids)
    pack = evidence.pack(services, called)
    assert not pack["holds"]
    assert any(why in place["why"] for chain in pack["chains"] for place in chain["breaks"])


def test_a_call_that_was_put_in_shows(services, called):
    db = services.store.db
    extra = {**db["call_logs"].find_one({"person_id": called}), "_id": "att-x", "attempt_id": "att-x"}
    for name in ("person_place", "number_place", "unlinked", "call_id"):
        extra.pop(name, None)
    db["call_logs"].insert_one(extra)
    assert not evidence.pack(services, called)["holds"]


def test_two_sweeps_at_once_make_one_chain(services, called):
    db = services.store.db
    db["call_logs"].update_many({}, {"$set": {"unlinked": True}})  # as if a crash came before it was noted
    evidence.link_all(services)
    assert db["evidence"].count_documents({}) == 3
    assert evidence.pack(services, called)["holds"]
