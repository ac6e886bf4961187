"""Presets are data files; an account's own policies and flows are presets with some fields replaced."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, TypeVar

_T = TypeVar("_T")


def files_of(package: str) -> dict[str, dict[str, Any]]:
    """The data of every TOML file beside a package's modules, by its name."""
    found = sorted(resources.files(package).iterdir(), key=lambda entry: entry.name)
    return {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text("utf-8"))
        for file in found
        if file.name.endswith(".toml")
    }


class FileError(ValueError):
    """A preset, or what an account made of one, is not valid; `field` is what is wrong, where it is one."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class OverrideError(FileError):
    """An account's own policy or flow is not valid; the message names it and what is wrong."""


def override(
    made_id: str,
    changes: Mapping[str, Any],
    raw: Callable[[str], Mapping[str, Any]],
    read: Callable[[str, Mapping[str, Any]], _T],
) -> _T:
    """What `{"extends": preset, field: value, …}` comes to. Raises OverrideError.

    `raw` gives a preset's data (LookupError where there is none), `read` validates (FileError).
    """
    base = changes.get("extends")
    try:
        data = raw(str(base))
    except LookupError:
        raise OverrideError(f"{made_id}: extends: there is no preset {base!r}", "extends") from None
    own = {name: value for name, value in changes.items() if name != "extends"}
    for name, value in own.items():
        if not _can_be_kept(value):
            raise OverrideError(f"{made_id}: {name!a}: holds what cannot be stored", name)
    label = {name: f"{data[name]} ({made_id})" for name in ("label_es", "label_en") if name not in own}
    try:
        return read(made_id, {**data, **label, **own, "id": made_id})
    except FileError as error:
        raise OverrideError(str(error), error.field) from error


def _can_be_kept(value: Any) -> bool:
    """Whether a database can keep it: no half characters, no number beyond 64 bits."""
    if isinstance(value, Mapping):
        return all(_can_be_kept(part) for entry in value.items() for part in entry)
    if isinstance(value, list | tuple):
        return all(_can_be_kept(part) for part in value)
    if isinstance(value, int):
        return abs(value) < 2**63
    return not (isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value))
