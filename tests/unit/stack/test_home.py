"""The stack's files: private, kept, and one stack at a time."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values

from speechai.stack.errors import AlreadyRunningError, StackError
from speechai.stack.home import Home, Lock, Secrets, write_environment


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_secrets_are_made_once_and_are_private(home: Home) -> None:
    first = Secrets(home.secrets_file)
    made = first.get("one")
    assert len(made) >= 32
    assert first.made == {"one"}
    assert mode(home.secrets_file) == 0o600
    again = Secrets(home.secrets_file)
    assert again.get("one") == made != again.get("two")
    assert again.made == {"two"}


def test_damaged_secrets_are_not_replaced(home: Home) -> None:
    home.secrets_file.write_text("{")
    with pytest.raises(StackError, match=r"secrets\.json is damaged"):
        Secrets(home.secrets_file)
    assert home.secrets_file.read_text() == "{"


@pytest.mark.parametrize("value", ["plain", "it's", 'a"b', "back\\slash", "with space # and hash", "ñ"])
def test_the_stack_file_is_read_back_as_it_was(home: Home, value: str) -> None:
    write_environment(home.stack_file, {"NAME": value})
    assert dotenv_values(home.stack_file) == {"NAME": value}
    assert mode(home.stack_file) == 0o600


def test_a_home_is_private(home: Home) -> None:
    assert {mode(home.path), mode(home.run), mode(home.logs)} == {0o700}


def test_a_home_that_cannot_be_made_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="SPEECHAI_HOME"):
        Home(tmp_path / "file" / "home").make()


def test_one_lock_at_a_time(home: Home) -> None:
    lock = Lock(home)
    with pytest.raises(AlreadyRunningError, match="it is starting"):
        Lock(home)
    lock.write(panel="http://127.0.0.1:1")
    with pytest.raises(AlreadyRunningError, match="panel at http://127.0.0.1:1"):
        Lock(home)
    lock.release()
    Lock(home).release()


def test_a_long_home_gets_a_short_socket(tmp_path: Path) -> None:
    assert Home(Path("/s")).socket() == Path("/s/run/supervisor.sock")
    socket = Home(tmp_path / ("x" * 100)).socket()
    assert len(str(socket)) < 100
    assert mode(socket.parent) == 0o700
    socket.parent.rmdir()


def test_forgetting_leaves_the_lock_the_ports_and_the_passwords(home: Home) -> None:
    password = Secrets(home.secrets_file).get("one")
    home.ports_file.write_text("{}")
    (home.path / "mongod" / "data").mkdir(parents=True)
    (home.path / "celerybeat-schedule").write_text("old")
    home.log("web").write_text("old")
    lock = Lock(home)
    home.forget()
    assert {entry.name for entry in home.path.iterdir()} == {"log", "run", "ports.json", "secrets.json"}
    assert list(home.logs.iterdir()) == []
    assert Secrets(home.secrets_file).get("one") == password
    with pytest.raises(AlreadyRunningError):
        Lock(home)
    lock.release()
