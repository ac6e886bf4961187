"""Whole files through the real reading process."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from speechai.catalog.use_cases import Country, UseCaseId
from speechai.ingest import FileError, ReaderCrashedError, reader

from .workbooks import GOOD, HEADER, read, refused

GENERIC = "Nombre;Teléfono;Nº Póliza\n{}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_in_every_dress(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = "Nombre;Teléfono;Nº Póliza\nÑandú Peña;987654321;77\n".replace(";", delimiter)
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    parsed = read(tmp_path / "a.csv")
    assert parsed.use_case is UseCaseId.NOTIFICATION
    assert parsed.contacts[0].name == "Ñandú Peña"
    assert parsed.contacts[0].variables == {"no_poliza": "77"}
    assert parsed.columns == {"Nombre": "name", "Teléfono": "phone", "Nº Póliza": "variable:no_poliza"}


def test_excels_delimiter_hint_and_quoted_line_breaks_count_as_excel_counts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'sep=;\nNombre;Telefono;Nota\n"Ana";987654321;"una\ndos"\nEva;976543210;\n'
    )
    parsed = read(tmp_path / "a.csv")
    assert [contact.rows for contact in parsed.contacts] == [(3,), (4,)]


def test_a_row_with_more_cells_than_the_header_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Nombre,Telefono,Monto,RUT\nAna,987654321,1.234,56,12345678-5\n")
    parsed = read(tmp_path / "a.csv")
    assert not parsed.contacts and "más celdas" in parsed.rejected[0].error


def test_the_language_of_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(";".join(HEADER) + "\n" + ";".join(["12.345.678-9", *GOOD[1:]]))
    spanish = read(tmp_path / "a.csv").rejected[0]
    english = read(tmp_path / "a.csv", language="en").rejected[0]
    assert (spanish.row, spanish.column, spanish.value) == (2, "RUT", "12.345.678-9")
    assert "dígito verificador" in spanish.error and "check digit" in english.error


def test_mapping(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Quién;Adónde;Cuánto;Qué\nAna;987654321;500;12345678-5\n")
    mapping = {"Quién": "name", "adonde": "phone", "CUANTO": "amount", "Qué": "document"}
    parsed = read(tmp_path / "a.csv", mapping=mapping)
    assert parsed.use_case is UseCaseId.DEBT_COLLECTION
    assert parsed.contacts[0].person_id == "CL:RUT:123456785"
    refused(tmp_path / "a.csv", "no_header")
    refused(tmp_path / "a.csv", "bad_mapping", mapping={**mapping, "Nadie": "name"})
    refused(tmp_path / "a.csv", "bad_mapping", mapping={**mapping, "Qué": "quien"})
    refused(tmp_path / "a.csv", "bad_mapping", mapping={**mapping, "Qué": "amount"})


def test_missing_columns_and_the_wrong_country(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Nombre;Telefono;Monto\nAna;987654321;500\n")
    assert "RUT" in refused(tmp_path / "a.csv", "missing_columns").message
    (tmp_path / "b.csv").write_text("DNI;Nombre;Telefono;Monto\n30123456;Ana;987654321;500\n")
    refused(tmp_path / "b.csv", "wrong_country")
    (tmp_path / "c.csv").write_text("RUT;Nombre;Telefono;Monto\n12345678-5;Ana;987654321;500\n")
    refused(tmp_path / "c.csv", "wrong_country", country=Country.AR)


def test_the_worker_has_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETELL_API_KEY", "key_secret")
    assert "RETELL_API_KEY" in os.environ
    assert "key_secret" not in reader._bare_environment().values()


def test_a_missing_upload_is_our_fault_not_the_files(tmp_path: Path) -> None:
    with pytest.raises(ReaderCrashedError) as crash:
        read(tmp_path / "gone.csv")
    assert "FileNotFoundError" in str(crash.value) and "gone" not in str(crash.value)


def test_dates_cross_the_process_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(";".join([*HEADER, "DIAS DE ATRASO"]) + "\n" + ";".join([*GOOD, "22"]))
    debt = read(tmp_path / "a.csv").contacts[0].debt
    assert debt is not None
    assert (debt.due_date_oldest, debt.days_late) == (date(2026, 11, 1), 22)
    assert (debt.deadline, debt.final_deadline) == (date(2026, 11, 26), date(2026, 11, 30))
    assert not isinstance(debt, FileError)
