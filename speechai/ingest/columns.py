"""Which column means what: header aliases, the 45-column export's internal columns, and an upload's mapping.

The aliases are the original system's three parsers' (debt export, simple and marketing, CSV), its documents'
and its panel's, so that files made for any of them go on working.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from speechai.catalog.use_cases import Country, Field
from speechai.ingest.messages import Language, file_error, say
from speechai.ingest.phones import LineKind

# A field's aliases, the most telling first: of two columns that qualify, the earlier alias has the field.
# Written without accents, in words; "FechaVenc", "FECHA_VENC" and "Fecha Venc." are all "fecha venc".
ALIASES: dict[Field, tuple[str, ...]] = {
    Field.NAME: (
        "nombre completo",
        "nombre y apellido",
        "nombres y apellidos",
        "apellido y nombre",
        "nombre cliente",
        "nombre del cliente",
        "nombre deudor",
        "nombre",
        "nombres",
        "name",
        "full name",
        "client name",
        "customer name",
        "first name",
        "razon social",
        "cliente",
        "deudor",
        "titular",
        "persona",
        "contacto",
    ),
    Field.PHONE: (
        "telefono movil",
        "telefono celular",
        "celular",
        "movil",
        "mobile",
        "mobile phone",
        "telefono residencial",
        "telefono fijo",
        "telefono particular",
        "residencial",
        "fijo",
        "telefono",
        "telefonos",
        "telefono alternativo",
        "telefono contacto",
        "fono",
        "fonos",
        "phone",
        "phones",
        "phone number",
        "landline",
        "to number",
        "tel",
        "cel",
        "whatsapp",
        "numero de telefono",
        "numero telefonico",
        "numero celular",
        "numero",
    ),
    Field.COMPANY: (
        "origen empresa",
        "nombre empresa",
        "nombre de la empresa",
        "empresa",
        "company",
        "company name",
        "acreedor",
        "creditor",
        "mandante",
        "marca",
    ),
    Field.AMOUNT: (
        "saldo actualizado",
        "monto total",
        "monto deuda",
        "monto adeudado",
        "deuda total",
        "total deuda",
        "saldo total",
        "saldo deuda",
        "monto",
        "deuda",
        "saldo",
        "importe",
        "importe adeudado",
        "debt",
        "debt amount",
        "amount",
        "amount due",
        "valor cuota",
        "monto cuota",
    ),
    Field.CURRENCY: ("moneda", "currency", "divisa"),
    Field.INSTALMENTS: (
        "cantidad cupones",
        "cantidad de cupones",
        "cuotas adeudadas",
        "cuotas vencidas",
        "cuotas impagas",
        "cantidad cuotas",
        "cantidad de cuotas",
        "numero de cuotas",
        "cupones",
        "instalments",
        "installments",
    ),
    Field.DUE_DATE: (
        "fecha vencimiento",
        "fecha de vencimiento",
        "fecha venc",
        "fecha vto",
        "vencimiento",
        "venc",
        "vto",
        "due date",
    ),
    Field.DAYS_LATE: (
        "dias de retraso",
        "dias de atraso",
        "dias retraso",
        "dias atraso",
        "dias de mora",
        "dias mora",
        "dias vencidos",
        "days late",
        "days past due",
        "overdue days",
    ),
    Field.DEADLINE: ("fecha limite", "fecha limite de pago", "deadline"),
    Field.FINAL_DEADLINE: ("fecha maxima", "fecha maxima de pago", "final deadline"),
    Field.OFFER: (
        "descripcion oferta",
        "descripcion de la oferta",
        "offer description",
        "oferta",
        "offer",
        "promocion",
    ),
    Field.DISCOUNT: (
        "descuento porcentaje",
        "porcentaje descuento",
        "porcentaje de descuento",
        "discount percentage",
        "descuento",
        "discount",
    ),
    Field.OFFER_VALUE: ("valor oferta", "valor de la oferta", "precio oferta", "offer value", "offer price"),
    Field.OFFER_EXPIRES: (
        "oferta expira",
        "oferta vence",
        "expira oferta",
        "vigencia oferta",
        "vencimiento oferta",
        "fecha expiracion",
        "offer expires",
    ),
    Field.PRODUCT_CATEGORY: ("categoria producto", "categoria de producto", "product category", "categoria"),
    Field.SEGMENT: ("segmento cliente", "segmento de cliente", "customer segment", "segmento", "segment"),
    Field.CAMPAIGN_TYPE: ("tipo campana", "tipo de campana", "campaign type", "campana", "campaign"),
    Field.CALL_TO_ACTION: (
        "llamada accion",
        "llamada a la accion",
        "llamado a la accion",
        "call to action",
        "cta",
    ),
}

DOCUMENT_ALIASES: dict[Country | None, tuple[str, ...]] = {
    Country.CL: ("rut", "ruts", "run", "rut cliente", "rut deudor", "rut titular"),
    Country.AR: ("dni", "cuit", "cuil", "dni cuit", "cuit cuil", "dni cuit cuil", "numero de dni", "nro dni"),
    None: (
        "documento",
        "numero de documento",
        "numero documento",
        "nro documento",
        "nro de documento",
        "document",
        "identificacion",
        "identificador",
        "cedula",
        "cedula de identidad",
    ),
}
CHECK_DIGIT_ALIASES = frozenset({"dv", "digito verificador", "dig verificador", "digito"})
SURNAME_ALIASES = (
    "apellidos",
    "apellido",
    "apellido paterno",
    "apellido materno",
    "last name",
    "surname",
)

# A header that merely contains an alias ("Teléfono de contacto 2") is taken for it, unless one of these words
# says that it is about something else ("Tipo de teléfono", "Monto pagado", "Fecha de la deuda").
_CONTAINED = frozenset(
    {Field.NAME, Field.PHONE, Field.COMPANY, Field.AMOUNT, Field.DUE_DATE, Field.DAYS_LATE, Field.DOCUMENT}
)
_OTHER_MATTERS_TEXT = """
    tipo estado codigo cod observacion observaciones comentario comentarios resultado pagado pago pagos
    abonado abono abonos original originales minimo interes intereses gastos comision descuento cobranza
    ejecutivo asesor agente vendedor usuario banco producto plan grupo correo email mail direccion comuna
    ciudad region aval fiador conyuge id validado cantidad emision principal financiero calle
    archivo hora ultimo ultima listado lista anterior prefijo operador compania anexo
