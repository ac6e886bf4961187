"""The whole stack: supervisord, both embedded servers, and parts that are tiny but real processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import socketserver
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pymongo
import pytest
import redis
from dotenv import dotenv_values

from speechai.stack import wait
from speechai.stack.errors import AlreadyRunningError, StackError
from speechai.stack.stack import Stack
from tests.integration.stack.support import (
    FLOWER,
    PART,
    TEST_MARK,
    WEB,
    WORKER,
    processes,
    write_procfile,
)


@pytest.fixture
def mark() -> Iterator[str]:
    """In the environment of all that a test starts; at its end nothing with the mark may be left."""
    mark = secrets.token_hex(8)
    yield mark
    left = processes(mark)
    for process in left:
        process.kill()
    assert not left


@pytest.fixture
def environment(tmp_path: Path, mark: str) -> dict[str, str]:
    return {"SPEECHAI_HOME": str(tmp_path / "home"), "PORT": "0", "FLOWER_PORT": "0", TEST_MARK: mark}


@pytest.fixture
def with_servers(environment: dict[str, str], mongo_uri: str, redis_url: str) -> dict[str, str]:
    """For tests that the embedded servers have no part in: the session's are named."""
    return environment | {"MONGO_URI": mongo_uri, "REDIS_URL": redis_url}


