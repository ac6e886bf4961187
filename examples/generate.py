"""Write the example workbooks: `python examples/generate.py` makes every file here again, byte for byte.

People, companies and numbers are invented by a seeded generator: check digits are right, phone numbers are
valid in form, and none was taken from anywhere. `demo.xlsx` has the dirt that real files have.
"""

from __future__ import annotations

import csv
import random
import sys
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path

from openpyxl import Workbook
from stdnum.ar import cuit
from stdnum.cl import rut

SEED = 20261123
HERE = Path(__file__).resolve().parent
REPORT_DAY = date(2026, 11, 20)  # the day the exports were "made": due date + days late
_ZIP_TIME = (2026, 11, 20, 9, 0, 0)

FIRST_NAMES = (
    "Amparo Benicio Candela Dario Elvira Fermin Graciela Hilario Ivonne Jacinto Karina Leandro Maite Nazario "
    "Olivia Ponciano Quena Rosendo Susana Tadeo Ulises Violeta Wenceslao Ximena Yolanda Zenon Belen Ciro"
)
SURNAMES = (
    "Alarcón Brizuela Cáceres Donaire Echeverría Fuenzalida Gajardo Huenchul Inostroza Jorquera Leiva "
    "Mancilla Núñez Oyarzún Pizarro Quintul Riquelme Saldías Tapia Ulloa Valdebenito Yáñez Zambrano Arriagada"
)
COMPANIES = ("Cosmética Austral", "Casa Nogal", "Tienda Mirador")

EXPORT_HEADERS = (
    "Título;Cuota;NúmeroPedido;CicloCaptacion;CicloIndicador;Grupo;NúmeroFactura;FechaPedido;"
    "FechaVencimientoOriginal;FechaVencimiento;ValorTítulo;Saldo Principal;Saldo Financiero;Saldo Total;"
    "Saldo actualizado;Situación;Días de retraso;Control de Envío la Pérdida;Fecha de Envío la Pérdida;"
    "FechaSaldo;Data Saldo Corregido;Fecha de pago;Fecha de Encerramiento;EntidadConciliación;Negociación;"
    "Fase del Cobro;Cód Estructura Padre;Estructura Padre;Cód Estructura;Estructura;CódigoPersona;Nombre;"
    "Dirección;Teléfono Residencial;Teléfono móvil;Correo electrónico personal;Entidad de credito;"
    "Entidad de cobro;CodPlanRecibimiento;PlanRecibimiento;CodModeloComercial;ModeloComercial;Contestado;"
    "Origen Empresa;RUTS"
)
Cell = str | int | float | date | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist."""

    name: str
    rut: str  # body and check digit, no punctuation
    mobile: str  # nine digits
    landline: str  # nine digits
    company: str


class People:
    """An endless, repeatable supply of them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._bodies: set[int] = set()

    def one(self) -> Person:
        pick = self.random
        body = pick.randrange(5_000_000, 26_000_000)
        while body in self._bodies:
            body = pick.randrange(5_000_000, 26_000_000)
        self._bodies.add(body)
        first = pick.choice(FIRST_NAMES.split())
        surnames = f"{pick.choice(SURNAMES.split())} {pick.choice(SURNAMES.split())}"
        return Person(
            name=f"{first} {surnames}",
            rut=f"{body}{rut.calc_check_digit(str(body))}",
            mobile=f"9{pick.choice('3456789')}{pick.randrange(2_000_000, 9_000_000):07d}".replace(
                "999", "985"
            ),
            landline=f"22{pick.randrange(2_100_000, 9_800_000)}",
            company=pick.choice(COMPANIES),
        )

    def dni(self) -> str:
        return str(self.random.randrange(12_000_000, 45_000_000))

    def cuit(self, dni: str) -> str:
        body = f"20{dni}"
        return body + cuit.calc_check_digit(body)

    def amount(self) -> int:
        return self.random.randrange(4_800, 400_000)

    def days_late(self) -> int:
        return self.random.randrange(15, 32)


def dotted(document: str) -> str:
    """12345678K → 12.345.678-K"""
    return f"{int(document[:-1]):,}".replace(",", ".") + "-" + document[-1]


def plain(name: str) -> str:
    """Without accents, in capitals, as old exports print it."""
    letters = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).upper()


