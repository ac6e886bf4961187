"""The web process's side of reading a file: start the bounded worker, wait, take its answer."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from speechai.catalog.use_cases import MINOR_DIGITS, Country, UseCaseId
from speechai.ingest.cells import PlainCell
from speechai.ingest.contacts import FileError, ParsedFile
from speechai.ingest.limits import Limits
from speechai.ingest.messages import Language, file_error
from speechai.ingest.packing import load, unpack

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A list's header and its filled rows, each with its number in the file."""

    headers: tuple[str, ...]
    rows: tuple[tuple[int, tuple[PlainCell, ...]], ...]


class ReaderCrashedError(RuntimeError):
    """The worker failed in a way that is our fault, not the file's."""


def read_contacts(
    path: Path,
    filename: str,
    *,
    use_case: UseCaseId | None,
    country: Country,
    mapping: Mapping[str, str] | None = None,
    currency: str | None = None,
    language: Language = "es",
    today: date,
    limits: Limits | None = None,
) -> ParsedFile:
    """The contacts of an uploaded file, or FileError.

    `path` is where the upload is stored, `filename` what its owner called it. The file is opened only in a
    process of its own, with the limits' memory and time, which is killed when it overruns them.
    """
    if currency is not None and currency not in MINOR_DIGITS:
        raise ValueError(f"unknown currency {currency!r}")
    return unpack(
        _read(
            path,
            limits or Limits(),
            language,
            contacts=True,
            filename=filename,
            use_case=use_case.value if use_case else None,
            country=country.value,
            mapping=dict(mapping) if mapping else None,
            currency=currency,
            today=today.isoformat(),
        )
    )


def read_table(
    path: Path, *, known: Mapping[str, str], language: Language = "es", limits: Limits | None = None
) -> PlainTable:
    """Any other list that somebody uploads, its cells as they are. Or FileError.

    `known` are headers by which it may be recognised, beside those of uploads. Read under the same bounds.
    """
    headers, rows = _read(
        path,
        limits or Limits(),
        language,
        contacts=False,
        filename=path.name,
        use_case=None,
        country=Country.CL.value,
        mapping=dict(known),
        currency=None,
        today="2000-01-01",
    )
    return PlainTable(tuple(headers), tuple((number, tuple(cells)) for number, cells in rows))


def _read(path: Path, limits: Limits, language: Language, **asked: Any) -> Any:
    """What the worker makes of the file; FileError where it cannot."""
    request = {"path": str(path.resolve()), "language": language, "limits": asdict(limits), **asked}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "speechai.ingest.worker"],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a reader's complaint may quote the file's cells
            timeout=limits.seconds,
            env=_bare_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise file_error("too_slow", language, seconds=limits.seconds) from error
    if done.returncode != 0:
        raise _refusal(done.returncode, limits, language)
    return _taken(done.stdout)


def _taken(answer: bytes) -> Any:
    try:
        kind, *rest = load(answer)
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        raise ReaderCrashedError("the worker's answer cannot be read") from error
    if kind == "file_error":
        raise FileError(*rest)
    if kind != "parsed":
        raise ReaderCrashedError(f"the worker failed: {rest[0]}")
    return rest[0]


def _refusal(code: int, limits: Limits, language: Language) -> Exception:
    """Why the worker died: by its processor time, or for want of memory (Rust aborts, the kernel kills)."""
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return file_error("too_slow", language, seconds=limits.seconds)
    if code in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS):
        return file_error("too_complex", language)
    return ReaderCrashedError(f"the worker ended with {code}")


def _bare_environment() -> dict[str, str]:
    """No key, no password: what reads a stranger's file has nothing to give away."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"}
