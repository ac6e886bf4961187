"""The names that users' files give to columns: data tables, read by `headers` and `columns`.

The aliases are the original system's three parsers' (debt export, simple and marketing, CSV), its documents'
and its panel's, so that files made for any of them go on working.
"""

from __future__ import annotations

from speechai.catalog.use_cases import Country, Field

_DUE = ("vencimiento", "venc", "vto", "vcto", "vencto", "vencim")
_DATE_OF = ("fecha", "fecha de", "fec", "fch", "f")

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
        *(f"{date_of} {due}" for date_of in _DATE_OF for due in _DUE),
        *_DUE,
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
CONTAINED = frozenset(
    {Field.NAME, Field.PHONE, Field.COMPANY, Field.AMOUNT, Field.DUE_DATE, Field.DAYS_LATE, Field.DOCUMENT}
)
_OTHER_MATTERS_TEXT = """
    tipo estado codigo cod observacion observaciones comentario comentarios resultado pagado pago pagos
    abonado abono abonos original originales minimo interes intereses gastos comision descuento cobranza
    ejecutivo asesor agente vendedor usuario banco producto plan grupo correo email mail direccion comuna
    ciudad region aval fiador conyuge id validado cantidad emision principal financiero calle
    archivo hora ultimo ultima listado lista anterior prefijo operador compania anexo
"""
OTHER_MATTERS = frozenset(_OTHER_MATTERS_TEXT.split())
# Somebody who is not the debtor, or a line on which nobody speaks: a phone, a name or a document of theirs is
# never the debtor's, whatever else the header says, and is used only where a mapping says so.
_SOMEBODY_ELSE_TEXT = """
    codeudor codeudora codeudores codeud cotitular cosolicitante codeudor1 codeudor2
    aval avales avalista avalistas fiador fiadora fiadores garante garantes
    referencia referencias ref refer referido referida
    padre madre padres papa mama apoderado apoderada apod tutor tutora
    conyuge pareja esposo esposa marido hijo hija hijos hermano hermana familiar familiares pariente parientes
    vecino vecina amigo amiga conocido
    empleador empleadora patron jefe
    emergencia emergencias
    beneficiario beneficiaria heredero
    guarantor guardian parent father mother spouse employer reference relative emergency
"""
SOMEBODY_ELSE = frozenset(_SOMEBODY_ELSE_TEXT.split())
# A phone at which others answer.
AT_WORK = frozenset({"trabajo", "laboral", "oficina", "empleo", "work", "office"})
# … said in two words.
SOMEBODY_ELSE_PAIRS = frozenset(
    {
        ("co", "deudor"),
        ("co", "deudora"),
        ("co", "titular"),
        ("segundo", "titular"),
        ("otro", "titular"),
        ("co", "signer"),
        ("segundo", "deudor"),
    }
)
NO_VOICE = frozenset({"fax", "telefax", "facsimil", "facsimile"})
# Whose document it is, where it is not the person's; in a phone's header the same words say whom they owe.
DOCUMENT_OF_OTHERS = frozenset(
    {"empresa", "acreedor", "mandante", "cedente", "company", "creditor", "proveedor", "comercio", "sucursal"}
)
# What else expires or falls due: none of these dates is the debt's.
OTHER_EXPIRIES = frozenset(
    {
        *("tarjeta", "contrato", "licencia", "cedula", "carnet", "documento", "poliza", "seguro", "garantia"),
        *(
            "pasaporte",
            "convenio",
            "oferta",
            "promocion",
            "beneficio",
            "card",
            "contract",
            "license",
            "policy",
        ),
    }
)
# Aliases too short or too common to be looked for inside a longer header.
ONLY_WHOLE = frozenset(
    {"persona", "contacto", "numero", "marca", "cel", "tel", "titular", "run", "venc", "vencim", "wa"}
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
EXPORT_ONLY = frozenset({"saldo total"})
# Two instalments may be alike in all that we use; these columns of the export tell them apart.
INSTALMENT_IDENTITY = frozenset({"titulo", "cuota", "numero pedido", "numero factura"})
EXPORT_SIGNATURE = 10  # so many of its internal columns make a file that export
# A row's running number would make the same row twice look like two.
RUNNING_NUMBERS = frozenset({"n", "no", "nro", "num", "item", "fila", "correlativo", "index", "indice"})

# Lists of payments: what was paid (never "deuda" or "saldo": what is owed), when, and which payment it is.
_RECEIPTS = ("comprobante", "recibo", "folio de pago", "folio pago", "transaccion", "receipt")
_REFERENCES = ("referencia", "reference", "folio", "cuota", "factura", "boleta", "contrato", "operacion")
_NUMBER_OF = ("n", "no", "nro", "num", "numero", "numero de", "nro de", "id", "id de", "codigo de")


def _numbered(names: tuple[str, ...]) -> tuple[str, ...]:
    return (*names, *(f"{number} {name}" for name in names for number in _NUMBER_OF))


PAYMENT_ALIASES: dict[str, tuple[str, ...]] = {
    "amount": (
        "monto pagado",
        "monto pago",
        "monto del pago",
        "monto de pago",
        "importe pagado",
        "valor pagado",
        "total pagado",
        "monto abonado",
        "importe abonado",
        "monto abono",
        "paid amount",
        "amount paid",
        "pagado",
        "abono",
        "pago",
        "monto",
        "importe",
        "amount",
        "valor",
        "payment",
    ),
    "paid_on": (
        "fecha de pago",
        "fecha pago",
        "fecha del pago",
        "fecha de abono",
        "fecha abono",
        "fecha pagado",
        "pagado el",
        "paid on",
        "payment date",
        "date paid",
        "paid at",
        "fecha de transaccion",
        "fecha transaccion",
        "fecha",
        "date",
    ),
    # A true receipt's number names one payment; any other number (an instalment's, a bill's) may come again.
    "receipt": (*_numbered(_RECEIPTS), "id de pago", "id pago", "receipt number", "payment id"),
    "reference": (*_numbered(_REFERENCES), "numero", "numero de pago", "numero pago", "n pago", "nro pago"),
}

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
