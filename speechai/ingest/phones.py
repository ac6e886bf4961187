"""Phone numbers as Latin American files write them, to E.164, or refused with the reason.

A cell is accepted only when exactly one reading of it is a valid number by libphonenumber's metadata (with
one exception: a Chilean mobile written in full, see `_CL_MOBILE`).

Chile (9 digits, Subtel's plan since 2013 and 2016): the trunk 0 and the old `09` are dropped; eight digits
are a legacy number: `2…` is Santiago's (now 22…), a mobile began with 5 to 9 (now 9…; but behind +56 or a 0
a 9 says mobile already, and a digit is missing), two digits of a regional area and six more are a landline
(now area + 2…). Where the last two both fit, the column's kind decides; without a kind the number is
refused. Seven digits lack their area.

Argentina (10 digits, ENACOM): the trunk 0 is dropped; `15` after the area marks a mobile and becomes the
international `9` before it. Fixed and mobile numbers share their ranges: a number with neither `15` nor `9`
is a mobile in a column of mobiles, and in any other column it is dialed as written, as a fixed line. Numbers
without an area code are refused: most of them are not in Buenos Aires.

Any country's number is accepted when written with `+` or `00`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberType

from speechai.catalog.use_cases import Country
from speechai.ingest.phone_words import is_document, of_the_cell, of_the_part, without_dates


class LineKind(StrEnum):
    """What a column (or a word before the number) says about its line."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    UNKNOWN = "unknown"


MOST_GROUPS = 8  # groups of digits in a piece that are tried as several numbers
LONGEST_CELL = 300

_CODE = {Country.CL: "56", Country.AR: "54"}
_CL_AREAS_TEXT = """
    32 33 34 35 41 42 43 44 45 51 52 53 55 57 58 61 63 64 65 67 71 72 73 75
"""
_CL_AREAS = frozenset(_CL_AREAS_TEXT.split())
_PERSONAL = frozenset(
    {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
)
_SERVICES = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)

_WHOLE_FLOAT = re.compile(r"^(\+?\d+)[.,]0+$")
_SCIENTIFIC = re.compile(r"^(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})$")
# Between digits, or one by itself against a digit: an O for a 0, an l for a 1.
_LETTERS_INSIDE = re.compile(r"\d[^\W\d_]+\d|\d[^\W\d_](?![^\W_])|(?<![^\W_])[^\W\d_]\d")
_LIST_NUMBER = re.compile(r"(?:^|(?<=\s))\(?[1-9](?:\)|\.(?=[-)\s]))[-.)\s]*")
_WORD = re.compile(r"[^\W\d_]+")
_SEPARATOR = re.compile(r"[/;,|\r\n\t&]+|(?<=\d)\s*(?=\+\d)|(?<=\d)\s*(?=\(\+)")
_GROUP = re.compile(r"\d+")
_MOBILE_WORDS = frozenset({"cel", "celular", "movil", "mobile", "whatsapp", "wsp", "wa", "cell"})
_LANDLINE_WORDS = frozenset({"fijo", "casa", "residencial", "red", "landline", "domicilio"})

Bad = tuple[str, str]


# Chile's plan gives every 9 followed by 1 to 9 and seven digits to mobiles. libphonenumber lists only the
# blocks it knows to be assigned and lags behind (9.0.43 has none of 911 to 919): a mobile written in full
# cannot be mistaken, so it is taken by the plan; whatever had to be completed must be valid by the list.
_CL_MOBILE = re.compile(r"^9[1-9]\d{7}$", re.ASCII)
# What nearly all cells of Chilean files are: nine digits, or Santiago's eight of before 2013, and no more.
_PLAIN_CL = re.compile(r"^ *(?:\+?56|0)?([2-9]\d{8}|2\d{7})[ -]*$", re.ASCII)


