"""Uploads that are cut off, doubled or lost half-way: a batch is there whole, or it is not there (I8)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event

import pytest
from stdnum.cl.rut import calc_check_digit

import speechai
from speechai.core.states import BatchState
from speechai.operation.campaigns import batches, uploads
from speechai.operation.campaigns.batches import BatchNotFoundError
from speechai.operation.campaigns.uploads import (
    SameFileError,
    UploadLostError,
    UploadOptions,
    discard_abandoned,
    upload,
)
from speechai.store.database import LONG_AGO
from tests.fakes import make_services
from tests.integration.operation.conftest import phone
from tests.integration.operation.writes import KilledError, dies

ROOT = Path(speechai.__file__).resolve().parents[1]
NOW = UploadOptions(policy="anytime", start="now")
DRAFT = UploadOptions(policy="anytime", start="draft")


def row(number, amount):
    rut = str(10_000_000 + number)
    return f"{rut}-{calc_check_digit(rut)};Persona {number};{phone(number)};{amount}"


@pytest.fixture
def path(tmp_path):
    """30 people, of whom the last five are in `batch_of_five` as well, and a row that becomes nothing."""
    rows = [row(number, f"{number}000") for number in range(1, 31)]
    path = tmp_path / "gente.csv"
    path.write_text("rut;nombre;telefono;monto\n" + "\n".join([*rows, "1-9;Nadie;12;5"]), encoding="utf-8")
    return path


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK", 10)


def batch_of_five(services, tmp_path):
    """Another, running batch with the last five people, who owe less there."""
    path = tmp_path / "cinco.csv"
    rows = [row(number, "7") for number in range(26, 31)]
    path.write_text("rut;nombre;telefono;monto\n" + "\n".join(rows), encoding="utf-8")
    return upload(services, path, "cinco.csv", UploadOptions(policy="anytime", start="next_wave")).batch_id


def lose_leases(services):
    """What half a minute does."""
    uploading = {"status": BatchState.UPLOADING.value}
    services.store.db["batches"].update_many(uploading, {"$set": {"upload.lease_until": LONG_AGO}})


def stored(services, besides=()):
    """How many batches, jobs and rejected rows there are, without those of some batches."""
    db, others = services.store.db, {"batch_id": {"$nin": list(besides)}}
    return tuple(db[name].count_documents(others) for name in ("batches", "call_jobs", "rejections"))


def count(result):
    return (result.rows, result.jobs_created, result.merged, len(result.rejected))


WHOLE = (31, 25, 5, 1)

UPLOADER = """
    import os, signal, sys
    from pathlib import Path
    from speechai.operation.campaigns import uploads
    from tests.fakes import make_services
    services = make_services(sys.argv[1], sys.argv[2])
    uploads.CHUNK, uploads.WRITERS, left = 10, 1, [int(sys.argv[4])]
    def dying(repository, name):
        write = getattr(repository, name)
        def written(*arguments, **more):
            done = write(*arguments, **more)
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return done
        setattr(repository, name, written)
    dying(services.store.jobs, "replace_debts")
    for name in ("insert_new", "count_new"):
        dying(services.store.tallies, name)
    for name in ("begin_upload", "keep_upload", "add_rejections", "finish_upload"):
        dying(services.store.batches, name)
    options = uploads.UploadOptions(policy="anytime", start="now")
    uploads.upload(services, Path(sys.argv[3]), "gente.csv", options)
    print("finished")
"""
# begin; of three chunks each: insert, keep; of one of them: replace; reject, seal, count, finish
WRITES = 1 + 3 * 2 + 1 + 4


def kill_after(writes, mongo_uri, database, path):
    """An upload by a process of its own that is killed after so many writes."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(UPLOADER), mongo_uri, database, str(path), str(writes)],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("writes", range(1, WRITES + 1))
