"""What one header says: its words, the field it names, the variable or kind of line it stands for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from speechai.catalog.use_cases import Country, Field
from speechai.ingest.aliases import (
    ALIASES,
    AT_WORK,
    CONTAINED,
    DOCUMENT_ALIASES,
    DOCUMENT_OF_OTHERS,
    LANDLINE_HEADERS,
    MOBILE_HEADERS,
    NO_VOICE,
    ONLY_WHOLE,
    OTHER_EXPIRIES,
    OTHER_MATTERS,
    RESERVED_VARIABLES,
    SOMEBODY_ELSE,
    SOMEBODY_ELSE_PAIRS,
)
from speechai.ingest.phones import LineKind

_WORDS = re.compile(r"[A-ZÑ]+(?![a-zñ])|[A-ZÑ]?[a-zñ]+|\d+")


@lru_cache(maxsize=4096)
def words(header: str) -> tuple[str, ...]:
    """A header's words: "FechaVencimiento", "FECHA_VENCIMIENTO" and "Fecha vencimiento:" are the same two."""
    plain = unicodedata.normalize("NFKD", header)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return tuple(word.casefold() for word in _WORDS.findall(plain))


def normalise(header: str) -> str:
    """A header as the alias tables write it."""
    return " ".join(words(header))


def key_of(header: str) -> str:
    """A header for exact comparison, where blanks do not count: "fechavenc" is "Fecha Venc."."""
    return "".join(words(header))


_EXACT: dict[str, tuple[Field, int]] = {
    key_of(alias): (target, rank) for target, aliases in ALIASES.items() for rank, alias in enumerate(aliases)
}
_DOCUMENT_COUNTRY: dict[str, Country | None] = {
    key_of(alias): country for country, aliases in DOCUMENT_ALIASES.items() for alias in aliases
}
_ALIAS_WORDS: list[tuple[tuple[str, ...], Field, int]] = [
    (tuple(alias.split()), target, rank)
    for target, aliases in (*ALIASES.items(), (Field.DOCUMENT, ("rut", "ruts", "dni", "cuit", "cuil")))
    if target in CONTAINED
    for rank, alias in enumerate(aliases)
    if alias not in ONLY_WHOLE
]
_PHONE_WORDS = frozenset(word for alias in ALIASES[Field.PHONE] for word in alias.split()) - {
    *("to", "de", "number", "numero", "alternativo", "particular")
} | {"contacto", "contact"}
_NAME_WORDS = frozenset({"nombre", "nombres", "apellido", "apellidos", "name", "persona"})
_DOCUMENT_WORDS = frozenset({"rut", "ruts", "run", "dni", "cuit", "cuil", "documento", "document", "cedula"})
_CONTAINED_RANK = 1000  # a contained alias is always weaker than a whole one


@lru_cache(maxsize=4096)
def recognise(header: str) -> tuple[Field, int] | None:
    """The field a header names and how weakly (0 is the most telling), by whole alias or unambiguous part."""
    key = key_of(header)
    if key in _DOCUMENT_COUNTRY:
        return Field.DOCUMENT, 0 if _DOCUMENT_COUNTRY[key] else 1
    if key in _EXACT:
        return _EXACT[key]
    numbered = key.rstrip("0123456789")
    if numbered != key and _EXACT.get(numbered, (None, 0))[0] is Field.PHONE:  # "fono2"
        return _EXACT[numbered]
    return _recognise_part(words(header))


@lru_cache(maxsize=4096)
def is_somebody_elses(header: str) -> bool:
    """Whether a header names a phone, a name or a document of somebody who is not the debtor, or a line on
    which nobody speaks: "Teléfono Codeudor", "RUT_AVAL", "FONOAVAL2", "Contacto de emergencia", "Fax"."""
    said = frozenset(word.rstrip("0123456789") for word in words(header)) - {""}
    if said & NO_VOICE:
        return True
    if said & _PHONE_WORDS and said & AT_WORK or said & _DOCUMENT_WORDS and said & DOCUMENT_OF_OTHERS:
        return True
    named = words(header)
    if said & SOMEBODY_ELSE or not SOMEBODY_ELSE_PAIRS.isdisjoint(zip(named, named[1:], strict=False)):
        return bool(said & (_PHONE_WORDS | _NAME_WORDS | _DOCUMENT_WORDS))
    return any(_is_fused(word) for word in said)


def _is_fused(word: str) -> bool:
    """Two words without anything between them, as in "FONOAVAL" or "AVALFONO"."""
    halves = [(word[:at], word[at:]) for at in range(2, len(word) - 1)]
    return any(
        {one, other} & SOMEBODY_ELSE and {one, other} & (_PHONE_WORDS | _NAME_WORDS | _DOCUMENT_WORDS)
        for one, other in halves
    )


def _recognise_part(header_words: tuple[str, ...]) -> tuple[Field, int] | None:
    if len(header_words) > 6 or not OTHER_MATTERS.isdisjoint(header_words):
        return None
    found: dict[Field, tuple[int, int]] = {}
    for alias, target, rank in _ALIAS_WORDS:
        size = len(alias)
        if any(header_words[at : at + size] == alias for at in range(len(header_words) - size + 1)):
            found[target] = max(found.get(target, (0, 0)), (size, -rank))
    if not found:
        return None
    longest = max(size for size, _ in found.values())
    winners = [target for target, (size, _) in found.items() if size == longest]
    if len(winners) != 1 or (winners[0] is Field.DUE_DATE and not OTHER_EXPIRIES.isdisjoint(header_words)):
        return None
    return winners[0], _CONTAINED_RANK - found[winners[0]][1]


def document_country(header: str) -> Country | None:
    """Whose document a header that was recognised as one names; None for anybody's."""
    key = key_of(header)
    if key in _DOCUMENT_COUNTRY:
        return _DOCUMENT_COUNTRY[key]
    return Country.CL if {"rut", "ruts"} & set(words(header)) else Country.AR


def score(cells: Sequence[object], mapped: frozenset[str]) -> tuple[int, int]:
    """How much a row looks like a header: distinct fields, then columns, that it names."""
    targets = []
    for cell in cells:
        if not isinstance(cell, str) or len(cell) > 60:
            continue
        if (key := key_of(cell)) in mapped:
            targets.append(key)
        elif found := recognise(cell):
            targets.append(found[0].value)
    return len(set(targets)), len(targets)


def mapped_keys(mapping: Mapping[str, str] | None) -> frozenset[str]:
    """The headers an upload's mapping names, for `score`."""
    return frozenset(key_of(header) for header in mapping or ())


def slug(header: str) -> str:
    """A variable's name from a header: "Ejecutivo Asignado" is ejecutivo_asignado."""
    name = "_".join(words(header)).replace("ß", "ss")
    name = re.sub(r"[^a-z0-9_]", "", name)[:60] or "columna"
    return f"extra_{name}" if name in RESERVED_VARIABLES else name


def line_kind(header: str) -> LineKind:
    """What a phone column's header says about its numbers."""
    header_words = set(words(header))
    if header_words & MOBILE_HEADERS:
        return LineKind.UNKNOWN if header_words & LANDLINE_HEADERS else LineKind.MOBILE
    return LineKind.LANDLINE if header_words & LANDLINE_HEADERS else LineKind.UNKNOWN
