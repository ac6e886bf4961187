"""Whoever asked not to be called is called by nobody whom that binds, and it can be undone on record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.catalog.use_cases import UseCaseId
from speechai.core.states import BatchState
from speechai.operation.calling.dialing import dial
from speechai.operation.calling.placing import DialResult
from speechai.operation.campaigns import jobs
from speechai.operation.records import do_not_call
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone

SAME = ["CL:RUT:10000001"]


def test_an_opt_out_on_a_call_binds_the_creditors_other_batches_and_no_other_creditor(
    services, worker, provider
):
    add_batch(services)
    add_batch(services, batch_id="batch-2", person_ids=SAME, start=None)
    add_batch(services, batch_id="batch-3", person_ids=SAME, start=None, account_id="another")
    provider.script[phone(1)] = ["opted_out", "promise"]
    worker.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "opted_out")
    for batch_id in ("batch-2", "batch-3"):
        services.store.batches.move(batch_id, BatchState.RUNNING, {"continuous": True})
    assert dial(services, job_id("batch-2")).result is DialResult.HELD
    assert job_of(services, 1, "batch-2")["reason"] == "do_not_call"
    assert dial(services, job_id("batch-3")).result is DialResult.PLACED
    assert len(provider.rings) == 2


def test_an_opt_out_from_marketing_binds_every_account(services, worker, provider):
    add_batch(services, use_case=UseCaseId.MARKETING.value)
    marketing = {"use_case": UseCaseId.MARKETING.value, "account_id": "another"}
    add_batch(services, batch_id="batch-2", person_ids=SAME, start=None, **marketing)
    provider.script[phone(1)] = ["opted_out"]
    worker.run()
    services.store.batches.move("batch-2", BatchState.RUNNING, {"continuous": True})
    assert dial(services, job_id("batch-2")).result is DialResult.HELD
    assert len(provider.rings) == 1


def test_a_number_on_the_list_is_not_rung_whoever_answers_there_and_an_undo_is_on_record(
    services, worker, provider
):
    entry = {"number": phone(1), "country": "CL"}
    added = do_not_call.add(services, [entry], scope=do_not_call.EVERYBODY, reason="letter", by="ana")
    assert added == {"given": 1, "added": 1}
    assert do_not_call.add(services, [entry], scope=do_not_call.EVERYBODY, reason="x", by="ana")["added"] == 0
    add_batch(services)
    worker.run()
    assert provider.rings == []
    assert job_of(services)["reason"] == "do_not_call"
    [listed] = services.store.do_not_call.page(limit=10, before=None)
    assert do_not_call.undo(services, listed["_id"], "jefa", "her own letter")
    assert not do_not_call.undo(services, listed["_id"], "jefa", "again")
    jobs.retry(services, job_id(), "jefa")
    worker.run()
    assert len(provider.rings) > 0
    [kept] = services.store.db["do_not_call"].find()
    assert (kept["undone"][0]["by"], kept["undone"][0]["why"]) == ("jefa", "her own letter")


def test_what_cannot_be_read_adds_nothing(services):
    good, bad = {"number": phone(1)}, {"document": "11.111.111-2"}
    with pytest.raises(do_not_call.EntryError) as caught:
        do_not_call.add(services, [good, bad], scope=do_not_call.EVERYBODY, reason="list", by="ana")
    assert (caught.value.index, caught.value.field) == (1, "document")
    assert services.store.do_not_call.page(limit=10, before=None) == []


def test_marketing_waits_for_a_register_and_goes_on_once_it_was_consulted(services, worker, provider):
    add_batch(services, people=2, policy="ar-marketing", use_case=UseCaseId.MARKETING.value, country="CL")
    worker.run()
    assert provider.rings == []
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("suspended", "registry")
    do_not_call.consult(services, "no_llame", [{"number": phone(2)}], "ana")
    services.clock.advance(timedelta(minutes=6))
    services.store.jobs.resume_suspended(services.clock.now())
    dial(services, job_id())
    dial(services, job_id(number=2))
    assert [call["to_number"] for call in provider.rings] == [phone(1)]
    assert job_of(services, 2)["reason"] == "do_not_call"
