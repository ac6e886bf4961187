"""The embedded servers alone: real processes on real files."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest
import redis
from pymongo.errors import OperationFailure

from speechai.stack.errors import StackError
from speechai.stack.ports import Ports
from speechai.stack.servers import Mongod, Server, Valkey


@pytest.fixture
def ports() -> Iterator[Ports]:
    ports = Ports()
    yield ports
    ports.release()


@pytest.fixture(params=[Valkey, Mongod])
def server(request: pytest.FixtureRequest, tmp_path: Path, ports: Ports) -> Iterator[Server]:
    kind: type[Server] = request.param
    with kind(tmp_path / "a home with spaces", ports.claim(kind.preferred_port), "s3cr?t/@:%") as server:
        yield server


def write(server: Server) -> None:
    if isinstance(server, Valkey):
        with redis.Redis.from_url(server.uri) as client:
            client.set("kept", "yes")
            client.waitaof(1, 0, 2000)
    else:
        with (
            pymongo.MongoClient(server.uri) as client,
            client.start_session() as session,
            session.start_transaction(),  # what a lone mongod refuses and a set takes
        ):
            client.shop.things.insert_one({"kept": "yes"}, session=session)


def is_kept(server: Server) -> bool:
    if isinstance(server, Valkey):
        with redis.Redis.from_url(server.uri) as client:
            return client.get("kept") == b"yes"
    with pymongo.MongoClient(server.uri) as client:
        return client.shop.things.count_documents({"kept": "yes"}) == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_data_survives_a_restart(server: Server, how: signal.Signals) -> None:
    write(server)
    server.stop(how)
    server.start()
    assert is_kept(server)


def test_data_survives_a_move_to_another_port(server: Server, ports: Ports) -> None:
    write(server)
    server.stop(signal.SIGKILL)
    server.port = ports.claim(server.preferred_port)
    server.start()
    assert is_kept(server)
    write(server)


def test_valkey_wants_the_password_and_evicts_nothing(tmp_path: Path, ports: Ports) -> None:
    with Valkey(tmp_path, ports.claim(Valkey.preferred_port), "right") as server:
        with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with redis.Redis.from_url(server.uri) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("append*") | {"appendonly": "yes", "appendfsync": "everysec"} == (
                client.config_get("append*")
            )
            assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_mongod_wants_the_password_and_gives_no_more_than_data(tmp_path: Path, ports: Ports) -> None:
    with Mongod(tmp_path, ports.claim(Mongod.preferred_port), "right") as server:
        with pymongo.MongoClient("127.0.0.1", server.port, directConnection=True) as stranger:
            with pytest.raises(OperationFailure, match="requires authentication"):
                stranger.shop.things.find_one()
            with pytest.raises(OperationFailure):  # no localhost exception
                stranger.admin.command("createUser", "thief", pwd="x", roles=["root"])
        with pymongo.MongoClient(server.uri) as client:
            client.shop.things.create_index("kept")
            client.drop_database("shop")
            with pytest.raises(OperationFailure, match="not authorized"):
                client.admin.command("shutdown")


def test_passwords_are_on_no_command_line(server: Server, ports: Ports) -> None:
    assert not any(server.password in word for word in server.prepare())


def test_a_server_that_ends_says_why(tmp_path: Path, ports: Ports) -> None:
    port = ports.claim(Valkey.preferred_port)
    with (
        Valkey(tmp_path / "one", port, "one"),
        pytest.raises(StackError, match="already in use|another server answers"),
    ):
        Valkey(tmp_path / "two", port, "two").start()
