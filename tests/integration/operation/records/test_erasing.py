"""Erasure stays erased, wherever a kill cuts it off and whatever comes late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pymongo.collection import Collection

from speechai.catalog.use_cases import Country
from speechai.operation import recovery
from speechai.operation.calling import webhooks
from speechai.operation.campaigns import jobs, payments
from speechai.operation.records import do_not_call, erasing, evidence, persons
from speechai.operation.records.erasing import Removed, Stays, StillCalledError
from speechai.operation.records.persons import PersonNotFoundError
from tests.fakes import ENDS
from tests.integration.operation.records.lists import add, write
from tests.integration.operation.writes import WRITES, KilledError

RUT, PERSON = "12345678-5", "CL:RUT:123456785"
PHONE, OTHER = "+56911111111", "+56922222222"
ALIAS = f"TEL:{PHONE}"
NAME = "Ana Pérez Soto"
SECRETS = (PERSON, "123456785", "12345678", PHONE[3:], OTHER[3:], NAME, "Pago el viernes")


def pay(services):
    row = {"document": RUT, "amount": "1000", "paid_on": "2026-11-23", "reference": "cuota de Ana"}
    given = {"account_id": "default", "country": Country.CL, "as_of": None, "is_complete": False}
    return payments.receive(services, [(2, row)], by="ana", language="es", **given)


def everything(services):
    """All that the database holds, as text."""
    db = services.store.db
    names = [name for name in db.list_collection_names() if not name.startswith("system")]
    return "\n".join(str(row) for name in names for row in db[name].find())


def found(services):
    """Which of the person's secrets are still somewhere."""
    kept = everything(services)
    return [secret for secret in SECRETS if secret in kept]


@pytest.fixture
def called(services, worker, provider, tmp_path):
    """Somebody of two names who was called, paid, opted out, was rejected, and waits in a preview."""
    provider.script[PHONE] = ["promise"]
    provider.script[OTHER] = ["opted_out"]
    add(services, write(tmp_path, (NAME, "", PHONE)))
    worker.run()
    evidence.link_all(services)
    add(services, write(tmp_path, (NAME, RUT, f"{OTHER} / {PHONE}"), ("X", RUT, "12")), duplicates="allow")
    worker.run()
    pay(services)
    services.store.batches.add_rejections(
        "batch-9",
        [
            {"row": 7, "column": "rut", "value": "12.345.678-5", "error": "no"},
            {"row": 8, "column": None, "value": NAME.upper(), "error": "no"},
            {"row": 9, "column": "rut", "value": "9.999.999-9", "error": "no"},
        ],
    )
    for name, row in (("waiting.csv", (NAME, RUT, PHONE)), ("other.csv", ("Beto", "", "+56933333333"))):
        services.store.uploads.save(write(tmp_path, row, name=name), name, {}, services.clock.now())
    assert persons.history(services, ALIAS)["person_id"] == PERSON
    assert set(found(services)) >= {PERSON, PHONE[3:], OTHER[3:], NAME, "Pago el viernes"}
    return PERSON


def kept_files(services):
    return {row["filename"] for row in services.store.db["uploads.files"].find()}


def assert_erased(services, pseudonym):
    """Nothing names them; what stays holds together, and binds."""
    assert found(services) == []
    assert kept_files(services) == {"other.csv"}
    left = evidence.pack(services, pseudonym)
    assert left["holds"]
    assert all(chain["erased"] for chain in left["chains"])
    assert sum(len(chain["links"]) for chain in left["chains"]) == 2
    rejected = {
        row["row"]: row["value"] for row in services.store.db["rejections"].find({"batch_id": "batch-9"})
    }
    assert rejected == {7: None, 8: None, 9: "9.999.999-9"}
    assert len(services.store.do_not_call.about([PERSON, OTHER], ["account:default"])) == 2


def test_whoever_is_erased_leaves_sums_digests_and_a_wish_and_no_name(services, called):
    certificate = erasing.erase(services, ALIAS, "ana", "asked")
    assert_erased(services, certificate.pseudonym)
    for name in (PERSON, ALIAS):
        with pytest.raises(PersonNotFoundError):
            persons.history(services, name)
    assert certificate.removed == {
        Removed.FILES: 1,
        Removed.REJECTIONS: 2,
        Removed.PAYMENTS: 1,
        Removed.WISHES: 2,
        Removed.ATTEMPTS: 2,
        Removed.JOBS: 2,
    }
    assert len(certificate.calls_at_provider) == 2
    for language in ("es", "en"):
        answer = certificate.as_answer(language)
        assert all(part["text"] for part in (*answer["removed"], *answer["stays"]))
        assert {part["what"] for part in answer["stays"]} == set(Stays)
    totals = services.store.db["call_logs"].distinct("call.duration_ms")
    assert totals, "how long the calls lasted is in the books"