def export_row(people: People, person: Person, instalment: int) -> list[Cell]:
    """One overdue instalment as the 45-column debt export has it."""
    pick = people.random
    late, amount = people.days_late(), people.amount()
    due = REPORT_DAY - timedelta(days=late)
    ordered = due - timedelta(days=21)
    structure = pick.randrange(26)
    digits = int(person.rut) if person.rut.isdecimal() else person.rut.lower()
    serial = int(person.rut[:-1])
    own = random.Random(serial)  # every row of a person has the same numbers
    mobile = own.choice((person.mobile, person.mobile, person.mobile, "56" + person.mobile, ""))
    home = own.choice(
        ("", "", "", "56" + person.mobile, person.landline[1:], person.landline, f" 0{person.landline}-")
    )
    return [
        30_000_000 + pick.randrange(9_000_000),
        instalment,
        40_000_000 + pick.randrange(9_000_000),
        *("10/2026", "10/2026", 1900 + structure),
        500_000_000 + pick.randrange(9_000_000),
        *(ordered, due, due),
        *(amount, amount, 0, amount, amount + late * 10),
        *("Pendiente", late, "No", None, REPORT_DAY, REPORT_DAY, None, None, None, "0", None),
        *(10 + structure % 2, f"Zona {structure % 2 + 1}", 100 + structure, f"Sector {structure + 1}"),
        *(7_000_000 + serial % 900_000, plain(person.name)),
        f"CALLE INVENTADA {pick.randrange(10, 9999)} DEPTO {pick.randrange(1, 99)} COMUNA EJEMPLO",
        *(home or (None if mobile else person.landline), mobile or None),
        *(f"persona{serial % 99_999}@ejemplo.invalid", "Propia", "Externa"),
        *(3, "Plan 3", 2, "Directo", "No", person.company, digits),
    ]


def export_rows(seed: int, rows: int) -> Iterable[list[Cell]]:
    """So many rows of the 45-column export; one person in twenty has a second instalment."""
    people = People(seed)
    person, instalment = people.one(), 1
    for _ in range(rows):
        yield export_row(people, person, instalment)
        if instalment == 1 and people.random.random() < 0.05:
            instalment = 2
        else:
            person, instalment = people.one(), 1


def debt_45(seed: int = SEED) -> list[list[Cell]]:
    return [list(EXPORT_HEADERS.split(";")), *export_rows(seed, 40)]


def debt_simple(seed: int = SEED + 1) -> list[list[Cell]]:
    """The documented five columns."""
    people = People(seed)
    rows: list[list[Cell]] = [["RUT", "NOMBRE", "TELEFONO", "MONTO", "FECHA_VENC"]]
    for _ in range(25):
        person = people.one()
        due = REPORT_DAY - timedelta(days=people.days_late())
        rows.append([dotted(person.rut), person.name, f"+56{person.mobile}", people.amount(), due])
    return rows


def demo(seed: int = SEED + 2) -> list[list[Cell]]:
    """Sixty people to call, with what real files do: see README.md for what each odd row is."""
    people = People(seed)
    header: list[Cell] = [
        "RUT",
        "NOMBRE",
        "TELEFONO",
        "TELEFONO FIJO",
        "MONTO",
        "FECHA_VENC",
        "DIAS DE ATRASO",
    ]
    header += ["ORIGEN EMPRESA", "EJECUTIVO"]

    def row(person: Person, phone: Cell, landline: Cell = None, amount: Cell = None) -> list[Cell]:
        late = people.days_late()
        owed = people.amount() if amount is None else amount
        due = REPORT_DAY - timedelta(days=late)
        return [dotted(person.rut), person.name, phone, landline, owed, due, late, person.company, "Mesa 1"]

    persons = [people.one() for _ in range(60)]
    rows = [row(person, f"+56{person.mobile}") for person in persons]

    def digits(at: int) -> str:
        return persons[at].mobile

    rows[3][2] = float(digits(3))  # a number that Excel made a float
    rows[5][2] = f"0{digits(5)}"  # 09…
    rows[8][2] = f"9 {digits(8)[1:5]} {digits(8)[5:]}"
    rows[11][2], rows[11][3] = None, persons[11].landline[1:]  # eight digits: Santiago before 2013
    rows[14][2] = f"{digits(14)} / {people.one().mobile}"
    rows[17][2], rows[17][3] = f"cel: {digits(17)}", f" 0{persons[17].landline}-"
    rows[20][0] = float(persons[20].rut) if persons[20].rut.isdecimal() else persons[20].rut.lower()
    rows[23][0] = f"  {persons[23].rut[:-1]}-{persons[23].rut[-1].lower()} "
    rows[26][4] = "$ 104.050"
    rows[29][4] = "98.000,00"
    rows[32][4] = 40100.0
    rows[35][5] = rows[35][5].strftime("%d-%m-%y") if isinstance(rows[35][5], date) else None
    rows[38][5] = "14 de octubre de 2026"
    rows[41][1] = f"  {plain(persons[41].name)}  "
    rows[44][2], rows[44][3] = "99-99", persons[44].landline  # the bad one of two is only a warning
    rows[47][7] = None
    # More instalments of people who are there already: merged, the debts summed.
    for at in (2, 2, 7, 19, 33):
        rows.append(row(persons[at], f"+56{persons[at].mobile}"))
    rows.append(list(rows[12]))  # the same row twice counts once
    # What becomes nothing: a wrong check digit, no number, a number that cannot be sure, no amount.
    wrong = people.one()
    digit = "1" if wrong.rut[-1] != "1" else "2"
    rejected = [row(wrong, f"+56{wrong.mobile}"), *(row(people.one(), None) for _ in range(2))]
    rejected[0][0] = f"{wrong.rut[:-1]}-{digit}"
    unsure = people.one()
    rejected += [
        row(unsure, "2345678"),
        row(people.one(), "987654321", amount=0),
        row(people.one(), "no tiene"),
    ]
    rejected[4][4] = "por confirmar"
    for at, bad in zip((4, 16, 28, 40, 52, 60), rejected, strict=True):
        rows.insert(at, bad)
    rows.insert(31, [None] * len(header))  # an empty row in the middle
    title: list[Cell] = ["Cartera vencida al 20/11/2026"]
    return [title, [], header, *rows]


