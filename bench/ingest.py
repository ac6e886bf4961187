"""From a file to jobs in MongoDB, against only reading the same cells: `python bench/ingest.py [rows …]`.

Makes the 45-column debt export (seeded, as Excel writes it: shared strings, styled serial dates), then
times the operation `upload` on a real mongod, against reading every cell with python-calamine and doing
nothing with them. Five pairs, one after the other, each run in a process of its own; the median of the pairs'
ratios counts. The goal: 3 at most, and less than 600 MB at the peak, the reader's child process included. A
tenth of the rows comes first, so that growth can be seen to be linear. Beside the ratio of the seconds stands
that of the processors' seconds (the upload's processes and mongod together, over the reader's): on a machine
that is busy otherwise it tells more.
"""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import resource
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
from statistics import median
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
PAIRS = 5
SAMPLE_SECONDS = 0.2
MOST_RATIO = 3
MOST_MEGABYTES = 600
_EPOCH = date(1899, 12, 30)


@dataclass(frozen=True)
class Measured:
    """One run: its seconds, those of the processors, and what it counted."""

    seconds: float
    cpu_seconds: float  # of the process and its children, without mongod's
    counts: dict[str, int]


def only_read(path: Path) -> Measured:
    """Every cell, and nothing else."""
    began, worked = time.perf_counter(), _worked()
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    cells = sum(len(row) for row in sheet.iter_rows())
    return Measured(time.perf_counter() - began, _worked() - worked, {"cells": cells})


def _worked() -> float:
    """Processor seconds of this process and of its children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def ingest(path: Path, mongo_uri: str) -> Measured:
    """The whole upload, into a database of its own."""
    name = f"bench_{secrets.token_hex(4)}"
    settings = Settings(_env_file=None, mongo_uri=mongo_uri, mongo_db=name, redis_url="redis://127.0.0.1:9")
    services = composition.build(settings)
    composition.prepare(services)
    began, worked = time.perf_counter(), _worked()
    result = upload(services, path, path.name, UploadOptions(start="draft"))
    seconds, cpu_seconds = time.perf_counter() - began, _worked() - worked
    counts = {"rows": result.rows, "jobs": result.jobs_created, "merged": result.merged}
    stored = services.store.tallies.read(str(result.batch_id)).total
    known = result.jobs_created + result.merged + len(result.rejected)
    if stored != result.jobs_created or result.rows != known:
        raise SystemExit(f"rows are lost: {counts}, {stored}")
    return Measured(seconds, cpu_seconds, counts)


def once(measure: Callable[..., Measured], *arguments: Any) -> tuple[Measured, float]:
    """One run in a fresh process, and its largest memory (MiB)."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        running = process.submit(measure, *arguments)
        peak = _peak(running)
        return running.result(), peak


@dataclass(frozen=True)
class Pair:
    """An upload right after only reading the same file."""

    reading: Measured
    whole: Measured
    mongod_seconds: float  # of its processors, during the upload
    peak: float  # MiB of the upload's processes

    @property
    def ratio(self) -> float:
        """Of the seconds."""
        return self.whole.seconds / self.reading.seconds

    @property
    def cpu_ratio(self) -> float:
        """Of the processors' seconds."""
        return (self.whole.cpu_seconds + self.mongod_seconds) / self.reading.cpu_seconds


def pair(path: Path, mongod: Mongod) -> Pair:
    """Both, one after the other."""
    reading, _ = once(only_read, path)
    before = _mongod_seconds()
    whole, peak = once(ingest, path, mongod.uri)
    return Pair(reading, whole, _mongod_seconds() - before, peak)


def _mongod_seconds() -> float:
    ours = psutil.Process().children(recursive=True)
    times = [process.cpu_times() for process in ours if process.name() == Mongod.name]
    return float(sum(used.user + used.system for used in times))


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
                pairs = [pair(path, mongod) for _ in range(PAIRS)]
                ratio, peak = median(one.ratio for one in pairs), max(one.peak for one in pairs)
                seconds = median(one.whole.seconds for one in pairs)
                missed = missed or ratio > MOST_RATIO or peak > MOST_MEGABYTES
                print(
                    f"{size} rows, {pairs[0].reading.counts['cells']} cells: {pairs[0].whole.counts['jobs']} "
                    f"jobs in MongoDB in {seconds:.2f} s ({size / seconds:.0f} rows/s), "
                    f"only reading {median(one.reading.seconds for one in pairs):.2f} s, "
                    f"ratio {ratio:.2f} (median of {', '.join(f'{one.ratio:.2f}' for one in pairs)}; "
                    f"goal {MOST_RATIO}), of processor time {median(one.cpu_ratio for one in pairs):.2f}; "
                    f"peak {peak:.0f} MiB (goal {MOST_MEGABYTES})",
                    flush=True,
                )
    ports.release()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or [10_000, 100_000]))