def test_a_kill_between_any_two_writes_is_finished_by_doing_it_again(services, called, monkeypatch):
    """Every write of it dies once, in turn; each time the command, or the sweep, goes on from there."""
    left = [0]

    def dying(original):
        def write(*args, **kwargs):
            if left[0] == 1:
                raise KilledError
            left[0] -= 1
            return original(*args, **kwargs)

        return write

    for name in WRITES:
        monkeypatch.setattr(Collection, name, dying(getattr(Collection, name)))
    killed = 0
    for survived in range(1, 60):
        left[0] = survived
        try:
            pseudonym = erasing.erase(services, called, "ana", "asked").pseudonym
            break
        except KilledError:
            killed += 1
    left[0] = 0
    assert killed >= 8
    assert_erased(services, pseudonym)
    assert services.store.db["persons"].count_documents({"erased_by": "ana"}) == 1


@pytest.mark.parametrize("writes", range(1, 16))
def test_the_sweep_finishes_what_a_kill_left(services, called, monkeypatch, writes):
    left = [writes]

    def dying(original):
        def write(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                raise KilledError
            return original(*args, **kwargs)

        return write

    with monkeypatch.context() as dead:
        for name in WRITES:
            dead.setattr(Collection, name, dying(getattr(Collection, name)))
        with pytest.raises(KilledError):
            erasing.erase(services, called, "ana", "asked")
    note = services.store.db["persons"].find_one({"erased_by": "ana"})
    if note is None:
        assert not erasing.finish_erasures(services), "it had not begun"
        assert persons.history(services, called)
        return
    recovery.sweep(services)
    assert_erased(services, note["_id"])
    assert recovery.sweep(services)["erasures"] == 0


def test_two_at_once_are_one(services, called, monkeypatch):
    begin, both = services.store.erasure.begin, []

    def begin_later(*args):
        if not both:
            both.append(None)
            both.append(erasing.erase(services, called, "ben", "asked").pseudonym)
        return begin(*args)

    monkeypatch.setattr(type(services.store.erasure), "begin", lambda _, *args: begin_later(*args))
    pseudonym = erasing.erase(services, called, "ana", "asked").pseudonym
    assert found(services) == []
    assert evidence.pack(services, both[1])["holds"]
    assert pseudonym


# -- what comes late ---------------------------------------------------------------------------------


def news(attempt, **more):
    call = {"call_id": attempt["call_id"], "to_number": attempt["to_number"], "metadata": {"name": NAME}}
    return {**call, **ENDS["promise"], "recording_url": "https://x/ana.wav", **more}


def test_late_webhooks_repeats_and_sweeps_bring_nothing_back(services, worker, called):
    before = services.store.persons.attempts(called)
    erasing.erase(services, called, "ana", "asked")
    assert pay(services).added == 0, "the same list once more"
    for event in ("call_ended", "call_analyzed", "call_analyzed"):
        for attempt in before:
            webhooks.receive(services, event, news(attempt))
    for _ in range(3):
        services.clock.advance(timedelta(minutes=10))
        recovery.sweep(services)
        worker.run()
    assert found(services) == []
    assert "ana.wav" not in everything(services)


def test_an_answer_that_was_read_before_the_erasure_is_not_written_after_it(services, called, monkeypatch):
    (attempt, *_) = services.store.persons.attempts(called)
    amend = type(services.store.attempts).amend
    waiting = [lambda: erasing.erase(services, called, "ana", "asked")]

    def erased_meanwhile(*args, **kwargs):
        if waiting:
            waiting.pop()()
        return amend(*args, **kwargs)

    monkeypatch.setattr(type(services.store.attempts), "amend", erased_meanwhile)
    webhooks.receive(services, "call_analyzed", news(attempt, transcript="late words"))
    assert not waiting
    assert found(services) == []
    assert "late words" not in everything(services)


def test_a_late_cost_is_still_charged_to_the_books(services, called):
    (attempt, *_) = services.store.persons.attempts(called)
    erasing.erase(services, called, "ana", "asked")
    webhooks.receive(services, "call_analyzed", news(attempt, call_cost={"combined_cost": 99}))
    assert services.store.attempts.get(attempt["_id"]).cost_cents == 99


def test_a_call_that_has_no_link_yet_gets_one_and_troubles_no_sweep(services, called, caplog):
    """It ended at the moment of the erasure: the chain counts it, and says nothing of it."""
    pseudonym = erasing.erase(services, called, "ana", "asked").pseudonym
    db = services.store.db
    late = db["call_logs"].find_one({"person_id": pseudonym}, {"person_place": 0})
    db["call_logs"].insert_one({**late, "_id": "att-late", "call_id": "call_late", "unlinked": True})
    assert recovery.sweep(services)["evidence"] == 1
    assert recovery.sweep(services)["evidence"] == 0
    assert evidence.pack(services, pseudonym)["holds"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_link_that_was_on_its_way_brings_no_salt_and_no_name_back(services, called, monkeypatch):
    db = services.store.db
    ids = [row["_id"] for row in db["call_logs"].find()]
    db["call_logs"].update_many({}, {"$set": {"unlinked": True}})
    db["evidence"].delete_many({})
    salt, waiting = type(services.store.persons).salt, [True]

    def erased_meanwhile(repository, person_id):
        if waiting:
            waiting.pop()
            erasing.erase(services, called, "ana", "asked")
            db["evidence"].delete_many({})  # as if the link of this one had not been made
            db["call_logs"].update_many({}, {"$set": {"unlinked": True}})
        return salt(repository, person_id)

    monkeypatch.setattr(type(services.store.persons), "salt", erased_meanwhile)
    evidence.link_all(services)
    assert found(services) == []
    assert {row["_id"] for row in db["evidence"].find()} == set(ids)
    assert db["call_logs"].count_documents({"unlinked": True}) == 0


def test_a_join_that_the_sweep_repeats_does_not_bring_the_names_back(services, called, monkeypatch):
    joins = services.store.persons.recent_joins(services.clock.now() - timedelta(days=1))
    assert (ALIAS, PERSON) in joins
    erasing.erase(services, called, "ana", "asked")
    monkeypatch.setattr(type(services.store.persons), "recent_joins", lambda *_: joins)
    recovery.sweep(services)
    assert found(services) == []


def test_a_later_upload_is_a_new_history_and_the_wish_still_binds(
    services, worker, called, provider, tmp_path
):
    pseudonym = erasing.erase(services, called, "ana", "asked").pseudonym
    rung = len(provider.rings)
    add(services, write(tmp_path, (NAME, RUT, PHONE), name="again.csv"))
    worker.run()
    recovery.sweep(services)
    now = persons.history(services, PERSON)
    assert (len(now["jobs"]), now["attempts"], now["known_as"]) == (1, [], [])
    assert now["jobs"][0]["reason"] == "do_not_call"
    assert len(provider.rings) == rung
    assert [entry["reason"] for entry in now["do_not_call"]] == ["opted_out"]
    assert evidence.pack(services, pseudonym)["holds"]
    assert evidence.pack(services, PERSON)["holds"]


def test_nobody_calls_an_erased_job_again(services, called):
    job_id = services.store.db["call_jobs"].find_one({"nombre": NAME})["_id"]
    services.store.db["call_jobs"].update_one({"_id": job_id}, {"$set": {"reason": "no_answer"}})
    erasing.erase(services, called, "ana", "asked")
    with pytest.raises(jobs.JobRefusedError):
        jobs.retry(services, job_id, "ben")


def test_who_is_being_called_is_not_erased(services, worker, provider, tmp_path):
    provider.default = "never_ends"
    add(services, write(tmp_path, (NAME, RUT, PHONE)))
    worker.run(before="poll_call")
    with pytest.raises(StillCalledError):
        erasing.erase(services, PERSON, "ana", "asked")
    services.store.db["call_jobs"].update_many({}, {"$set": {"status": "failed"}})
    with pytest.raises(StillCalledError):  # its call is not over
        erasing.erase(services, PERSON, "ana", "asked")


def test_a_wish_under_a_pseudonym_binds_and_can_be_undone(services, called):
    erasing.erase(services, called, "ana", "asked")
    rows = services.store.do_not_call.page(limit=10, before=None)
    assert all(row["key"].startswith("ERASED:") for row in rows)
    for row in rows:
        assert do_not_call.undo(services, row["_id"], "ana", "they changed their mind")
    assert services.store.do_not_call.about([PERSON, OTHER], ["account:default"]) == {}
