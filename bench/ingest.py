"""From a file to jobs in MongoDB, against only reading the same cells: `python bench/ingest.py [rows …]`.

Makes the 45-column debt export (seeded, as Excel writes it: shared strings, styled serial dates), then
times the operation `upload` on a real mongod, against reading every cell with python-calamine and doing
nothing with them. Each run has a process of its own; the best of three counts. The goal: a ratio of 3 at
most and less than 600 MB at the peak, the reader's child process included. A tenth of the rows comes first,
so that growth can be seen to be linear.
"""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import secrets
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.sax.saxutils import escape

import psutil
from python_calamine import CalamineWorkbook

from speechai import composition
from speechai.operation.campaigns.uploads import UploadOptions, upload
from speechai.settings import Settings
from speechai.stack.ports import Ports
from speechai.stack.servers import Mongod

ROOT = Path(__file__).resolve().parents[1]
SEED = 7
REPEATS = 3
SAMPLE_SECONDS = 0.2
MOST_RATIO = 3
MOST_MEGABYTES = 600
_EPOCH = date(1899, 12, 30)


@dataclass(frozen=True)
class Measured:
    """One run: its seconds and what it counted."""

    seconds: float
    counts: dict[str, int]


def only_read(path: Path) -> Measured:
    """Every cell, and nothing else."""
    began = time.perf_counter()
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    cells = sum(len(row) for row in sheet.iter_rows())
    return Measured(time.perf_counter() - began, {"cells": cells})


def ingest(path: Path, mongo_uri: str) -> Measured:
    """The whole upload, into a database of its own."""
    name = f"bench_{secrets.token_hex(4)}"
    settings = Settings(_env_file=None, mongo_uri=mongo_uri, mongo_db=name, redis_url="redis://127.0.0.1:9")
    services = composition.build(settings)
    composition.prepare(services)
    began = time.perf_counter()
    result = upload(services, path, path.name, UploadOptions(start="draft"))
    seconds = time.perf_counter() - began
    counts = {"rows": result.rows, "jobs": result.jobs_created, "merged": result.merged}
    stored = services.store.tallies.read(str(result.batch_id)).total
    known = result.jobs_created + result.merged + len(result.rejected)
    if stored != result.jobs_created or result.rows != known:
        raise SystemExit(f"rows are lost: {counts}, {stored}")
    return Measured(seconds, counts)


def best(measure: Callable[..., Measured], *arguments: Any) -> tuple[Measured, float]:
    """The fastest of some runs, each in a fresh process, and the largest memory (MiB) of any."""
    runs, peaks = [], []
    for _ in range(REPEATS):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            running = process.submit(measure, *arguments)
            peaks.append(_peak(running))
            runs.append(running.result())
    return min(runs, key=lambda run: run.seconds), max(peaks)


def _peak(running: Future[Measured]) -> float:
    """The most memory that the processes below this one held at a time, while it runs."""
    ours, most = psutil.Process(), 0
    while not running.done():
        held = 0
        for process in ours.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() != Mongod.name:
                    held += process.memory_info().rss
        most = max(most, held)
        wait([running], timeout=SAMPLE_SECONDS)
    return most / 2**20


def examples() -> ModuleType:
    """examples/generate.py, which is no package."""
    spec = importlib.util.spec_from_file_location("examples_generate", ROOT / "examples" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write_export(path: Path, rows: Iterable[list[Any]]) -> None:
    """A workbook as Excel writes it. By hand: openpyxl takes minutes for 4.5 million cells."""
    strings: dict[str, int] = {}
    names = [_column_name(index) for index in range(64)]

    def cell(reference: str, value: Any) -> str:
        if value is None or value == "":
            return ""
        if isinstance(value, date):
            return f'<c r="{reference}" s="1"><v>{(value - _EPOCH).days}</v></c>'
        if isinstance(value, str):
            return f'<c r="{reference}" t="s"><v>{strings.setdefault(value, len(strings))}</v></c>'
        return f'<c r="{reference}"><v>{value}</v></c>'

    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'<?xml version="1.0" encoding="UTF-8"?><worksheet {main}><sheetData>'.encode())
            for number, row in enumerate(rows, start=1):
                cells = "".join(cell(f"{names[at]}{number}", value) for at, value in enumerate(row))
                sheet.write(f'<row r="{number}">{cells}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
        with archive.open("xl/sharedStrings.xml", "w") as shared:
            shared.write(f'<?xml version="1.0" encoding="UTF-8"?><sst {main}>'.encode())
            for text in strings:
                shared.write(f'<si><t xml:space="preserve">{escape(text)}</t></si>'.encode())
            shared.write(b"</sst>")
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{types}.styles+xml"/>'
            f'<Override PartName="/xl/sharedStrings.xml" ContentType="{types}.sharedStrings+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook {main} xmlns:r="{office}"><sheets><sheet name="Hoja1" sheetId="1" r:id="rId1"/>'
            "</sheets></workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="rId2" Type="{office}/styles" Target="styles.xml"/>'
            f'<Relationship Id="rId3" Type="{office}/sharedStrings" Target="sharedStrings.xml"/>'
            "</Relationships>",
        )
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet {main}><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" '
            'applyNumberFormat="1"/></cellXfs></styleSheet>',
        )


def _column_name(index: int) -> str:
    return chr(65 + index) if index < 26 else chr(64 + index // 26) + chr(65 + index % 26)


def main(sizes: list[int]) -> int:
    """Print a line for each size. 1 if a goal was missed."""
    made, missed, ports = examples(), False, Ports()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        with Mongod(folder / "mongod", ports.claim(27117), secrets.token_urlsafe(16)) as mongod:
            for size in sizes:
                path = folder / f"export_{size}.xlsx"
                write_export(path, [made.EXPORT_HEADERS.split(";"), *made.export_rows(SEED, size)])
                reading, reading_peak = best(only_read, path)
                whole, peak = best(ingest, path, mongod.uri)
                ratio = whole.seconds / reading.seconds
                missed = missed or ratio > MOST_RATIO or peak > MOST_MEGABYTES
                print(
                    f"{size} rows, {reading.counts['cells']} cells: {whole.counts['jobs']} jobs in MongoDB "
                    f"in {whole.seconds:.2f} s ({size / whole.seconds:.0f} rows/s), "
                    f"only reading {reading.seconds:.2f} s, ratio {ratio:.2f} (goal {MOST_RATIO}); "
                    f"peak {peak:.0f} MiB (goal {MOST_MEGABYTES}), "
                    f"only reading {reading_peak:.0f} MiB"
                )
    ports.release()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or [10_000, 100_000]))