"""
_OTHER_MATTERS = frozenset(_OTHER_MATTERS_TEXT.split())
# Aliases too short or too common to be looked for inside a longer header.
_ONLY_WHOLE = frozenset(
    {"persona", "contacto", "numero", "marca", "cel", "tel", "titular", "run", "venc", "wa"}
)

# The 45-column debt export's columns that are its own book-keeping: not told to the agent, so not kept.
EXPORT_INTERNAL = frozenset(
    {
        "titulo",
        "cuota",
        "numero pedido",
        "ciclo captacion",
        "ciclo indicador",
        "grupo",
        "numero factura",
        "fecha pedido",
        "fecha vencimiento original",
        "valor titulo",
        "saldo principal",
        "saldo financiero",
        "situacion",
        "control de envio la perdida",
        "fecha de envio la perdida",
        "fecha saldo",
        "data saldo corregido",
        "fecha de pago",
        "fecha de encerramiento",
        "entidad conciliacion",
        "negociacion",
        "fase del cobro",
        "cod estructura padre",
        "estructura padre",
        "cod estructura",
        "estructura",
        "codigo persona",
        "direccion",
        "correo electronico personal",
        "entidad de credito",
        "entidad de cobro",
        "cod plan recibimiento",
        "plan recibimiento",
        "cod modelo comercial",
        "modelo comercial",
        "contestado",
    }
)
# Its own only when the file is that export: elsewhere "Saldo Total" is the amount.
_EXPORT_ONLY = frozenset({"saldo total"})
# Two instalments may be alike in all that we use; these columns of the export tell them apart.
INSTALMENT_IDENTITY = frozenset({"titulo", "cuota", "numero pedido", "numero factura"})
_EXPORT_SIGNATURE = 10  # so many of its internal columns make a file that export
# A row's running number would make the same row twice look like two.
_RUNNING_NUMBERS = frozenset({"n", "no", "nro", "num", "item", "fila", "correlativo", "index", "indice"})

# Names the calls give their own values to (core.variables): a column may not set them.
_RESERVED_WORDS = """
    nombre empresa rut dni monto_total moneda cuotas_adeudadas cantidad_cupones fecha_limite fecha_maxima
    dias_vencidos tipo_deuda tipo_llamada fecha_actual descripcion_oferta descuento_porcentaje
    categoria_producto segmento_cliente tipo_campana llamada_accion valor_oferta oferta_expira
    current_time_america_santiago telefono to_number
