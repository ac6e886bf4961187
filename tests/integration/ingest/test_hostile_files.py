"""Files that attack the reader, or are simply not what their name says: a clear answer, in bounded time."""

from __future__ import annotations

import random
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import xlwt
from openpyxl import Workbook
from openpyxl.styles import Font

from speechai.ingest import Limits

from .workbooks import GOOD, HEADER, parts, read, refused, save, text_row

SECONDS = 20.0
SMALL = Limits(seconds=SECONDS, inflated_bytes=64 << 20, memory_bytes=768 << 20)


@pytest.fixture(autouse=True)
def in_bounded_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 2 * SECONDS + 10


def good_rows() -> str:
    return text_row(1, HEADER) + text_row(2, GOOD)


def good_workbook(path: Path) -> Path:
    return save(path, parts(good_rows()))


def test_the_smallest_workbook_is_fine(tmp_path: Path) -> None:
    parsed = read(good_workbook(tmp_path / "a.xlsx"), limits=SMALL)
    assert [contact.rows for contact in parsed.contacts] == [(2,)]


def test_a_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts(good_rows()).items():
            archive.writestr(name, content)
        with archive.open("xl/media/image1.png", "w") as entry:
            for _ in range(100):
                entry.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    refused(path, "zip_bomb", limits=SMALL)


def test_a_zip_bomb_whose_headers_lie(tmp_path: Path) -> None:
    """The sizes in the central directory and in the local header say 100 bytes."""
    name = b"xl/worksheets/sheet1.xml"
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(100)) + squeeze.flush()
    path = good_workbook(tmp_path / "liar.xlsx")
    with zipfile.ZipFile(path) as archive:
        entries = {item.filename: archive.read(item) for item in archive.infolist()}
    path.unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry_name, content in entries.items():
            if entry_name != name.decode():
                archive.writestr(entry_name, content)
        info = zipfile.ZipInfo(name.decode())
        offset = archive.fp.tell()  # type: ignore[union-attr]
        local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(data), 100, len(name), 0)
        archive.fp.write(local + name + data)  # type: ignore[union-attr]
        archive.start_dir = archive.fp.tell()  # type: ignore[union-attr]
        info.header_offset, info.compress_size, info.file_size = offset, len(data), 100
        info.compress_type, info.CRC = zipfile.ZIP_DEFLATED, 0
        archive.filelist.append(info)
        archive.NameToInfo[info.filename] = info
        archive._didModify = True  # type: ignore[attr-defined]
    refused(path, "zip_bomb", limits=SMALL)


def test_too_many_entries(tmp_path: Path) -> None:
    entries = parts(good_rows()) | {f"xl/media/{at}": "" for at in range(3000)}
    refused(save(tmp_path / "many.xlsx", entries), "zip_bomb", limits=SMALL)


def test_a_million_empty_rows(tmp_path: Path) -> None:
    """Styled and empty, as a whole formatted column is saved; then one cell at the sheet's very end."""
    empty = "".join(f'<row r="{number}"><c r="A{number}"/></row>' for number in range(3, 1_000_000))
    path = save(tmp_path / "rows.xlsx", parts(good_rows() + empty))
    parsed = read(path, limits=Limits(seconds=SECONDS))
    assert (parsed.rows, len(parsed.contacts)) == (1, 1)
    path = save(tmp_path / "last.xlsx", parts(good_rows() + text_row(1_048_576, GOOD)))
    assert read(path, limits=Limits(seconds=SECONDS)).merged == 1


def test_a_cell_in_the_last_corner_of_the_sheet(tmp_path: Path) -> None:
    corner = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'
    path = save(tmp_path / "corner.xlsx", parts(good_rows() + corner))
    assert refused(path, "too_complex", limits=SMALL).code == "too_complex"


def test_too_many_rows_and_columns(tmp_path: Path) -> None:
    rows = good_rows() + text_row(3, GOOD) + text_row(4, GOOD)
    refused(save(tmp_path / "r.xlsx", parts(rows)), "too_many_rows", limits=Limits(rows=2))
    refused(save(tmp_path / "c.xlsx", parts(rows)), "too_many_columns", limits=Limits(columns=4))
    (tmp_path / "c.csv").write_text(",".join(HEADER) + "\n")
    refused(tmp_path / "c.csv", "too_many_columns", limits=Limits(columns=4))


