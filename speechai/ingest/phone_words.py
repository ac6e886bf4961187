"""What else a phone's cell says: whose the number is, what became of it, and what is no number at all.

A number beside such a word is not dialed as if the word were not there: it is struck, with its reason. What
is said of a person or of the number's fate strikes every number of the cell; what is said of a line (fax,
work, somebody else's, an extension) strikes those of its own part, between separators.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from stdnum.ar import cuit
from stdnum.cl import rut

from speechai.catalog.use_cases import Country
from speechai.ingest.aliases import AT_WORK, NO_VOICE, SOMEBODY_ELSE

_OF_THE_CELL = {  # reason → how people write it, without accents
    "phone_do_not_call": (
        r"no\s+(?:volver\s+a\s+)?(?:llamar|llame|llamen|molestar|contactar|marcar)|do\s+not\s+call"
    ),
    "phone_deceased": r"fallecid[oa]|fallecio|difunt[oa]|murio|finad[oa]|q\.?\s?e\.?\s?p\.?\s?d|deceased",
    "phone_wrong_person": (
        r"equivocad[oa]|equiv|no\s+corresponde|no\s+pertenece|erroneo|incorrecto|no\s+(?:lo|la)\s+conocen?"
        r"|no\s+es\s+(?:el|ella|suyo|del|de)|wrong(?:\s+number)?"
    ),
    "phone_out_of_service": (
        r"no\s+existe|fuera\s+de\s+servicio|(?:dado\s+)?de\s+baja|desconectad[oa]|sin\s+servicio|no\s+sirve"
        r"|no\s+vigente|inactivo|cortado|malo|no\s+valido"
    ),
}
_OF_THE_PART = {
    "phone_fax": "|".join(sorted(NO_VOICE)),
    "phone_other_person": "|".join(
        sorted(SOMEBODY_ELSE | {"recado", "recados", "vecinos", "duena", "dueno"})
    ),
    "phone_work": "|".join(sorted(AT_WORK)),
}
_CELL = [(re.compile(rf"\b(?:{words})\b"), reason) for reason, words in _OF_THE_CELL.items()]
_PART = [
    (re.compile(rf"(?<![^\W\d_])(?:{words})(?![^\W\d_])"), reason) for reason, words in _OF_THE_PART.items()
]
_EXTENSION = re.compile(
    r"(?<![^\W\d_])(?:anexo|anex|anx|an|ext|extension|int|interno)(?![^\W\d_])\s?[.:]?\s*\d|(?<=[\d\s])x\.?\s?\d{1,6}\b"
)
_DATE = re.compile(
    r"(?<![\d/.-])(?:(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|1[0-2])\1(?:(?:19|20)\d\d|\d\d)"
    r"|(?:19|20)\d\d([-/.])(?:0?[1-9]|1[0-2])\2(?:0?[1-9]|[12]\d|3[01]))"
    r"(?:[ T]\d{1,2}:\d\d(?::\d\d)?)?(?![\d/.-])"
)
_RUT = re.compile(r"\d{1,2}(?:\.?\d{3}){2}\s*-\s*[\dkK]")
_CUIT = re.compile(r"\d{2}\s*-\s*\d{8}\s*-\s*\d")


@lru_cache(maxsize=4096)
def of_the_cell(text: str) -> str | None:
    """Why no number of the cell is to be dialed, or None."""
    return _first(_CELL, _plain(text))


@lru_cache(maxsize=4096)
def of_the_part(text: str) -> str | None:
    """Why the numbers of this part of a cell are not to be dialed, or None."""
    plain = _plain(text)
    if _EXTENSION.search(plain):
        return "phone_extension"
    return _first(_PART, plain)


def without_dates(text: str) -> str:
    """The cell without the dates in it ("desde 12/05/2024"): they are no numbers."""
    return _DATE.sub(" ", text)


def is_document(text: str, country: Country) -> bool:
    """Whether it is written as a document is, with a check digit that is right: nobody writes a phone so."""
    if country is Country.CL:
        return bool(_RUT.fullmatch(text)) and rut.is_valid(text)
    return bool(_CUIT.fullmatch(text)) and cuit.is_valid(text)


def _first(table: list[tuple[re.Pattern[str], str]], plain: str) -> str | None:
    return next((reason for pattern, reason in table if pattern.search(plain)), None)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
