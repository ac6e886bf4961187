"""Looks at every write to jobs, attempts, batches and waves: none moves a state beside its table of moves.

The driver tells of each command in the thread that sends it, so the innermost frame outside the driver says
who wrote it. What a test writes by itself, to put a state in place, is the test's own affair.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pymongo
from pymongo import monitoring

import speechai
from speechai.core.states import (
    ATTEMPT_BEGINNINGS,
    ATTEMPT_MOVES,
    BATCH_BEGINNINGS,
    BATCH_MOVES,
    BATCH_REOPENINGS,
    JOB_BEGINNINGS,
    JOB_MOVES,
    JOB_REOPENINGS,
    WAVE_BEGINNINGS,
    WAVE_MOVES,
    AttemptState,
    BatchState,
    JobState,
    WaveState,
)

Command = Mapping[str, Any]

_DRIVER = str(Path(pymongo.__file__).parent)
_PRODUCT = str(Path(speechai.__file__).parent / "store")
_SETTERS = ("$set", "$setOnInsert", "$addFields")
_OTHER_CHANGES = ("$unset", "$rename", "$inc", "$push", "$project")


@dataclass(frozen=True)
class Table:
    """How the states of one collection may change."""

    states: type[StrEnum]
    beginnings: frozenset[Any]
    moves: Mapping[Any, frozenset[Any]]
    reopenings: Mapping[Any, frozenset[Any]] = field(default_factory=dict)
    record: str = ""
    """What a reopening has to write in the same command."""

    def has(self, source: StrEnum, target: StrEnum, written: set[str]) -> bool:
        """Whether the table has this move, for a command that writes these fields."""
        reopens = target in self.reopenings.get(source, frozenset()) and self.record in written
        return reopens or target in self.moves[source]


TABLES = {
    "call_jobs": Table(JobState, JOB_BEGINNINGS, JOB_MOVES, JOB_REOPENINGS, "reopened"),
    "call_logs": Table(AttemptState, ATTEMPT_BEGINNINGS, ATTEMPT_MOVES),
    "batches": Table(BatchState, BATCH_BEGINNINGS, BATCH_MOVES, BATCH_REOPENINGS, "reopening"),
    "waves": Table(WaveState, WAVE_BEGINNINGS, WAVE_MOVES),
}


def faults_of(command: Command) -> list[str]:
    """What of a command moves a state beside its table; nothing for all other commands."""
    name = next(iter(command))
    table = TABLES.get(command[name]) if isinstance(command[name], str) else None
    if table is None:
        return []
    match name:
        case "insert":
            return [fault for document in command["documents"] for fault in _added(table, document)]
        case "update":
            written = [(each["q"], each["u"], each.get("upsert", False)) for each in command["updates"]]
        case "findAndModify" if "update" in command:
            written = [(command["query"], command["update"], command.get("upsert", False))]
        case _:
            return []
    return [fault for each in written for fault in _updated(table, *each)]


def _added(table: Table, document: Mapping[str, Any]) -> list[str]:
    begun = _literal(document.get("status"))
    return [] if begun in table.beginnings else [f"{begun} is no state to begin in"]


def _updated(table: Table, wanted: Mapping[str, Any], changes: Any, upserts: bool) -> list[str]:
    targets, written = _targets(changes), _fields(changes)
    sources = _sources(table, wanted.get("status", ...))
    found = []
    for target in targets:
        if target not in list(table.states):
            found.append(f"{target} is not a state")
            continue
        if upserts and (fault := _added(table, {"status": target})):
            found += fault
        goal = table.states(target)
        found += [f"{source} → {goal}" for source in sources if not table.has(source, goal, written)]
        if not sources and not upserts:
            found.append(f"nothing → {goal}")
    return found


def _sources(table: Table, condition: Any) -> list[StrEnum]:
    """The states that the filter lets through: all of them where it names none."""
    if condition is ...:
        return list(table.states)
    if condition is None or isinstance(condition, str):
        return [state for state in table.states if state == condition]
    known = {"$in", "$nin", "$eq", "$ne"}
    if set(condition) - known:
        return list(table.states)
    return [
        state
        for state in table.states
        if state in condition.get("$in", [state])
        and state not in condition.get("$nin", [])
        and state == condition.get("$eq", state)
        and state != condition.get("$ne")
    ]


def _stages(changes: Any) -> list[Mapping[str, Any]]:
    return list(changes) if isinstance(changes, list) else [changes]


def _targets(changes: Any) -> list[Any]:
    """Every state that the change may write; what cannot be read off it counts as one that is none."""
    return [_literal(value) for stage in _stages(changes) for value in _values(stage)]


def _values(stage: Mapping[str, Any]) -> Iterator[Any]:
    for name, change in stage.items():
        if name in _SETTERS and "status" in change:
            yield change["status"]
        elif name in ("$replaceWith", "$replaceRoot"):
            whole = change.get("newRoot", change)
            parts = whole.get("$mergeObjects", [whole])
            yield from (each["status"] for each in map(_literal, parts) if "status" in each)
        elif name in _OTHER_CHANGES and "status" in change:
            yield f"{name} of it"
        elif not name.startswith("$"):
            yield "a whole document"


def _fields(changes: Any) -> set[str]:
    """The fields that are written, but for those of a whole new document."""
    return {
        field
        for stage in _stages(changes)
        for name, change in stage.items()
        if name in (*_SETTERS, "$push")
        for field in change
    }


def _literal(value: Any) -> Any:
    return value["$literal"] if isinstance(value, Mapping) and "$literal" in value else value


class MovesWatch(monitoring.CommandListener):
    """Collects the faults in what the product writes."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.moves = 0  # how many commands were looked at

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        command = event.command
        if event.command_name not in ("insert", "update", "findAndModify"):
            return
        if command[event.command_name] not in TABLES or not _is_of_the_product():
            return
        self.moves += 1
        self.faults += [f"{fault}, by {dict(command)}" for fault in faults_of(command)]

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """What it came to is the server's affair."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """It changed nothing."""


def _is_of_the_product() -> bool:
    """Whether the product, and no test, called the driver."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_DRIVER):
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(_PRODUCT)
