"""How rows become contacts: merged, summed, rejected, and never lost."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cl.rut import calc_check_digit

from speechai.catalog.use_cases import Country, UseCaseId
from speechai.ingest.columns import resolve
from speechai.ingest.contacts import FileError, ParsedFile
from speechai.ingest.limits import Limits
from speechai.ingest.packing import unpack
from speechai.ingest.phones import parse_phones
from speechai.ingest.row_reader import Request
from speechai.ingest.rows import choose_use_case, gather
from speechai.ingest.sheet import Table

ANA, EVA, LUZ = "12.345.678-5", "11.111.111-1", "7.654.321-6"


def parse(headers: str, *rows: list[object], country: Country = Country.CL, **asked: object) -> ParsedFile:
    settings: dict[str, object] = {
        "use_case": None,
        "currency": None,
        "language": "es",
        "limits": Limits(),
        **asked,
    }
    request = Request(country=country, today=date(2026, 11, 23), **settings)  # type: ignore[arg-type]
    table = Table(headers.split(), iter(enumerate(rows, start=2)), [])
    columns = resolve(table.headers, country, None, "es")
    parsed = unpack(gather(table, columns, choose_use_case(columns, request), request))
    assert parsed.rows == len(parsed.contacts) + parsed.merged + len(parsed.rejected)
    return parsed


DEBT = "RUT NOMBRE TELEFONO MONTO FECHA_VENC DIAS_RETRASO"


def test_instalments_of_a_person_are_one_contact() -> None:
    parsed = parse(
        DEBT,
        [ANA, "Ana", "987654321", 100, date(2026, 10, 10), 41],
        [EVA, "Eva", "976543210", 50, date(2026, 10, 1), 50],
        ["12345678-5", "ANA P.", "222345678", 200.0, "01/11/2026", "19 días"],
    )
    ana = parsed.contacts[0]
    assert (ana.rows, ana.name, ana.phones) == ((2, 4), "Ana", ("+56987654321", "+56222345678"))
    assert ana.debt is not None
    assert (ana.debt.total_minor, ana.debt.instalments, ana.debt.currency) == (300, 2, "CLP")
    assert (ana.debt.due_date_oldest, ana.debt.due_date_latest) == (date(2026, 10, 10), date(2026, 11, 1))
    assert (ana.debt.days_late, parsed.merged) == (41, 1)
    assert ana.debt.deadline == date(2026, 11, 23)  # 1 November + 19 days + 3
    assert ana.debt.final_deadline == date(2026, 11, 27)  # 10 October + 41 days + 7


def test_a_persons_own_document_among_the_phones_is_none() -> None:
    body = next(
        str(number) for number in range(22_345_670, 22_345_680) if calc_check_digit(str(number)) != "K"
    )
    copied = body + calc_check_digit(body)  # nine digits, as Santiago's numbers have
    assert parse_phones(copied, Country.CL)[0] == [f"+56{copied}"]
    parsed = parse(
        "RUT NOMBRE TELEFONO CELULAR MONTO",
        [copied, "Ana", copied, "987654321", 100],
        [EVA, "Eva", "976543210", "", 50],
    )
    assert parsed.contacts[0].phones == ("+56987654321",)
    assert any("no un teléfono" in warning for warning in parsed.warnings)
    alone = parse("RUT NOMBRE TELEFONO MONTO", [copied, "Ana", copied, 100], [EVA, "Eva", "976543210", 50])
    assert [(row.row, row.column) for row in alone.rejected] == [(2, "TELEFONO")]


def test_a_due_date_whose_century_nobody_can_tell_is_left_out_with_its_reason() -> None:
    parsed = parse(
        DEBT, [ANA, "Ana", "987654321", 100, "10/10/95", 41], [EVA, "Eva", "976543210", 50, "1/10/26", 2]
    )
    ana, eva = (contact.debt for contact in parsed.contacts)
    assert ana and ana.due_date_oldest is None
    assert eva and eva.due_date_oldest == date(2026, 10, 1)
    assert any("dos cifras" in warning and "10/10/95" in warning for warning in parsed.warnings)


def test_the_same_row_twice_counts_once() -> None:
    row: list[object] = [ANA, "Ana", "987654321", 100, date(2026, 10, 10), 41]
    parsed = parse(DEBT, row, list(row))
    assert parsed.contacts[0].rows == (2, 3) and parsed.merged == 1
    assert parsed.contacts[0].debt and parsed.contacts[0].debt.total_minor == 100


def test_a_running_number_does_not_hide_the_same_row() -> None:
    parsed = parse(
        "N° RUT NOMBRE TELEFONO MONTO", [1, ANA, "Ana", "987654321", 100], [2, ANA, "Ana", "987654321", 100]
    )
    assert parsed.contacts[0].debt and parsed.contacts[0].debt.total_minor == 100


def test_a_column_of_instalments_is_summed() -> None:
    headers = "RUT NOMBRE TELEFONO MONTO cantidad_cupones"
    parsed = parse(headers, [ANA, "Ana", "987654321", 100, 3], [ANA, "Ana", "987654321", 200, "2"])
    assert parsed.contacts[0].debt and parsed.contacts[0].debt.instalments == 5


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        (["12.345.678-9", "Ana", "987654321", 1], "RUT", "verificador"),
        (["no tiene", "Ana", "987654321", 1], "RUT", "RUT"),
        (["", "Ana", "987654321", 1], "RUT", "Falta el documento"),
        ([ANA, "", "987654321", 1], "NOMBRE", "Falta el nombre"),
        ([ANA, 77.0, "987654321", 1], "NOMBRE", "texto"),
        ([ANA, "Ana", "", 1], "TELEFONO", "ningún teléfono"),
        ([ANA, "Ana", "2345678", 1], "TELEFONO", "código de área"),
        ([ANA, "Ana", "987654321", ""], "MONTO", "Falta el monto"),
        ([ANA, "Ana", "987654321", "?"], "MONTO", "monto"),
        ([ANA, "Ana", "987654321", "#REF!"], "MONTO", "error de Excel"),
        ([ANA, "Ana", "987654321", -5], "MONTO", "negativo"),
        ([ANA, "x" * 300, "987654321", 5], "NOMBRE", "200"),
        (["RUT", "NOMBRE", "TELEFONO", "MONTO"], "RUT", "encabezado"),
        (["", "TOTAL", "", 5000], "RUT", "Falta el documento"),
    ],
)
def test_what_cannot_be_read_rejects_the_row_with_its_reason(
    row: list[object], column: str, said: str
) -> None:
    parsed = parse("RUT NOMBRE TELEFONO MONTO", row)
    assert not parsed.contacts
    assert parsed.rejected[0].row == 2 and parsed.rejected[0].column == column
    assert said in parsed.rejected[0].error and len(parsed.rejected[0].value) <= 60


def test_one_good_number_of_several_is_enough_and_the_bad_one_is_said() -> None:
    parsed = parse("RUT NOMBRE FONO1 FONO2 MONTO", [ANA, "Ana", "123", "987654321", 5])
    assert parsed.contacts[0].phones == ("+56987654321",)
    assert "Fila 2" in parsed.warnings[0] and "FONO1" in parsed.warnings[0] and "123" in parsed.warnings[0]


def test_a_blank_name_or_number_may_stand_in_another_row_of_the_person() -> None:
    parsed = parse("RUT NOMBRE TELEFONO MONTO", [ANA, "", "", 5], [ANA, "Ana", "987654321", 7])
    assert (parsed.contacts[0].name, parsed.contacts[0].debt and parsed.contacts[0].debt.total_minor) == (
        "Ana",
        12,
    )
    parsed = parse("RUT NOMBRE TELEFONO MONTO", [ANA, "Ana", "", 5], [ANA, "Ana", "", 7])
    assert [rejection.row for rejection in parsed.rejected] == [2, 3]


def test_debts_in_two_currencies_are_not_added() -> None:
    parsed = parse(
        "RUT NOMBRE TELEFONO MONTO", [ANA, "Ana", "987654321", 5], [ANA, "Ana", "987654321", "US$ 7"]
    )
    assert parsed.rejected[0].row == 3 and "CLP" in parsed.rejected[0].error
    parsed = parse("RUT NOMBRE TELEFONO MONTO MONEDA", [ANA, "Ana", "987654321", "UF 5", "CLP"])
    assert "no coinciden" in parsed.rejected[0].error
    parsed = parse("RUT NOMBRE TELEFONO MONTO MONEDA", [ANA, "Ana", "987654321", 5, "USD"])
    assert parsed.contacts[0].debt and parsed.contacts[0].debt.total_minor == 500


def test_a_shared_number_is_fine_and_said() -> None:
    parsed = parse("RUT NOMBRE TELEFONO MONTO", [ANA, "Ana", "987654321", 5], [EVA, "Eva", "987654321", 7])
    assert len(parsed.contacts) == 2 and parsed.warnings[-1].startswith("1 teléfonos")


def test_without_a_document_the_first_number_is_the_person() -> None:
    parsed = parse(
        "NOMBRE CELULAR NOTA", ["Ana", "987654321", "a"], ["Ana", "987654321", "b"], ["Eva", "", "c"]
    )
    assert parsed.use_case is UseCaseId.NOTIFICATION
    assert parsed.contacts[0].person_id == "TEL:+56987654321"
    assert parsed.contacts[0].variables == {"nota": "a"} and parsed.contacts[0].debt is None
    assert parsed.rejected[0].row == 4


def test_marketing_and_its_offer() -> None:
    headers = "Nombre Celular Oferta Descuento Oferta_expira Valor_oferta Saldo_puntos"
    parsed = parse(headers, ["Ana", "987654321", "Plan", 0.2, "31/12/2026", 9990.0, 12.0])
    assert parsed.use_case is UseCaseId.MARKETING
    assert parsed.contacts[0].offer == {
        "offer": "Plan", "discount": "20", "offer_value": "9990", "offer_expires": "2026-12-31",
    }  # fmt: skip


def test_a_check_digit_in_its_own_column() -> None:
    parsed = parse("RUT DV NOMBRE TELEFONO MONTO", [12345678.0, 5.0, "Ana", "987654321", 5])
    assert parsed.contacts[0].person_id == "CL:RUT:123456785"


MOBILE, FIXED = "+5491123456789", "+541123456789"


@pytest.mark.parametrize("first", ["11 15-2345-6789", "11 2345-6789"])
@pytest.mark.parametrize("second", ["11 15-2345-6789", "11 2345-6789"])
def test_an_argentine_line_in_both_its_forms_is_one_number_and_one_person(first: str, second: str) -> None:
    told = (MOBILE,) if " 15-" in first + second else (FIXED,)
    parsed = parse("NOMBRE TELEFONO FONO2", ["Ana", first, second], country=Country.AR)
    assert (parsed.contacts[0].phones, parsed.warnings) == (told, [])
    parsed = parse("NOMBRE TELEFONO", ["Ana", first], ["Ana", second], country=Country.AR)
    assert [(ana.person_id, ana.phones) for ana in parsed.contacts] == [(f"TEL:{FIXED}", told)]
    rows: list[list[object]] = [["30123456", "Ana", first], ["30123457", "Eva", second]]
    parsed = parse("DNI NOMBRE TELEFONO", *rows, country=Country.AR)
    assert "1 teléfonos" in parsed.warnings[0]  # of two people


def test_argentina() -> None:
    headers = "DNI CUIT NOMBRE CELULAR IMPORTE"
    row: list[object] = ["30.123.456", "20-30123456-3", "Ana", "0351 15 456-7890", "1.234,56"]
    from stdnum.ar import cuit

    row[1] = "20-30123456-" + cuit.calc_check_digit("2030123456")
    parsed = parse(headers, row, country=Country.AR)
    contact = parsed.contacts[0]
    assert (contact.person_id, contact.phones) == ("AR:DNI:30123456", ("+5493514567890",))
    assert contact.debt and (contact.debt.total_minor, contact.debt.currency) == (123456, "ARS")
    parsed = parse(headers, ["30.123.457", *row[1:]], country=Country.AR)
    assert "personas distintas" in parsed.rejected[0].error


def test_blank_rows_are_no_rows_and_short_rows_are_filled() -> None:
    parsed = parse("NOMBRE CELULAR NOTA", ["", "", ""], [" ", None, ""], ["Ana", "987654321"], [])
    assert (parsed.rows, parsed.contacts[0].rows) == (1, (4,))


def test_cents_and_future_dates_are_said() -> None:
    parsed = parse(DEBT, [ANA, "Ana", "987654321", 100.6, date(2027, 1, 1), None])
    assert parsed.contacts[0].debt and parsed.contacts[0].debt.total_minor == 101
    assert "redondeó a 101" in parsed.warnings[0] and "futuro" in parsed.warnings[1]
    assert parsed.contacts[0].debt.deadline is None


def test_warnings_are_counted_beyond_their_limit() -> None:
    rows: list[list[object]] = [[ANA, "Ana", "987654321", 5 + n, "ayer", 3] for n in range(10)]
    parsed = parse(DEBT, *rows, limits=Limits(warnings=4))
    assert len(parsed.warnings) == 5 and "6" in parsed.warnings[-1]


def test_which_use_case() -> None:
    with pytest.raises(FileError) as refusal:
        parse("NOMBRE TELEFONO MONTO", ["Ana", "987654321", 5])
    assert refusal.value.code == "missing_columns" and "RUT" in refusal.value.message
    assert parse("NOMBRE TELEFONO VENCIMIENTO", ["Ana", "987654321", "1/1/2027"]).contacts[0].variables == {
        "vencimiento": "1/1/2027"
    }
    asked = parse("NOMBRE TELEFONO", ["Ana", "987654321"], use_case=UseCaseId.SURVEY)
    assert asked.use_case is UseCaseId.SURVEY


CELLS = st.one_of(
    st.sampled_from(
        [ANA, EVA, LUZ, "987654321", "Ana", "", None, 40100.0, "$ 5.000", date(2026, 1, 1), "no", 51234567]
    ),
    st.text(max_size=12),
    st.floats(),
    st.integers(),
    st.booleans(),
)


@given(st.lists(st.lists(CELLS, min_size=6, max_size=7), min_size=1, max_size=12))
def test_every_row_ends_somewhere(rows: list[list[object]]) -> None:
    """I8, whatever is in the cells: `parse` asserts the sum."""
    try:
        parsed = parse(DEBT, *rows)
    except FileError as error:
        assert error.code == "no_rows"
        return
    ended = [row for contact in parsed.contacts for row in contact.rows]
    ended += [rejection.row for rejection in parsed.rejected]
    assert len(set(ended)) == len(ended) == parsed.rows
