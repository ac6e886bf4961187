"""What counts as a move beside the table, for the watch over the integration tests."""

from __future__ import annotations

import pytest

from tests.moves import faults_of

JOB = {"_id": "job-1"}


def update(collection, wanted, changes, *, upsert=False):
    return {"update": collection, "updates": [{"q": wanted, "u": changes, "upsert": upsert}]}


GOOD = [
    update("call_jobs", {**JOB, "status": {"$in": ["pending"]}}, [{"$set": {"status": "in_progress"}}]),
    update("call_jobs", {**JOB, "status": "pending"}, {"$set": {"status": {"$literal": "failed"}}}),
    update("call_jobs", JOB, {"$set": {"nombre": "Ana", "promise.status": "kept"}}),
    update(
        "call_jobs",
        {**JOB, "status": {"$in": ["done", "failed"]}},
        [{"$set": {"status": "pending", "reopened": {"$concatArrays": ["$reopened", []]}}}],
    ),
    update("batches", {"status": {"$nin": ["cancelled"]}}, {"$push": {"edits": {"status": "running"}}}),
    update("batches", {"status": "completed"}, {"$set": {"status": "running"}, "$push": {"reopening": {}}}),
    update("call_logs", {"status": None}, [{"$replaceWith": {"status": "reserved"}}], upsert=True),
    {"insert": "waves", "documents": [{"status": "open"}, {"status": "missed"}]},
    {"insert": "rejections", "documents": [{"row": 1}]},
    {"findAndModify": "call_jobs", "query": JOB, "update": [{"$set": {"released_until": None}}]},
    {"findAndModify": "call_jobs", "query": JOB, "remove": True},
    {"find": "call_jobs", "filter": {"status": "pending"}},
    {"ping": 1},
]

BAD = [
    update("call_jobs", JOB, {"$set": {"status": "in_progress"}}),
    update("call_jobs", {**JOB, "status": {"$in": ["pending", "done"]}}, [{"$set": {"status": "failed"}}]),
    update("call_jobs", {**JOB, "status": {"$nin": ["done"]}}, [{"$set": {"status": "pending"}}]),
    update("call_jobs", {**JOB, "status": {"$gt": "a"}}, [{"$set": {"status": "done"}}]),
    update("call_jobs", {**JOB, "status": "done"}, [{"$set": {"status": "pending"}}]),
    update("call_jobs", {**JOB, "status": "pending"}, [{"$set": {"status": "$was"}}]),
    update("call_jobs", {**JOB, "status": "pending"}, {"$unset": {"status": ""}}),
    update("call_jobs", {**JOB, "status": "pending"}, {"status": "done"}),
    update("batches", {"status": "completed"}, {"$set": {"status": "running"}}),
    update("batches", {"status": {"$ne": "draft"}}, {"$set": {"status": "cancelled"}}),
    update("waves", {"status": "run"}, {"$set": {"status": "missed"}}),
    update("waves", {"status": "shut"}, {"$set": {"status": "run"}}),
    update("call_logs", {"_id": 1}, [{"$replaceWith": {"status": "reserved"}}], upsert=True),
    update(
        "call_logs", {"status": None}, [{"$replaceWith": {"$literal": {"status": "settled"}}}], upsert=True
    ),
    update(
        "call_logs",
        {"_id": 1},
        [{"$replaceWith": {"$mergeObjects": [{"$literal": {"status": "ongoing"}}, "$$ROOT"]}}],
    ),
    {"insert": "waves", "documents": [{"status": "open"}, {"status": "run"}]},
    {"insert": "call_jobs", "documents": [{"nombre": "Ana"}]},
    {"findAndModify": "call_logs", "query": {}, "update": {"$set": {"status": "settled"}}},
]


@pytest.mark.parametrize("command", GOOD, ids=str)
def test_what_the_tables_allow_is_no_fault(command):
    assert faults_of(command) == []


@pytest.mark.parametrize("command", BAD, ids=str)
def test_what_they_do_not_allow_is_one(command):
    assert faults_of(command)