def test_a_killed_upload_leaves_all_of_its_batch_or_nothing(
    services, mongo_uri, database, path, tmp_path, small_chunks, writes
):
    other = batch_of_five(services, tmp_path)
    killed = kill_after(writes, mongo_uri, database, path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if writes == WRITES:
        [batch] = [one for one in services.store.batches.page(limit=10, before=None) if one["_id"] != other]
        assert (batch["status"], batch["start_wish"]) == ("draft", "now")
        assert (batch["rows"], batch["jobs_created"], batch["merged"], batch["rejected"]) == WHOLE
        assert stored(services, [other]) == (1, 25, 1)
        assert discard_abandoned(services) == 0
        return
    _nobody_sees_it(services, path, other)
    assert discard_abandoned(services) == 0, "its lease is not over"
    lose_leases(services)
    assert discard_abandoned(services) == 1
    assert stored(services, [other]) == (0, 0, 0)
    _may_be_repeated(services, path, other)


def _nobody_sees_it(services, path, other):
    assert [batch["_id"] for batch in services.store.batches.page(limit=10, before=None)] == [other]
    with pytest.raises(SameFileError) as refused:
        upload(services, path, "gente.csv", NOW)
    assert refused.value.is_being_read_in
    batch_id = refused.value.batch_id
    for move in (batches.view, batches.pause, batches.resume, batches.cancel):
        with pytest.raises(BatchNotFoundError):
            move(services, batch_id)
    with pytest.raises(BatchNotFoundError):
        batches.start(services, batch_id, "now")
    shown = services.store.job_reports.page(
        batch_id=None, status=None, limit=100, after=None, hidden=services.store.batches.being_read_in()
    )
    assert {job["batch_id"] for job in shown} == {other}


def _may_be_repeated(services, path, other):
    before = {job["_id"]: job for job in services.store.job_reports.export(other)}
    services.clock.advance(timedelta(hours=1))
    result = upload(services, path, "gente.csv", NOW)
    assert count(result) == WHOLE
    assert stored(services, [other]) == (1, 25, 1)
    assert batches.view(services, result.batch_id)["status"] == "running"
    after = list(services.store.job_reports.export(other))
    assert [job["monto_total"] for job in after] == [26000, 27000, 28000, 29000, 30000]
    for job in after:
        known = before[job["_id"]]
        if "debt_replaced_at" in known:  # payments since then still count
            assert job["debt_replaced_at"] == known["debt_replaced_at"]


def test_the_count_of_writes_is_right(services, mongo_uri, database, path, tmp_path):
    """Else the test above would leave the last ones out."""
    batch_of_five(services, tmp_path)
    assert kill_after(WRITES + 1, mongo_uri, database, path).stdout == "finished\n"


def test_the_next_upload_of_the_file_clears_what_a_dead_one_left(
    services, mongo_uri, database, path, tmp_path, small_chunks
):
    batch_of_five(services, tmp_path)
    assert kill_after(4, mongo_uri, database, path).returncode == -signal.SIGKILL
    lose_leases(services)
    assert count(upload(services, path, "gente.csv", NOW)) == WHOLE


# -- two at once ------------------------------------------------------------------------------------


def at_once(mongo_uri, database, path, options):
    """Two uploads by two threads with connections of their own, both past the first look at the same file."""
    both = Barrier(2)

    def run(_):
        services = make_services(mongo_uri, database)
        begin = services.store.batches.begin_upload

        def begin_together(*arguments):
            both.wait(20)
            return begin(*arguments)

        services.store.batches.begin_upload = begin_together
        try:
            return upload(services, path, "gente.csv", options)
        except SameFileError as error:
            return error
        finally:
            services.store.db.client.close()

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, range(2)))


def test_of_two_uploads_at_once_one_is_made_and_the_other_names_it(services, mongo_uri, database, path):
    first, second = at_once(mongo_uri, database, path, DRAFT)
    made, refused = (second, first) if isinstance(first, SameFileError) else (first, second)
    assert isinstance(refused, SameFileError) and refused.batch_id == made.batch_id
    assert stored(services) == (1, 30, 1)


def test_who_says_again_gets_both(services, mongo_uri, database, path):
    again = UploadOptions(policy="anytime", start="draft", again=True)
    assert len({result.batch_id for result in at_once(mongo_uri, database, path, again)}) == 2
    with pytest.raises(SameFileError) as refused:
        upload(services, path, "gente.csv", DRAFT)
    assert not refused.value.is_being_read_in


def test_a_cancelled_batch_gives_its_claim_up(services, path):
    first = upload(services, path, "gente.csv", DRAFT).batch_id
    with pytest.raises(SameFileError):
        upload(services, path, "gente.csv", DRAFT)
    batches.cancel(services, first)
    assert upload(services, path, "gente.csv", DRAFT).batch_id != first


def test_another_account_has_claims_of_its_own(services, path):
    accounts_of = services.store.db["accounts"]
    accounts_of.insert_one({**accounts_of.find_one({"_id": "default"}), "_id": "acme"})
    assert upload(services, path, "gente.csv", DRAFT).batch_id
    assert upload(services, path, "gente.csv", UploadOptions(account_id="acme", start="draft")).batch_id


# -- what fails or is lost --------------------------------------------------------------------------


def test_an_upload_that_fails_leaves_nothing(services, path, small_chunks, monkeypatch):
    insert, done = services.store.tallies.insert_new, []

    def fails(documents):
        insert(documents)
        done.append(documents)
        if len(done) == 2:
            raise RuntimeError("no more room")

    with monkeypatch.context() as full:
        full.setattr(services.store.tallies, "insert_new", fails)
        with pytest.raises(RuntimeError):
            upload(services, path, "gente.csv", DRAFT)
    assert stored(services) == (0, 0, 0)
    assert upload(services, path, "gente.csv", DRAFT).jobs_created == 30


