"""A new batch in two steps: the file is shown as it was understood, and becomes a batch when confirmed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Response as FlaskResponse
from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from speechai.catalog.policies import Consent, presets
from speechai.catalog.use_cases import Country, Field, UseCaseId
from speechai.core.variables import major_units
from speechai.ingest import Contact
from speechai.operation.campaigns.configuring import RefusedOptionError
from speechai.operation.campaigns.uploads import (
    FileError,
    SameFileError,
    UploadLostError,
    UploadOptions,
    UploadResult,
    upload,
)
from web.auth import caller
from web.context import services
from web.incoming import kept_file, scratch, sent_file
from web.language import current, text
from web.panel.blueprint import blueprint
from web.upload_options import DUPLICATES, NAMES, STARTS, BadOptionsError, read_options

SHOWN_REJECTED = 50


@blueprint.get("/upload")
def upload_form() -> str:
    """The form."""
    return _form({}, {})


@blueprint.post("/upload")
def preview() -> FlaskResponse | str:
    """Read the file, make nothing, and show what would become of it."""
    given = _given(request.form)
    errors: dict[str, str] = {}
    try:
        given["mapping"] = _mapping_of_lines(given.get("mapping", ""))
        options = _options(given)
    except BadOptionsError as error:
        errors = error.errors
    sent = sent_file()
    if sent is None:
        errors["file"] = text("option.file")
    if errors or sent is None:
        return FlaskResponse(_form(request.form, errors), 422)
    uploaded, filename = sent
    made = services()
    with kept_file(uploaded) as path:
        try:
            result = upload(made, path, filename, replace(options, dry_run=True))
        except FileError as error:
            status = 413 if error.code == "too_large" else 422
            return FlaskResponse(_form(request.form, {"file": error.message}), status)
        except RefusedOptionError as error:
            return FlaskResponse(_form(request.form, {error.field: error.message}), 422)
        token = made.store.uploads.save(path, filename, given, made.clock.now())
    return _preview_page(token, filename, options, result)


@blueprint.post("/upload/confirm")
def confirm() -> FlaskResponse | Response:
    """The previewed file becomes a batch; clicking twice makes one."""
    made, token = services(), request.form.get("token", "")
    if not made.store.uploads.claim(token, made.clock.now()):
        flash(text("upload.expired"), "error")
        return redirect(url_for("panel.upload_form"), 303)
    try:
        return _become_batch(token)
    except BaseException:
        made.store.uploads.unclaim(token)
        raise


@blueprint.post("/upload/discard")
def discard() -> Response:
    """Forget the file at once."""
    if services().store.uploads.delete(request.form.get("token", "")):
        flash(text("preview.discarded"), "ok")
    return redirect(url_for("panel.upload_form"), 303)


def _become_batch(token: str) -> FlaskResponse | Response:
    made = services()
    with scratch() as path:
        stored = made.store.uploads.fetch(token, path)
        if stored is None:
            flash(text("upload.expired"), "error")
            return redirect(url_for("panel.upload_form"), 303)
        options = _options(stored.options)
        if request.form.get("again") == "1":
            options = replace(options, again=True)
        try:
            result = upload(made, path, stored.filename, options)
        except SameFileError as error:
            made.store.uploads.unclaim(token)
            if error.is_being_read_in:
                flash(text("upload.being_read_in", batch=error.batch_id), "error")
                return redirect(url_for("panel.batches"), 303)
            page = render_template("panel/same_file.html", token=token, batch_id=error.batch_id)
            return FlaskResponse(page, 409)
        except (FileError, RefusedOptionError) as error:  # what was fine in the preview no longer is
            made.store.uploads.unclaim(token)
            field = error.field if isinstance(error, RefusedOptionError) else "file"
            return FlaskResponse(_form(stored.options, {field: error.message}), 422)
        except UploadLostError:
            made.store.uploads.unclaim(token)
            flash(text("upload.lost"), "error")
            return redirect(url_for("panel.upload_form"), 303)
    made.store.uploads.delete(token)
    flash(text("preview.created", jobs=result.jobs_created), "ok")
    return redirect(url_for("panel.batch", batch_id=result.batch_id), 303)


def _given(form: Mapping[str, str]) -> dict[str, str]:
    return {name: form[name] for name in NAMES if form.get(name) and name != "dry_run"}


def _options(given: Mapping[str, str]) -> UploadOptions:
    return read_options(given, created_by=caller(), language=current())


def _mapping_of_lines(lines: str) -> str:
    """ "ENCABEZADO = campo", line by line, as the API's JSON. Raises BadOptionsError."""
    mapping = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        header, separator, field = line.rpartition("=")
        if not separator or not header.strip() or not field.strip():
            raise BadOptionsError({"mapping": text("option.mapping_line")})
        mapping[header.strip()] = field.strip().lower()
    return json.dumps(mapping) if mapping else ""


def _form(given: Mapping[str, str], errors: Mapping[str, str]) -> str:
    made = services()
    settings = made.settings
    return render_template(
        "panel/upload.html",
        given=given,
        errors=errors,
        use_cases=[case.value for case in UseCaseId],
        countries=[country.value for country in Country],
        policies=[
            policy
            for policy in presets().values()
            if settings.provider_is_local or not policy.simulation_only
        ],
        accounts=made.store.accounts.all(),
        starts=STARTS,
        duplicates=DUPLICATES,
        consents=[consent.value for consent in Consent],
        fields=[field.value for field in Field],
        wave_times=",".join(f"{clock:%H:%M}" for clock in settings.wave_times),
        daily_contacts=settings.daily_contacts,
    )


def _preview_page(token: str, filename: str, options: UploadOptions, result: UploadResult) -> str:
    return render_template(
        "panel/preview.html",
        token=token,
        filename=filename,
        options=options,
        result=result,
        people=[_person(contact) for contact in result.preview],
        columns=result.columns,
        rejected=result.rejected[:SHOWN_REJECTED],
        more_rejected=max(0, len(result.rejected) - SHOWN_REJECTED),
    )


def _person(contact: Contact) -> dict[str, Any]:
    debt = contact.debt
    return {
        "name": contact.name,
        "document": contact.document_label or contact.document,
        "phones": contact.phones,
        "amount": major_units(debt.total_minor, debt.currency) if debt else None,
        "currency": debt.currency if debt else None,
        "due": debt.due_date_oldest if debt else None,
        "offer": contact.offer.get("offer"),
        "rows": contact.rows,
    }