def marketing(seed: int = SEED + 3) -> list[list[Cell]]:
    people = People(seed)
    rows: list[list[Cell]] = [
        [
            "Nombre",
            "Celular",
            "Empresa",
            "Descripción oferta",
            "Descuento porcentaje",
            "Valor oferta",
            "Oferta expira",
        ]
        + ["Categoría producto", "Segmento cliente", "Tipo campaña", "Llamada acción", "Ciudad"]
    ]
    for _ in range(20):
        person = people.one()
        offer = people.random.choice(("Set de regalo", "Plan anual", "Despacho gratis"))
        discount = people.random.choice((10, 15, 20, 30))
        rows.append(
            [person.name, f"+56 9 {person.mobile[1:5]} {person.mobile[5:]}", "Casa Nogal", offer, discount]
            + [f"${people.random.randrange(9, 60)}.990", "31/12/2026", "Hogar"]
            + [people.random.choice(("premium", "standard")), "fidelización", "Comprar en línea", "Valdivia"]
        )
    return rows


def generic(seed: int = SEED + 4) -> list[list[Cell]]:
    people = People(seed)
    rows: list[list[Cell]] = [["Nombre", "Teléfono", "Mensaje", "Fecha cita"]]
    for day in range(15):
        person = people.one()
        when = (REPORT_DAY + timedelta(days=10 + day)).strftime("%d/%m/%Y")
        rows.append([person.name, person.mobile, "Recordar su hora; traer carné", when])
    return rows


def argentina(seed: int = SEED + 5) -> list[list[Cell]]:
    """DNI, CUIT of persons and of a company; numbers with 15, with the mobile 9, with their area codes."""
    people = People(seed)
    rows: list[list[Cell]] = [
        ["DNI/CUIT", "Nombre", "Celular", "Teléfono fijo", "Importe", "Vencimiento", "Empresa"]
    ]
    areas = ("11", "351", "341", "261", "2954")
    for at in range(20):
        area, dni = areas[at % len(areas)], people.dni()
        local = str(people.random.randrange(4 * 10 ** (9 - len(area)), 5 * 10 ** (9 - len(area))))
        other = str(int(local) + 1_234)
        mobile = (f"0{area} 15 {local}", f"+54 9 {area} {local}", f"{area} {local}", f"549{area}{local}")[
            at % 4
        ]
        document: Cell = (dni, int(dni), people.cuit(dni), f"{int(dni):,}".replace(",", "."))[at % 4]
        amount: Cell = (f"$ {people.amount():,}".replace(",", ".") + ",50", people.amount() + 0.25)[at % 2]
        due = REPORT_DAY - timedelta(days=people.days_late())
        name = people.one().name
        rows.append(
            [
                document,
                name,
                mobile,
                f"0{area} {other}" if at % 5 == 0 else None,
                amount,
                due,
                "Crédito del Plata",
            ]
        )
    rows[20][0] = "30-50001091-2"
    rows[20][1] = "Ferretería Inventada S.A."
    return rows


def write_xlsx(path: Path, rows: Sequence[Sequence[Cell]]) -> None:
    """A workbook whose bytes depend on its rows alone: openpyxl stamps the time, so it is stamped over."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Hoja1"
    for row in rows:
        sheet.append(list(row))
    book.properties.created = book.properties.modified = datetime(*_ZIP_TIME)  # noqa: DTZ001 - OOXML has no zone
    written = BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as made, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as fixed:
        for entry in made.infolist():
            data = made.read(entry)
            if entry.filename == "docProps/core.xml":
                start = data.index(b"<dcterms:modified")
                end = data.index(b"</dcterms:modified>")
                stamp = data[data.index(b">", start) + 1 : end]
                data = data.replace(stamp, b"2026-11-20T09:00:00Z")
            info = zipfile.ZipInfo(entry.filename, _ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            fixed.writestr(info, data)


def write_csv(path: Path, rows: Sequence[Sequence[Cell]], delimiter: str, encoding: str) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def main(folder: Path = HERE) -> None:
    write_xlsx(folder / "demo.xlsx", demo())
    write_xlsx(folder / "cobranza.xlsx", debt_simple())
    write_xlsx(folder / "cobranza_45.xlsx", debt_45())
    write_xlsx(folder / "marketing.xlsx", marketing())
    write_csv(folder / "marketing.csv", marketing(), ",", "utf-8-sig")
    write_csv(folder / "generico.csv", generic(), ";", "latin-1")
    write_xlsx(folder / "argentina.xlsx", argentina())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
