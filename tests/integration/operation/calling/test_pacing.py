"""Slots: changed while running, shared between accounts, and fewer than we thought."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from speechai.operation.calling import pacing
from speechai.operation.campaigns import batches
from speechai.operation.recovery import sweep
from speechai.retell.errors import Throttled
from tests.builders import MONDAY_NOON
from tests.integration.operation.conftest import add_batch, phone

PHONES = [[phone(100 + number)] for number in range(10)]
PEOPLE = [f"CL:RUT:{20_000_000 + number}" for number in range(10)]


def rung(provider):
    return len(provider.rings)


def test_a_limit_that_is_changed_while_calls_run_holds_at_once_and_hangs_up_nobody(make, provider):
    services = make(max_concurrent_calls=4)
    add_batch(services, 10)
    services.nudges.run(before="poll_call")
    assert rung(provider) == 4
    pacing.set_limit(services, 2, "ana")
    assert pacing.state(services)["free"] == 0
    assert provider.stopped == []
    services.nudges.inbox.clear()  # nobody looks: the calls go on
    pacing.set_limit(services, 6, "ana")
    services.nudges.run(before="poll_call")
    assert rung(provider) == 6
    pacing.set_limit(services, None, "ana")
    assert pacing.state(services)["limit"] == 4


def test_an_account_never_has_more_than_its_share_and_leaves_the_rest_to_others(make, provider):
    services = make(max_concurrent_calls=6)
    services.store.accounts.ensure(replace(services.store.accounts.get("default"), id="other"), MONDAY_NOON)
    pacing.set_share(services, "default", 2, "ana")
    add_batch(services, 10)
    add_batch(services, 10, batch_id="batch-2", account_id="other", person_ids=PEOPLE, phones=PHONES)
    services.store.db["call_jobs"].update_many({"batch_id": "batch-2"}, {"$set": {"account_id": "other"}})
    services.nudges.run(before="poll_call")
    accounts = pacing.state(services)["accounts"]
    assert accounts["default"] == {"used": 2, "share": 2}
    assert accounts["other"] == {"used": 4, "share": None}
    services.nudges.run()
    assert pacing.state(services)["used"] == 0
    assert rung(provider) == 20
    with pytest.raises(pacing.NoSuchAccountError):
        pacing.set_share(services, "nobody", 2, "ana")


def test_a_provider_that_allows_fewer_is_asked_how_many_and_not_hammered(make, provider):
    services = make(max_concurrent_calls=10)
    provider.default = "promise"
    provider.concurrency = {"concurrency_limit": 3, "current_concurrency": 3}
    provider.fail_creates.extend([Throttled("full", status=429)] * 3)
    add_batch(services, 12)
    services.nudges.run(before="poll_call")
    assert pacing.state(services)["limit"] < 10
    services.nudges.run()
    assert batches.view(services, "batch-1")["counts"]["done"] == 12  # nobody lost an attempt to it
    provider.concurrency = {"concurrency_limit": 20, "current_concurrency": 0}
    services.clock.advance(timedelta(minutes=1))
    sweep(services)
    assert pacing.state(services)["limit"] == 10


def test_others_in_the_same_workspace_are_counted(make, provider):
    services = make(max_concurrent_calls=10)
    provider.concurrency = {"concurrency_limit": 10, "current_concurrency": 7}
    pacing.ask_for_limit(services)
    assert pacing.state(services)["limit"] == 3
