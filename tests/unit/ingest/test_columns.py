"""Headers as files have them, and what each column is taken for."""

from __future__ import annotations

import pytest

from speechai.catalog.use_cases import Country, Field
from speechai.ingest.aliases import RESERVED_VARIABLES
from speechai.ingest.columns import Columns, resolve
from speechai.ingest.contacts import FileError
from speechai.ingest.headers import line_kind, recognise, slug
from speechai.ingest.phones import LineKind

DRESSES = {
    Field.DOCUMENT: (
        "RUT;RUTS;Rut;rut;R.U.T.;RUT Cliente;Rut Deudor;DNI;CUIT;CUIL;DNI/CUIT;Documento;Nro. Documento"
    ),
    Field.NAME: (
        "Nombre;NOMBRE;nombre_completo;Nombre Cliente;Name;client name;Cliente;Deudor;Nombre del titular"
    ),
    Field.PHONE: (
        "TELEFONO;Teléfono;telefono_1;Teléfono 2;Fono2;FONO;Celular;Móvil;Teléfono móvil;to_number;phones;"
        "Teléfono Residencial;Teléfono fijo;Tel.;cel;Mobile Phone;Teléfono de contacto;Nº Teléfono"
    ),
    Field.AMOUNT: (
        "MONTO;Monto ($);monto_total;Saldo actualizado;saldo;Deuda Total;debt_amount;Importe;Monto Deuda"
    ),
    Field.DUE_DATE: (
        "F. Vcto;Fec. Venc.;Fecha Vcto;Vcto.;Vencto.;F.VENC;FECHA DE VCTO;Vencimiento cuota;"
        "FECHA_VENC;FechaVencimiento;Fecha de Vencimiento;Vencimiento;Fecha Venc.;due_date;Vto."
    ),
    Field.DAYS_LATE: "diasRetraso;Días de retraso;Dias de atraso;dias_de_retraso;DIAS MORA;Días Atraso",
    Field.COMPANY: "Origen Empresa;OrigenEmpresa;origen_empresa;Empresa;company;Nombre Empresa;Acreedor",
    Field.INSTALMENTS: "cantidad_cupones;Cuotas adeudadas;Cantidad de cuotas",
    Field.DEADLINE: "fecha_limite;Fecha Límite",
    Field.FINAL_DEADLINE: "fecha_maxima",
    Field.OFFER: "Descripción oferta;offer_description;Oferta",
    Field.OFFER_EXPIRES: "oferta_expira",
}


@pytest.mark.parametrize(("field", "headers"), DRESSES.items())
def test_aliases_in_any_dress(field: Field, headers: str) -> None:
    for header in headers.split(";"):
        found = recognise(header)
        assert found and found[0] is field, header


@pytest.mark.parametrize(
    "header",
    [
        "Tipo de teléfono",
        "Monto pagado",
        "Fecha de pago",
        "Correo",
        "Saldo vencimiento",
        "Estado teléfono",
        "Ciudad",
        "Listado de nombres y teléfonos de los clientes morosos",
        "",
        "123",
        "Código persona",
        "Fecha vencimiento tarjeta",
        "Vencimiento contrato",
        "Vcto. licencia",
        "Nombre ejecutivo",
    ],
)
def test_what_is_about_something_else_is_not_taken(header: str) -> None:
    assert recognise(header) is None


def columns_of(headers: str) -> Columns:
    return resolve(headers.split(";"), Country.CL, None, "es")


def fields(headers: str, country: Country = Country.CL, **mapping: str) -> dict[str, str]:
    return resolve(headers.split(";"), country, mapping or None, "es").taken_for


def test_the_better_alias_has_the_field_and_the_other_is_a_variable() -> None:
    taken = fields("RUT;Nombre;Celular;Saldo;Saldo actualizado")
    assert taken["Saldo actualizado"] == "amount" and taken["Saldo"] == "variable:saldo"


def test_two_columns_that_say_the_same_about_money_are_refused() -> None:
    with pytest.raises(FileError) as refusal:
        fields("RUT;Nombre;Celular;Monto;MONTO ")
    assert refusal.value.code == "ambiguous_columns"


def test_phones_keep_the_order_of_the_columns() -> None:
    columns = columns_of("Fono fijo;Nombre;Celular;Teléfono 3")
    assert [column.index for column in columns.fields[Field.PHONE]] == [0, 2, 3]
    assert columns.phone_kinds == {0: LineKind.LANDLINE, 2: LineKind.MOBILE, 3: LineKind.UNKNOWN}


