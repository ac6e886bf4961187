"""Whoever asked not to be called is called by nobody whom that binds, and it can be undone on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from stdnum.cl import rut

from speechai.catalog.use_cases import UseCaseId
from speechai.core.lines import person_of_number
from speechai.core.states import BatchState
from speechai.operation.calling.dialing import dial
from speechai.operation.calling.placing import DialResult
from speechai.operation.campaigns import accounts, jobs
from speechai.operation.records import do_not_call, persons
from speechai.operation.records.do_not_call_entries import EntryError, entries_of_file
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone

SAME = ["CL:RUT:10000001"]
EVERYBODY = do_not_call.Scope.EVERYBODY


def document(number):
    """The RUT of a synthetic person."""
    body = str(10_000_000 + number)
    return f"{body}-{rut.calc_check_digit(body)}"


def person_id(number):
    return f"CL:RUT:{document(number).replace('-', '')}"


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
    added = do_not_call.add(services, [entry], scope=EVERYBODY, reason="letter", by="ana")
    assert added == {"given": 1, "added": 1}
    assert do_not_call.add(services, [entry], scope=EVERYBODY, reason="x", by="ana")["added"] == 0
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
    with pytest.raises(EntryError) as caught:
        do_not_call.add(services, [good, bad], scope=EVERYBODY, reason="list", by="ana")
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


# -- who is who -------------------------------------------------------------------------------------

AR_FIXED, AR_MOBILE = "+541123456789", "+5491123456789"


def listed(services):
    return {entry["key"]: entry for entry in services.store.do_not_call.page(limit=50, before=None)}


@pytest.mark.parametrize("entry", ["11 2345-6789", "011 15-2345-6789", AR_FIXED, AR_MOBILE])
@pytest.mark.parametrize("dialed", [AR_FIXED, AR_MOBILE])
def test_an_argentine_number_binds_the_line_in_both_its_forms(services, worker, provider, entry, dialed):
    do_not_call.add(services, [{"number": entry, "country": "AR"}], scope=EVERYBODY, reason="x", by="ana")
    add_batch(services, phones=[[dialed]])
    worker.run()
    assert provider.rings == []
    assert job_of(services)["reason"] == "do_not_call"


def test_one_line_written_in_both_forms_has_one_daily_cap(services, worker, provider):
    add_batch(services, people=2, phones=[[AR_FIXED], [AR_MOBILE]])
    for _ in range(8):  # until the evening of the same day
        worker.dispatch()
        worker.run()
        services.clock.advance(timedelta(minutes=61))
    assert len(provider.rings) == 3  # of both together: it is one number
    dials = services.store.db["call_logs"].find()
    assert {attempt["number_key"] for attempt in dials} == {AR_FIXED}


def test_an_entry_by_document_binds_an_isolated_account_too(services, worker, provider):
    accounts.make(services, "apart", {"name": "apart", "isolated": True}, "test", "es")
    for scope, number in (("everybody", 1), ("account:apart", 2), ("account:default", 3)):
        entry = {"document": document(number), "country": "CL"}
        do_not_call.add(services, [entry], scope=scope, reason="letter", by="ana")
    ids = [f"{person_id(number)}@apart" for number in (1, 2, 3)]
    add_batch(services, people=3, person_ids=ids, account_id="apart")
    services.store.db["call_jobs"].update_many({}, {"$set": {"account_id": "apart"}})
    worker.run()
    assert {call["to_number"] for call in provider.rings} == {phone(3)}
    assert [entry["scope"] for entry in persons.history(services, ids[0])["do_not_call"]] == ["everybody"]


def test_a_wish_said_to_an_isolated_account_about_marketing_binds_every_account(services, worker, provider):
    accounts.make(services, "apart", {"name": "apart", "isolated": True}, "test", "es")
    marketing = {"use_case": UseCaseId.MARKETING.value}
    provider.script[phone(1)] = ["opted_out"]
    add_batch(services, person_ids=[f"{SAME[0]}@apart"], account_id="apart", **marketing)
    worker.run()
    assert set(listed(services)) == {SAME[0], phone(1)}
    add_batch(services, batch_id="batch-2", person_ids=SAME, phones=[[phone(7)]], **marketing)
    worker.run()
    assert len(provider.rings) == 1


def test_what_is_said_against_a_job_tells_the_person_from_each_of_the_numbers(services):
    add_batch(services, people=3, phones=[[phone(1), phone(2)], [phone(3)], [phone(4)]], start=None)
    entries = [{"number": phone(2)}, {"document": document(3)}]
    do_not_call.add(services, entries, scope=EVERYBODY, reason="letter", by="ana")
    batch = services.store.batches.get("batch-1")
    found = do_not_call.against(services, list(services.store.jobs.active("batch-1")), batch)
    assert [set(said.numbers) for said in found] == [{phone(2)}, set(), set()]
    assert [said.person is not None for said in found] == [False, False, False]
    ids = [{"document": "12.345.678-5", "number": phone(4)}]
    services.store.db["call_jobs"].update_one({"_id": job_id()}, {"$set": {"person_id": "CL:RUT:123456785"}})
    assert do_not_call.add(services, ids, scope="account:default", reason="x", by="ana")["added"] == 2
    found = do_not_call.against(services, list(services.store.jobs.active("batch-1")), batch)
    assert "account:default" in found[0].person and set(found[2].numbers) == {phone(4)}


def test_said_again_after_an_undo_it_is_recorded_anew(services):
    def add(by, reason):
        return do_not_call.add(services, [{"number": phone(1)}], scope=EVERYBODY, reason=reason, by=by)

    add("ana", "letter")
    do_not_call.undo(services, f"everybody|{phone(1)}", "jefa", "a mistake")
    first = services.clock.now()
    services.clock.advance(timedelta(days=2))
    assert add("beto", "call")["added"] == 1
    entry = listed(services)[phone(1)]
    assert (entry["by"], entry["reason"], entry["at"]) == ("beto", "call", first + timedelta(days=2))
    assert [(said["by"], said["reason"], said["at"]) for said in entry["earlier"]] == [
        ("ana", "letter", first)
    ]
    assert [undone["by"] for undone in entry["undone"]] == ["jefa"]
    assert add("carla", "again")["added"] == 0  # in force: the first word stands
    assert listed(services)[phone(1)]["by"] == "beto"


def test_a_repeat_of_the_call_whose_entry_was_undone_is_no_new_wish_but_another_call_is(
    services, worker, provider
):
    provider.script[phone(1)] = ["opted_out"]
    add_batch(services)
    worker.run()
    batch = services.store.batches.get("batch-1")
    [first] = services.store.attempts.of_job(job_id())
    for key in (SAME[0], phone(1)):
        assert do_not_call.undo(services, f"account:default|{key}", "jefa", "her letter")
    do_not_call.opt_out(services, first, batch)
    assert listed(services) == {}
    do_not_call.opt_out(services, replace(first, id="att-2"), batch)
    do_not_call.opt_out(services, replace(first, id="att-2"), batch)
    assert {entry["source"] for entry in listed(services).values()} == {"attempt:att-2"}
    for key in (SAME[0], phone(1)):
        assert do_not_call.undo(services, f"account:default|{key}", "jefa", "again")
    do_not_call.opt_out(services, first, batch)  # of the first of the two calls
    assert listed(services) == {}


@pytest.mark.parametrize("scope", ["", "todos", "account:", "account:nobody", "Everybody"])
def test_a_scope_is_one_of_those_that_there_are(services, scope):
    with pytest.raises(do_not_call.UnknownScopeError) as refused:
        do_not_call.add(services, [{"number": phone(1)}], scope=scope, reason="x", by="ana")
    assert refused.value.known == ["everybody", "marketing", "account:default"]
    assert listed(services) == {}


def test_a_file_is_read_as_uploads_are(services, tmp_path):
    path = tmp_path / "lista.csv"
    path.write_text(
        "Lista de bloqueo;;\nRUT cliente;DV;Celular / WhatsApp\n12.345.678;5;\n;;961000001 / 961000002\n",
        "utf-8",
    )
    do_not_call.add(services, entries_of_file(path, "CL", "es"), scope="marketing", reason="x", by="ana")
    assert set(listed(services)) == {"CL:RUT:123456785", phone(1), phone(2)}


def test_a_line_of_a_file_that_names_nobody_is_named_in_the_operators_language(services, tmp_path):
    path = tmp_path / "lista.csv"
    path.write_text("Nombre;Teléfono\nAna;961000001\nBeto;12\n", "utf-8")
    with pytest.raises(EntryError) as wrong:
        do_not_call.add(services, entries_of_file(path, "CL", "es"), scope="everybody", reason="x", by="a")
    assert wrong.value.sentence("es").startswith("Fila 3, teléfono, «12»: Al número le faltan dígitos.")
    assert wrong.value.sentence("en").startswith("Row 3, phone, “12”")
    path.write_text("Nombre;Teléfono\nAna;961000001\nBeto;\n", "utf-8")
    with pytest.raises(EntryError, match="entry 2"):
        entries_of_file(path, "CL", "es")


def test_a_person_known_by_a_number_takes_the_wish_along_when_the_document_comes(services, worker, provider):
    alias = person_of_number(AR_MOBILE)
    add_batch(services, person_ids=[alias], phones=[[AR_MOBILE]])
    provider.script[AR_MOBILE] = ["opted_out"]
    worker.run()
    services.store.persons.join(alias, "AR:DNI:12345678", "ana", services.clock.now())
    add_batch(services, batch_id="batch-2", person_ids=["AR:DNI:12345678"], phones=[[phone(5)]])
    worker.run()
    assert len(provider.rings) == 1
    assert job_of(services, 1, "batch-2")["reason"] == "do_not_call"


def test_one_listed_number_leaves_the_others(services, worker, provider):
    provider.default = "promise"
    add_batch(services, phones=[[phone(1), phone(2)]])
    do_not_call.add(
        services, [{"number": phone(1), "country": "CL"}], scope="everybody", reason="x", by="ana"
    )
    assert dial(services, job_id()).result is DialResult.PLACED
    assert [call["to_number"] for call in provider.rings] == [phone(2)]
    assert job_of(services)["status"] == "in_progress"
