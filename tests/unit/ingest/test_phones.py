"""Phone cells as files have them, and what may be dialed for each."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.use_cases import Country
from speechai.ingest.phones import LineKind, parse_phones, plain_chilean

U, M, L = LineKind.UNKNOWN, LineKind.MOBILE, LineKind.LANDLINE

# cell · column's kind · the numbers, without +56, or the reason
CHILE: list[tuple[object, LineKind, str]] = [
    # nine digits, in every dress
    *[
        (cell, kind, "987654321")
        for cell in (
            "987654321",
            987654321,
            987654321.0,
            "987654321.0",
            "987654321,0",
            "9.87654321E+8",
            "9,87654321E+08",
            "9 87654321",
            "9 8765 4321",
            "9-8765-4321",
            "9-87654321",
            "9.8765.4321",
            "98 765 43 21",
            " 987654321 ",
            "987654321-",
            "(9) 8765 4321",
            "(9)87654321",
            "+56987654321",
            "+56 9 8765 4321",
            "+56 9 87654321",
            "+56-9-8765-4321",
            "+56 (9) 8765 4321",
            "(+56) 9 8765 4321",
            "(56) 9 8765 4321",
            "56987654321",
            56987654321,
            56987654321.0,
            "56987654321.0",
            "5.6987654321E+10",
            "56 9 8765 4321",
            "56-987654321",
            "0056987654321",
            "00 56 9 8765 4321",
            "0987654321",
            "09 8765 4321",
            "09-87654321",
            "0 9 8765 4321",
            "(09) 87654321",
            "560987654321",
            "+56 09 8765 4321",
            "cel: 987654321",
            "Cel. 9 8765 4321",
            "CELULAR 987654321",
            "fono 987654321",
            "Fono: 9 8765 4321",
            "987654321 casa",
            "tel:987654321",
            "\u00a0987654321\u00a0",
            "９８７６５４３２１",
            "+987654321",
            "N° 987654321",
            "whatsapp 987654321",
        )
        for kind in LineKind
    ],
    # blocks that libphonenumber does not list yet: written in full they are taken
    *[
        (cell, U, "912345678")
        for cell in ("912345678", 912345678.0, "+56 9 1234 5678", "56912345678", "0912345678")
    ],
    # legacy mobiles, eight digits
    ("98765432", M, "998765432"),
    ("98765432", U, "998765432"),
    ("98765432", L, "998765432"),
    (98765432.0, M, "998765432"),
    ("9876-5432", M, "998765432"),
    ("87654321", M, "987654321"),
    ("87654321", U, "987654321"),
    ("76543210", M, "976543210"),
    ("51234567", M, "951234567"),
    # … but where something says mobile already, a digit is missing
    ("+56 98765432", U, "!phone_too_short"),
    ("+56 9 9212 590", U, "!phone_too_short"),
    ("5699212590", M, "!phone_too_short"),
    ("09 8765432", U, "!phone_too_short"),
    ("099212590", M, "!phone_too_short"),
    ("+56 8765 4321", U, "987654321"),
    ("99-9876543", M, "999876543"),
    # eight digits that may be a mobile or a regional landline
    ("51234567", L, "512234567"),
    ("51234567", U, "!phone_ambiguous"),
    ("65234567", U, "!phone_ambiguous"),
    ("72234567", U, "!phone_ambiguous"),
    ("051234567", U, "512234567"),
    # Santiago
    ("22345678", L, "222345678"),
    ("22345678", U, "222345678"),
    ("22345678", M, "222345678"),
    (22345678.0, L, "222345678"),
    ("2234-5678", L, "222345678"),
    ("222345678", L, "222345678"),
    ("2 2234 5678", U, "222345678"),
    ("22 234 5678", U, "222345678"),
    ("(2) 22345678", U, "222345678"),
    ("(02) 2234 5678", U, "222345678"),
    ("02 22345678", U, "222345678"),
    ("02-2345678", U, "222345678"),
    (" 0221234567-", L, "221234567"),
    ("56222345678", L, "222345678"),
    ("+56 2 2234 5678", L, "222345678"),
    ("5622345678", L, "222345678"),
    # the regions
    ("322123456", L, "322123456"),
    ("32 212 3456", U, "322123456"),
    ("032-2123456", U, "322123456"),
    ("(41) 2123456", U, "412123456"),
    ("32123456", L, "322123456"),
    ("45212345", L, "452212345"),
    ("+56 32 212 3456", M, "322123456"),
    # several in one cell, in the order given
    ("987654321/222345678", U, "987654321 222345678"),
    ("987654321 / 222345678", U, "987654321 222345678"),
    ("222345678;987654321", U, "222345678 987654321"),
    ("987654321, 976543210", U, "987654321 976543210"),
    ("987654321|976543210", U, "987654321 976543210"),
    ("987654321\n976543210", U, "987654321 976543210"),
    ("987654321 y 976543210", U, "987654321 976543210"),
    ("987654321 o 976543210", U, "987654321 976543210"),
    ("987654321-976543210", U, "987654321 976543210"),
    ("987654321 - 976543210", U, "987654321 976543210"),
    ("987654321 976543210", U, "987654321 976543210"),
    ("9 8765 4321 9 7654 3210", U, "987654321 976543210"),
    ("+56987654321 +56976543210", U, "987654321 976543210"),
    ("+56987654321+56976543210", U, "987654321 976543210"),
    ("987654321/987654321", U, "987654321"),
    ("cel 987654321 casa 222345678", U, "987654321 222345678"),
    ("cel: 51234567 fijo: 51234567", U, "951234567 512234567"),
    ("987654321 / 222345678 / 976543210", U, "987654321 222345678 976543210"),
    ("0221234567/8", L, "221234567 !phone_too_short"),
    ("987654321 / 123", U, "987654321 !phone_too_short"),
    ("987654321 / 111111111", U, "987654321 !phone_fake"),
    # abroad, with a plus
    ("+1 650 253 0000", U, "+16502530000"),
    ("+54 9 11 4567 8901", U, "+5491145678901"),
    ("+51 987 654 321", U, "+51987654321"),
    ("0054 9 11 4567 8901", U, "+5491145678901"),
    ("6502530000", U, "!phone_too_long"),
    ("+1 555", U, "!phone_foreign"),
    ("+99912345678", U, "!phone_foreign"),
    # nothing there
    *[(cell, U, "") for cell in ("", None, " ", "-", "--", ".", "\u00a0", "+")],
    *[(cell, U, "!phone_no_digits") for cell in ("no tiene", "S/N", "sin teléfono", "xxx", "N/A")],
    # what cannot be made sure of
    ("9", M, "!phone_too_short"),
    ("99", M, "!phone_too_short"),
    ("9876543", U, "!phone_no_area_code"),
    ("2345678", L, "!phone_no_area_code"),
    (2345678.0, L, "!phone_no_area_code"),
    ("9876543210", U, "!phone_too_long"),
    ("9987654321", U, "!phone_too_long"),
    ("98765432101", U, "!phone_too_long"),
    ("569876543210", U, "!phone_too_long"),
    ("5698765432", U, "!phone_too_short"),
    ("187654321", U, "!phone_invalid"),
    ("12345678", U, "!phone_fake"),
    ("123456789", U, "!phone_fake"),
    ("1234567890", U, "!phone_fake"),
    ("999999999", U, "!phone_fake"),
    ("99999999", U, "!phone_fake"),
    (" 9999999999", L, "!phone_fake"),
    ("000000000", U, "!phone_fake"),
    ("0", U, "!phone_fake"),
    ("11111111", U, "!phone_fake"),
    ("911111111", U, "911111111"),
    ("222222222", U, "!phone_fake"),
    ("+56999999999", U, "!phone_fake"),
    ("22345678 anexo 12", L, "!phone_extension"),
    ("222345678 ext. 5", L, "!phone_extension"),
    ("222345678 int 104", L, "!phone_extension"),
    ("9,88E+08", U, "!phone_rounded"),
    ("9.8E+8", U, "!phone_rounded"),
    ("9E8", U, "!phone_rounded"),
    ("22345678 x12", L, "!phone_extension"),
    ("222345678x12", L, "!phone_extension"),
    ("22345678 an. 12", L, "!phone_extension"),
    ("9876O4321", U, "!phone_letters"),
    ("99212590O", M, "!phone_letters"),
    ("9921259l", M, "!phone_letters"),
    # lists of numbers, dates behind them, a trunk 0 before the country's code
    ("(1) 992125907", U, "992125907"),
    ("1) 992125907 2) 222345678", U, "992125907 222345678"),
    ("2.- 992125907", U, "992125907"),
    ("(2) 22345678", U, "222345678"),
    ("992125907-222345678", U, "992125907 222345678"),
    ("992125907 12/05/24", U, "992125907"),
    ("056992125907", U, "992125907"),
    # words beside the number
    ("987654321 NO LLAMAR", U, "!phone_do_not_call"),
    ("No llame: 987654321 / 222345678", U, "!phone_do_not_call"),
    ("987654321 (equivocado)", U, "!phone_wrong_person"),
    ("987654321 no corresponde", U, "!phone_wrong_person"),
    ("987654321 - FALLECIDA", U, "!phone_deceased"),
    ("Q.E.P.D. 987654321", U, "!phone_deceased"),
    ("987654321 fuera de servicio", U, "!phone_out_of_service"),
    ("fax 222345678", U, "!phone_fax"),
    ("222345678 (fax) / 987654321", U, "987654321 !phone_fax"),
    ("aval: 987654321", U, "!phone_other_person"),
    ("987654321 (mamá)", U, "!phone_other_person"),
    ("987654321 / codeudor 976543210", U, "987654321 !phone_other_person"),
    ("987654321 trabajo", U, "!phone_work"),
    ("222345678 anexo 12 / 987654321", U, "987654321 !phone_extension"),
    # what is no phone
    ("12.345.678-5", U, "!phone_is_document"),
    ("12345678-5", M, "!phone_is_document"),
    ("7.654.321-6", U, "!phone_is_document"),
    ("22-10-2026", U, "!phone_is_date"),
    ("2026-10-22", U, "!phone_is_date"),
    ("31/10/2026 10:30", U, "!phone_is_date"),
    ("987654321 12/05/2024", U, "987654321"),
    ("987654321 (12-05-2024)", M, "987654321"),
    ("98765l321", U, "!phone_letters"),
    ("800 123 456", U, "!phone_special"),
    ("600 600 1234", U, "!phone_special"),
    (987654321.5, U, "!phone_not_text"),
    (True, U, "!phone_not_text"),
    (1e20, U, "!phone_not_text"),
    ("9" * 400, U, "!phone_too_long"),
    ("9XXXXXXXX", U, "!phone_too_short"),
]

ARGENTINA: list[tuple[object, LineKind, str]] = [
    # the trunk 0 behind the mark of a mobile; the subscriber's first digit before the 15; the word behind
    ("+54 9 011 2345-6789", U, "91123456789"),
    ("5490351 4567890", U, "93514567890"),
    ("03764 15456789", U, "93764456789"),
    ("02944 15-412345", U, "92944412345"),
    ("11 2345 6789 cel", U, "91123456789"),
    ("11 2345-6789 (celular)", L, "91123456789"),
    ("11 2345-6789 casa", M, "1123456789"),
    *[
        (cell, kind, "93514567890")
        for cell in (
            "0 351 15 456-7890",
            "0351 15 4567890",
            "0351154567890",
            "351 15 456 7890",
            "(0351) 15-4567890",
            "351154567890",
            351154567890.0,
            "+54 9 351 456 7890",
            "+5493514567890",
            "+54 9 351 15 456 7890",
            "5493514567890",
            5493514567890,
            "5493514567890.0",
            "54 351 15 4567890",
            "+54 351 15 4567890",
            "9 351 4567890",
            "cel: 9 351 456-7890",
            "00 54 9 351 456 7890",
        )
        for kind in LineKind
    ],
    *[
        (cell, kind, "91145678901")
        for cell in (
            "011 15 4567-8901",
            "11 15 4567 8901",
            "+54 9 11 4567-8901",
            "54 9 11 45678901",
            "9 11 4567 8901",
        )
        for kind in LineKind
    ],
    # fixed and mobile share their ranges: the column says which
    ("11 4567 8901", M, "91145678901"),
    ("11 4567 8901", U, "1145678901"),
    ("11 4567 8901", L, "1145678901"),
    (1145678901.0, M, "91145678901"),
    ("011 4567-8901", L, "1145678901"),
    ("+54 11 4567-8901", M, "91145678901"),
    ("+54 11 4567-8901", L, "1145678901"),
    ("541145678901", U, "1145678901"),
    ("351 456 7890", M, "93514567890"),
    ("351 456 7890", U, "3514567890"),
    ("0351/4567890", U, "3514567890"),
    ("2954 45-6789", M, "92954456789"),
    ("02954 45-6789", L, "2954456789"),
    ("02954 15 456789", U, "92954456789"),
    ("cel 11 4567 8901", U, "91145678901"),
    # several
    ("11 4567 8901 / 351 456 7890", M, "91145678901 93514567890"),
    ("+5491145678901; +5493514567890", U, "91145678901 93514567890"),
    ("1145678901 3514567890", L, "1145678901 3514567890"),
    # no area code: never taken for Buenos Aires
    ("4567-8901", U, "!phone_no_area_code"),
    ("4567-8901", L, "!phone_no_area_code"),
    ("45678901", M, "!phone_no_area_code"),
    ("456789", U, "!phone_no_area_code"),
    ("456 7890", L, "!phone_no_area_code"),
    ("15 4567 8901", M, "!phone_no_area_code"),
    ("15-456-7890", M, "!phone_no_area_code"),
    # nothing to be sure of
    ("123", U, "!phone_too_short"),
    ("1111111111", U, "!phone_fake"),
    ("0000000000", U, "!phone_fake"),
    ("11 1111 1111", M, "!phone_fake"),
    ("1234567890", U, "!phone_fake"),
    ("11 4567 8901 int 22", L, "!phone_extension"),
    ("1,15E+09", U, "!phone_rounded"),
    ("114567890123456", U, "!phone_too_long"),
    ("0800 555 1234", U, "!phone_invalid"),
    ("+56987654321", U, "+56987654321"),
    ("987654321", U, "!phone_invalid"),
    ("no", U, "!phone_no_digits"),
    ("", U, ""),
]


def check(cell: object, country: Country, kind: LineKind, expected: str) -> None:
    prefix = "+56" if country is Country.CL else "+54"
    good, bad = parse_phones(cell, country, kind)
    words = expected.split()
    numbers = [word if word.startswith("+") else prefix + word for word in words if word[0] != "!"]
    assert good == numbers
    assert [reason for _, reason in bad] == [word[1:] for word in words if word[0] == "!"]


@pytest.mark.parametrize(("cell", "kind", "expected"), CHILE)
def test_chile(cell: object, kind: LineKind, expected: str) -> None:
    check(cell, Country.CL, kind, expected)


@pytest.mark.parametrize(("cell", "kind", "expected"), ARGENTINA)
def test_argentina(cell: object, kind: LineKind, expected: str) -> None:
    check(cell, Country.AR, kind, expected)


def is_dialable(number: str) -> bool:
    parsed = phonenumbers.parse(number)
    complete_mobile = number.startswith("+569") and len(number) == 12 and number[4] != "0"
    return phonenumbers.is_valid_number(parsed) or complete_mobile


KINDS = st.sampled_from(list(LineKind))
COUNTRIES = st.sampled_from(list(Country))
CELL_TEXT = st.text(alphabet="0123456789+-/() ;,.yocelfijoE\n\u00a0", max_size=40)


@given(
    st.one_of(st.text(max_size=60), CELL_TEXT, st.integers(), st.floats(), st.booleans(), st.none()),
    COUNTRIES,
    KINDS,
)
def test_any_cell_gives_only_numbers_that_exist(cell: object, country: Country, kind: LineKind) -> None:
    good, bad = parse_phones(cell, country, kind)
    assert all(is_dialable(number) for number in good)
    assert len(set(good)) == len(good)
    assert all(reason.startswith("phone_") for _, reason in bad)


SHAPES = ("{}", "+56{}", "56{}", "+56 {}", "0{}", "cel: {}", "{}.0", " {}-", "0056{}")


@given(st.integers(21_000_000, 98_999_999), st.sampled_from(SHAPES), KINDS)
def test_a_full_mobile_survives_every_dress(subscriber: int, shape: str, kind: LineKind) -> None:
    national = f"9{subscriber}"
    if len(set(national)) == 1:
        return
    assert parse_phones(shape.format(national), Country.CL, kind) == ([f"+56{national}"], [])


@given(st.sampled_from(["CL", "AR"]), st.integers(0, 9_999_999_999))
def test_the_short_way_agrees_with_phonenumbers(region: str, national: int) -> None:
    """A number read as written is one phonenumbers calls a person's line, and the other way round."""
    country = Country(region)
    code = 56 if region == "CL" else 54
    number = phonenumbers.PhoneNumber(country_code=code, national_number=national)
    personal = phonenumbers.number_type(number) in (0, 1, 2)
    good, _ = parse_phones(f"+{code}{national}", country, LineKind.LANDLINE)
    written = f"+{code}{national}"
    digits = str(national)
    mobile = region == "CL" and len(digits) == 9 and digits[0] == "9" and digits[1] != "0"
    if len(set(digits[-10:])) > 1 and not digits.startswith(str(code)):
        assert (written in good) == (personal or mobile)


def test_the_short_way_takes_only_plain_numbers() -> None:
    assert plain_chilean("987654321") == plain_chilean(56987654321.0) == "+56987654321"
    assert plain_chilean(" 0222345678-") == plain_chilean("22345678") == "+56222345678"
    assert plain_chilean("51234567") is None
    assert plain_chilean(True) is None
    assert plain_chilean("999999999") is None
