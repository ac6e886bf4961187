"""Amounts as files write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.use_cases import MINOR_DIGITS, Country
from speechai.ingest.amounts import UnreadableError, parse_amount, parse_currency

READ: list[tuple[object, str, int, str]] = [
    (40100, "CLP", 40100, "CLP"),
    (40100.0, "CLP", 40100, "CLP"),
    (40099.99999999999, "CLP", 40100, "CLP"),
    ("40100", "CLP", 40100, "CLP"),
    (" 40100 ", "CLP", 40100, "CLP"),
    ("$40.100", "CLP", 40100, "CLP"),
    ("$ 1.040.100", "CLP", 1040100, "CLP"),
    ("1,040,100", "CLP", 1040100, "CLP"),
    ("1.234", "CLP", 1234, "CLP"),
    ("1,234", "CLP", 1234, "CLP"),
    ("$ 98.000.-", "CLP", 98000, "CLP"),
    ("98.000,00", "CLP", 98000, "CLP"),
    ("98000.0", "CLP", 98000, "CLP"),
    ("CLP 98.000", "CLP", 98000, "CLP"),
    ("98.000 pesos", "CLP", 98000, "CLP"),
    ("+98.000", "CLP", 98000, "CLP"),
    ("1\u00a0234", "CLP", 1234, "CLP"),
    ("1.2345E+4", "CLP", 12345, "CLP"),
    ("1.234,56", "ARS", 123456, "ARS"),
    ("1,234.56", "ARS", 123456, "ARS"),
    ("1.234", "ARS", 123400, "ARS"),
    ("1234.5", "ARS", 123450, "ARS"),
    ("1234,5", "ARS", 123450, "ARS"),
    ("1234.56", "ARS", 123456, "ARS"),
    (1234.56, "ARS", 123456, "ARS"),
    (0.1 + 0.2, "ARS", 30, "ARS"),
    ("1'234.56", "ARS", 123456, "ARS"),
    ("0,500", "ARS", 50, "ARS"),
    (".5", "ARS", 50, "ARS"),
    ("AR$ 1.234,56", "CLP", 123456, "ARS"),
    ("US$ 1.200", "CLP", 120000, "USD"),
    ("U$S 1.200,50", "ARS", 120050, "USD"),
    ("USD 1,200.50", "CLP", 120050, "USD"),
    ("1200 usd", "CLP", 120000, "USD"),
    ("UF 12,5", "CLP", 125000, "UF"),
    ("12,3456 UF", "CLP", 123456, "UF"),
    ("€ 10", "CLP", 1000, "EUR"),
]
REFUSED: list[tuple[object, str, str]] = [
    ("", "CLP", "amount_form"),
    ("abc", "CLP", "amount_form"),
    ("por confirmar", "CLP", "amount_form"),
    ("12a34", "CLP", "amount_form"),
    ("1.23.456", "CLP", "amount_form"),
    ("1,23,4.5", "CLP", "amount_form"),
    ("1.234,56,7", "CLP", "amount_form"),
    ("12.34.56", "ARS", "amount_form"),
    ("9,9E+8", "CLP", "amount_form"),
    ("XYZ 100", "CLP", "amount_form"),
    ("US$ 100 CLP", "CLP", "amount_form"),
    (float("nan"), "CLP", "amount_form"),
    (float("inf"), "CLP", "amount_form"),
    (True, "CLP", "amount_form"),
    (date(2026, 1, 1), "CLP", "amount_form"),
    (None, "CLP", "amount_form"),
    ("UF 35.123", "CLP", "amount_ambiguous"),
    (-5, "CLP", "amount_negative"),
    (-5.5, "ARS", "amount_negative"),
    ("-1.234", "CLP", "amount_negative"),
    ("$ -1.234", "CLP", "amount_negative"),
    ("(1.234)", "CLP", "amount_negative"),
    (0, "CLP", "amount_zero"),
    (0.0, "CLP", "amount_zero"),
    ("0", "CLP", "amount_zero"),
    (2e12, "CLP", "amount_absurd"),
    ("9999999999999", "CLP", "amount_absurd"),
    (1e300, "CLP", "amount_absurd"),
]


@pytest.mark.parametrize(("cell", "currency", "minor", "read_as"), READ)
def test_read(cell: object, currency: str, minor: int, read_as: str) -> None:
    amount = parse_amount(cell, currency)
    assert (amount.minor, amount.currency, amount.rounded) == (minor, read_as, False)


@pytest.mark.parametrize(("cell", "currency", "code"), REFUSED)
def test_refused(cell: object, currency: str, code: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        parse_amount(cell, currency)
    assert refusal.value.code == code


@pytest.mark.parametrize(("cell", "minor"), [(1234.56, 1235), ("1234,50", 1235), (1234.4, 1234)])
def test_cents_of_a_currency_without_them_are_rounded_half_up_and_said(cell: object, minor: int) -> None:
    amount = parse_amount(cell, "CLP")
    assert (amount.minor, amount.rounded) == (minor, True)


def grouped(whole: str, mark: str) -> str:
    return f"{int(whole):,}".replace(",", mark)


@given(
    st.integers(1, 10**12),
    st.sampled_from([(".", ","), (",", ".")]),
    st.sampled_from(["", "$", "$ ", "ARS "]),
)
def test_round_trip_of_cents(minor: int, marks: tuple[str, str], sign: str) -> None:
    text = f"{sign}{grouped(str(minor // 100), marks[0])}{marks[1]}{minor % 100:02d}"
    assert parse_amount(text, "ARS").minor == minor


@given(st.integers(1, 10**12), st.sampled_from([".", ",", ""]))
def test_round_trip_of_pesos(pesos: int, mark: str) -> None:
    assert parse_amount(grouped(str(pesos), mark), "CLP").minor == pesos
    assert parse_amount(float(pesos), "CLP").minor == pesos


@given(
    st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.booleans(), st.none()),
    st.sampled_from(list(MINOR_DIGITS)),
)
def test_never_fails_otherwise_and_never_gives_nothing(cell: object, currency: str) -> None:
    try:
        amount = parse_amount(cell, currency)
    except UnreadableError:
        return
    assert 0 < amount.minor <= 10**12 * 10 ** MINOR_DIGITS[amount.currency]


def test_a_currency_column() -> None:
    assert [parse_currency(cell, Country.AR) for cell in ("$", "Pesos", "usd", "U$S", "Dólares", "UF")] == [
        "ARS", "ARS", "USD", "USD", "USD", "UF",
    ]  # fmt: skip
    with pytest.raises(UnreadableError):
        parse_currency("bitcoin", Country.CL)