def parse_phones(
    value: object, country: Country, kind: LineKind = LineKind.UNKNOWN
) -> tuple[list[str], list[Bad]]:
    """The numbers of a cell in E.164, in the order given, and what could not be read with a reason's code."""
    if country is Country.CL and (quick := plain_chilean(value)):
        return [quick], []
    text, problem = _cell_text(value, country)
    if problem:
        return [], [(text, problem)]
    if not text:
        return [], []
    if text.isdecimal():  # nothing to take apart
        numbers, reason = _read_digits(text, country, kind, international=False)
        return numbers, [(text, reason)] if reason else []
    good: list[str] = []
    bad: list[Bad] = []
    pieces: list[tuple[str, LineKind]] = []
    for part in _SEPARATOR.split(text):
        if struck := of_the_part(part):
            bad.append((part.strip(), struck))
        else:
            pieces += _pieces(part, kind)
    bad_parts = len(bad)
    for piece, piece_kind in pieces:
        numbers, reason = _read_piece(piece, country, piece_kind)
        good += [number for number in numbers if number not in good]
        if reason:
            bad.append((piece, reason))
    if not good and not bad_parts and len(pieces) > 1:
        # "0351/4567890": the separator stood inside the one number of the cell.
        numbers, _ = _read_piece("".join(piece for piece, _ in pieces), country, kind)
        if len(numbers) == 1:
            return numbers, []
    return good, bad


def plain_chilean(value: object) -> str | None:
    """The short way for what most cells of a Chilean file are; None sends the cell the long way."""
    if type(value) is str:
        text = value
    elif type(value) is int or (type(value) is float and value.is_integer()):
        text = str(int(value))
    else:
        return None
    match = _PLAIN_CL.match(text)
    if not match:
        return None
    national = match[1] if len(match[1]) == 9 else "2" + match[1]
    if _looks_fake(national):
        return None
    if national[0] == "9" and national[1] != "0":  # `_CL_MOBILE`, of nine digits already
        return f"+56{national}"
    return next(iter(_valid(Country.CL, national)), None)


def _cell_text(value: object, country: Country) -> tuple[str, str | None]:
    """The cell as text, what Excel did to a number undone; and the reason if none of it is to be dialed."""
    if value is None:
        return "", None
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= 1e15:
            return str(value), "phone_not_text"
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return str(value), "phone_not_text"
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if len(text) > LONGEST_CELL:
        return text, "phone_too_long"
    if match := _WHOLE_FLOAT.match(text):
        return match[1], None
    if match := _SCIENTIFIC.match(text):
        fraction, exponent = match[2] or "", int(match[3])
        if len(fraction.rstrip("0")) > exponent or len(fraction) < exponent:
            return text, "phone_rounded"
        return match[1] + fraction[:exponent], None
    if text and not any(char.isdigit() for char in text):
        return (text, "phone_no_digits") if any(char.isalpha() for char in text) else ("", None)
    return _without_other_matters(text, country)


def _without_other_matters(text: str, country: Country) -> tuple[str, str | None]:
    """The cell without its dates; and the reason if it is no phone's, or says that none is to be dialed."""
    if is_document(text, country):
        return text, "phone_is_document"
    left = without_dates(text).strip()
    if text and not any(map(str.isdigit, left)) and left != text:
        return text, "phone_is_date"
    if struck := of_the_cell(left):
        return text, struck
    if _LETTERS_INSIDE.search(left) and not of_the_part(left):
        return text, "phone_letters"
    return left, None


def _pieces(part: str, kind: LineKind) -> list[tuple[str, LineKind]]:
    """The pieces of a part that words hold apart, each with what the word before it says; a single one also
    with what the word behind it does."""
    found: list[tuple[str, LineKind]] = []
    said, start = kind, 0
    for word in _WORD.finditer(part):
        if _GROUP.search(before := part[start : word.start()]):
            found.append((before.strip(), said))
            said = kind
        said = _kind_of_word(word[0]) or said
        start = word.end()
    if _GROUP.search(rest := part[start:]):
        found.append((rest.strip(), said))
    elif len(found) == 1 and found[0][1] is kind:
        return [(found[0][0], said)]
    return found


def _kind_of_word(word: str) -> LineKind | None:
    plain = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    if plain in _MOBILE_WORDS:
        return LineKind.MOBILE
    return LineKind.LANDLINE if plain in _LANDLINE_WORDS else None


