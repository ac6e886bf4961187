"""Payments: a list, as JSON or as a file, that marks promises kept or broken."""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.datastructures import FileStorage

from speechai.catalog.accounts import DEFAULT_ACCOUNT
from speechai.catalog.use_cases import Country
from speechai.ingest import FileError
from speechai.ingest.messages import Language
from speechai.operation.campaigns import payment_rows, payments
from web.api.blueprint import blueprint, json_body
from web.auth import caller
from web.context import services
from web.incoming import kept_file, sent_file
from web.language import accepted, translate
from web.problems import ProblemError
from web.upload_options import BadOptionsError, OptionReader

MOST = 100_000  # payments of one request


@blueprint.post("/payments")
def receive_payments() -> dict[str, Any]:
    """`{"payments": [{"document", "amount", "paid_on", "currency"?, "receipt"?, "reference"?}], "as_of"?,
    "complete"?}`, or `file`.

    A file counts as complete up to `as_of` unless it says `complete=0`: who is not on it did not pay.
    """
    language, sent = accepted(), sent_file()
    given: dict[str, Any] = dict(request.form) if sent else json_body()
    reader = OptionReader(given, language)
    account_id = reader.text("account_id") or DEFAULT_ACCOUNT
    country = reader.member("country", Country, Country.CL) or Country.CL
    is_complete = reader.flag("complete") if "complete" in given else sent is not None
    as_of = reader.day("as_of")
    if reader.errors:
        raise ProblemError(422, str(BadOptionsError(reader.errors)), errors=reader.errors)
    if services().store.accounts.get(account_id) is None:
        raise ProblemError(404, translate(language, "http.no_account"))
    rows = _rows(given, sent, country, language)
    try:
        result = payments.receive(
            services(),
            rows,
            account_id=account_id,
            country=country,
            as_of=as_of,
            is_complete=is_complete,
            by=caller(),
            language=language,
        )
    except payments.FutureListError as error:
        detail = translate(language, "payments.future", today=error.today.isoformat())
        raise ProblemError(422, detail, field="as_of") from None
    return result.as_answer()


def _rows(
    given: dict[str, Any], sent: tuple[FileStorage, str] | None, country: Country, language: Language
) -> list[tuple[int, payment_rows.Row]]:
    if sent is None:
        listed = given.get("payments")
        if (
            not isinstance(listed, list)
            or len(listed) > MOST
            or not all(isinstance(row, dict) for row in listed)
        ):
            raise ProblemError(422, translate(language, "payments.list", most=MOST), field="payments")
        known = [{name: row.get(name) for name in payment_rows.FIELDS} for row in listed]
        return list(enumerate(known, start=1))
    uploaded, _ = sent
    with kept_file(uploaded) as path:
        try:
            return payment_rows.rows_of_file(path, country, language)
        except FileError as error:
            raise ProblemError(422, error.message, field="file", code=error.code) from error
