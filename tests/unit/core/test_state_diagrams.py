"""The diagrams of docs/architecture.md show exactly what the tables of moves allow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.moves import TABLES, Table

PAGE = Path(__file__).parents[3] / "docs" / "architecture.md"
DIAGRAM = re.compile(r"```mermaid\nstateDiagram-v2\n    direction LR\n    %% (\w+)\n(.*?)```", re.DOTALL)
ARROW = re.compile(r"    (\S+) --> ([^\s:]+)(: reopened, on record)?")
NAMES = {"job": "call_jobs", "attempt": "call_logs", "batch": "batches", "wave": "waves"}

DIAGRAMS = dict(DIAGRAM.findall(PAGE.read_text()))


def arrows_of(table: Table) -> set[tuple[str, str, bool]]:
    """Every arrow as (from, to, only by a reopening); `[*]` is where it begins and ends."""
    moves = {(source, target, False) for source, targets in table.moves.items() for target in targets}
    again = {(source, target, True) for source, targets in table.reopenings.items() for target in targets}
    ends = {(state, "[*]", False) for state, targets in table.moves.items() if not targets}
    return moves | again | ends | {("[*]", state, False) for state in table.beginnings}


@pytest.mark.parametrize("name", NAMES)
def test_the_diagram_shows_what_the_table_allows(name):
    lines = DIAGRAMS[name].splitlines()
    drawn = [match.groups() for line in lines if (match := ARROW.fullmatch(line))]
    assert len(drawn) == len(lines)  # nothing in it is passed over
    arrows = [(source, target, bool(label)) for source, target, label in drawn]
    assert set(arrows) == arrows_of(TABLES[NAMES[name]])
    assert len(set(arrows)) == len(arrows)


def test_there_is_a_diagram_of_every_table_and_no_other():
    assert set(DIAGRAMS) == set(NAMES) and set(NAMES.values()) == set(TABLES)
    assert PAGE.read_text().count("stateDiagram-v2") == len(NAMES)
    for table in TABLES.values():
        assert set(table.moves) == set(table.states)
