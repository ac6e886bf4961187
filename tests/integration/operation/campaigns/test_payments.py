"""Promises and payments: kept ends the calls, broken goes back to the flow, nothing is believed blindly."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from speechai.catalog.use_cases import Country
from speechai.core.promises import Flaw, PromiseState, check, judged
from speechai.ingest import FileError
from speechai.operation.campaigns import payments
from tests.builders import MONDAY_NOON
from tests.fakes import ENDS
from tests.integration.operation.conftest import add_batch, job_of, phone

TODAY = date(2026, 11, 23)
RUT = "12345678-5"


@pytest.fixture
def promised(services, worker, provider):
    """Somebody who promised 104,050 pesos for Friday 27."""
    provider.script[phone(1)] = ["promise"]
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run()
    assert job_of(services)["promise"]["status"] == "promised"
    return services


def pay(services, *rows, **options):
    given = {
        "account_id": "default",
        "country": Country.CL,
        "as_of": None,
        "is_complete": True,
        "by": "ana",
        "language": "es",
        **options,
    }
    listed = [{"document": RUT, "amount": amount, "paid_on": paid_on} for amount, paid_on in rows]
    return payments.receive(services, list(enumerate(listed, start=2)), **given)


def test_a_promise_is_stored_as_fact_only_where_it_can_be_true(promised):
    job = job_of(promised)
    assert (job["fecha_pago_cliente"], job["monto_pago_cliente"]) == ("2026-11-27", 104050)
    assert job["promise"]["amount_minor"] == 104050


@pytest.mark.parametrize(
    ("said", "flaws", "kept"),
    [
        ({"fecha_pago_cliente": "2026-11-22", "monto_pago_cliente": "104050"}, ["past"], {"monto": 104050}),
        ({"fecha_pago_cliente": "2026-11-27", "monto_pago_cliente": "0"}, ["zero"], {"fecha": "2026-11-27"}),
        (
            {"fecha_pago_cliente": "2026-11-27", "monto_pago_cliente": "104.051"},
            ["more_than_owed"],
            {"fecha": "2026-11-27"},
        ),
        ({"fecha_pago_cliente": "2026-11-27"}, ["no_amount"], {"fecha": "2026-11-27"}),
        ({"monto_pago_cliente": "$ 50.000"}, ["no_date"], {"monto": 50000}),
        (
            {"fecha_pago_cliente": "cuando pueda", "monto_pago_cliente": "algo"},
            ["unreadable_date", "unreadable_amount"],
            {},
        ),
        ({"fecha_pago_cliente": "2028-01-01", "monto_pago_cliente": "1000"}, ["too_far"], {"monto": 1000}),
    ],
)
def test_what_cannot_be_true_is_flagged(services, worker, provider, monkeypatch, said, flaws, kept):
    call = {**ENDS["promise"], "call_analysis": {"custom_analysis_data": said}}
    monkeypatch.setitem(ENDS, "promise", call)
    provider.script[phone(1)] = ["promise"]
    add_batch(services)
    worker.run()
    job = job_of(services)
    assert (job["promise"]["status"], job["promise"]["flaws"]) == ("flagged", flaws)
    assert job.get("fecha_pago_cliente") == kept.get("fecha")
    assert job.get("monto_pago_cliente") == kept.get("monto")
    assert job["last_outcome"] == "goal_not_met"  # nobody agreed to what cannot be
    assert services.store.tallies.read("batch-1").promises == {}


def test_a_kept_promise_ends_the_calls(promised):
    result = pay(promised, ("104.050", "2026-11-23"))
    assert dict(result.promises) == {"kept": 1}
    job = job_of(promised)
    assert (job["status"], job["promise"]["status"], job["promise"]["paid_minor"]) == ("done", "kept", 104050)


def test_a_broken_promise_goes_back_to_the_flow(promised, worker, provider):
    promised.clock.set(MONDAY_NOON + timedelta(days=5))  # Saturday, the day after
    assert pay(promised, as_of=date(2026, 11, 27)).reopened == 0  # its last day is not over on the list
    result = pay(promised, as_of=date(2026, 11, 28))
    assert (dict(result.promises), result.reopened) == ({"broken": 1}, 1)
    job = job_of(promised)
    assert (job["status"], job["reopened"][0]["by"], job["reopened"][0]["why"]) == (
        "pending",
        "ana",
        "promise broken",
    )
    assert promised.store.batches.document("batch-1")["status"] == "running"
    worker.run()
    assert len(provider.rings) == 2


def test_a_part_is_a_part(promised):
    promised.clock.set(MONDAY_NOON + timedelta(days=5))
    result = pay(promised, (50_000, "2026-11-25"), as_of=date(2026, 11, 28))
    assert dict(result.promises) == {"partly_kept": 1}
    assert job_of(promised)["promise"]["paid_minor"] == 50_000
    # … and the rest, paid later, keeps it after all.
    assert dict(pay(promised, (54_050, "2026-11-28")).promises) == {"kept": 1}


def test_a_list_that_is_not_complete_breaks_nobodys_promise(promised):
    promised.clock.set(MONDAY_NOON + timedelta(days=9))
    assert pay(promised, is_complete=False).reopened == 0
    assert job_of(promised)["promise"]["status"] == "promised"


def test_the_same_payment_counts_once(promised):
    pay(promised, (50_000, "2026-11-23"))
    again = pay(promised, (50_000, "2026-11-23"), (60_000, "2026-11-23"))
    assert (again.given, again.added, again.repeated) == (2, 1, 1)


def test_who_has_paid_everything_is_not_called_again(services, worker, provider):
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run()
    assert job_of(services)["status"] == "pending"
    result = pay(services, (104_050, "2026-11-23"))
    assert result.ended == 1
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("done", "paid")
    assert services.store.batches.document("batch-1")["status"] == "completed"


def test_every_row_that_cannot_be_read_is_named(services):
    rows = [
        {"document": "12345678-9", "amount": 1, "paid_on": "2026-11-01"},
        {"document": RUT, "amount": "-5", "paid_on": "2026-11-01"},
        {"document": RUT, "amount": 5, "paid_on": "ayer"},
        {"document": RUT, "amount": 5, "paid_on": "2027-11-01"},
        {},
    ]
    result = payments.receive(
        services,
        list(enumerate(rows, start=2)),
        account_id="default",
        country=Country.CL,
        as_of=None,
        is_complete=True,
        by="ana",
        language="es",
    )
    assert [(row["row"], row["column"]) for row in result.rejected] == [
        (2, "document"),
        (3, "amount"),
        (4, "paid_on"),
        (5, "paid_on"),
        (6, "document"),
    ]
    assert all(row["error"] for row in result.rejected)


def test_a_file_is_read_by_its_headers(tmp_path):
    path = tmp_path / "pagos.csv"
    path.write_text(
        "RUT;Monto Pagado;Fecha de Pago;Comprobante\n12.345.678-5;$50.000;25/11/2026;A-1\n", "utf-8"
    )
    assert payments.rows_of_file(path, "es") == [
        (2, {"document": "12.345.678-5", "amount": "$50.000", "paid_on": "25/11/2026", "reference": "A-1"})
    ]
    path.write_text("RUT;Fecha de Pago\n12.345.678-5;25/11/2026\n", "utf-8")
    with pytest.raises(FileError, match="amount"):
        payments.rows_of_file(path, "es")


def test_the_days_of_a_promise():
    friday = date(2026, 11, 27)
    assert judged(100, 0, friday, friday) is PromiseState.PROMISED
    assert judged(100, 0, friday, friday + timedelta(days=1)) is PromiseState.BROKEN
    assert judged(100, 99, friday, friday + timedelta(days=1)) is PromiseState.PARTLY_KEPT
    assert judged(100, 100, friday, TODAY) is PromiseState.KEPT
    assert check(TODAY, 100, "CLP", 100, TODAY).flaws == ()
    assert check(TODAY - timedelta(days=1), 101, "CLP", 100, TODAY).flaws == (Flaw.PAST, Flaw.MORE_THAN_OWED)
    assert check(TODAY, 10**9, "CLP", None, TODAY).flaws == ()
