"""One cell, whatever its type: is it blank, what number is it, what text?"""

from __future__ import annotations

import math
from datetime import datetime, time

EXCEL_ERRORS = frozenset(
    {
        "#N/A",
        "#REF!",
        "#VALUE!",
        "#DIV/0!",
        "#NAME?",
        "#NUM!",
        "#NULL!",
        "#¡REF!",
        "#¡VALOR!",
        "#¡DIV/0!",
        "#¿NOMBRE?",
    }
)


def is_blank(value: object) -> bool:
    """Whether there is nothing in it to read."""
    return value is None or (type(value) is str and (not value or value.isspace()))


def whole(value: object) -> str:
    """A number that Excel made a float as its integer again, else the text."""
    return str(int(value)) if type(value) is float and value.is_integer() else str(value).strip()


def whole_number(value: object) -> int | None:
    """A count as people write it ("12", 12.0, "12 días"), or None where it is no integer."""
    if type(value) is int:
        return value
    if type(value) is float:
        return int(value) if value.is_integer() else None
    if type(value) is not str:
        return None
    text = value.strip().removesuffix("días").removesuffix("dias").strip()
    text = text.removesuffix(".0").removesuffix(",0")
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 10 else None


def cell_text(value: object) -> str:
    """A cell as the agent may say it and a message may show it."""
    if type(value) is str:
        return " ".join(value.split())
    if value is None:
        return ""
    if type(value) is bool:
        return "sí" if value else "no"
    if type(value) is float:
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    return str(value)


PlainCell = str | int | float  # what may cross from the process that opens files


def plain_cell(value: object) -> PlainCell:
    """A cell that keeps what kind of value it is: a number stays one, a date is its ISO text, "" is blank."""
    if type(value) is int or type(value) is float:
        return value
    return value.strip() if type(value) is str else cell_text(value)


def percentage(value: object, text: str) -> str:
    """Excel stores 20 % as 0.2; people write 20, "20%" or "20 %"."""
    if type(value) is float and 0 < value < 1 and math.isfinite(value):
        return f"{value * 100:.10g}"
    return text.removesuffix("%").strip()