def test_an_upload_that_stalls_beyond_its_lease_never_finishes(
    services, make, path, small_chunks, monkeypatch
):
    """It is discarded, and only then its second chunk arrives."""
    store, other, discarded, kept = services.store, make(), Event(), []
    insert, keep = store.tallies.insert_new, store.batches.keep_upload

    def late(documents):
        if documents[0]["seq"] > 10:
            assert discarded.wait(20)
        insert(documents)

    def stalls(*arguments, **more):
        kept.append(arguments)
        if len(kept) == 2:
            lose_leases(services)
            assert discard_abandoned(other) == 1
            discarded.set()
        return keep(*arguments, **more)

    monkeypatch.setattr(store.tallies, "insert_new", late)
    monkeypatch.setattr(store.batches, "keep_upload", stalls)
    with pytest.raises(UploadLostError):
        upload(services, path, "gente.csv", DRAFT)
    assert stored(services) == (0, 0, 0)


def test_an_upload_whose_last_answer_is_lost_is_there(services, path, monkeypatch):
    finish = services.store.batches.finish_upload

    def answer_lost(*arguments):
        finish(*arguments)
        raise RuntimeError("connection closed")

    monkeypatch.setattr(services.store.batches, "finish_upload", answer_lost)
    with pytest.raises(RuntimeError):
        upload(services, path, "gente.csv", NOW)
    assert stored(services) == (1, 30, 1)


def test_a_slow_upload_that_nobody_discarded_finishes(services, path, small_chunks, monkeypatch):
    insert = services.store.tallies.insert_new

    def slow(documents):
        insert(documents)
        lose_leases(services)

    monkeypatch.setattr(services.store.tallies, "insert_new", slow)
    assert upload(services, path, "gente.csv", DRAFT).jobs_created == 30


def test_a_chunk_that_was_lost_with_its_server_is_missed(services, path, small_chunks, monkeypatch):
    """Acknowledged by a server that failed before another had it."""
    insert, done = services.store.tallies.insert_new, []

    def loses(documents):
        done.append(documents)
        if len(done) != 2:
            insert(documents)

    monkeypatch.setattr(services.store.tallies, "insert_new", loses)
    with pytest.raises(UploadLostError):
        upload(services, path, "gente.csv", DRAFT)
    assert stored(services) == (0, 0, 0)


@pytest.mark.parametrize(
    ("repository", "step"), [("batches", "take_abandoned"), ("jobs", "delete_batch"), ("batches", "delete")]
)
def test_a_discarding_that_is_cut_off_goes_on(services, path, monkeypatch, repository, step):
    with monkeypatch.context() as crash:
        crash.setattr(services.store.batches, "finish_upload", dies)
        with pytest.raises(KilledError):
            upload(services, path, "gente.csv", DRAFT)
    lose_leases(services)
    with monkeypatch.context() as crash:
        crash.setattr(getattr(services.store, repository), step, dies)
        with pytest.raises(KilledError):
            discard_abandoned(services)
    assert discard_abandoned(services) == 1
    assert stored(services) == (0, 0, 0)


def test_an_upload_that_was_taken_to_be_discarded_does_not_finish(services, path, monkeypatch):
    """The sweep is between its steps when the upload, which was only slow, comes to its end."""
    finish = services.store.batches.finish_upload

    def taken_first(batch_id, changes):
        lose_leases(services)
        assert services.store.batches.take_abandoned(batch_id)
        return finish(batch_id, changes)

    monkeypatch.setattr(services.store.batches, "finish_upload", taken_first)
    with pytest.raises(UploadLostError):
        upload(services, path, "gente.csv", DRAFT)
    assert stored(services) == (0, 0, 0)


def test_a_crash_between_finishing_and_starting_leaves_the_wish(services, path, monkeypatch):
    with monkeypatch.context() as crash:
        crash.setattr(batches, "start", dies)
        with pytest.raises(KilledError):
            upload(services, path, "gente.csv", NOW)
    [batch] = services.store.batches.page(limit=10, before=None)
    assert (batch["status"], batch["start_wish"]) == ("draft", "now")


def test_who_starts_it_first_starts_it(services, path, monkeypatch):
    start = batches.start

    def twice(*arguments):
        start(*arguments)
        return start(*arguments)

    monkeypatch.setattr(batches, "start", twice)
    assert batches.view(services, upload(services, path, "gente.csv", NOW).batch_id)["status"] == "running"
