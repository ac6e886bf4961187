"""Amounts of money as people write them in Chile and Argentina, to ISO 4217 minor units.

Rules: with both separators, the last one marks the decimals and the other must group by three; a single
separator followed by exactly three digits groups thousands ("1.234" is 1234 in both countries), followed by
another number of digits it marks decimals; several of the same group thousands. What fits none is refused.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import NamedTuple

from speechai.catalog.use_cases import CURRENCY_OF, MINOR_DIGITS, Country

ABSURD = 10**12  # major units: more than a country's private debt is a typing error

# How files write a currency. "$" alone says nothing: both countries' pesos and the dollar use it.
CURRENCY_SIGNS = {
    "US$": "USD",
    "U$S": "USD",
    "U$D": "USD",
    "US": "USD",
    "USD": "USD",
    "DOLAR": "USD",
    "DOLARES": "USD",
    "USD$": "USD",
    "DOLARAMERICANO": "USD",
    "DOLARESAMERICANOS": "USD",
    "DOLLAR": "USD",
    "DOLLARS": "USD",
    "CLP": "CLP",
    "CLP$": "CLP",
    "CH$": "CLP",
    "$CLP": "CLP",
    "PESOCHILENO": "CLP",
    "PESOSCHILENOS": "CLP",
    "ARS": "ARS",
    "AR$": "ARS",
    "ARS$": "ARS",
    "$ARS": "ARS",
    "PESOARGENTINO": "ARS",
    "PESOSARGENTINOS": "ARS",
    "EUR": "EUR",
    "€": "EUR",
    "EURO": "EUR",
    "EUROS": "EUR",
    "UF": "UF",
    "CLF": "UF",
    "UYU": "UYU",
    "$U": "UYU",
}
_NEUTRAL_SIGNS = frozenset({"", "$", "PESO", "PESOS"})

_SHAPE = re.compile(
    r"^(?P<before>[^\d.,+()\-]*)(?P<number>[-+(]*[^\d.,]?[\d.,'’]*\d[\d.,'’]*)(?P<after>\D*)$"
)
_ENDING = re.compile(r"[.,]?[-–—]+$")  # "$ 1.234.-", as receipts have it
_SCIENTIFIC = re.compile(r"^(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})$")
_NOISE = dict.fromkeys(map(ord, " \t\r\n\u00a0\u2007\u2009\u202f\u200b\ufeff"))


class Amount(NamedTuple):
    """An amount that could be read."""

    minor: int
    currency: str
    stated: bool  # the cell itself named the currency
    rounded: bool  # decimals beyond the currency's were rounded away, half up


class UnreadableError(Exception):
    """A cell that cannot be read; `code` is a key of MESSAGES."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def parse_amount(value: object, currency: str) -> Amount:
    """The amount of a cell, in `currency` unless the cell names another."""
    kind = type(value)
    if kind is float:
        return _from_float(value, currency)  # type: ignore[arg-type]
    if kind is int:
        return _checked(Decimal(value), currency, stated=False)  # type: ignore[arg-type]
    if kind is str:
        return _from_text(value, currency)  # type: ignore[arg-type]
    raise UnreadableError("amount_form")


def parse_currency(value: object, country: Country) -> str:
    """The ISO code of a currency column's cell; plain pesos are the country's."""
    sign = _sign(str(value))
    if sign in _NEUTRAL_SIGNS:
        return CURRENCY_OF[country]
    if sign in MINOR_DIGITS:
        return sign
    if sign in CURRENCY_SIGNS:
        return CURRENCY_SIGNS[sign]
    raise UnreadableError("currency_unknown")


def _sign(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(_NOISE))
    return "".join(char for char in plain if not unicodedata.combining(char)).upper().strip(".:-")


