"""The process that reads one file: bounded in memory and time, with nothing of ours in its environment.

Started by `reader` as `python -m speechai.ingest.worker`, the request as JSON on standard input, the answer
pickled on standard output. What the answer holds are only numbers, texts and their tuples, so that the other
side can refuse to load anything else.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import resource
import sys
import traceback
from datetime import date
from pathlib import Path
from typing import Any

from speechai.catalog.use_cases import Country, UseCaseId
from speechai.ingest import archive, columns, rows, sheet
from speechai.ingest.cells import plain_cell
from speechai.ingest.contacts import FileError
from speechai.ingest.limits import Limits
from speechai.ingest.messages import Language, file_error, say, shorten
from speechai.ingest.packing import Packed
from speechai.ingest.row_reader import Request

_EXTENSIONS = {
    "xlsx": (".xlsx", ".xlsm"),
    "xls": (".xls",),
    "csv": (".csv", ".txt", ".tsv"),
}


def parse(path: Path, filename: str, mapping: dict[str, str] | None, request: Request) -> Packed:
    """The whole way from a file to its contacts, in the process that calls it and without its limits."""
    language, limits = request.language, request.limits
    kind = archive.inspect(path, limits, language)
    table = sheet.open_table(path, kind, mapping, limits, language)
    suffix = Path(filename).suffix.lower()
    if suffix and suffix not in _EXTENSIONS[kind]:
        table.warnings.append(say("wrong_extension", language, name=shorten(filename), kind=kind.value))
    found = columns.resolve(table.headers, request.country, mapping, language)
    return rows.gather(table, found, rows.choose_use_case(found, request), request)


def plain_table(
    path: Path, known: dict[str, str] | None, language: Language, limits: Limits
) -> tuple[list[str], list[tuple[int, Any]]]:
    """A list that is no contacts: its header (`known` headers betray it), and its rows with their numbers."""
    table = sheet.open_table(path, archive.inspect(path, limits, language), known, limits, language)
    found: list[tuple[int, Any]] = []
    for number, cells in table.rows:
        plain = tuple(plain_cell(cell) for cell in cells)
        if any(cell != "" for cell in plain):
            if len(found) >= limits.rows:
                raise file_error("too_many_rows", language, limit=limits.rows)
            found.append((number, plain))
    return table.headers, found


def main() -> None:
    """Answer the one request on standard input."""
    asked = json.loads(sys.stdin.buffer.read())
    limits = Limits(**asked["limits"])
    answer_to = os.dup(1)
    os.dup2(2, 1)  # whatever prints, the answer stays whole
    _bound(limits)
    gc.disable()  # one pass over one file, no cycles: looking for garbage costs a third of the time
    with os.fdopen(answer_to, "wb") as out:
        pickler = pickle.Pickler(out, protocol=5)
        pickler.fast = True  # no memo: plain values do not refer to each other, and it is most of the work
        pickler.dump(_answer(asked, limits))
    os._exit(0)  # the answer is out; giving back millions of cells one by one would only take time


def _bound(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    seconds = int(limits.seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _answer(asked: dict[str, Any], limits: Limits) -> tuple[Any, ...]:
    """("parsed", …), ("file_error", code, message) or ("bug", where): never an exception."""
    request = Request(
        use_case=UseCaseId(asked["use_case"]) if asked["use_case"] else None,
        country=Country(asked["country"]),
        currency=asked["currency"],
        language=asked["language"],
        today=date.fromisoformat(asked["today"]),
        limits=limits,
    )
    try:
        if asked["contacts"]:
            return ("parsed", parse(Path(asked["path"]), asked["filename"], asked["mapping"], request))
        return ("parsed", plain_table(Path(asked["path"]), asked["mapping"], request.language, limits))
    except FileError as error:
        return ("file_error", error.code, error.message)
    except MemoryError:
        refused = file_error("too_complex", request.language)
        return ("file_error", refused.code, refused.message)
    except Exception as error:  # the one place: a bug must reach the log, without the file's contents
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
        return ("bug", f"{type(error).__name__} at {where}")
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the Rust reader's own assertion, on a bent file
            raise
        refused = file_error("damaged", request.language)
        return ("file_error", refused.code, refused.message)


if __name__ == "__main__":
    main()
