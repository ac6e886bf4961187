"""When what died is started again."""

from __future__ import annotations

import pytest

from speechai.stack.keeper import HEALTHY, LONGEST_PAUSE, Deaths, Keeper
from speechai.stack.supervisor import Part, SupervisorGoneError


class FakeSupervisor:
    def __init__(self) -> None:
        self.part = Part("worker", "RUNNING", pid=7, uptime=1, status="")
        self.started: list[str] = []

    def parts(self) -> dict[str, Part]:
        return {self.part.name: self.part}

    def start(self, name: str) -> None:
        self.started.append(name)
        self.part = Part(name, "RUNNING", pid=8, uptime=0, status="")

    def die(self, state: str = "EXITED", uptime: float = 1) -> None:
        self.part = Part("worker", state, pid=0, uptime=uptime, status="exit status 3")


@pytest.fixture
def supervisor() -> FakeSupervisor:
    return FakeSupervisor()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def keeper(supervisor: FakeSupervisor, said: list[str]) -> Keeper:
    return Keeper(supervisor, report=said.append)


def test_pauses_double_up_to_the_longest_and_never_end() -> None:
    deaths = Deaths()
    pauses = [deaths.pause("worker", uptime=1) for _ in range(1000)]
    assert pauses[:7] == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE]
    assert set(pauses[7:]) == {LONGEST_PAUSE}


def test_a_healthy_run_forgives_and_parts_do_not_share_their_deaths() -> None:
    deaths = Deaths()
    for _ in range(5):
        deaths.pause("worker", uptime=1)
    assert deaths.pause("beat", uptime=1) == 0.5
    assert deaths.pause("worker", uptime=HEALTHY) == 0.5
    assert deaths.count("worker") == 1


@pytest.mark.parametrize("state", ["EXITED", "FATAL"])
def test_a_dead_part_is_started_when_its_pause_is_over(
    keeper: Keeper, supervisor: FakeSupervisor, said: list[str], state: str
) -> None:
    supervisor.die(state)
    keeper.look(100)
    keeper.look(100.4)
    assert not supervisor.started
    keeper.look(100.5)
    assert supervisor.started == ["worker"]
    assert said == ["worker ended (exit status 3); starting it again in 0.5 s"]


def test_a_part_that_was_stopped_is_left_alone(keeper: Keeper, supervisor: FakeSupervisor) -> None:
    supervisor.die("STOPPED")
    keeper.look(100)
    keeper.look(1000)
    assert not supervisor.started


def test_someone_else_may_start_it_first(keeper: Keeper, supervisor: FakeSupervisor) -> None:
    supervisor.die()
    keeper.look(100)
    supervisor.start("worker")
    keeper.look(200)
    assert supervisor.started == ["worker"]


def test_a_lost_supervisor_is_told_once(supervisor: FakeSupervisor, said: list[str]) -> None:
    told: list[bool] = []

    def gone() -> dict[str, Part]:
        raise SupervisorGoneError("no answer")

    supervisor.parts = gone  # type: ignore[method-assign]
    keeper = Keeper(supervisor, report=said.append, on_lost=lambda: told.append(True))
    keeper.start()
    keeper.join(10)
    assert keeper.lost.is_set()
    assert told == [True]
    assert said == ["lost: no answer"]