def _from_float(value: float, currency: str) -> Amount:
    if not math.isfinite(value):
        raise UnreadableError("amount_form")
    if abs(value) > ABSURD:
        raise UnreadableError("amount_absurd")
    scaled = value * 10 ** MINOR_DIGITS.get(currency, 2)
    if scaled.is_integer() and 0 < scaled <= ABSURD:
        return Amount(int(scaled), currency, stated=False, rounded=False)
    nearest = round(scaled)
    if abs(scaled - nearest) < 1e-4 and 0 < nearest <= ABSURD:  # binary noise, not decimals
        return Amount(nearest, currency, stated=False, rounded=False)
    return _checked(Decimal(repr(value)), currency, stated=False)


def _from_text(text: str, currency: str) -> Amount:
    plain = _ENDING.sub("", text.translate(_NOISE))
    if plain.startswith("-") or plain.startswith("(") and plain.endswith(")"):
        raise UnreadableError("amount_negative" if any(char.isdigit() for char in plain) else "amount_form")
    if scientific := _SCIENTIFIC.match(plain):
        return _checked(_exact_scientific(scientific), currency, stated=False)
    shape = _SHAPE.match(plain)
    if not shape:
        raise UnreadableError("amount_form")
    signs = {_sign(shape["before"]), _sign(shape["after"])} - _NEUTRAL_SIGNS
    if len(signs) > 1:
        raise UnreadableError("amount_form")
    stated = bool(signs)
    if stated:
        sign = signs.pop()
        if sign not in CURRENCY_SIGNS:
            raise UnreadableError("amount_form")
        currency = CURRENCY_SIGNS[sign]
    number = shape["number"]
    if number.startswith(("-", "(")):
        raise UnreadableError("amount_negative")
    return _checked(
        _decimal(number.lstrip("+").replace("'", "").replace("’", ""), currency), currency, stated
    )


def _exact_scientific(match: re.Match[str]) -> Decimal:
    """Only where every digit is written out: Excel shows 992125907 as 9,92E+08, and the rest is lost."""
    fraction, exponent = match[2] or "", int(match[3])
    if len(fraction) < exponent:
        raise UnreadableError("amount_form")
    return Decimal(f"{match[1]}.{fraction or '0'}").scaleb(exponent)


def _decimal(number: str, currency: str) -> Decimal:
    points, commas = number.count("."), number.count(",")
    if points and commas:
        decimal_mark = max(".,", key=number.rfind)
        grouping = "," if decimal_mark == "." else "."
        whole, fraction = number.rsplit(decimal_mark, 1)
        if decimal_mark in whole:
            raise UnreadableError("amount_form")
        return _join(_ungrouped(whole, grouping), fraction)
    mark = "." if points else ","
    if points + commas == 0:
        return _join(number, "")
    if points + commas > 1:
        return _join(_ungrouped(number, mark), "")
    whole, fraction = number.split(mark)
    if len(fraction) != 3 or not 1 <= len(whole) <= 3 or whole.startswith("0"):
        return _join(whole or "0", fraction)
    if MINOR_DIGITS.get(currency, 2) > 2:  # the UF is quoted with up to four decimals: 35.123 may be either
        raise UnreadableError("amount_ambiguous")
    return _join(whole + fraction, "")


def _ungrouped(whole: str, mark: str) -> str:
    first, *groups = whole.split(mark)
    if not 1 <= len(first) <= 3 or any(len(group) != 3 for group in groups):
        raise UnreadableError("amount_form")
    return first + "".join(groups)


def _join(whole: str, fraction: str) -> Decimal:
    try:
        return Decimal(f"{whole}.{fraction or '0'}")
    except InvalidOperation as error:
        raise UnreadableError("amount_form") from error


def _checked(amount: Decimal, currency: str, stated: bool) -> Amount:
    if amount < 0:
        raise UnreadableError("amount_negative")
    if amount > ABSURD:
        raise UnreadableError("amount_absurd")
    scaled = amount.scaleb(MINOR_DIGITS.get(currency, 2))
    minor = int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if minor == 0:
        raise UnreadableError("amount_zero")
    return Amount(minor, currency, stated, rounded=abs(scaled - minor) > Decimal("0.0001"))
