"""Uploads: a workbook, or contacts as JSON, which go the same way."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Response, request

from speechai.operation.campaigns import batches
from speechai.operation.campaigns.configuring import RefusedOptionError
from speechai.operation.campaigns.uploads import (
    FileError,
    Language,
    SameFileError,
    UploadLostError,
    UploadOptions,
    UploadResult,
    upload,
)
from web.api.blueprint import blueprint, json_body
from web.auth import caller
from web.context import services
from web.incoming import kept_file, sent_file
from web.language import accepted, translate
from web.problems import ProblemError
from web.serialization import json_answer
from web.upload_options import BadOptionsError, read_options

MAX_CONTACTS = 100_000
MAX_COLUMNS = 200


@blueprint.post("/upload/excel")
def upload_excel() -> Response:
    """A file of contacts becomes a batch: 201, or with `dry_run` 200 and nothing is made."""
    options = _options(request.form)
    sent = sent_file()
    if sent is None:
        raise ProblemError(422, translate(options.language, "option.file"), field="file")
    uploaded, filename = sent
    with kept_file(uploaded) as path:
        result = _upload(path, filename, options)
    return json_answer(result.as_answer(), 201 if result.batch_id else 200)


@blueprint.post("/batches")
def create_batch() -> Response:
    """The same with contacts in the body, `{"name": …, "contacts": [{"rut": …, "telefono": …}, …]}`."""
    body = json_body()
    options = _options(body)
    with tempfile.TemporaryDirectory(prefix="speechai-upload-") as directory:
        path = Path(directory) / "contacts.csv"
        write_contacts(path, body.get("contacts"), options.language)
        result = _upload(path, f"{options.name or 'contacts'}.csv", options)
    batch = batches.view(services(), result.batch_id) if result.batch_id else {}
    # Lists and counts of this upload; the batch's own numbers of the same name agree with them.
    return json_answer({**batch, **result.as_answer()}, 201 if result.batch_id else 200)


def write_contacts(path: Path, contacts: Any, language: Language) -> None:
    """JSON contacts as the file an operator would have uploaded: contact n is row n + 1."""
    if not isinstance(contacts, list) or not contacts or len(contacts) > MAX_CONTACTS:
        raise ProblemError(422, translate(language, "option.contacts", most=MAX_CONTACTS), field="contacts")
    rows = [_cells(contact, number, language) for number, contact in enumerate(contacts)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if len(columns) > MAX_COLUMNS:
        raise ProblemError(422, translate(language, "option.columns", most=MAX_COLUMNS), field="contacts")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


def _cells(contact: Any, number: int, language: Language) -> dict[str, str]:
    if not isinstance(contact, dict):
        raise ProblemError(422, translate(language, "option.contact"), field=f"contacts[{number}]")
    cells: dict[str, str] = {}
    for name, value in contact.items():
        # Several numbers are several columns: "telefonos", "telefonos2", …
        values = value if isinstance(value, list) else [value]
        for place, item in enumerate(values, start=1):
            if isinstance(item, dict | list):
                raise ProblemError(
                    422,
                    translate(language, "option.contact"),
                    field=f"contacts[{number}].{name}"[:MAX_COLUMNS],
                )
            cells[name if place == 1 else f"{name}{place}"] = cell_text(item)
    return cells


def cell_text(value: Any) -> str:
    """A JSON value as a cell that can be read in one way only."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, float):
        return str(value)
    if value.is_integer():
        return str(int(value))
    exact = f"{Decimal(repr(value)):f}"
    decimals = len(exact.partition(".")[2])
    # In Chile and Argentina "1.234" is one thousand two hundred and thirty-four: never three decimals.
    return exact + "0" * (2 - decimals if decimals < 2 else 1 if decimals == 3 else 0)


def _options(given: Mapping[str, Any]) -> UploadOptions:
    try:
        return read_options(given, created_by=caller(), language=accepted())
    except BadOptionsError as error:
        field, detail = next(iter(error.errors.items()))
        errors = [{"field": name, "detail": message} for name, message in error.errors.items()]
        raise ProblemError(422, detail, field=field, errors=errors) from error


def _upload(path: Path, filename: str, options: UploadOptions) -> UploadResult:
    try:
        return upload(services(), path, filename, options)
    except RefusedOptionError as error:
        raise ProblemError(422, error.message, field=error.field) from error
    except FileError as error:
        status = 413 if error.code == "too_large" else 422
        raise ProblemError(status, error.message, field="file", code=error.code) from error
    except SameFileError as error:
        known = "being_read_in" if error.is_being_read_in else "same_file"
        detail = translate(options.language, f"upload.{known}", batch=error.batch_id)
        raise ProblemError(409, detail, batch_id=error.batch_id) from error
    except UploadLostError as error:
        raise ProblemError(503, translate(options.language, "upload.lost")) from error