@pytest.fixture(autouse=True)
def unnamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody named any server, in no file either."""
    monkeypatch.chdir(tmp_path)
    for name in ("MONGO_URI", "REDIS_URL", "PORT", "FLOWER_PORT", "RETELL_BASE_URL", "RETELL_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def procfile(tmp_path: Path) -> Path:
    return write_procfile(tmp_path, web=WEB, worker=WORKER, flower=FLOWER)


def test_a_stack_answers_tells_others_how_to_reach_it_and_leaves_nothing(
    environment: dict[str, str], procfile: Path, mark: str
) -> None:
    command = [*PART.removeprefix("exec ").split(), "simulator"]
    with Stack(environment=environment, procfile=procfile, simulator=[], simulator_command=command) as stack:
        stack.wait_ready()
        assert set(stack.supervisor.parts()) == {"valkey", "mongod", "simulator", "web", "worker", "flower"}
        stack_file = stack.home.stack_file
        assert stat.S_IMODE(stack_file.stat().st_mode) == 0o600
        told = dotenv_values(stack_file)
        assert told["RETELL_BASE_URL"] == stack.simulator_url == stack.environment["RETELL_BASE_URL"]
        with (
            pymongo.MongoClient(told["MONGO_URI"]) as mongo,
            redis.Redis.from_url(told["REDIS_URL"]) as broker,
        ):
            mongo.shop.things.insert_one({})
            broker.set("kept", "yes")
        assert [login.what for login in stack.logins] == ["panel", "flower"]
        marked = {process.pid for process in processes(mark)}
        parts = {part.pid for part in stack.supervisor.parts().values()}
        assert parts | {stack.supervisor.own_pid} <= marked, "none can be overlooked below"
    assert not processes(mark)
    assert not stack_file.exists()

    with Stack(environment=environment, procfile=procfile) as again:
        assert not again.logins, "logins are shown once"
        with (
            pymongo.MongoClient(again.environment["MONGO_URI"]) as mongo,
            redis.Redis.from_url(again.environment["REDIS_URL"]) as broker,
        ):
            assert mongo.shop.things.count_documents({}) == 1
            assert broker.get("kept") == b"yes"


def test_servers_that_are_named_are_not_started(
    environment: dict[str, str], procfile: Path, mongo_uri: str, redis_url: str
) -> None:
    named = {"MONGO_URI": mongo_uri, "REDIS_URL": redis_url}
    with Stack(environment=environment | named, procfile=procfile) as stack:
        assert set(stack.supervisor.parts()) == {"web", "worker", "flower"}
        assert stack.environment | named == stack.environment
        stack.wait_ready()
    assert not (Path(environment["SPEECHAI_HOME"]) / "mongod").exists()


@pytest.mark.parametrize("name", ["mongod", "valkey", "web"])
def test_what_is_killed_is_started_again(environment: dict[str, str], procfile: Path, name: str) -> None:
    said: list[str] = []
    with Stack(environment=environment, procfile=procfile, report=said.append) as stack:
        stack.wait_ready()
        with pymongo.MongoClient(stack.environment["MONGO_URI"]) as mongo:
            mongo.shop.things.insert_one({"_id": 1})
            killed = stack.supervisor.pid(name)
            os.kill(killed, signal.SIGKILL)
            started_again = lambda: stack.supervisor.pid(name) not in (0, killed)  # noqa: E731
            wait.until(started_again, seconds=20, what=f"another {name}")
            stack.wait_ready()
            assert mongo.shop.things.count_documents({"_id": 1}) == 1
        with redis.Redis.from_url(stack.environment["REDIS_URL"]) as broker:
            wait.until(lambda: answers(broker), seconds=20, what="Valkey")
    assert said == [f"{name} ended (terminated by SIGKILL); starting it again in 0.5 s"]


def answers(broker: redis.Redis) -> bool:
    try:
        return bool(broker.ping())
    except redis.ConnectionError:
        return False


def test_a_part_stopped_on_purpose_stays_stopped(with_servers: dict[str, str], procfile: Path) -> None:
    with Stack(environment=with_servers, procfile=procfile) as stack:
        stack.supervisor.stop("worker")
        time.sleep(1)  # the keeper looks four times a second
        assert stack.supervisor.state("worker") == "STOPPED"
        stack.supervisor.start("worker")
        wait.until(lambda: stack.supervisor.state("worker") == "RUNNING", seconds=10, what="worker")


def test_a_part_that_dies_at_once_is_tried_again_ever_more_slowly(
    with_servers: dict[str, str], tmp_path: Path
) -> None:
    said: list[str] = []
    procfile = write_procfile(tmp_path, web=WEB, worker="exec sh -c 'exit 7'")
    with Stack(environment=with_servers, procfile=procfile, report=said.append):
        wait.until(lambda: len(said) >= 3, seconds=20, what="three deaths")
    pauses = [f"worker ended (exit status 7); starting it again in {pause} s" for pause in ("0.5", "1", "2")]
    assert said[:3] == pauses


def test_a_part_that_cannot_start_stops_everything_and_shows_its_log(
    with_servers: dict[str, str], tmp_path: Path, mark: str
) -> None:
    procfile = write_procfile(tmp_path, web=WEB, flower="echo no such colour; exit 2", worker=WORKER)
    with pytest.raises(StackError, match=r"flower ended 3 times in a row(?s:.*)no such colour"):  # noqa: SIM117
        with Stack(environment=with_servers, procfile=procfile) as stack:
            stack.wait_ready()
    assert not processes(mark)


def test_a_part_that_never_answers_stops_everything_and_shows_its_log(
    with_servers: dict[str, str], tmp_path: Path, mark: str
) -> None:
    procfile = write_procfile(tmp_path, web=f"{PART} web", worker=WORKER)
    with pytest.raises(StackError, match=r"web was not ready within 1 s(?s:.*)web started"):  # noqa: SIM117
        with Stack(environment=with_servers, procfile=procfile) as stack:
            stack.wait_ready(seconds=1)
    assert not processes(mark)


def test_a_server_that_refuses_to_start_names_the_way_out(
    environment: dict[str, str], procfile: Path, mark: str
) -> None:
    data = Path(environment["SPEECHAI_HOME"]) / "mongod" / "data"
    data.mkdir(parents=True)
    (data / "storage.bson").write_bytes(b"not what mongod wrote")
    with pytest.raises(StackError, match=r"mongod ended 3 times(?s:.*)MONGO_URI"):
        Stack(environment=environment, procfile=procfile).__enter__()
    assert not processes(mark)


def test_servers_move_when_their_ports_are_taken_meanwhile(
    environment: dict[str, str], procfile: Path
) -> None:
    with Stack(environment=environment, procfile=procfile) as stack:
        before = json.loads(stack.home.ports_file.read_text())
        with pymongo.MongoClient(stack.environment["MONGO_URI"]) as mongo:
            mongo.shop.things.insert_one({})
    with ExitStack() as taken:
        for port in before.values():
            taken.enter_context(hanging_up_on(port))
        with Stack(environment=environment, procfile=procfile) as stack:
            after = json.loads(stack.home.ports_file.read_text())
            assert not set(after.values()) & set(before.values())
            with pymongo.MongoClient(stack.environment["MONGO_URI"]) as mongo:
                assert mongo.shop.things.count_documents({}) == 1
                mongo.shop.things.insert_one({})


@contextmanager
def hanging_up_on(port: int) -> Iterator[None]:
    """Another program on this port, which closes every connection."""

    class Another(socketserver.TCPServer):
        allow_reuse_address = True

    with Another(("127.0.0.1", port), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_a_named_port_that_is_taken_is_an_error_with_the_variable(
    with_servers: dict[str, str], procfile: Path, mark: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(StackError, match=rf"FLOWER_PORT: port {port} "):
            Stack(environment=with_servers | {"FLOWER_PORT": port}, procfile=procfile).__enter__()
    assert not processes(mark)


def test_one_home_holds_one_stack(with_servers: dict[str, str], procfile: Path) -> None:
    with Stack(environment=with_servers, procfile=procfile) as stack:
        with pytest.raises(AlreadyRunningError, match=rf"pid {os.getpid()}, panel at {stack.panel_url}"):
            Stack(environment=with_servers, procfile=procfile).__enter__()
        assert stack.home.stack_file.exists(), "the second one touched nothing of the first"
        stack.wait_ready()


def test_a_home_with_a_long_name_works(with_servers: dict[str, str], procfile: Path, tmp_path: Path) -> None:
    home = tmp_path / ("long " * 20)
    with Stack(environment=with_servers | {"SPEECHAI_HOME": str(home)}, procfile=procfile) as stack:
        stack.wait_ready()


def test_a_lost_supervisor_ends_the_stack_and_all_its_parts(
    environment: dict[str, str], procfile: Path, mark: str
) -> None:
    with Stack(environment=environment, procfile=procfile) as stack:
        psutil.Process(stack.supervisor.own_pid).kill()
        with pytest.raises(StackError, match="supervisor ended"):
            stack.wait()
    assert not processes(mark)
