"""Accounts that two people, or two workers, write at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from threading import Barrier

import pytest

from speechai.catalog.accounts import AccountStatus
from speechai.core.money import EntryKind
from speechai.operation.calling import pacing
from speechai.operation.campaigns import accounts
from speechai.store.funds import Entry
from tests.builders import MONDAY_NOON
from tests.fakes import make_services

CREDIT = {"name": "Acme", "plan": "credit_based"}
ENTRY = Entry("top_up:acme:transfer-7", EntryKind.TOP_UP, Decimal(1000), "ana", MONDAY_NOON)


@pytest.fixture
def two(mongo_uri, database):
    """Two processes, each with a connection of its own."""
    ana, ben = (make_services(mongo_uri, database) for _ in range(2))
    accounts.make(ana, "acme", CREDIT, "test", "en")
    return ana, ben


def books(services):
    """What the account has, and what its ledger says that it has."""
    return services.store.funds.of("acme").balance, services.store.funds.ledger_sum("acme")


def after(monkeypatch, collection, name, then):
    """Once, right after the next call of the collection's method, something else happens."""
    original, waiting = getattr(collection, name), [then]

    def called(*args, **kwargs):
        found = original(*args, **kwargs)
        if waiting:
            waiting.pop()()
        return found

    monkeypatch.setattr(collection, name, called)


# -- one reference, twice at once --------------------------------------------------------------------


@pytest.mark.parametrize("collection", ["_accounts", "_ledger"])
def test_a_top_up_between_anothers_look_and_its_write_adds_once(two, monkeypatch, collection):
    ana, ben = (services.store.funds for services in two)
    posted = []
    after(monkeypatch, getattr(ana, collection), "find_one", lambda: posted.append(ben.post("acme", ENTRY)))
    assert ana.post("acme", ENTRY) is False
    assert posted == [True]
    assert books(two[0]) == (1000, 1000)


def test_many_at_once_with_one_reference_add_once(two):
    references = range(6)
    at_once = Barrier(4)

    def post(services):
        at_once.wait()
        given = [{"cents": 1000, "reference": f"transfer-{number}"} for number in references]
        return sum(accounts.top_up(services, "acme", one, "test")["posted"] for one in given)

    with ThreadPoolExecutor(4) as pool:
        posted = list(pool.map(post, [*two, *two]))
    assert sum(posted) == len(references)
    assert books(two[0]) == (6000, 6000)


def test_other_references_at_once_all_count(two, monkeypatch):
    ana, ben = (services.store.funds for services in two)
    other = replace(ENTRY, id="top_up:acme:transfer-8")
    after(monkeypatch, ana._ledger, "find_one", lambda: ben.post("acme", other))
    assert ana.post("acme", ENTRY) is True
    assert books(two[0]) == (2000, 2000)


# -- two edits at once -------------------------------------------------------------------------------


def test_an_edit_cannot_undo_a_suspension_that_came_meanwhile(two, monkeypatch):
    ana, ben = two
    suspend = {"status": "suspended"}
    after(
        monkeypatch,
        ana.store.accounts._accounts,
        "find_one",
        lambda: accounts.change(ben, "acme", suspend, "ben", "en"),
    )
    shown = accounts.change(ana, "acme", {"agent_id": "agent_2"}, "ana", "en")
    assert (shown["status"], shown["agent_id"]) == ("suspended", "agent_2")
    assert ana.store.accounts.get("acme").status is AccountStatus.SUSPENDED


def test_an_edit_keeps_the_share_of_slots_that_came_meanwhile(two, monkeypatch):
    ana, ben = two
    after(
        monkeypatch, ana.store.accounts._accounts, "find_one", lambda: pacing.set_share(ben, "acme", 3, "ben")
    )
    assert accounts.change(ana, "acme", {"agent_id": "agent_2"}, "ana", "en")["slots"] == 3


def test_an_account_is_written_as_it_was_read(two):
    """What was checked together is written together: an edit of what somebody edited since is made anew."""
    ana, ben = (services.store.accounts for services in two)
    before, edits = ana.versioned("acme")
    assert ben.change(before, edits, replace(before, slots=3), MONDAY_NOON)
    assert not ana.change(before, edits, replace(before, slots=5, agent_id="agent_2"), MONDAY_NOON)
    assert (ana.get("acme").slots, ana.get("acme").agent_id) == (3, None)
    assert ana.change(*ana.versioned("acme"), replace(before, slots=5), MONDAY_NOON)
