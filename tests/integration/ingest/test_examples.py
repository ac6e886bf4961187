"""The example workbooks: what the generator writes, and what the ingest makes of them."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import phonenumbers
import pytest
from openpyxl import load_workbook

from speechai.catalog.use_cases import Country, UseCaseId

from .workbooks import read

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FILES = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in {".xlsx", ".csv"})


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples_generate", EXAMPLES / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def content(path: Path) -> list[tuple[object, ...]]:
    if path.suffix == ".csv":
        with path.open(encoding="latin-1", newline="") as file:
            return [tuple(row) for row in csv.reader(file)]
    return list(load_workbook(path).active.iter_rows(values_only=True))


def test_the_generator_writes_the_files_that_are_here(generate: ModuleType, tmp_path: Path) -> None:
    generate.main(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    for name in FILES:
        assert content(tmp_path / name) == content(EXAMPLES / name), name


def test_its_bytes_are_the_same_every_time(generate: ModuleType, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        generate.main(tmp_path / folder)
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in FILES)


@pytest.mark.parametrize(
    ("name", "use_case", "rows", "contacts", "merged", "rejected"),
    [
        ("demo.xlsx", UseCaseId.DEBT_COLLECTION, 72, 60, 6, 6),
        ("cobranza.xlsx", UseCaseId.DEBT_COLLECTION, 25, 25, 0, 0),
        ("cobranza_45.xlsx", UseCaseId.DEBT_COLLECTION, 40, None, None, 0),
        ("marketing.xlsx", UseCaseId.MARKETING, 20, 20, 0, 0),
        ("marketing.csv", UseCaseId.MARKETING, 20, 20, 0, 0),
        ("generico.csv", UseCaseId.NOTIFICATION, 15, 15, 0, 0),
        ("argentina.xlsx", UseCaseId.DEBT_COLLECTION, 20, 20, 0, 0),
    ],
)
def test_they_are_read_as_intended(
    name: str, use_case: UseCaseId, rows: int, contacts: int | None, merged: int | None, rejected: int
) -> None:
    parsed = read(EXAMPLES / name, country=Country.AR if name == "argentina.xlsx" else Country.CL)
    assert (parsed.use_case, parsed.rows, len(parsed.rejected)) == (use_case, rows, rejected)
    assert len(parsed.contacts) + parsed.merged == rows - rejected
    if contacts is not None:
        assert (len(parsed.contacts), parsed.merged) == (contacts, merged)
    for contact in parsed.contacts:
        assert contact.phones
        assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone)) for phone in contact.phones)


def test_the_45_column_export_keeps_its_internal_columns_to_itself() -> None:
    parsed = read(EXAMPLES / "cobranza_45.xlsx")
    assert len(parsed.columns) == 45
    assert not any(contact.variables for contact in parsed.contacts)
    two = [contact for contact in parsed.contacts if len(contact.phones) == 2]
    assert two and all(contact.phones[0].startswith("+569") for contact in two)
    assert all(contact.debt and contact.debt.deadline and contact.company for contact in parsed.contacts)


def test_the_demos_dirt_is_read_right(generate: ModuleType) -> None:
    parsed = read(EXAMPLES / "demo.xlsx")
    assert {len(contact.rows) for contact in parsed.contacts} == {1, 2, 3}
    assert 104050 in {contact.debt.total_minor for contact in parsed.contacts if contact.debt}
    assert len(parsed.warnings) == 1 and "99-99" in parsed.warnings[0]
    assert len({contact.person_id for contact in parsed.contacts}) == 60