def _read_piece(piece: str, country: Country, kind: LineKind) -> tuple[list[str], str | None]:
    """The numbers of one piece: the whole of it as one, else its groups of digits as several."""
    groups: list[str] = _GROUP.findall(piece)
    international = "+" in piece.split(groups[0], 1)[0] if groups else False
    numbers, reason = _read_digits("".join(groups), country, kind, international)
    if numbers or reason in ("phone_ambiguous", "phone_fake"):
        return numbers, reason
    numbered = [part for part in _LIST_NUMBER.split(piece) if _GROUP.search(part)]
    if numbered != [piece]:  # "(1) 992125907", "1.- 992125907 2.- 222345678"
        read = [_read_piece(part, country, kind) for part in numbered]
        return [number for found, _ in read for number in found], next((why for _, why in read if why), None)
    if 1 < len(groups) <= MOST_GROUPS and not international:
        partitions = [numbers for numbers in _partitions(tuple(groups), country, kind) if len(numbers) > 1]
        if len(partitions) == 1:
            return partitions[0], None
        if partitions:
            return [], "phone_ambiguous"
    return [], reason


def _read_digits(
    digits: str, country: Country, kind: LineKind, international: bool
) -> tuple[list[str], str | None]:
    """The one number that the digits can mean, or why there is none."""
    readings = _readings(digits, country, kind, international)
    if len(readings) == 1:
        (number,) = readings
        return ([], "phone_fake") if _looks_fake_international(number, country) else ([number], None)
    return [], "phone_ambiguous" if readings else _why_not(digits, country, international)


def _partitions(groups: tuple[str, ...], country: Country, kind: LineKind) -> Iterator[list[str]]:
    """Every way to read consecutive groups of digits as valid numbers that use all of them."""
    if not groups:
        yield []
        return
    for size in range(1, len(groups) + 1):
        readings = _readings("".join(groups[:size]), country, kind, international=False)
        if len(readings) == 1 and not _looks_fake_international(first := next(iter(readings)), country):
            for rest in _partitions(groups[size:], country, kind):
                yield [first, *rest]


def _readings(digits: str, country: Country, kind: LineKind, international: bool) -> set[str]:
    """Every valid number that the digits may mean."""
    if not international and digits.startswith("00") and len(digits) > 10:
        digits, international = digits[2:], True
    if len(digits) > 16 or len(digits) < 7:
        return set()
    found = set(_chilean(digits, kind) if country is Country.CL else _argentine(digits, kind))
    if international and not digits.startswith(_CODE[country]):
        found |= set(_foreign(digits))
    return found


def _chilean(digits: str, kind: LineKind) -> Iterator[str]:
    if len(digits) == 12 and digits.startswith("056"):
        digits = digits[1:]
    has_code = len(digits) > 9 and digits.startswith("56")
    if has_code:
        digits = digits[2:]
    trunk = digits.startswith("0")
    digits = digits.lstrip("0") if trunk and len(digits) - len(digits.lstrip("0")) <= 2 else digits
    if _CL_MOBILE.match(digits):
        yield f"+56{digits}"
    elif len(digits) == 9:
        yield from _valid(Country.CL, digits)
    elif len(digits) == 8 and not (digits[0] == "9" and (has_code or trunk)):
        # Behind +56 or a 0 the 9 is the mark of a mobile, and one of its digits is missing.
        yield from _chilean_legacy(digits, kind, trunk)


def _chilean_legacy(digits: str, kind: LineKind, trunk: bool) -> Iterator[str]:
    """Eight digits: the numbering before 2013. A trunk 0 before 5, 6 or 7 is an area code's."""
    if digits[0] == "2":
        yield from _valid(Country.CL, "2" + digits)
        return
    landline = list(_valid(Country.CL, f"{digits[:2]}2{digits[2:]}")) if digits[:2] in _CL_AREAS else []
    may_be_mobile = digits[0] in "56789" and not (trunk and digits[0] in "567")
    mobile = list(_valid(Country.CL, "9" + digits)) if may_be_mobile else []
    if mobile and landline and kind is not LineKind.UNKNOWN:
        yield from mobile if kind is LineKind.MOBILE else landline
    else:
        yield from mobile + landline


def _argentine(digits: str, kind: LineKind) -> Iterator[str]:
    if len(digits) >= 12 and digits.startswith("54"):
        digits = digits[2:]
    if digits.startswith("90") and len(digits) > 11:  # +54 9 011 …: the mark of a mobile, then the trunk 0
        digits = "9" + digits[2:]
    if digits.startswith("0") and not digits.startswith("00"):
        digits = digits[1:]
    if len(digits) == 11 and digits[0] == "9":
        yield from _valid(Country.AR, digits)
    elif len(digits) == 12:
        yield from _argentine_fifteen(digits)
    elif len(digits) == 13 and digits[0] == "9":  # +54 9 351 15 …: the mark of a mobile twice
        yield from _argentine_fifteen(digits[1:])
    elif len(digits) == 10:
        yield from _valid(Country.AR, ("9" if kind is LineKind.MOBILE else "") + digits)


