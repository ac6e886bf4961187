"""Every sentence the ingest says, in Spanish and English: one table, one place to correct the tone.

A file's own text enters a message only through `shorten`, so that no message carries a whole cell.
"""

from __future__ import annotations

from typing import Literal

from speechai.ingest.contacts import FileError

Language = Literal["es", "en"]

LONGEST_VALUE = 60

MESSAGES: dict[str, tuple[str, str]] = {
    # The file as a whole: these keys are also the codes of FileError.
    "empty_file": ("El archivo está vacío.", "The file is empty."),
    "too_large": (
        "El archivo pesa más de {megabytes} MB. Divídalo en varios.",
        "The file is larger than {megabytes} MB. Split it into several.",
    ),
    "zip_bomb": (
        (
            "El archivo se expande a más de {megabytes} MB o tiene demasiadas partes: no se abre. "
            "Guarde sólo la hoja de contactos en un archivo nuevo."
        ),
        (
            "The file inflates to more than {megabytes} MB or has too many parts: it is not opened. "
            "Save only the sheet of contacts as a new file."
        ),
    ),
    "unsupported": (
        "Esto es un archivo {kind}, no una planilla. Guárdelo como .xlsx, .xls o .csv.",
        "This is a {kind} file, not a spreadsheet we read. Save it as .xlsx, .xls or .csv.",
    ),
    "not_text": (
        "El archivo no es una planilla ni texto CSV (contiene datos binarios).",
        "The file is neither a workbook nor CSV text (it holds binary data).",
    ),
    "password": (
        "El archivo está protegido con contraseña. Quítela y súbalo de nuevo.",
        "The file is protected by a password. Remove it and upload again.",
    ),
    "macros": (
        "El archivo contiene macros. Guárdelo como «Libro de Excel (.xlsx)» y súbalo de nuevo.",
        'The file contains macros. Save it as "Excel Workbook (.xlsx)" and upload again.',
    ),
    "damaged": (
        "El archivo está dañado o incompleto. Ábralo en Excel, guárdelo de nuevo y vuelva a subirlo.",
        "The file is damaged or cut short. Open it in Excel, save it again and upload it once more.",
    ),
    "too_slow": (
        "La lectura del archivo pasó de {seconds:g} segundos y se detuvo. Divídalo en varios.",
        "Reading the file took more than {seconds:g} seconds and was stopped. Split it into several.",
    ),
    "too_complex": (
        (
            "El archivo necesita más memoria de la permitida. Copie los contactos a una hoja nueva, sin "
            "filas ni columnas vacías con formato, y súbala de nuevo."
        ),
        (
            "The file needs more memory than allowed. Copy the contacts to a new sheet, without formatted "
            "empty rows or columns, and upload that."
        ),
    ),
    "too_many_rows": (
        "El archivo tiene más de {limit} filas. Divídalo en varios.",
        "The file has more than {limit} rows. Split it into several.",
    ),
    "too_many_columns": (
        "La hoja tiene más de {limit} columnas. Deje sólo las que se usan.",
        "The sheet has more than {limit} columns. Keep only those in use.",
    ),
    "no_header": (
        (
            "No se encontró la fila de encabezados (por ejemplo RUT, NOMBRE, TELEFONO, MONTO, FECHA_VENC) en "
            "las primeras {limit} filas de ninguna hoja."
        ),
        (
            "No header row (such as RUT, NOMBRE, TELEFONO, MONTO, FECHA_VENC) was found in the first {limit} "
            "rows of any sheet."
        ),
    ),
    "missing_columns": (
        (
            "Para {use_case} faltan las columnas: {missing}. Se encontraron: {found}. Corrija el encabezado "
            "o indique la columna con «mapping»."
        ),
        (
            "For {use_case} these columns are missing: {missing}. Found: {found}. Correct the header or "
            'name the column with "mapping".'
        ),
    ),
    "no_rows": (
        "El archivo tiene encabezado pero ninguna fila de datos.",
        "The file has a header but no rows of data.",
    ),
    "bad_mapping_header": (
        "«mapping» nombra la columna «{header}», que no está en el archivo. Columnas: {found}.",
        '"mapping" names the column "{header}", which the file does not have. Columns: {found}.',
    ),
    "bad_mapping_field": (
        "«mapping» asigna «{header}» al campo «{field}», que no existe. Campos: {fields}.",
        '"mapping" gives "{header}" the field "{field}", which does not exist. Fields: {fields}.',
    ),
    "bad_mapping_twice": (
        "«mapping» asigna el campo «{field}» a más de una columna.",
        '"mapping" gives the field "{field}" to more than one column.',
    ),
    "wrong_country": (
        (
            "La columna «{header}» es un documento de otro país que {country}. Elija el país correcto al "
            "subir el archivo."
        ),
        (
            'The column "{header}" is a document of another country than {country}. Choose the right country '
            "when uploading."
        ),
    ),
    "ambiguous_columns": (
        (
            "Las columnas «{first}» y «{second}» dicen ser lo mismo ({field}). Deje una o indique cuál con "
            "«mapping»."
        ),
        (
            'The columns "{first}" and "{second}" claim to be the same ({field}). Keep one or say which with '
            '"mapping".'
        ),
    ),
    "columns": (
        "A la lista le faltan columnas: {missing}. Se encontraron: {found}. Corrija el encabezado.",
        "The list lacks columns: {missing}. Found: {found}. Correct the header.",
    ),
    "twin_columns": (
        "Las columnas «{first}» y «{second}» dicen ser lo mismo. Deje sólo una.",
        'The columns "{first}" and "{second}" claim to be the same. Keep only one.',
    ),
    # Rows.
    "blank_document": (
        "Falta el documento (la celda está vacía o es una fórmula sin valor guardado).",
        "The document is missing (the cell is empty, or a formula without a saved value).",
    ),
    "blank_name": ("Falta el nombre.", "The name is missing."),
    "blank_amount": (
        "Falta el monto (la celda está vacía o es una fórmula sin valor guardado).",
        "The amount is missing (the cell is empty, or a formula without a saved value).",
    ),
    "blank_entry": ("Falta el teléfono o el documento.", "The phone number or the document is missing."),
    "country_unknown": ("El país debe ser CL o AR.", "The country must be CL or AR."),
    "blank_phone": ("No hay ningún teléfono.", "There is no phone number."),
    "repeated_header": (
        "La fila repite el encabezado.",
        "The row repeats the header.",
    ),
    "extra_cells": (
        "La fila tiene más celdas que el encabezado: quizás un texto sin comillas contiene un separador.",
        "The row has more cells than the header: perhaps an unquoted text holds a separator.",
    ),
    "bad_name": ("El nombre no es un texto.", "The name is not text."),
    "long_text": (
        "El texto supera los {limit} caracteres.",
        "The text is longer than {limit} characters.",
    ),
    "cell_error": (
        "La celda contiene un error de Excel.",
        "The cell holds an Excel error.",
    ),
    "rut_form": ("No es un RUT (se espera 12.345.678-5).", "Not a RUT (12.345.678-5 is expected)."),
    "rut_check": (
        "El dígito verificador del RUT no corresponde. Corrija el RUT.",
        "The check digit of the RUT does not match. Correct the RUT.",
    ),
    "dni_form": (
        "No es un DNI (7 u 8 dígitos) ni un CUIT/CUIL (11 dígitos).",
        "Neither a DNI (7 or 8 digits) nor a CUIT/CUIL (11 digits).",
    ),
    "cuit_check": (
        "El dígito verificador del CUIT/CUIL no corresponde. Corríjalo.",
        "The check digit of the CUIT/CUIL does not match. Correct it.",
    ),
    "documents_differ": (
        "Los documentos de la fila son de personas distintas.",
        "The row's documents belong to different persons.",
    ),
    "amount_form": ("No se entiende como monto.", "Cannot be read as an amount."),
    "amount_ambiguous": (
        "El monto es ambiguo: el separador puede ser de miles o decimal.",
        "The amount is ambiguous: the separator may group thousands or mark decimals.",
    ),
    "amount_negative": ("El monto es negativo.", "The amount is negative."),
    "amount_zero": ("El monto es cero.", "The amount is zero."),
    "amount_absurd": ("El monto es absurdamente alto.", "The amount is absurdly high."),
    "currency_unknown": ("Moneda desconocida.", "Unknown currency."),
    "currency_conflict": (
        "La moneda del monto y la de la columna de moneda no coinciden.",
        "The currency in the amount and the one in the currency column differ.",
    ),
    "currency_mixed": (
        "La persona ya tiene una deuda en {currency}; ésta es en otra moneda. Súbala en otro archivo.",
        "The person already owes in {currency}; this debt is in another currency. Upload it separately.",
    ),
    "rounded_amount": (
        "Monto con decimales en {currency}: se redondeó a {amount}.",
        "Amount with decimals in {currency}: rounded to {amount}.",
    ),
    "date_form": ("No se entiende como fecha.", "Cannot be read as a date."),
    "date_ambiguous": ("La fecha puede leerse de dos maneras.", "The date can be read in two ways."),
    "date_future": ("La fecha está en el futuro.", "The date is in the future."),
    "date_absurd": ("El año de la fecha es absurdo.", "The year of the date is absurd."),
    "date_century": (
        "El año tiene dos cifras y puede ser de dos siglos; escríbalo con cuatro.",
        "The year has two digits and may be of two centuries; write it with four.",
    ),
    "count_form": ("No es un número entero razonable.", "Not a sensible whole number."),
    "left_out": (" El dato se omite.", " It is left out."),
    # Phones.
    "phone_no_digits": ("No es un número de teléfono.", "Not a phone number."),
    "phone_not_text": ("La celda no es un número de teléfono.", "The cell is not a phone number."),
    "phone_too_short": ("Al número le faltan dígitos.", "The number has too few digits."),
    "phone_too_long": ("Al número le sobran dígitos.", "The number has too many digits."),
    "phone_no_area_code": (
        "Al número le falta el código de área.",
        "The number lacks its area code.",
    ),
    "phone_ambiguous": (
        "El número puede leerse de más de una manera (¿móvil o fijo?). Escríbalo completo, con código.",
        "The number can be read in more than one way (mobile or landline?). Write it in full, with its code.",
    ),
    "phone_invalid": (
        "No es un número válido en {country}.",
        "Not a valid number in {country}.",
    ),
    "phone_foreign": (
        "No es un número internacional válido.",
        "Not a valid international number.",
    ),
    "phone_fake": ("El número parece inventado.", "The number looks made up."),
    "phone_extension": (
        "El número tiene anexo o interno: no se puede marcar a la persona.",
        "The number has an extension: the person cannot be dialed directly.",
    ),
    "phone_do_not_call": (
        "La celda dice que no se llame a este número.",
        "The cell says that this number is not to be called.",
    ),
    "phone_deceased": (
        "La celda dice que la persona falleció.",
        "The cell says that the person has died.",
    ),
    "phone_wrong_person": (
        "La celda dice que el número no es de esta persona.",
        "The cell says that the number is not this person's.",
    ),
    "phone_out_of_service": (
        "La celda dice que el número no sirve.",
        "The cell says that the number is out of service.",
    ),
    "phone_fax": ("La celda dice que es un fax.", "The cell says that it is a fax."),
    "phone_other_person": (
        "La celda dice que el número es de otra persona.",
        "The cell says that the number is somebody else's.",
    ),
    "phone_work": (
        "La celda dice que es el teléfono del trabajo, donde contestan otros.",
        "The cell says that it is the phone at work, where others answer.",
    ),
    "phone_is_document": (
        "Es un documento (RUT o CUIT), no un teléfono.",
        "It is a document (RUT or CUIT), not a phone.",
    ),
    "phone_is_date": ("Es una fecha, no un teléfono.", "It is a date, not a phone."),
    "phone_rounded": (
        "Excel redondeó el número (notación científica): faltan dígitos.",
        "Excel rounded the number (scientific notation): digits are lost.",
    ),
    "phone_letters": ("El número tiene letras en medio.", "The number has letters inside."),
    "phone_special": (
        "Es un número de servicio, no el de una persona.",
        "It is a service number, not a person's.",
    ),
    # Warnings.
    "at_row": (
        "Fila {row}, columna «{column}», «{value}»: {error}",
        'Row {row}, column "{column}", "{value}": {error}',
    ),
    "shared_phones": (
        "{count} teléfonos aparecen en más de una persona.",
        "{count} phone numbers appear under more than one person.",
    ),
    "many_phones": (
        "Fila {row}: más de {limit} teléfonos; se usan los primeros.",
        "Row {row}: more than {limit} phone numbers; the first ones are used.",
    ),
    "future_dates": (
        "{count} filas tienen un vencimiento futuro.",
        "{count} rows have a due date in the future.",
    ),
    "more_warnings": ("Y {count} avisos más.", "And {count} more warnings."),
    "duplicate_column": (
        "La columna «{second}» repite a «{first}»; se usa la primera.",
        'The column "{second}" repeats "{first}"; the first is used.',
    ),
    "foreign_document": (
        "La columna «{header}» es un documento de otro país y no se usa.",
        'The column "{header}" is a document of another country and is not used.',
    ),
    "somebody_elses": (
        (
            "La columna «{header}» es de otra persona, o no es un teléfono en que se hable: no se usa. Si es "
            "del deudor, indíquelo con «mapping»."
        ),
        (
            'The column "{header}" is somebody else\'s, or no line on which people speak: it is not used. If '
            'it is the debtor\'s, say so with "mapping".'
        ),
    ),
    "wrong_extension": (
        "El archivo se llama «{name}» pero es {kind}; se leyó como tal.",
        'The file is called "{name}" but is {kind}; it was read as that.',
    ),
    "other_sheets": (
        "Sólo se leyó la hoja «{sheet}»; otras hojas también parecen tener contactos: {others}.",
        'Only the sheet "{sheet}" was read; other sheets seem to hold contacts too: {others}.',
    ),
}

