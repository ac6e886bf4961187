"""What a file really is, by its content, and whether it is safe to hand to the reader.

Nothing here trusts a name, an extension or a size written in a header: a zip entry's size is what comes
out of inflating it, counted and thrown away.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, NoReturn

from speechai.ingest.limits import Limits
from speechai.ingest.messages import Language, file_error


class Kind(StrEnum):
    """The file formats that are read."""

    XLSX = "xlsx"
    XLS = "xls"
    CSV = "csv"


_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CHUNK = 1 << 20
_STORED, _DEFLATED = 0, 8
_ENCRYPTED_FLAG = 0x1
_LOCAL_HEADER = 30

# First bytes of what people upload by mistake, and what to call it.
_FOREIGN = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\x1f\x8b", "gzip"),
    (b"{\\rtf", "RTF"),
    (b"PK\x05\x06", "ZIP"),
)
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(\?xml|!doctype|!--|html|head|body|table|meta)", re.IGNORECASE)

# What a zip archive is, by an entry that only this kind has.
_PACKAGES = (
    ("word/document.xml", "Word"),
    ("ppt/presentation.xml", "PowerPoint"),
    ("xl/workbook.bin", "Excel .xlsb"),
    ("content.xml", "OpenDocument"),
)


def inspect(path: Path, limits: Limits, language: Language) -> Kind:
    """The kind of the file, or a FileError that says why it cannot be read."""
    size = path.stat().st_size
    if size == 0:
        raise file_error("empty_file", language)
    if size > limits.upload_bytes:
        raise file_error("too_large", language, megabytes=limits.upload_bytes >> 20)
    with path.open("rb") as file:
        start = file.read(4096)
        if start.startswith(_ZIP):
            _inspect_zip(file, limits, language)
            return Kind.XLSX
        if start.startswith(_OLE):
            _inspect_ole(file, language)
            return Kind.XLS
        return _inspect_text(start, language)


def _inspect_text(start: bytes, language: Language) -> Kind:
    for magic, name in _FOREIGN:
        if start.startswith(magic):
            _unsupported(name, language)
    if markup := _MARKUP.match(start):
        _unsupported("XML" if markup[1].lower() == b"?xml" else "HTML", language)
    if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise file_error("not_text", language)
    return Kind.CSV


def _unsupported(name: str, language: Language) -> NoReturn:
    raise file_error("unsupported", language, kind=name)


def _inspect_zip(file: BinaryIO, limits: Limits, language: Language) -> None:
    try:
        entries = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise file_error("damaged", language) from error
    if len(entries) > limits.archive_entries:
        raise file_error("zip_bomb", language, megabytes=limits.inflated_bytes >> 20)
    names = {entry.filename.lower() for entry in entries}
    for entry_name, kind in _PACKAGES:
        if entry_name in names:
            _unsupported(kind, language)
    if "xl/workbook.xml" not in names:
        _unsupported("ZIP", language)
    if any(name.endswith("vbaproject.bin") or name.startswith("xl/macrosheets/") for name in names):
        raise file_error("macros", language)
    left = limits.inflated_bytes
    for entry in entries:
        for inflated in _inflated_sizes(file, entry, language):
            left -= inflated
            if left < 0:
                raise file_error("zip_bomb", language, megabytes=limits.inflated_bytes >> 20)


def _inflated_sizes(file: BinaryIO, entry: zipfile.ZipInfo, language: Language) -> Iterator[int]:
    """The true size of an entry, a piece at a time.

    Not through ZipFile.open: that stops at the size the header claims, and the reader behind us does not.
    """
    if entry.flag_bits & _ENCRYPTED_FLAG:
        raise file_error("password", language)
    if entry.compress_type not in (_STORED, _DEFLATED):
        raise file_error("damaged", language)
    file.seek(entry.header_offset)
    header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or not header.startswith(_ZIP):
        raise file_error("damaged", language)
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    if entry.compress_type == _STORED:
        yield entry.compress_size
        return
    left = entry.compress_size
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pending = b""
    try:
        while not inflater.eof:
            if not pending:
                pending = file.read(min(_CHUNK, left))
                left -= len(pending)
                if not pending:
                    raise file_error("damaged", language)  # the data ends before the stream does
            yield len(inflater.decompress(pending, _CHUNK))
            pending = inflater.unconsumed_tail
    except zlib.error as error:
        raise file_error("damaged", language) from error


def _ole_name(name: str) -> bytes:
    """A directory entry's name as an OLE file stores it: UTF-16, filled up to 64 bytes."""
    return name.encode("utf-16-le").ljust(64, b"\0")


def _inspect_ole(file: BinaryIO, language: Language) -> None:
    """Refuse what an OLE container holds other than a plain .xls.

    The names are looked for as the directory writes them ([MS-CFB] 2.6.1, 64 bytes each), which needs no
    walk through sector chains that a hostile file may have bent.
    """
    found = set()
    wanted = ("EncryptedPackage", "Workbook", "Book", "_VBA_PROJECT_CUR", "WordDocument")
    patterns = {name: _ole_name(name) for name in wanted}
    file.seek(0)
    tail = b""
    while block := file.read(_CHUNK):
        window = tail + block
        found |= {name for name, pattern in patterns.items() if pattern in window}
        tail = window[-64:]
    if "EncryptedPackage" in found:
        raise file_error("password", language)
    if "_VBA_PROJECT_CUR" in found:
        raise file_error("macros", language)
    if not found & {"Workbook", "Book"}:
        _unsupported("Word" if "WordDocument" in found else "OLE", language)
