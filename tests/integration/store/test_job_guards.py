"""What was read of a job is not so any more: whoever was slower writes nothing (I4, I7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from speechai.catalog.use_cases import Country
from speechai.core.next_step import Step
from speechai.core.states import JobReason, JobState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.store import connect, open_store
from speechai.store.job_documents import job_document
from speechai.store.merging import Merge
from tests.builders import MONDAY_NOON, a_debt

LATER = MONDAY_NOON + timedelta(hours=1)
AGAIN = Waiting(WaitingFor.TURN, LATER)


@pytest.fixture
def store(mongo_uri, database):
    store = open_store(connect(mongo_uri, database))
    store.ensure_indexes()
    store.jobs.insert_many(
        [
            job_document(
                job_id="job-1",
                seq=1,
                batch_id="batch-1",
                account_id="default",
                person_id="CL:RUT:111111111",
                country=Country.CL,
                document="111111111",
                document_label=None,
                name="Ana",
                phones=["+56911111111"],
                company=None,
                debt=a_debt(),
                offer={},
                variables={},
                max_attempts=9,
                rows=[2],
                instant=MONDAY_NOON,
            )
        ]
    )
    store.jobs.bring_forward("job-1", MONDAY_NOON)
    return store


@pytest.fixture
def called(store):
    """The job is being called, by the attempt `att-2`."""
    assert store.jobs.begin(store.jobs.get("job-1"), "att-2", 60, "test")
    return store


def document(store):
    return store.jobs.document("job-1")


def test_a_job_is_begun_once(store):
    seen = store.jobs.get("job-1")
    assert store.jobs.begin(seen, "att-1", 60, "test")
    assert not store.jobs.begin(seen, "att-2", 60, "test")
    assert document(store)["attempt_id"] == "att-1"


@pytest.mark.parametrize("other", [Waiting(WaitingFor.HOUR, LATER), Waiting(WaitingFor.REVIEW)])
def test_a_job_is_begun_as_it_was_judged(store, other):
    assert not store.jobs.begin(replace(store.jobs.get("job-1"), waiting=other), "att-1", 60, "test")


def test_an_older_attempt_gives_the_job_back_to_nobody(called):
    step = Step(JobState.PENDING, waiting=AGAIN)
    assert not called.jobs.give_back("job-1", "att-1", step, MONDAY_NOON, owed_since=None)
    assert called.jobs.give_back("job-1", "att-2", step, MONDAY_NOON, owed_since=None)


def test_an_older_attempt_does_not_move_the_job(called):
    step = Step(JobState.PENDING, waiting=AGAIN)
    assert not called.jobs.apply("job-1", step, MONDAY_NOON, attempt_id="att-1", attempts=1)
    assert called.jobs.apply("job-1", step, MONDAY_NOON, attempt_id="att-2", attempts=1)
    assert not called.jobs.apply("job-1", step, MONDAY_NOON, attempt_id="att-2", attempts=2)


WRITES = {
    "finish": lambda jobs: jobs.finish("job-1", JobState.FAILED, JobReason.CANCELLED, LATER),
    "finish_some": lambda jobs: jobs.finish_some("batch-1", JobReason.CANCELLED, LATER, 10),
    "postpone": lambda jobs: jobs.postpone(jobs.get("job-1"), AGAIN, ["window"]),
    "bring_forward": lambda jobs: jobs.bring_forward("job-1", LATER),
    "call_back": lambda jobs: jobs.call_back("job-1", LATER, "ana@ejemplo.cl", LATER),
    "suspend": lambda jobs: jobs.suspend(jobs.get("job-1"), JobReason.NO_CREDIT),
    "suspend_due": lambda jobs: jobs.suspend_due("batch-1", JobReason.NO_CREDIT, LATER),
    "hold": lambda jobs: jobs.hold(jobs.get("job-1"), Step(JobState.FAILED, JobReason.NO_PHONES), LATER),
    "hold again": lambda jobs: jobs.hold(jobs.get("job-1"), Step(JobState.SUSPENDED), LATER),
    "hand_out": lambda jobs: jobs.hand_out("batch-1", LATER, 60),
    "resume_account": lambda jobs: jobs.resume_account("default"),
    "resume_suspended": lambda jobs: jobs.resume_suspended(LATER),
    "reopen": lambda jobs: jobs.reopen("job-1", "ana@ejemplo.cl", "retry", LATER),
    "refine": lambda jobs: jobs.refine(
        "job-1", Step(JobState.PENDING, waiting=AGAIN), LATER, attempt_id="att-2", result={}
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_job_that_is_being_called_is_nobody_elses(called, write):
    before = document(called)
    assert not WRITES[write](called.jobs)
    assert document(called) == before


@pytest.mark.parametrize("write", sorted(set(WRITES) - {"reopen"}))
def test_a_final_job_is_left_by_nothing_but_a_reopening(called, write):
    step = Step(JobState.DONE, JobReason.GOAL_MET)
    called.jobs.apply("job-1", step, MONDAY_NOON, attempt_id="att-2", attempts=1)
    before = document(called)
    assert not WRITES[write](called.jobs)
    assert document(called) == before
    assert WRITES["reopen"](called.jobs)
    assert document(called)["reopened"] == [{"at": LATER, "by": "ana@ejemplo.cl", "why": "retry"}]


@pytest.mark.parametrize("closed", ["opted_out", "erased"])
def test_who_opted_out_or_was_erased_is_never_reopened(called, closed):
    reason = JobReason.OPTED_OUT if closed == "opted_out" else JobReason.NO_ANSWER
    step = Step(JobState.FAILED, reason)
    called.jobs.apply("job-1", step, MONDAY_NOON, attempt_id="att-2", attempts=1)
    if closed == "erased":
        called.db["call_jobs"].update_one({}, {"$set": {"erased_at": MONDAY_NOON}})
    assert not WRITES["reopen"](called.jobs)
    assert document(called)["status"] == "failed"


def test_late_news_move_a_job_that_waits_since_that_attempt_and_no_other(called):
    """An order of an operator, or a later call, comes before what an older call turns out to have been."""
    step = Step(JobState.PENDING, waiting=AGAIN)
    ends = Step(JobState.DONE, JobReason.GOAL_MET)
    called.jobs.apply("job-1", step, MONDAY_NOON, attempt_id="att-2", attempts=1)
    for news in (step, ends):
        assert not called.jobs.refine("job-1", news, LATER, attempt_id="att-1", result={})
    called.jobs.bring_forward("job-1", LATER)
    for news in (step, ends):
        assert not called.jobs.refine("job-1", news, LATER, attempt_id="att-2", result={})
    assert document(called)["status"] == "pending"


def test_what_was_handed_out_is_handed_out_again_only_when_its_lease_ends(store):
    assert store.jobs.hand_out("batch-1", LATER, 60) == "job-1"
    assert store.jobs.hand_out("batch-1", LATER, 60) is None
    store.jobs.take_back("job-1")
    assert store.jobs.hand_out("batch-1", LATER, -1) == "job-1"
    assert store.jobs.hand_out("batch-1", LATER, 60) == "job-1"


def test_time_does_not_resume_what_money_holds_nor_money_what_time_does(store):
    store.jobs.suspend(store.jobs.get("job-1"), JobReason.NO_CREDIT)
    assert not store.jobs.resume_suspended(LATER)
    assert store.jobs.resume_account("default")
    step = Step(JobState.SUSPENDED, JobReason.NO_HOURS, AGAIN)
    assert store.jobs.hold(store.jobs.get("job-1"), step, MONDAY_NOON)
    assert not store.jobs.resume_account("default")
    assert not store.jobs.resume_suspended(MONDAY_NOON)
    assert store.jobs.resume_suspended(LATER)


def test_a_job_ends_as_paid_only_where_it_owes_what_was_compared(store):
    owed_since = store.jobs.get("job-1").owed_since
    assert owed_since == MONDAY_NOON
    store.db["call_jobs"].update_one({}, {"$set": {"debt_replaced_at": LATER}})
    assert not store.jobs.finish("job-1", JobState.DONE, JobReason.PAID, LATER, owed_since=owed_since)
    assert store.jobs.get("job-1").owed_since == LATER
    assert store.jobs.finish("job-1", JobState.DONE, JobReason.PAID, LATER, owed_since=LATER)


def test_a_merge_into_a_job_that_is_final_by_now_takes_nothing(store):
    store.jobs.finish("job-1", JobState.DONE, JobReason.GOAL_MET, MONDAY_NOON)
    before = document(store)
    merge = Merge(
        claim="sha",
        rows=[2],
        name="Otra",
        phones=["+56922222222"],
        company=None,
        document=None,
        document_label=None,
        debt=a_debt(total_minor=1),
        offer={},
        variables={},
        is_repeated=False,
    )
    assert store.jobs.replace_debts({"job-1": merge}, "batch-2", LATER) == {"job-1"}
    assert document(store) == before


def test_a_document_without_a_schema_version_is_never_dialed(store):
    seen = store.jobs.get("job-1")
    store.db["call_jobs"].update_one({}, {"$unset": {"schema_version": ""}})
    assert store.jobs.get("job-1") is None
    assert store.jobs.hand_out("batch-1", LATER, 60) is None
    assert not store.jobs.begin(seen, "att-1", 60, "test")
    assert not store.jobs.suspend(seen, JobReason.NO_CREDIT)
