"""Payments: they mark promises kept, partly kept or broken, and end the calls to who owes nothing more.

A broken promise goes back to the flow: its job is reopened in the name of whoever brought the list, and
called at the next legal moment.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from speechai.catalog.use_cases import CURRENCY_OF, Country
from speechai.core.promises import PromiseState, judged
from speechai.core.states import BatchState, JobReason, JobState
from speechai.core.zones import local_day
from speechai.ingest import FileError, read_table
from speechai.ingest.amounts import UnreadableError, parse_amount
from speechai.ingest.dates import parse_date
from speechai.ingest.documents import parse_document
from speechai.ingest.messages import Language, say
from speechai.operation.calling.settling import complete_batch_if_over
from speechai.operation.campaigns.chunks import chunks
from speechai.operation.services import Services
from speechai.store.database import Document
from speechai.store.payments import payment_document

log = logging.getLogger(__name__)

AT_ONCE = 1000
COLUMNS = {
    "document": frozenset({"rut", "run", "dni", "cuit", "cuil", "documento", "document"}),
    "amount": frozenset({"monto", "monto pagado", "monto pago", "pago", "abono", "importe", "amount"}),
    "paid_on": frozenset({"fecha", "fecha pago", "fecha de pago", "paid on", "date"}),
    "currency": frozenset({"moneda", "currency"}),
    "reference": frozenset({"referencia", "comprobante", "numero", "folio", "reference"}),
}
NEEDED = ("document", "amount", "paid_on")


@dataclass(slots=True)
class PaymentResult:
    """What became of a list of payments."""

    given: int = 0
    added: int = 0
    repeated: int = 0  # known already, or twice in the list
    rejected: list[dict[str, Any]] = field(default_factory=list)
    promises: Counter[str] = field(default_factory=Counter)  # by what they turned out to be
    ended: int = 0  # jobs that end because everything is paid
    reopened: int = 0  # jobs whose promise was broken

    def as_answer(self) -> dict[str, Any]:
        """The API's answer."""
        return {
            "given": self.given,
            "added": self.added,
            "repeated": self.repeated,
            "rejected": self.rejected,
            "promises": dict(self.promises),
            "ended": self.ended,
            "reopened": self.reopened,
        }


def rows_of_file(path: Path, language: Language) -> list[tuple[int, dict[str, str]]]:
    """The rows of a payments file, by their numbers. Raises FileError."""
    table = read_table(path, language=language)
    places = table.columns(COLUMNS)
    missing = [name for name in NEEDED if name not in places]
    if missing:
        raise FileError("columns", _MISSING[language].format(columns=", ".join(missing)))
    return [
        (number, {name: cells[at] for name, at in places.items() if at < len(cells)})
        for number, cells in table.rows
    ]


_MISSING: dict[Language, str] = {
    "es": "Faltan columnas en el archivo de pagos: {columns} (documento, monto, fecha de pago).",
    "en": "The payments file lacks columns: {columns} (document, amount, paid on).",
}


def receive(
    services: Services,
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    *,
    account_id: str,
    country: Country,
    as_of: date | None,
    is_complete: bool,
    by: str,
    language: Language,
) -> PaymentResult:
    """Take in payments, and judge the account's promises by them.

    `as_of`: up to which local date the list tells (None: today). `is_complete`: it holds every payment up to
    then, so that who is not on it did not pay.
    """
    account = services.store.accounts.get(account_id)
    zone = ZoneInfo(account.tz_name) if account else services.settings.zone
    today = local_day(services.clock.now(), zone)
    result = PaymentResult()
    payments = _read(services, rows, account_id, country, today, by, language, result)
    for chunk in chunks(payments, AT_ONCE):
        result.added += services.store.payments.add(chunk)
    result.repeated = result.given - len(result.rejected) - result.added
    people = {payment["person_id"] for payment in payments}
    _end_paid(services, account_id, people, result)
    _judge_promises(services, account_id, as_of or today, people, is_complete, by, result)
    log.info("%d payments, %d reopened", result.added, result.reopened, extra={"account_id": account_id})
    return result


