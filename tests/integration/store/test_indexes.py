"""Indexes are built at the start of every process, whatever an earlier version left."""

from __future__ import annotations

from pymongo import IndexModel

from speechai.store import connect, open_store


def test_an_index_that_an_earlier_version_defined_otherwise_is_built_anew(mongo_uri, database):
    store = open_store(connect(mongo_uri, database))
    store.ensure_indexes()
    jobs, before = store.db["call_jobs"], store.db["call_jobs"].index_information()
    jobs.drop_index("due")
    keys = [("batch_id", 1), ("next_attempt_at", 1), ("seq", 1)]
    earlier = {"status": "pending", "waiting_for": None}
    jobs.create_indexes([IndexModel(keys, name="due", partialFilterExpression=earlier)])
    store.ensure_indexes()
    assert jobs.index_information() == before


def test_what_is_as_it_should_be_is_left_alone(mongo_uri, database, caplog):
    store = open_store(connect(mongo_uri, database))
    store.ensure_indexes()
    store.ensure_indexes()
    assert "built anew" not in caplog.text