FIELD_LABELS: dict[str, tuple[str, str]] = {
    "document": ("documento (RUT, DNI, CUIT)", "document (RUT, DNI, CUIT)"),
    "name": ("nombre", "name"),
    "phone": ("teléfono", "phone"),
    "amount": ("monto", "amount"),
    "paid_on": ("fecha de pago", "date paid"),
    "currency": ("moneda", "currency"),
    "country": ("país", "country"),
}


def shorten(value: object) -> str:
    """A cell's text as a message may show it."""
    shown = "" if value is None else " ".join(str(value).split())
    return shown if len(shown) <= LONGEST_VALUE else shown[: LONGEST_VALUE - 1] + "…"


def say(code: str, language: Language, **values: object) -> str:
    """The sentence for a code. Texts among the values are shortened."""
    template = MESSAGES[code][0 if language == "es" else 1]
    return template.format(**values)


def field_label(field: str, language: Language) -> str:
    """What a field is called in a sentence."""
    labels = FIELD_LABELS.get(field)
    return labels[0 if language == "es" else 1] if labels else field


def file_error(code: str, language: Language, **values: object) -> FileError:
    """A FileError with its sentence. Variants of a mistake (bad_mapping_…) share one code."""
    public = "bad_mapping" if code.startswith("bad_mapping") else code
    return FileError(public, say(code, language, **values))
