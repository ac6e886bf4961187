"""A payment that is told of between two steps of something else: who has paid is not rung (rule `paid`)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.catalog.use_cases import Country
from speechai.operation import recovery
from speechai.operation.campaigns import batches, payments
from speechai.retell.errors import Throttled
from speechai.store.merging import Merge
from tests.builders import MONDAY_NOON, a_debt
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone
from tests.integration.operation.writes import KilledError

MINUTE = timedelta(minutes=1)
RUT = "12345678-5"


def pay(services, amount=104_050, **options):
    rows = [(2, {"document": RUT, "amount": amount, "paid_on": "2026-11-23"})]
    asked = {"account_id": "default", "country": Country.CL, "as_of": None, "is_complete": False}
    return payments.receive(services, rows, **{**asked, "by": "ana", "language": "es", **options})


def hooked(repository, name, act):
    original, done = getattr(repository, name), []

    def hook(*args, **kwargs):
        if not done:
            done.append(1)
            act()
        return original(*args, **kwargs)

    setattr(repository, name, hook)


def late(services):
    """Three hours go by."""
    for _ in range(12):
        services.clock.advance(timedelta(minutes=15))
        recovery.sweep(services)
        services.nudges.tick()


def test_it_comes_as_the_job_begins_to_wait_and_the_process_dies(services, worker, provider):
    """Kill anything: the payment came between the look and the move, and the process died after the move."""
    add_batch(services, person_ids=["CL:RUT:123456785"])
    jobs_ = services.store.jobs
    original = jobs_.apply

    def apply(*args, **kwargs):
        pay(services)
        original(*args, **kwargs)
        raise KilledError

    jobs_.apply = apply
    with pytest.raises(KilledError):
        worker.run()
    jobs_.apply = original
    worker.inbox.clear()
    late(services)
    assert len(provider.rings) == 1
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("done", "paid")


def test_a_debt_that_is_replaced_as_the_job_ends_is_called_about(services, worker, provider):
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run()

    def merge():
        services.clock.advance(MINUTE)
        new = Merge("c", [2], "Ana", [], None, None, None, a_debt(), {}, {}, False)
        assert services.store.jobs.replace_debts({job_id(): new}, "batch-2", services.clock.now()) == set()

    hooked(services.store.jobs, "finish", merge)
    pay(services)
    assert job_of(services)["status"] == "pending"


def test_it_comes_as_a_broken_promise_reopens_the_job(services, worker, provider):
    """The complete list was read before the payment; its people were final when the payment looked."""
    provider.script[phone(1)] = ["promise"]
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run()
    services.clock.set(MONDAY_NOON + timedelta(days=7))
    hooked(services.store.jobs, "reopen", lambda: pay(services))
    payments.receive(
        services,
        [],
        account_id="default",
        country=Country.CL,
        as_of=None,
        is_complete=True,
        by="ana",
        language="es",
    )
    worker.run()
    assert len(provider.rings) == 1


def test_it_comes_while_the_file_is_stored(services, worker, provider):
    """Told of after the upload began and before its row was stored: it counts, and nobody waited yet."""
    services.clock.advance(MINUTE)
    pay(services)
    services.clock.set(MONDAY_NOON)  # the jobs of an upload carry the instant at which it began
    add_batch(services, person_ids=["CL:RUT:123456785"], start=None)
    services.clock.advance(2 * MINUTE)
    batches.start(services, "batch-1", "now")
    worker.run()
    assert not provider.rings


def test_it_comes_as_the_job_is_given_back_and_the_process_dies(services, worker, provider):
    add_batch(services, person_ids=["CL:RUT:123456785"])
    provider.fail_creates.append(Throttled("HTTP 429"))
    jobs_ = services.store.jobs
    original = jobs_.give_back

    def give_back(*args, **kwargs):
        pay(services)
        original(*args, **kwargs)
        raise KilledError

    jobs_.give_back = give_back
    with pytest.raises(KilledError):
        worker.run()
    jobs_.give_back = original
    worker.inbox.clear()
    for name, field in (("call_logs", "lease_until"), ("call_jobs", "released_until")):
        services.store.db[name].update_many(
            {field: {"$type": "date"}}, [{"$set": {field: {"$subtract": [f"${field}", 3_600_000]}}}]
        )
    late(services)
    assert not provider.rings
