"""Workbooks made by hand, byte for byte: openpyxl would not write what is wrong with them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from speechai.catalog.use_cases import Country, UseCaseId
from speechai.ingest import FileError, Limits, ParsedFile, read_contacts

TODAY = date(2026, 11, 23)
HEADER = ["RUT", "NOMBRE", "TELEFONO", "MONTO", "FECHA_VENC"]
GOOD = ["12.345.678-5", "Ana Pizarro", "987654321", "40100", "01/11/2026"]

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def parts(sheet_data: str) -> dict[str, str]:
    """The entries of the smallest workbook with this sheet."""
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="Hoja1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f"<worksheet {_MAIN}><sheetData>{sheet_data}</sheetData></worksheet>",
    }


def text_row(number: int, cells: list[str], first: int = 0) -> str:
    inner = "".join(
        f'<c r="{chr(65 + first + at)}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
        for at, cell in enumerate(cells)
        if cell
    )
    return f'<row r="{number}">{inner}</row>'


def save(path: Path, entries: dict[str, str | bytes] | dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def repeated(block: bytes, times: int) -> Iterator[bytes]:
    for _ in range(times):
        yield block


def read(path: Path, name: str | None = None, **asked: object) -> ParsedFile:
    settings: dict[str, object] = {"use_case": None, "country": Country.CL, "today": TODAY, **asked}
    return read_contacts(path, name or path.name, **settings)  # type: ignore[arg-type]


def refused(path: Path, code: str, name: str | None = None, **asked: object) -> FileError:
    """The file is refused with this code, and with a sentence in either language."""
    sentences = set()
    for language in ("es", "en"):
        with pytest.raises(FileError) as refusal:
            read(path, name, language=language, **asked)
        assert refusal.value.code == code
        sentences.add(refusal.value.message)
    assert len(sentences) == 2 and all(len(sentence) > 15 for sentence in sentences)
    return refusal.value


__all__ = [
    "GOOD",
    "HEADER",
    "Limits",
    "UseCaseId",
    "parts",
    "read",
    "refused",
    "repeated",
    "save",
    "text_row",
]