def test_formulas_give_their_saved_values(tmp_path: Path) -> None:
    def row(number: int, document: str, name: str, phone: int, amount: str) -> str:
        return (
            f'<row r="{number}"><c r="A{number}" t="str"><f>A9</f><v>{document}</v></c>'
            f'<c r="B{number}" t="str"><f>B9</f><v>{name}</v></c>'
            f'<c r="C{number}"><f>C9</f><v>{phone}</v></c>'
            f'<c r="D{number}"><f>SUM(D8:D9)</f>{amount}</c></row>'
        )

    saved = (
        text_row(1, HEADER)
        + row(2, "12345678-5", "Ana Soto", 987654321, "<v>40100</v>")
        + row(3, "16144647-2", "Eva Soto", 987654322, "")
        + '<row r="4"><c r="A4" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="D4"><v>5</v></c></row>'
    )
    parsed = read(save(tmp_path / "f.xlsx", parts(saved)))
    assert [contact.debt.total_minor for contact in parsed.contacts if contact.debt] == [40100]
    assert [rejection.row for rejection in parsed.rejected] == [3, 4]


def test_a_merged_header_above_and_beside(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    sheet.append(["Cartera de noviembre"])
    sheet.merge_cells("A1:E1")
    sheet.append([])
    sheet.append(["RUT", "Nombre", "Teléfonos", None, "Monto"])
    sheet.append([None, None, "Móvil", "Fijo", None])
    for merged in ("A3:A4", "B3:B4", "C3:D3", "E3:E4"):
        sheet.merge_cells(merged)
    sheet["C3"].font = Font(bold=True)
    sheet.append([123456785, "Ana", 987654321, 222345678, 40100])
    book.save(tmp_path / "m.xlsx")
    parsed = read(tmp_path / "m.xlsx")
    assert parsed.rows == 1 and parsed.contacts[0].rows == (5,)
    assert parsed.contacts[0].phones == ("+56987654321", "+56222345678")


def old_workbook(path: Path) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Hoja1")
    for at, (header, cell) in enumerate(zip(HEADER, [123456785, *GOOD[1:]], strict=True)):
        sheet.write(3, at + 1, header)
        sheet.write(5, at + 1, cell)
    book.save(str(path))
    return path


def test_an_old_workbook_and_its_row_numbers(tmp_path: Path) -> None:
    parsed = read(old_workbook(tmp_path / "a.xls"))
    assert [contact.rows for contact in parsed.contacts] == [(6,)]


def test_a_name_that_lies_is_read_by_content_with_a_warning(tmp_path: Path) -> None:
    for path, name in (
        (good_workbook(tmp_path / "1"), "a.csv"),
        (old_workbook(tmp_path / "2"), "a.xlsx"),
        (good_workbook(tmp_path / "3"), "a.xls"),
    ):
        parsed = read(path, name)
        assert len(parsed.contacts) == 1 and name in parsed.warnings[0]
    (tmp_path / "4").write_text(";".join(HEADER) + "\n" + ";".join(GOOD))
    assert len(read(tmp_path / "4", "a.xlsx").contacts) == 1


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n...", "PDF"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "JPEG"),
        (b"<html><table><tr><td>RUT</td></tr></table></html>", "HTML"),
        (b"\xef\xbb\xbf  <!DOCTYPE html><html></html>", "HTML"),
        (b"<table><tr><td>RUT</td></tr></table>", "HTML"),
        (b"{\\rtf1 }", "RTF"),
        (b"\x1f\x8b" + bytes(30), "gzip"),
        (b"Rar!\x1a\x07" + bytes(30), "RAR"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(30), "7-Zip"),
        (
            b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]><lolz>&b;</lolz>',
            "XML",
        ),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "x").write_bytes(content)
    assert kind in refused(tmp_path / "x", "unsupported", "a.xls").message


def test_other_archives_are_named(tmp_path: Path) -> None:
    for entry, kind in (
        ("word/document.xml", "Word"),
        ("content.xml", "OpenDocument"),
        ("readme.txt", "ZIP"),
    ):
        assert kind in refused(save(tmp_path / "x", {entry: "x"}), "unsupported", "a.xlsx").message
    assert ".xlsb" in refused(save(tmp_path / "x", {"xl/workbook.bin": "x"}), "unsupported", "a.xlsx").message