"""
RESERVED_VARIABLES = frozenset(_RESERVED_WORDS.split())

MOBILE_HEADERS = frozenset({"movil", "celular", "mobile", "cel", "whatsapp", "cell"})
LANDLINE_HEADERS = frozenset({"residencial", "fijo", "landline", "casa", "domicilio"})

_DEBT_DETAILS = (
    Field.CURRENCY,
    Field.INSTALMENTS,
    Field.DUE_DATE,
    Field.DAYS_LATE,
    Field.DEADLINE,
    Field.FINAL_DEADLINE,
)
_WORDS = re.compile(r"[A-ZÑ]+(?![a-zñ])|[A-ZÑ]?[a-zñ]+|\d+")


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its place and its header as the file writes it."""

    index: int
    header: str


@dataclass(slots=True)
class Columns:
    """Where everything is in a sheet whose header has been read."""

    fields: dict[Field, list[Column]]  # several for phones, names and documents; else one
    phone_kinds: dict[int, LineKind]
    check_digit: Column | None  # a RUT's, where it has a column of its own
    variables: dict[str, Column]
    identity: list[int]  # the cells that make two rows the same row
    taken_for: dict[str, str]
    warnings: list[str] = field(default_factory=list)


@lru_cache(maxsize=4096)
def words(header: str) -> tuple[str, ...]:
    """A header's words: "FechaVencimiento", "FECHA_VENCIMIENTO" and "Fecha vencimiento:" are the same two."""
    plain = unicodedata.normalize("NFKD", header)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return tuple(word.casefold() for word in _WORDS.findall(plain))


def normalise(header: str) -> str:
    """A header as the alias tables write it."""
    return " ".join(words(header))


def _key(text: str) -> str:
    """For exact comparison blanks do not count: "fechavenc" is "fecha venc"."""
    return text.replace(" ", "")


_EXACT: dict[str, tuple[Field, int]] = {
    _key(alias): (target, rank) for target, aliases in ALIASES.items() for rank, alias in enumerate(aliases)
}
_DOCUMENT_COUNTRY: dict[str, Country | None] = {
    _key(alias): country for country, aliases in DOCUMENT_ALIASES.items() for alias in aliases
}
_ALIAS_WORDS: list[tuple[tuple[str, ...], Field, int]] = [
    (tuple(alias.split()), target, rank)
    for target, aliases in (*ALIASES.items(), (Field.DOCUMENT, ("rut", "ruts", "dni", "cuit", "cuil")))
    if target in _CONTAINED
    for rank, alias in enumerate(aliases)
    if alias not in _ONLY_WHOLE
]
_INTERNAL_KEYS = frozenset(_key(name) for name in EXPORT_INTERNAL)
_EXPORT_ONLY_KEYS = frozenset(_key(name) for name in _EXPORT_ONLY)
_IDENTITY_KEYS = frozenset(_key(name) for name in INSTALMENT_IDENTITY)
_CONTAINED_RANK = 1000  # a contained alias is always weaker than a whole one


@lru_cache(maxsize=4096)
def recognise(header: str) -> tuple[Field, int] | None:
    """The field a header names and how weakly (0 is the most telling), by whole alias or unambiguous part."""
    key = _key(normalise(header))
    if key in _DOCUMENT_COUNTRY:
        return Field.DOCUMENT, 0 if _DOCUMENT_COUNTRY[key] else 1
    if key in _EXACT:
        return _EXACT[key]
    numbered = key.rstrip("0123456789")
    if numbered != key and _EXACT.get(numbered, (None, 0))[0] is Field.PHONE:  # "fono2"
        return _EXACT[numbered]
    return _recognise_part(words(header))


def _recognise_part(header_words: tuple[str, ...]) -> tuple[Field, int] | None:
    if len(header_words) > 6 or not _OTHER_MATTERS.isdisjoint(header_words):
        return None
    found: dict[Field, tuple[int, int]] = {}
    for alias, target, rank in _ALIAS_WORDS:
        size = len(alias)
        if any(header_words[at : at + size] == alias for at in range(len(header_words) - size + 1)):
            found[target] = max(found.get(target, (0, 0)), (size, -rank))
    if not found:
        return None
    longest = max(size for size, _ in found.values())
    winners = [target for target, (size, _) in found.items() if size == longest]
    if len(winners) != 1:
        return None
    return winners[0], _CONTAINED_RANK - found[winners[0]][1]