def _argentine_fifteen(digits: str) -> Iterator[str]:
    """Area, 15, subscriber: libphonenumber knows which lengths of area code exist."""
    number = _parsed("0" + digits, "AR")
    if number is not None and len(str(number.national_number)) == 11 and _is_personal(number):
        yield f"+54{number.national_number}"
        return
    # "03764 15…", "02944 15…": the first digit of the subscriber has moved before the 15 with it.
    moved = {"9" + digits[:at] + digits[at + 2 :] for at in (3, 4, 5) if digits[at : at + 2] == "15"}
    valid = [found for national in moved for found in _valid(Country.AR, national)]
    if len(valid) == 1:
        yield valid[0]


def _foreign(digits: str) -> Iterator[str]:
    number = _parsed("+" + digits, None)
    if number is not None and _is_personal(number):
        yield phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None  # not a number at all, which is an answer


class _Plan:
    """A country's numbering plan as libphonenumber's metadata has it.

    The same answer as `phonenumbers.number_type`, from the same patterns, without its passing through number
    objects: files hold hundreds of thousands of numbers. A test holds the two together.
    """

    def __init__(self, country: Country) -> None:
        self.prefix = "+" + _CODE[country]
        metadata = PhoneMetadata.metadata_for_region(country.value)
        self.general = _pattern(metadata, "general_desc")
        self.service = _pattern(metadata, *_SERVICES)
        self.person = _pattern(metadata, "fixed_line", "mobile")

    def number(self, national: str) -> tuple[str, ...]:
        """The number in E.164 if it is valid and a person's, else nothing."""
        valid = (
            self.general.fullmatch(national)
            and self.person.fullmatch(national)
            and not self.service.fullmatch(national)
        )
        return (self.prefix + national,) if valid else ()


def _pattern(metadata: object, *kinds: str) -> re.Pattern[str]:
    """The numbers of any of these kinds of line; nothing where the country has none of them."""
    patterns = [getattr(getattr(metadata, kind), "national_number_pattern", None) for kind in kinds]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns if pattern) or "(?!)", re.ASCII)


_PLANS = {country: _Plan(country) for country in Country}


def _valid(country: Country, national: str) -> tuple[str, ...]:
    return _PLANS[country].number(national)


def _is_personal(number: PhoneNumber) -> bool:
    """Valid, and a line that a person answers: not a free-phone, premium or shared-cost service."""
    return phonenumbers.number_type(number) in _PERSONAL


def _looks_fake(national: str) -> bool:
    """One digit throughout (an Argentine mobile's 9 apart): what is typed when there is no number."""
    digits = national[1:] if len(national) == 11 else national
    return digits.count(digits[:1]) == len(digits)


def _looks_fake_international(number: str, country: Country) -> bool:
    return _looks_fake(number.removeprefix("+" + _CODE[country]))


def _why_not(digits: str, country: Country, international: bool) -> str:
    """The most helpful reason why no reading is valid."""
    national = digits.removeprefix(_CODE[country]) if len(digits) > 9 else digits
    bare = national.lstrip("0")
    if len(bare) > 5 and (len(set(bare)) == 1 or "1234567890".startswith(bare)) or not bare:
        return "phone_fake"
    if international and not digits.startswith(_CODE[country]):
        return "phone_foreign"
    if country is Country.CL:
        if bare[:3] in ("600", "800") and len(bare) >= 9:
            return "phone_special"
        if len(bare) == 8 and bare[0] == "9":
            return "phone_too_short"
        shortest, longest = 7, 9
        no_area: tuple[int, ...] = (7,)
    else:
        shortest, longest = 6, 11
        no_area = (6, 7, 8)
        if bare.startswith("15") and len(bare) in (8, 9, 10):
            return "phone_no_area_code"
    if len(bare) in no_area:
        return "phone_no_area_code"
    if len(bare) < shortest:
        return "phone_too_short"
    return "phone_too_long" if len(bare) > longest else "phone_invalid"
