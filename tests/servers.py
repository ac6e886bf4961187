"""Real servers for tests: one mongod and one Valkey per test process, started when first asked for.

`tests/conftest.py` imports the fixtures from here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest

from speechai.stack.ports import Ports
from speechai.stack.servers import Mongod, Server, Valkey


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real mongod, a replica set of one."""
    yield from _run(Mongod, tmp_path_factory)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Valkey; its data is shared by the session's tests."""
    yield from _run(Valkey, tmp_path_factory)


@pytest.fixture(scope="session")
def _mongo_client(mongo_uri: str) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
    with pymongo.MongoClient(mongo_uri) as client:
        yield client


@pytest.fixture
def database(_mongo_client: pymongo.MongoClient[dict[str, Any]]) -> Iterator[str]:
    """The name of a database that is empty for this test, but for the indexes of the tests before."""
    name = "test"
    yield name
    database = _mongo_client[name]
    for collection in database.list_collection_names(filter={"name": {"$not": {"$regex": "^system"}}}):
        database[collection].delete_many({})


def _run(kind: type[Server], directories: pytest.TempPathFactory) -> Iterator[str]:
    ports = Ports()
    try:
        directory = directories.mktemp(kind.name)
        with kind(directory, ports.claim(kind.preferred_port), secrets.token_urlsafe(16)) as server:
            yield server.uri
    finally:
        ports.release()