def _read(
    services: Services,
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    account_id: str,
    country: Country,
    today: date,
    by: str,
    language: Language,
    result: PaymentResult,
) -> list[Document]:
    found: dict[str, Document] = {}
    account = services.store.accounts.get(account_id)
    for number, row in rows:
        result.given += 1
        at = "document"
        try:
            person = parse_document(row.get("document"), country).person_id
            at = "amount"
            amount = parse_amount(row.get("amount"), str(row.get("currency") or CURRENCY_OF[country]))
            at = "paid_on"
            paid_on = parse_date(row.get("paid_on"), today)
            if paid_on > today:
                raise UnreadableError("date_form")
        except UnreadableError as error:
            result.rejected.append(
                {
                    "row": number,
                    "column": at,
                    "value": str(row.get(at) or "")[:80],
                    "error": say(error.code, language),
                }
            )
            continue
        person_id = account.key_of(person) if account else person
        reference = str(row.get("reference") or "").strip() or None
        same = reference or f"{person_id}|{amount.minor}|{amount.currency}|{paid_on}"
        payment_id = hashlib.sha256(f"{account_id}|{same}".encode()).hexdigest()[:32]
        found[payment_id] = payment_document(
            payment_id=payment_id,
            account_id=account_id,
            person_id=person_id,
            amount_minor=amount.minor,
            currency=amount.currency,
            paid_on=paid_on,
            reference=reference,
            by=by,
            instant=services.clock.now(),
        )
    return list(found.values())


def _end_paid(services: Services, account_id: str, people: set[str], result: PaymentResult) -> None:
    """Who has paid all that a waiting job is about is not called about it again."""
    for chunk in chunks(sorted(people), AT_ONCE):
        paid = services.store.payments.of_people(account_id, chunk)
        for job in services.store.payments.waiting_jobs(account_id, chunk):
            debt, since = job["debt"], job["created_at"].date().isoformat()
            if _sum(paid.get(job["person_id"], ()), debt["currency"], since) < debt["total_minor"]:
                continue
            instant = services.clock.now()
            if services.store.jobs.finish(job["_id"], JobState.DONE, JobReason.PAID, instant):
                result.ended += 1
                if batch := services.store.batches.get(job["batch_id"]):
                    complete_batch_if_over(services, batch)


def _judge_promises(
    services: Services,
    account_id: str,
    as_of: date,
    people: set[str],
    is_complete: bool,
    by: str,
    result: PaymentResult,
) -> None:
    for chunk in chunks(services.store.payments.promises(account_id), AT_ONCE):
        paid = services.store.payments.of_people(account_id, [job["person_id"] for job in chunk])
        for job in chunk:
            if is_complete or job["person_id"] in people:
                _judge_promise(services, job, paid.get(job["person_id"], []), as_of, is_complete, by, result)


def _judge_promise(
    services: Services,
    job: Document,
    payments: Sequence[Document],
    as_of: date,
    is_complete: bool,
    by: str,
    result: PaymentResult,
) -> None:
    promise, instant = job["promise"], services.clock.now()
    since = promise["at"].date().isoformat()
    paid = _sum(payments, promise["currency"], since)
    due = date.fromisoformat(promise["due"])
    state = judged(promise["amount_minor"], paid, due, as_of)
    if state is PromiseState.PROMISED or (state is PromiseState.BROKEN and not is_complete):
        return
    if not services.store.payments.judge_promise(job["_id"], promise["attempt_id"], state, paid, instant):
        return
    result.promises[state.value] += 1
    if state in (PromiseState.BROKEN, PromiseState.PARTLY_KEPT):
        result.reopened += _back_to_the_flow(services, job, state, by)


def _back_to_the_flow(services: Services, job: Document, state: PromiseState, by: str) -> bool:
    """Call again at the next legal moment, on record."""
    instant = services.clock.now()
    batch = services.store.batches.get(job["batch_id"])
    if batch is None or batch.status is BatchState.CANCELLED:
        return False
    if not services.store.jobs.reopen(job["_id"], by, f"promise {state.value}", instant):
        return False
    if batch.status is BatchState.COMPLETED:
        services.store.batches.move(batch.id, BatchState.RUNNING, {"active_since": instant})
    services.nudges.dispatch()
    return True


def _sum(payments: Iterable[Document], currency: str, since: str) -> int:
    return sum(
        payment["amount_minor"]
        for payment in payments
        if payment["currency"] == currency and payment["paid_on"] >= since
    )
