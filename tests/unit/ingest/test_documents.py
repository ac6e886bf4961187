"""RUT, DNI and CUIT as files write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.ar import cuit
from stdnum.cl import rut

from speechai.catalog.use_cases import Country
from speechai.ingest.amounts import UnreadableError
from speechai.ingest.documents import parse_document


@pytest.mark.parametrize(
    "cell",
    [
        "12.345.678-5", "12345678-5", "123456785", 123456785, 123456785.0, "123456785.0", " 12.345.678-5 ",
        "012345678-5", "0012.345.678-5", "12,345,678-5", "12 345 678 5", "RUT: 12.345.678-5", "12.345.678–5",
        "12.345.678 - 5", "\u00a012345678-5",
    ],
)  # fmt: skip
def test_a_rut_is_one_person_however_it_is_written(cell: object) -> None:
    document = parse_document(cell, Country.CL)
    assert (document.person_id, document.number, document.label) == (
        "CL:RUT:123456785",
        "123456785",
        "12345678-5",
    )


@pytest.mark.parametrize("cell", ["16144647-K", "16144647k", "16.144.647-k"])
def test_the_k_is_a_capital(cell: str) -> None:
    body = "16144647"
    if rut.calc_check_digit(body) != "K":
        body = next(str(n) for n in range(16_144_647, 16_144_800) if rut.calc_check_digit(str(n)) == "K")
    assert (
        parse_document(cell.replace("16144647", body).replace("16.144.647", body), Country.CL).number
        == body + "K"
    )


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("12.345.678-9", "rut_check"), (123456789, "rut_check"), ("no tiene", "rut_form"), ("", "rut_form"),
        ("1-9", "rut_form"), ("12345678901", "rut_form"), (123456785.5, "rut_form"), (True, "rut_form"),
        ("1.23E+8", "rut_form"), ("１２３４５６７８５", "rut_form"), (None, "rut_form"), ("0", "rut_form"),
    ],
)  # fmt: skip
def test_no_rut(cell: object, code: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        parse_document(cell, Country.CL)
    assert refusal.value.code == code


@given(st.integers(100_000, 99_999_999))
def test_every_rut_with_its_digit_and_none_with_another(body: int) -> None:
    digit = rut.calc_check_digit(str(body))
    assert parse_document(f"{body}-{digit.lower()}", Country.CL).number == f"{body}{digit}"
    for other in set("0123456789K") - {digit}:
        with pytest.raises(UnreadableError):
            parse_document(f"{body}-{other}", Country.CL)


def test_a_persons_cuit_is_the_person_of_the_dni() -> None:
    dni = "30123456"
    whole = "20" + dni + cuit.calc_check_digit("20" + dni)
    for cell in (
        whole,
        f"{whole[:2]}-{dni}-{whole[-1]}",
        int(whole),
        float(whole),
        dni,
        30123456.0,
        "30.123.456",
    ):
        assert parse_document(cell, Country.AR).person_id == f"AR:DNI:{dni}"
    assert parse_document(whole, Country.AR).label == f"20-{dni}-{whole[-1]}"


def test_a_company_keeps_its_cuit_and_old_dnis_lose_zeros() -> None:
    whole = "3050001091" + cuit.calc_check_digit("3050001091")
    assert parse_document(whole, Country.AR).person_id == f"AR:CUIT:{whole}"
    assert parse_document("05123456", Country.AR).person_id == "AR:DNI:5123456"
    assert parse_document("DNI 5.123.456", Country.AR).person_id == "AR:DNI:5123456"


@pytest.mark.parametrize(
    ("cell", "code"),
    [("20-30123456-0", "cuit_check"), ("123", "dni_form"), ("no", "dni_form"), ("123456789", "dni_form")],
)
def test_no_dni(cell: object, code: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        parse_document(cell, Country.AR)
    assert refusal.value.code == code


@given(
    st.one_of(st.text(max_size=30), st.floats(), st.integers(), st.booleans()), st.sampled_from(list(Country))
)
def test_never_fails_otherwise(cell: object, country: Country) -> None:
    try:
        assert parse_document(cell, country).number.isascii()
    except UnreadableError as error:
        assert error.code in {"rut_form", "rut_check", "dni_form", "cuit_check"}


@given(st.integers(100_000, 99_999_999))
def test_every_check_digit_is_the_registrys(body: int) -> None:
    digit = rut.calc_check_digit(str(body))
    assert parse_document(f"{body}-{digit}", Country.CL).number == f"{body}{digit}"
    wrong = "0" if digit != "0" else "1"
    with pytest.raises(UnreadableError):
        parse_document(f"{body}-{wrong}", Country.CL)
