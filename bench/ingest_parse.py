"""File → contacts against only reading the same cells: `python bench/ingest_parse.py [rows …]`.

Makes the 45-column debt export (seeded, as Excel writes it: shared strings, styled serial dates), then times
`read_contacts`, child process and all, against a child that reads every cell with python-calamine and does
nothing with them. Prints both times, their ratio and the peak memory of either process.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.catalog.use_cases import Country  # noqa: E402 - this script runs from a checkout as it is
from speechai.ingest import read_contacts  # noqa: E402

SEED = 7
REPEATS = 3
_EPOCH = date(1899, 12, 30)
_ONLY_READ = """
import sys, resource
from python_calamine import CalamineWorkbook
sheet = CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0)
cells = sum(len(row) for row in sheet.iter_rows())
print(cells, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
_PARSE = """
import sys, resource, datetime
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from speechai.catalog.use_cases import Country
from speechai.ingest import read_contacts
parsed = read_contacts(Path(sys.argv[1]), "x.xlsx", use_case=None, country=Country.CL,
                       today=datetime.date(2026, 11, 23))
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print(resource.getrusage(who).ru_maxrss)
"""


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


def run(code: str, *arguments: str) -> tuple[float, list[int]]:
    """The best of some runs in a fresh interpreter, and the numbers it printed."""
    best, printed = float("inf"), ""
    for _ in range(REPEATS):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
        )
        taken = time.perf_counter() - began
        if taken < best:
            best, printed = taken, done.stdout
    return best, [int(number) for number in printed.split()]


def main(sizes: list[int]) -> None:
    made = examples()
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / f"export_{size}.xlsx"
            headers = list(made.EXPORT_HEADERS.split(";"))
            write_export(path, [headers, *made.export_rows(SEED, size)])
            parsed = read_contacts(
                path, path.name, use_case=None, country=Country.CL, today=date(2026, 11, 23)
            )
            if parsed.rows != size or parsed.rows != len(parsed.contacts) + parsed.merged + len(
                parsed.rejected
            ):
                raise SystemExit(f"rows are lost: {parsed.rows} of {size}")
            reading, (cells, reading_memory) = run(_ONLY_READ, str(path))
            parsing, (parent, child) = run(_PARSE, str(path), str(ROOT))
            print(
                f"{size} rows, {cells} cells, {path.stat().st_size >> 20} MiB: contacts {parsing:.2f} s, "
                f"only reading {reading:.2f} s, ratio {parsing / reading:.2f}; peak memory "
                f"parent {parent >> 10} + child {child >> 10} MiB, only reading {reading_memory >> 10} MiB; "
                f"{len(parsed.contacts)} contacts, {parsed.merged} merged, {len(parsed.rejected)} rejected"
            )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10_000, 100_000])