def score(cells: Sequence[object], mapped: frozenset[str]) -> tuple[int, int]:
    """How much a row looks like a header: distinct fields, then columns, that it names."""
    targets = []
    for cell in cells:
        if not isinstance(cell, str) or len(cell) > 60:
            continue
        if (key := _key(normalise(cell))) in mapped:
            targets.append(key)
        elif found := recognise(cell):
            targets.append(found[0].value)
    return len(set(targets)), len(targets)


def mapped_keys(mapping: Mapping[str, str] | None) -> frozenset[str]:
    """The headers an upload's mapping names, for `score`."""
    return frozenset(_key(normalise(header)) for header in mapping or ())


def resolve(
    headers: Sequence[str], country: Country, mapping: Mapping[str, str] | None, language: Language
) -> Columns:
    """Give every column its meaning, or raise FileError where two claim the same or the country is wrong."""
    return _Resolution(headers, country, language).run(mapping or {})


class _Resolution:
    """One file's header on its way to Columns."""

    def __init__(self, headers: Sequence[str], country: Country, language: Language) -> None:
        self.columns = [Column(index, header) for index, header in enumerate(headers) if words(header)]
        self.keys = {column.index: _key(normalise(column.header)) for column in self.columns}
        self.country = country
        self.language = language
        self.fields: dict[Field, list[Column]] = {}
        self.settled: dict[int, str] = {}  # column → what it was taken for
        self.warnings: list[str] = []
        internal = sum(key in _INTERNAL_KEYS for key in self.keys.values())
        self.is_export = internal >= _EXPORT_SIGNATURE

    def run(self, mapping: Mapping[str, str]) -> Columns:
        self._apply_mapping(mapping)
        self._leave_out_internal()
        self._find_documents()
        self._find_fields()
        self._join_surnames()
        check_digit = self._find_check_digit()
        if Field.AMOUNT not in self.fields:  # dates without a debt are what the agent may be told
            for detail in _DEBT_DETAILS:
                for column in self.fields.pop(detail, []):
                    del self.settled[column.index]
        self._order_phones()
        variables = self._name_variables()
        return Columns(
            fields=self.fields,
            phone_kinds={
                column.index: line_kind(column.header) for column in self.fields.get(Field.PHONE, [])
            },
            check_digit=check_digit,
            variables=variables,
            identity=self._identity(variables, check_digit),
            taken_for={column.header: self.settled[column.index] for column in self.columns},
            warnings=self.warnings,
        )

    def _take(self, column: Column, target: Field) -> None:
        self.fields.setdefault(target, []).append(column)
        self.settled[column.index] = target.value

    def _left(self) -> list[Column]:
        return [column for column in self.columns if column.index not in self.settled]

    def _apply_mapping(self, mapping: Mapping[str, str]) -> None:
        several = (Field.PHONE, Field.IGNORE)
        for header, name in mapping.items():
            column = self._mapped_column(header)
            if name not in set(Field):
                fields = ", ".join(Field)
                raise file_error("bad_mapping_field", self.language, header=header, field=name, fields=fields)
            target = Field(name)
            if target in self.fields and target not in several:
                raise file_error("bad_mapping_twice", self.language, field=name)
            self._take(column, target)
        self.fields.pop(Field.IGNORE, None)

    def _mapped_column(self, header: str) -> Column:
        exact = [column for column in self._left() if column.header == header]
        key = _key(normalise(header))
        for column in exact or [column for column in self._left() if self.keys[column.index] == key]:
            return column
        found = ", ".join(column.header for column in self.columns)
        raise file_error("bad_mapping_header", self.language, header=header, found=found)

    def _leave_out_internal(self) -> None:
        for column in self._left():
            key = self.keys[column.index]
            own = self.is_export and (key in _INTERNAL_KEYS or key in _EXPORT_ONLY_KEYS)
            if own or key in _RUNNING_NUMBERS:
                self.settled[column.index] = Field.IGNORE.value

    def _find_documents(self) -> None:
        """The country's documents; another country's alone means that the country was chosen wrong."""
        if Field.DOCUMENT in self.fields:
            return
        claims = []
        for column in self._left():
            found = recognise(column.header)
            if found and found[0] is Field.DOCUMENT:
                claims.append((column, self._document_country(column)))
        own = [column for column, of in claims if of is self.country]
        foreign = [column for column, of in claims if of not in (self.country, None)]
        neutral = [column for column, of in claims if of is None]
        if foreign and not own and not neutral:
            header = foreign[0].header
            raise file_error("wrong_country", self.language, header=header, country=self.country.value)
        for column in own or neutral[:1]:
            self._take(column, Field.DOCUMENT)
        for column in foreign:
            self.settled[column.index] = Field.IGNORE.value
            self.warnings.append(say("foreign_document", self.language, header=column.header))
        # A bare "id" is a document only in a file of debts that has no other.
        if Field.DOCUMENT not in self.fields and any(
            (found := recognise(column.header)) and found[0] is Field.AMOUNT for column in self._left()
        ):
            for column in self._left():
                if self.keys[column.index] == "id":
                    self._take(column, Field.DOCUMENT)

    def _document_country(self, column: Column) -> Country | None:
        key = self.keys[column.index]
        if key in _DOCUMENT_COUNTRY:
            return _DOCUMENT_COUNTRY[key]
        return Country.CL if {"rut", "ruts"} & set(words(column.header)) else Country.AR

    def _find_fields(self) -> None:
        claims: dict[Field, list[tuple[int, Column]]] = {}
        for column in self._left():
            found = recognise(column.header)
            if found and found[0] is not Field.DOCUMENT and found[0] not in self.fields:
                claims.setdefault(found[0], []).append((found[1], column))
        for target, candidates in claims.items():
            if target is Field.PHONE:
                for _, column in candidates:
                    self._take(column, target)
                continue
            candidates.sort(key=lambda claim: claim[0])  # stable: of equals, the leftmost
            best_rank, best = candidates[0]
            for rank, column in candidates[1:]:
                if rank == best_rank:
                    self._refuse_twins(best, column, target)
            self._take(best, target)

    def _refuse_twins(self, first: Column, second: Column, target: Field) -> None:
        """Money is not taken from one of two alike columns; elsewhere the first is used, with a warning."""
        if target in (Field.AMOUNT, Field.CURRENCY, Field.DUE_DATE):
            raise file_error(
                "ambiguous_columns",
                self.language,
                first=first.header,
                second=second.header,
                field=target.value,
            )
        self.warnings.append(say("duplicate_column", self.language, first=first.header, second=second.header))

    def _join_surnames(self) -> None:
        if Field.NAME not in self.fields:
            return
        for alias in SURNAME_ALIASES:
            for column in self._left():
                if normalise(column.header) == alias:
                    self._take(column, Field.NAME)

    def _find_check_digit(self) -> Column | None:
        if self.country is not Country.CL or Field.DOCUMENT not in self.fields:
            return None
        for column in self._left():
            if normalise(column.header) in CHECK_DIGIT_ALIASES:
                self.settled[column.index] = Field.DOCUMENT.value
                return column
        return None

    def _order_phones(self) -> None:
        """Left to right, but the export has landlines first and the original dialed mobiles first."""
        if self.is_export and Field.PHONE in self.fields:
            self.fields[Field.PHONE].sort(key=lambda column: line_kind(column.header) is not LineKind.MOBILE)

    def _name_variables(self) -> dict[str, Column]:
        variables: dict[str, Column] = {}
        for column in self._left():
            base = slug(column.header)
            name, count = base, 1
            while name in variables:
                count += 1
                name = f"{base}_{count}"
            variables[name] = column
            self.settled[column.index] = f"variable:{name}"
        return variables

    def _identity(self, variables: Mapping[str, Column], check_digit: Column | None) -> list[int]:
        used = {column.index for group in self.fields.values() for column in group}
        used |= {column.index for column in variables.values()}
        used |= {index for index, key in self.keys.items() if key in _IDENTITY_KEYS}
        if check_digit:
            used.add(check_digit.index)
        return sorted(used)


def slug(header: str) -> str:
    """A variable's name from a header: "Ejecutivo Asignado" is ejecutivo_asignado."""
    name = "_".join(words(header)).replace("ß", "ss")
    name = re.sub(r"[^a-z0-9_]", "", name)[:60] or "columna"
    return f"extra_{name}" if name in RESERVED_VARIABLES else name


def line_kind(header: str) -> LineKind:
    """What a phone column's header says about its numbers."""
    header_words = set(words(header))
    if header_words & MOBILE_HEADERS:
        return LineKind.UNKNOWN if header_words & LANDLINE_HEADERS else LineKind.MOBILE
    return LineKind.LANDLINE if header_words & LANDLINE_HEADERS else LineKind.UNKNOWN