def test_no_column_may_set_what_the_calls_set() -> None:
    taken = fields("Nombre;Celular;Tipo llamada;Nota;Nota;Fecha límite")
    assert taken["Tipo llamada"] == "variable:extra_tipo_llamada"
    assert taken["Fecha límite"] == "variable:extra_fecha_limite"
    assert not RESERVED_VARIABLES & {value.removeprefix("variable:") for value in taken.values()}
    columns = columns_of("Nombre;Celular;Nota;Nota")
    assert list(columns.variables) == ["nota", "nota_2"]


def test_documents_of_another_country() -> None:
    for headers, country in (("DNI;Nombre;Celular", Country.CL), ("RUT;Nombre;Celular", Country.AR)):
        with pytest.raises(FileError) as refusal:
            fields(headers, country)
        assert refusal.value.code == "wrong_country"
    assert fields("RUT;DNI;Nombre;Celular")["DNI"] == "ignore"
    assert fields("DNI;Nombre;Celular", DNI="document")["DNI"] == "document"


def test_a_bare_id_is_a_document_only_among_debts() -> None:
    assert fields("ID;Nombre;Celular;Monto")["ID"] == "document"
    assert fields("ID;Nombre;Celular")["ID"] == "variable:id"


def test_a_check_digit_of_its_own_and_surnames() -> None:
    columns = columns_of("RUT;DV;Nombre;Apellido Paterno;Celular")
    assert columns.check_digit and columns.check_digit.header == "DV"
    assert [column.header for column in columns.fields[Field.NAME]] == ["Nombre", "Apellido Paterno"]


def test_slugs_and_kinds() -> None:
    assert slug("Ejecutivo Asignado (Nº)") == "ejecutivo_asignado_no"
    assert slug("empresa") == "extra_empresa"
    assert slug("¿?") == "columna"
    assert line_kind("Teléfono móvil") is LineKind.MOBILE
    assert line_kind("Móvil o fijo") is LineKind.UNKNOWN


SOMEBODY_ELSES = (
    "Teléfono Codeudor;TELEFONO_AVAL;Codeudor Teléfono;Celular Referencia 1;telefonoReferencia2;Fono Ref. 1;"
    "Celular mamá;Teléfono Padre;Teléfono Apoderado;Fono Empleador;Contacto de emergencia;Fax;Tel/Fax;"
    "Emergencia contacto;RUT Codeudor;CUIT Empleador;RUT_AVAL;DNI Garante;RUT Empresa;Nombre Aval;FONOAVAL2;"
    "Nombre del Codeudor;Telefono Co-deudor;Co Deudor Nombre;Apellido Codeudor;Fono trabajo;TELCODEUDOR"
)
THE_DEBTORS = (
    "Teléfono;Teléfono de contacto;Fono titular;Teléfono empresa;Móvil o fijo;RUT;RUT Deudor;Nombre Deudor;"
    "Nombre titular;Deudor;Referencia;N° Referencia;Tiene aval;Codeudor;Monto aval;Oficina;Nombre oficina;"
    "Estructura padre;Hijos;Empresa"
)


@pytest.mark.parametrize("header", SOMEBODY_ELSES.split(";"))
def test_somebody_elses_column_is_left_out_and_said(header: str) -> None:
    columns = columns_of(f"{header};RUT;Nombre;Celular;Monto")
    assert columns.taken_for[header] == "ignore"
    assert any(header in warning for warning in columns.warnings)
    assert [column.header for column in columns.fields[Field.PHONE]] == ["Celular"]
    mapped = fields(f"{header};Nombre;RUT", Country.CL, **{header: "phone"})
    assert mapped[header] == "phone"  # an explicit mapping is obeyed


@pytest.mark.parametrize("header", THE_DEBTORS.split(";"))
def test_what_may_be_the_debtors_own_is_not_left_out(header: str) -> None:
    taken = columns_of(f"{header};Nota").taken_for[header]
    assert taken != "ignore"


def test_a_file_that_gives_only_somebody_elses_phone_has_no_phone() -> None:
    assert Field.PHONE not in columns_of("RUT;Nombre;Fono Codeudor;Monto").fields
