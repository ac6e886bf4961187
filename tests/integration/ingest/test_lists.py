"""Lists of payments and of people not to be called, through the real reading process."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from speechai.catalog.use_cases import Country
from speechai.ingest import DO_NOT_CALL, PAYMENTS, FileError, read_list


def payments(path: Path, text: str, country: Country = Country.CL):
    path.write_text(text, "utf-8")
    return [
        {name: tuple(cell.value for cell in cells) for name, cells in row.cells.items()}
        for row in read_list(path, PAYMENTS, country, "es")
    ]


@pytest.mark.parametrize(
    "header",
    [
        "RUT;Monto Pagado;Fecha de Pago",
        "Rut Cliente;MONTO_PAGADO;FechaDePago",
        "R.U.T.;Abono;Fecha",
        "Documento;Importe pagado;fecha pago:",
        "RUT titular;monto;FECHA_ABONO",
    ],
)
def test_headers_of_payments_in_any_spelling(tmp_path, header):
    [row] = payments(tmp_path / "p.csv", f"{header}\n12.345.678-5;$50.000;25/11/2026\n")
    assert row == {"document": ("12.345.678-5",), "amount": ("$50.000",), "paid_on": ("25/11/2026",)}


def test_what_was_paid_is_never_what_is_owed(tmp_path):
    text = "RUT;Monto;Deuda Total;Monto pagado;Fecha;Fecha de pago\n1-9;9;8;7;01/01/2026;25/11/2026\n"
    [row] = payments(tmp_path / "p.csv", text)
    assert (row["amount"], row["paid_on"]) == (("7",), ("25/11/2026",))


def test_a_receipts_number_is_told_from_any_other(tmp_path):
    text = "DNI;Monto;Fecha;N° Comprobante;Nro. de Cuota;N° Operación\n12345678;7;25/11/2026;A-1;3;77\n"
    [row] = payments(tmp_path / "p.csv", text, Country.AR)
    assert (row["receipt"], row["reference"]) == (("A-1",), ("3", "77"))


def test_a_check_digit_of_its_own_a_title_above_and_numbers_that_stay_numbers(tmp_path):
    book = openpyxl.Workbook()
    for cells in (["Pagos"], [], ["RUT", "DV", "Pago", "Fecha de pago"], [12345678, "5", 1234.567, 46351]):
        book.active.append(cells)
    path = tmp_path / "p.xlsx"
    book.save(path)
    [row] = read_list(path, PAYMENTS, Country.CL, "es")
    assert {name: cells[0].value for name, cells in row.cells.items()} == {
        "document": "12345678-5",
        "amount": 1234.567,
        "paid_on": 46351,
    }
    assert row.number == 4


def test_two_columns_that_claim_the_amount_and_a_missing_one_are_named(tmp_path):
    with pytest.raises(FileError, match="Monto.*MONTO") as twins:
        payments(tmp_path / "p.csv", "RUT;Monto;MONTO;Fecha\n1-9;1;2;3\n")
    assert twins.value.code == "twin_columns"
    with pytest.raises(FileError, match="monto") as missing:
        payments(tmp_path / "p.csv", "RUT;Fecha de Pago\n12.345.678-5;25/11/2026\n")
    assert missing.value.code == "columns"


def test_a_stray_separator_puts_no_cell_in_another_ones_place(tmp_path):
    (tmp_path / "p.csv").write_text("RUT,Monto,Fecha\n12345678-5,50,000,25/11/2026\n")
    [row] = read_list(tmp_path / "p.csv", PAYMENTS, Country.CL, "es")
    assert row.is_ragged


def test_every_phone_column_of_a_do_not_call_list_with_what_it_says_of_the_line(tmp_path):
    path = tmp_path / "n.csv"
    text = "Celular;Teléfono fijo;Number;RUT\n55123456;55123456;961000001;\n;;;12.345.678-5\n"
    path.write_text(text, "utf-8")
    first, second = read_list(path, DO_NOT_CALL, Country.CL, "es")
    assert [cell.line for cell in first.cells["phone"]] == ["mobile", "landline", "unknown"]
    assert "phone" not in second.cells and second.cells["document"][0].value == "12.345.678-5"


def test_a_document_of_another_country_is_the_wrong_country(tmp_path):
    (tmp_path / "n.csv").write_text("RUT\n12.345.678-5\n")
    with pytest.raises(FileError) as refused:
        read_list(tmp_path / "n.csv", DO_NOT_CALL, Country.AR, "en")
    assert refused.value.code == "wrong_country"
