"""The guard of every change of state: a write names the states from which its table of moves lets it come.

Nothing else writes a `status`. What is asked for beside the table is a fault of the code, and raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from speechai.store.database import Document

S = TypeVar("S", bound=StrEnum)

NOT_THERE: Document = {"status": None}
"""The part of an upsert's filter that lets it only add: whatever is there has a status, and is left alone."""


def moving_to(table: Mapping[S, frozenset[S]], target: S, only_from: Iterable[S] | None = None) -> Document:
    """The part of a filter that guards a move to `target`: `{"status": {"$in": […]}}`.

    `only_from`: fewer than the table's sources. Raises ValueError where the table has no such move.
    """
    allowed = {state for state, targets in table.items() if target in targets}
    sources = allowed if only_from is None else set(only_from)
    if not sources or sources - allowed:
        raise ValueError(f"no move to {target} from {sorted(sources - allowed) or 'anywhere'}")
    return {"status": {"$in": sorted(sources)}}
