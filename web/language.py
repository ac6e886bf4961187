"""Which language to answer in: the one chosen in the panel, else what the client asks for, else Spanish."""

from __future__ import annotations

from typing import Any

from flask import request, session

from speechai.operation.campaigns.uploads import Language
from web.texts import TEXTS

LANGUAGES: tuple[Language, ...] = ("es", "en")
DEFAULT: Language = "es"


def accepted() -> Language:
    """By the `Accept-Language` header."""
    found = request.accept_languages.best_match(LANGUAGES, default=DEFAULT)
    return "en" if found == "en" else DEFAULT


def current() -> Language:
    """By the panel's switch, else by the header."""
    chosen = session.get("language")
    return chosen if chosen in LANGUAGES else accepted()


def translate(language: Language, key: str, **values: Any) -> str:
    """The sentence for a key of the catalog. Raises KeyError for one that is not there."""
    return TEXTS[key][LANGUAGES.index(language)].format(**values)


def text(key: str, **values: Any) -> str:
    """The sentence for a key, in the language of this request."""
    return translate(current(), key, **values)


def name_of(kind: str, value: object) -> str:
    """What a stored word is called (`status.running` → «En curso»); the word itself where it has no name."""
    key = f"{kind}.{value}"
    return text(key) if key in TEXTS else str(value)
