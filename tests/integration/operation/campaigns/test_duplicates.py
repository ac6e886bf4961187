"""`duplicates=merge` joins only who will be called in the other batch, and says what it replaced there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stdnum.cl.rut import calc_check_digit

from speechai.catalog.use_cases import UseCaseId
from speechai.core.numbers import usable_numbers
from speechai.core.states import JobReason, JobState
from speechai.operation.campaigns import accounts, batches, duplicates
from speechai.operation.campaigns.uploads import UploadOptions, upload
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone

HEADER = "rut;nombre;telefono;telefono2;monto;empresa;comuna"


def rut(number):
    body = str(10_000_000 + number)
    return f"{body}-{calc_check_digit(body)}"


def person(number):
    """As an upload knows the person of `row`."""
    return f"CL:RUT:{rut(number).replace('-', '')}"


def row(number, *, name=None, phones=None, amount="200000", company="", place=""):
    first, *more = phones or [phone(number)]
    return (
        f"{rut(number)};{name or f'Persona {number}'};{first};{(more or [''])[0]};{amount};{company};{place}"
    )


@pytest.fixture
def send(services, tmp_path):
    """Upload these rows as a file."""
    count = iter(range(100))

    def _send(*rows, **options):
        path = tmp_path / f"{next(count)}.csv"
        path.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
        wished = UploadOptions(**{"policy": "anytime", "start": "draft", "language": "en", **options})
        return upload(services, path, path.name, wished)

    return _send


def other_batch(services, people=1, **changes):
    return add_batch(
        services, people, person_ids=[person(number) for number in range(1, people + 1)], **changes
    )


def move(services, status):
    services.store.db["batches"].update_one({"_id": "batch-1"}, {"$set": {"status": status}})


# -- who is joined ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["running", "paused"])
def test_who_will_be_called_in_another_batch_is_joined_to_it(services, send, status):
    other_batch(services)
    move(services, status)
    result = send(row(1), row(2))
    assert (result.rows, result.jobs_created, result.merged) == (2, 1, 1)
    assert job_of(services)["monto_total"] == 200000


@pytest.mark.parametrize("status", ["draft", "cancelled", "completed", "uploading"])
def test_a_batch_that_calls_nobody_absorbs_nobody(services, send, status):
    other_batch(services)
    move(services, status)
    before = job_of(services)
    result = send(row(1))
    assert (result.jobs_created, result.merged) == (1, 0)
    assert job_of(services) == before


def test_a_call_in_flight_of_a_cancelled_batch_absorbs_nobody(services, worker, provider, send):
    provider.default = "never_ends"
    other_batch(services)
    worker.run(before="poll_call")
    batches.cancel(services, "batch-1")
    assert job_of(services)["status"] == "in_progress"
    assert send(row(1)).jobs_created == 1


@pytest.mark.parametrize(
    "changes",
    [{"provider": "https://api.retellai.com#other"}, {"use_case": "reminder"}, {"account_id": "acme"}],
)
def test_another_providers_use_cases_or_accounts_batch_absorbs_nobody(services, send, changes):
    other_batch(services)
    services.store.db["batches"].update_one({"_id": "batch-1"}, {"$set": changes})
    services.store.db["call_jobs"].update_many(
        {}, {"$set": {name: value for name, value in changes.items() if name == "account_id"}}
    )
    before = job_of(services)
    assert send(row(1)).jobs_created == 1
    assert job_of(services) == before


def test_a_final_job_absorbs_nobody(services, send):
    other_batch(services, 2)
    services.store.jobs.finish(job_id(), JobState.FAILED, JobReason.CANCELLED, services.clock.now())
    assert send(row(1)).jobs_created == 1


def test_of_two_batches_the_newer_job_is_joined(services, send):
    other_batch(services)
    services.clock.advance(timedelta(minutes=1))
    other_batch(services, batch_id="batch-2")
    assert send(row(1)).merged == 1
    assert job_of(services, batch_id="batch-2")["monto_total"] == 200000
    assert job_of(services)["monto_total"] == 104050


@pytest.mark.parametrize("status", ["draft", "running", "paused"])
def test_skip_names_the_job(services, send, status):
    other_batch(services, use_case="reminder")
    move(services, status)
    result = send(row(1), row(2), duplicates="skip")
    assert (result.jobs_created, result.merged) == (1, 0)
    [rejected] = result.rejected
    assert (rejected["row"], rejected["value"]) == (2, "Persona 1") and job_id() in rejected["error"]


@pytest.mark.parametrize("status", ["cancelled", "completed", "uploading"])
def test_skip_leaves_nobody_out_for_a_batch_that_is_over(services, send, status):
    other_batch(services)
    move(services, status)
    assert send(row(1), duplicates="skip").jobs_created == 1


def test_allow_joins_nobody(services, send):
    other_batch(services)
    assert (send(row(1), duplicates="allow").jobs_created, job_of(services)["monto_total"]) == (1, 104050)


def test_who_ends_while_the_file_is_read_in_gets_a_job_of_their_own(services, send, monkeypatch):
    other_batch(services, 2)
    replace = services.store.jobs.replace_debts

    def ended_first(*arguments):
        services.store.jobs.finish(job_id(), JobState.DONE, JobReason.GOAL_MET, services.clock.now())
        return replace(*arguments)

    monkeypatch.setattr(services.store.jobs, "replace_debts", ended_first)
    result = send(row(1), row(2))
    assert (result.jobs_created, result.merged, result.replaced.people) == (1, 1, 1)
    assert job_of(services)["monto_total"] == 104050


def test_who_was_joined_to_a_batch_that_is_cancelled_meanwhile_gets_one_too(services, send, monkeypatch):
    other_batch(services, 2)
    replace = services.store.jobs.replace_debts

    def cancelled_after(*arguments):
        done = replace(*arguments)
        batches.cancel(services, "batch-1")
        return done

    monkeypatch.setattr(services.store.jobs, "replace_debts", cancelled_after)
    result = send(row(1), row(2), row(3))
    assert (result.jobs_created, result.merged, result.replaced.people) == (3, 0, 0)


# -- what is brought along ---------------------------------------------------------------------------


def test_numbers_names_and_variables_come_along_and_the_answer_says_so(services, send):
    other_batch(services, 3)
    new = "+56961999999"
    result = send(
        row(1, name="Ana María", phones=[new, phone(1)], company="Tienda", place="Maipú"),
        row(2, amount="104050"),
        row(3),
    )
    job = job_of(services)
    assert (job["nombre"], job["empresa"], job["variables"]) == ("Ana María", "Tienda", {"comuna": "Maipú"})
    assert (job["to_number"], job["try_phones"]) == (phone(1), [phone(1), new])
    assert job["merged_from"]["batch_id"] == result.batch_id and job["merged_from"]["rows"] == [2]
    replaced = result.replaced.as_answer()
    assert (replaced["people"], replaced["names"], replaced["numbers"]) == (3, 1, 1)
    assert replaced["debts"] == 3  # of the second the amount is the same, its instalments are not
    assert any("3 people" in warning and "numbers added: 1" in warning for warning in result.warnings)
    batch = services.store.batches.document(result.batch_id)
    assert batch["replaced"] == replaced


def test_the_preview_says_it_and_changes_nothing(services, send):
    other_batch(services)
    before = job_of(services)
    said = send(row(1, name="Ana", phones=[phone(7)]), dry_run=True)
    assert (said.merged, said.replaced.as_answer()) == (
        1,
        {"people": 1, "debts": 1, "names": 1, "numbers": 1},
    )
    assert job_of(services) == before


def test_nothing_never_wipes_a_debt(services, send):
    other_batch(services, use_case="reminder")
    before = job_of(services)
    result = send(row(1, amount=""), use_case=UseCaseId.REMINDER)
    after = job_of(services)
    assert result.replaced.debts == 0
    for name in ("debt", "monto_total", "currency"):
        assert after[name] == before[name] is not None
    assert "debt_replaced_at" not in after


def test_a_struck_number_stays_struck(services, send):
    other_batch(services, phones=[[phone(1), phone(2)]])
    services.store.db["call_jobs"].update_one({}, {"$set": {"struck_phones": [phone(2)]}})
    send(row(1, phones=[phone(2), phone(3)]))
    job = services.store.jobs.get(job_id())
    assert job.phones == (phone(1), phone(2), phone(3))
    assert usable_numbers(job, frozenset()) == (phone(1), phone(3))


def test_who_is_being_called_keeps_what_was_dialed_and_the_next_call_is_told_anew(
    services, worker, provider, send
):
    provider.script[phone(1)] = ["no_answer"]
    other_batch(services)
    worker.run(before="poll_call")
    assert job_of(services)["status"] == "in_progress"
    send(row(1, phones=[phone(5)]))
    [attempt] = services.store.attempts.documents_of_job(job_id())
    assert attempt["to_number"] == phone(1)
    worker.run()
    services.clock.advance(timedelta(hours=2))
    worker.tick()
    assert [ring["to_number"] for ring in provider.rings] == [phone(1), phone(5)]
    assert "200" in str(provider.requests[-1].dynamic_variables)


def test_there_is_a_limit_to_the_numbers_of_a_job(services, send, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_NUMBERS", 2)
    other_batch(services)
    assert send(row(1, phones=[phone(2), phone(3)])).replaced.numbers == 1
    assert job_of(services)["try_phones"] == [phone(1), phone(2)]


def test_an_isolated_accounts_people_are_its_own(services, send):
    accounts.make(services, "apart", {"name": "Apart", "isolated": True}, "test", "en")
    other_batch(services)
    assert send(row(1), account_id="apart").jobs_created == 1
    assert job_of(services)["monto_total"] == 104050


# -- doing it twice ----------------------------------------------------------------------------------


def test_the_same_file_again_after_a_crash_does_not_renew_the_debt(services, tmp_path, monkeypatch):
    """A payment between the two must still count: the debt is as old as it was."""
    other_batch(services)
    path = tmp_path / "x.csv"
    path.write_text("\n".join([HEADER, row(1)]), encoding="utf-8")
    options = UploadOptions(policy="anytime", start="draft")
    with monkeypatch.context() as broken:
        broken.setattr(services.store.batches, "finish_upload", lambda *_: False)
        with pytest.raises(Exception, match="batch-"):
            upload(services, path, "x.csv", options)
    first = job_of(services)["debt_replaced_at"]
    services.clock.advance(timedelta(hours=1))
    assert upload(services, path, "x.csv", options).merged == 1
    assert job_of(services)["debt_replaced_at"] == first
    services.clock.advance(timedelta(hours=1))
    upload(services, path, "x.csv", UploadOptions(policy="anytime", start="draft", again=True))
    assert job_of(services)["debt_replaced_at"] == services.clock.now()


PEOPLE = st.dictionaries(st.integers(1, 6), st.sampled_from(["1000", "2000", "104050"]), min_size=1)
KINDS = st.sampled_from(["running", "paused", "draft", "cancelled", "completed"])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=PEOPLE, status=KINDS, duplicates=st.sampled_from(["merge", "skip", "allow"]))
def test_every_row_is_in_exactly_one_place(services, send_again, people, status, duplicates):
    """I8, and nobody is in a batch that calls nobody without a job of their own."""
    for name in ("batches", "call_jobs", "rejections"):
        services.store.db[name].delete_many({})
    other_batch(services, 3)
    move(services, status)
    result = send_again([row(number, amount=amount) for number, amount in people.items()], duplicates)
    assert result.rows == result.jobs_created + result.merged + len(result.rejected) == len(people)
    known = {number for number in people if number <= 3}
    joined = known if duplicates == "merge" and status in ("running", "paused") else set()
    skipped = known if duplicates == "skip" and status in ("running", "paused", "draft") else set()
    assert (result.merged, len(result.rejected)) == (len(joined), len(skipped))
    made = services.store.db["call_jobs"].distinct("person_id", {"batch_id": result.batch_id})
    assert set(made) == {person(number) for number in set(people) - joined - skipped}


@pytest.fixture
def send_again(services, tmp_path):
    def _send(rows, wished):
        path = tmp_path / "again.csv"
        path.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
        options = UploadOptions(policy="anytime", start="draft", again=True, duplicates=wished)
        return upload(services, path, "again.csv", options)

    return _send
