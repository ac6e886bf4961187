"""What payments and the do-not-call list ask of the database is answered by an index, however full it is."""

from __future__ import annotations

from datetime import date

import pytest

from speechai.store import connect, open_store
from tests.builders import a_job_document
from tests.integration.store.profiling import profiled

MANY = 3000
JOB = a_job_document()
ACCOUNT, PEOPLE = "account-1", [f"CL:RUT:{number}" for number in (6, 11)]


@pytest.fixture
def store(mongo_uri, database):
    made = open_store(connect(mongo_uri, database))
    made.ensure_indexes()
    states = ["promised", "partly_kept", "kept", "broken", "flagged", None]
    made.db["call_jobs"].insert_many(
        {
            **JOB,
            "_id": f"job-{number}",
            "account_id": f"account-{number % 5}",
            "person_id": f"CL:RUT:{number}",
            "status": ("pending", "done", "suspended", "failed")[number % 4],
            "promise": {"status": states[number % 6], "due": f"2026-{number % 12 + 1:02}-01"},
        }
        for number in range(MANY)
    )
    made.db["payments"].insert_many(
        {
            "_id": str(number),
            "account_id": f"account-{number % 5}",
            "person_id": f"CL:RUT:{number}",
            "paid_on": "2026-11-23",
        }
        for number in range(MANY)
    )
    made.db["do_not_call"].insert_many(
        {
            "_id": f"everybody|{number}",
            "key": str(number),
            "scope": "everybody",
            "in_force": True,
            "at": number,
        }
        for number in range(MANY)
    )
    return made


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda store: store.payments.promises_of(ACCOUNT, PEOPLE), 2),
        (lambda store: list(store.payments.promises_due(ACCOUNT, date(2026, 3, 1))), 50),
        (lambda store: store.payments.waiting_jobs(ACCOUNT, PEOPLE), 4),
        (lambda store: store.payments.of_people(ACCOUNT, PEOPLE), 2),
        (lambda store: store.do_not_call.about(["6", "11"], ["everybody"]), 2),
        (lambda store: store.do_not_call.all_about(["6", "11"]), 2),
        (lambda store: store.do_not_call.in_force_about(["6", "11"]), 2),
    ],
)
def test_no_scan_and_no_sort(store, ask, most):
    store.do_not_call.about(["1"], ["everybody"])  # the secret of the pseudonyms is made at first use
    with profiled(store) as entries:
        ask(store)
    [asked] = [entry for entry in entries if entry["op"] == "query"]
    assert "COLLSCAN" not in asked["planSummary"]
    assert not asked.get("hasSortStage")
    assert asked["docsExamined"] <= most
