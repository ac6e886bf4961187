"""What the words of agents mean. A model writes them, so each has many spellings, and none may raise.

Nothing: `N/A`, `none`, `null`, `No aplica`, `-`, `sin información`, `{{placeholder}}` and the like, in any
case, accents and punctuation. Yes and no are read from the first word: `Sí, pidió que no lo llamen` is a yes.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_NOTHING = frozenset(
    {
        *("", "n a", "na", "nan", "none", "null", "nil", "undefined", "unknown", "nothing", "tbd", "empty"),
        *("no", "false", "falso", "ninguno", "ninguna", "ningun", "nada", "vacio", "desconocido"),
        *("desconocida", "pendiente", "por definir", "por confirmar", "a definir", "a confirmar"),
    }
)
# "no indica", "sin información", "not provided", "no se mencionó una fecha": that something was not said.
_NOT_SAID = re.compile(
    r"(?:no|not|sin|without|ningun|ninguna)(?: (?:se|lo|la|ha|fue|hay|hubo|una?|any))*"
    r" (?:aplica|indic|inform|especific|solicit|mencion|dispon|correspond|tiene|defin|provid|specif|mention"
    r"|avail|applic|given|stated|known|fecha|dato|monto|hora|compromis|acord|request|determin|date|amount)"
    r"[^\d]*"
)
_PLACEHOLDER = re.compile(r"\s*\{\{.*\}\}\s*", re.DOTALL)

_YES = frozenset({"true", "1", "yes", "y", "yeah", "si", "verdadero", "afirmativo", "claro", "correcto"})
_NO = frozenset({"false", "0", "no", "nope", "n", "not", "falso", "negativo", "never", "nunca", "ninguno"})
# "No quiere que lo llamen" answers a question about opting out with yes, though it begins with no.
_WANTS_NO_CALLS = re.compile(
    r"\W*no\s+(?:(?:me|lo|la|le|los|las|les|nos|mas|quier\w*|dese\w*|volver|vuelv\w*|a|que|to|recib\w*|ser)\s+)*"
    r"(?:llam|contact|molest|busq|insist|call)"
)


def text_of(value: Any) -> str | None:
    """The value as text, as it was written; None where it says nothing (`is_nothing`)."""
    text = written(value)
    return None if text is None or is_nothing(text) else text


def is_nothing(text: str) -> bool:
    """Whether a text for a date, an amount or an hour says that there is none."""
    plain = _plain(text)
    return plain in _NOTHING or bool(_NOT_SAID.fullmatch(plain) or _PLACEHOLDER.fullmatch(text))


def answer_of(value: Any) -> bool | None:
    """What a yes/no field says, by its first word and whatever follows: `Sí.`, `si - lo pidió`, `1`, `No, …`.

    None where it says nothing, or begins with neither (`pidió que no lo llamen`).
    """
    text = written(value) or ""
    plain = _plain(text)
    first = plain.split(" ", 1)[0]
    if first in _YES:
        return True
    if plain not in _NO and is_nothing(text):
        return None
    return False if first in _NO else None


def asks_for_no_calls(value: Any) -> bool:
    """Whether a field about opting out says that the person did.

    In doubt it does: whatever says something and is no plain no (`pidió que no lo llamen`, and
    `No quiere que lo llamen` too, though it begins with no).
    """
    answer = answer_of(value)
    if answer is None:
        return text_of(value) is not None
    return answer or bool(_WANTS_NO_CALLS.match(unaccented(written(value) or "")))


def written(value: Any) -> str | None:
    """The value as text; None where there is none."""
    if value is None or (isinstance(value, list | tuple | dict) and not value):
        return None
    try:
        return str(value).strip()
    except (ValueError, RecursionError):  # more than 4300 digits, or lists in lists: the raw call keeps it
        return f"({type(value).__name__})"


def unaccented(text: str) -> str:
    """Lower case, without accents."""
    marked = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in marked if not unicodedata.combining(char))


def _plain(text: str) -> str:
    """Lower case, without accents and punctuation, one space between words."""
    return " ".join(re.findall(r"[^\W_]+", unaccented(text)))