def test_billion_laughs_inside_a_workbook(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY a{at} "{f"&a{at - 1};" * 10}">' for at in range(1, 12))
    entries = parts(good_rows())
    sheet = entries["xl/worksheets/sheet1.xml"].replace("Ana Pizarro", "&a11;")
    entries["xl/worksheets/sheet1.xml"] = f'<!DOCTYPE x [<!ENTITY a0 "lol">{entities}]>{sheet}'
    path = save(tmp_path / "laughs.xlsx", entries)
    try:
        parsed = read(path, limits=SMALL)
    except Exception as error:
        assert getattr(error, "code", None) == "damaged"
    else:
        assert len(repr(parsed)) < 5_000


def test_passwords(tmp_path: Path) -> None:
    # [MS-OFFCRYPTO] 2.3.4: the package lies encrypted in an OLE container, in a stream of this name.
    streams = ("Root Entry", "EncryptionInfo", "EncryptedPackage")
    directory = b"".join(name.encode("utf-16-le").ljust(64, b"\0") + bytes(64) for name in streams)
    locked = tmp_path / "locked.xlsx"
    locked.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + directory + bytes(128))
    refused(locked, "password")
    plain = good_workbook(tmp_path / "a.xlsx")
    data = bytearray(plain.read_bytes())
    for at in range(len(data)):  # every entry's "encrypted" flag, in both of its headers
        if data[at : at + 4] == b"PK\x03\x04":
            data[at + 6] |= 1
        if data[at : at + 4] == b"PK\x01\x02":
            data[at + 8] |= 1
    (tmp_path / "zip.xlsx").write_bytes(data)
    refused(tmp_path / "zip.xlsx", "password")


def test_macros(tmp_path: Path) -> None:
    entries = parts(good_rows()) | {"xl/vbaProject.bin": "x"}
    for name in ("a.xlsm", "a.xlsx"):
        refused(save(tmp_path / "m", entries), "macros", name)


def test_truncated(tmp_path: Path) -> None:
    whole = good_workbook(tmp_path / "a.xlsx").read_bytes()
    old = old_workbook(tmp_path / "a.xls").read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "t").write_bytes(whole[: int(len(whole) * share)])
        refused(tmp_path / "t", "damaged", "t.xlsx")
    (tmp_path / "t").write_bytes(old[:700])
    with pytest.raises(Exception, match=".") as refusal:
        read(tmp_path / "t", "t.xls")
    assert getattr(refusal.value, "code", None) in {"damaged", "unsupported"}


def test_flipped_bytes_never_crash_us(tmp_path: Path) -> None:
    pick = random.Random(5)
    for source in (good_workbook(tmp_path / "a.xlsx"), old_workbook(tmp_path / "a.xls")):
        for _ in range(12):
            data = bytearray(source.read_bytes())
            for _ in range(8):
                data[pick.randrange(len(data))] = pick.randrange(256)
            (tmp_path / "f").write_bytes(data)
            try:
                read(tmp_path / "f", source.name, limits=SMALL)
            except Exception as error:
                assert getattr(error, "code", None), error


def test_two_hundred_megabytes_of_noise(tmp_path: Path) -> None:
    block = random.Random(1).randbytes(1 << 20)
    path = tmp_path / "noise.xlsx"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(block)
    began = time.monotonic()
    refused(path, "too_large")
    assert time.monotonic() - began < 5
    refused(path, "not_text", limits=Limits(upload_bytes=1 << 30))


def test_texts_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "nul.csv").write_bytes(b"RUT,NOMBRE,TELEFONO\n1\x00,2,3\n")
    refused(tmp_path / "nul.csv", "not_text")
    (tmp_path / "late.csv").write_bytes(b"RUT,NOMBRE,TELEFONO\n" + b"1,2,3\n" * 2000 + b"\x00")
    refused(tmp_path / "late.csv", "not_text")
    (tmp_path / "quote.csv").write_text("RUT,NOMBRE,TELEFONO\n" + '"' + "x" * 200_000)
    refused(tmp_path / "quote.csv", "damaged")


def test_nothing_in_it(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    refused(tmp_path / "empty.csv", "empty_file")
    (tmp_path / "blank.csv").write_text("\n\n  \n")
    refused(tmp_path / "blank.csv", "no_header")
    refused(save(tmp_path / "none.xlsx", parts("")), "no_header")
    (tmp_path / "header.csv").write_text(";".join(HEADER) + "\n;;;;\n \n")
    refused(tmp_path / "header.csv", "no_rows")
    refused(save(tmp_path / "header.xlsx", parts(text_row(1, HEADER))), "no_rows")


def test_a_reader_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(";".join(HEADER) + "\n" + "".join(f"{n};x;1;1;1\n" for n in range(150_000)))
    began = time.monotonic()
    refused(path, "too_slow", limits=Limits(seconds=0.4))
    assert time.monotonic() - began < 5


def test_memory_is_bounded(tmp_path: Path) -> None:
    rows = good_rows() + text_row(1_048_570, GOOD, first=20)
    refused(save(tmp_path / "wide.xlsx", parts(rows)), "too_complex", limits=Limits(memory_bytes=400 << 20))
