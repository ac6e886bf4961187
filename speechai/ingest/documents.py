"""National documents: Chile's RUT, Argentina's DNI and CUIT/CUIL.

Check digits: RUT by modulus 11 (Registro Civil), CUIT by python-stdnum (AFIP's RG 10/97). The CUIT of a
natural person (prefix 20, 23, 24, 25, 26, 27) holds the DNI in its middle eight digits; 30, 33 and 34 are
companies.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from stdnum.ar import cuit

from speechai.catalog.use_cases import Country
from speechai.ingest.amounts import UnreadableError

_NATURAL_PREFIXES = frozenset({"20", "23", "24", "25", "26", "27"})
_LABEL = re.compile(r"^\s*(?:RUT|RUN|DNI|CUIT|CUIL)\s*(?:N[°º.]?)?\s*[:.]?\s*", re.IGNORECASE)
_PUNCTUATION = dict.fromkeys(map(ord, ".,-–—−_/ \t\r\n\u00a0\u2007\u2009\u202f\u200b\ufeff'"))
_WHOLE_FLOAT = re.compile(r"^(\d+)\.0+$")
_RUT = re.compile(r"^0*([1-9]\d{5,7})([\dK])$")
_DNI = re.compile(r"^0*[1-9]\d{6,7}$")
_CUIT = re.compile(r"^\d{11}$")


class Document(NamedTuple):
    """A document whose digits add up."""

    person_id: str
    number: str  # "123456785", the DNI, or a company's CUIT
    label: str  # "12345678-5"


def parse_document(value: object, country: Country) -> Document:
    """The document of a cell, or UnreadableError."""
    return _chilean(_plain(value)) if country is Country.CL else _argentine(_plain(value))


def _plain(value: object) -> str:
    """The cell without punctuation; a number that Excel made a float is its integer again."""
    if type(value) is float:
        return str(int(value)) if value.is_integer() else str(value)
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        return ""  # a date or a truth value is no document; the patterns below refuse it
    if value.isascii() and value[:1].isdecimal() and value.isalnum():
        return value.upper()
    text = _WHOLE_FLOAT.sub(r"\1", value.strip())
    return _LABEL.sub("", text).translate(_PUNCTUATION).upper()


def _chilean(plain: str) -> Document:
    match = _RUT.match(plain) if plain.isascii() else None
    if not match:
        raise UnreadableError("rut_form")
    body, check = match[1], match[2]
    if _check_digit(body) != check:
        raise UnreadableError("rut_check")
    return Document(f"CL:RUT:{body}{check}", body + check, f"{body}-{check}")


# Sums of three digits by their weights: of the last three and the first two, and of those between.
_OUTER = [2 * (n % 10) + 3 * (n // 10 % 10) + 4 * (n // 100) for n in range(1000)]
_INNER = [5 * (n % 10) + 6 * (n // 10 % 10) + 7 * (n // 100) for n in range(1000)]


def _check_digit(body: str) -> str:
    """Modulus 11, as `stdnum.cl.rut.calc_check_digit` has it, three digits at a time: a file has many."""
    left, last = divmod(int(body), 1000)
    first, middle = divmod(left, 1000)
    return "0K987654321"[(_OUTER[last] + _INNER[middle] + _OUTER[first]) % 11]


def _argentine(plain: str) -> Document:
    if not plain.isascii():
        raise UnreadableError("dni_form")
    if _CUIT.match(plain):
        if not cuit.is_valid(plain):
            raise UnreadableError("cuit_check")
        if plain[:2] in _NATURAL_PREFIXES:
            dni = plain[2:10].lstrip("0")
            return Document(f"AR:DNI:{dni}", dni, f"{plain[:2]}-{plain[2:10]}-{plain[10]}")
        return Document(f"AR:CUIT:{plain}", plain, f"{plain[:2]}-{plain[2:10]}-{plain[10]}")
    if not _DNI.match(plain):
        raise UnreadableError("dni_form")
    dni = plain.lstrip("0")
    return Document(f"AR:DNI:{dni}", dni, dni)
