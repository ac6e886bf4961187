"""Promises and payments: kept ends the calls, broken goes back to the flow, nothing is believed blindly."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.accounts import Account, Plan
from speechai.catalog.use_cases import Country
from speechai.core.promises import Flaw, PromiseState, check, judged
from speechai.ingest import FileError
from speechai.operation.calling import webhooks
from speechai.operation.campaigns import payment_rows, payments
from speechai.operation.campaigns.payment_rows import read_payments
from speechai.operation.records.payments import paid_since
from speechai.retell.errors import Retryable, Throttled, UnknownResult
from speechai.store.merging import Merge
from tests.builders import MONDAY_NOON, a_debt
from tests.fakes import ENDS
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone
from tests.integration.operation.writes import KilledError, dies

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


OPTIONS = {
    "account_id": "default",
    "country": Country.CL,
    "as_of": None,
    "is_complete": True,
    "by": "ana",
    "language": "es",
}


def pay(services, *rows, **options):
    asked = {**OPTIONS, **options}
    listed = [{"document": RUT, "amount": amount, "paid_on": paid_on} for amount, paid_on in rows]
    return payments.receive(services, list(enumerate(listed, start=2)), **asked)


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
    [(number, row)] = payment_rows.rows_of_file(path, Country.CL, "es")
    assert number == 2
    assert {name: row[name] for name in ("document", "amount", "paid_on", "receipt")} == {
        "document": "12.345.678-5",
        "amount": "$50.000",
        "paid_on": "25/11/2026",
        "receipt": "A-1",
    }
    path.write_text("RUT;Fecha de Pago\n12.345.678-5;25/11/2026\n", "utf-8")
    with pytest.raises(FileError, match="monto"):
        payment_rows.rows_of_file(path, Country.CL, "es")


def test_the_days_of_a_promise():
    friday = date(2026, 11, 27)
    assert judged(100, 0, friday, friday) is PromiseState.PROMISED
    assert judged(100, 0, friday, friday + timedelta(days=1)) is PromiseState.BROKEN
    assert judged(100, 99, friday, friday + timedelta(days=1)) is PromiseState.PARTLY_KEPT
    assert judged(100, 100, friday, TODAY) is PromiseState.KEPT
    assert check(TODAY, 100, "CLP", 100, TODAY).flaws == ()
    assert check(TODAY - timedelta(days=1), 101, "CLP", 100, TODAY).flaws == (Flaw.PAST, Flaw.MORE_THAN_OWED)
    assert check(TODAY, 10**9, "CLP", None, TODAY).flaws == ()


# -- which payment it is, and in what ------------------------------------------------------------------

FIELDS = ("document", "amount", "paid_on", "currency", "receipt", "reference")


def listed(services, *rows, **options):
    """A list of rows as `FIELDS`, of which the last may be left out."""
    asked = {**OPTIONS, "is_complete": False, **options}
    rows = [dict(zip(FIELDS, row, strict=False)) for row in rows]
    return payments.receive(services, list(enumerate(rows, start=2)), **asked)


def stored(services):
    return list(services.store.db["payments"].find())


@pytest.mark.parametrize(
    ("said", "country", "currency"),
    [
        *[(word, Country.CL, "CLP") for word in ("Pesos", "$", "clp", " CLP ", "Peso chileno", "", None)],
        *[(word, Country.AR, "ARS") for word in ("Pesos", "$", "ARS", "ar$", "pesos argentinos")],
        *[
            (word, Country.CL, "USD")
            for word in ("USD", "US$", "dólares", "Dólar", "u$s", "dólares americanos")
        ],
        *[(word, Country.AR, "CLP") for word in ("CLP", "pesos chilenos")],
        ("UF", Country.CL, "UF"),
    ],
)
def test_a_currency_as_people_write_it(services, said, country, currency):
    person = RUT if country is Country.CL else "12345678"
    assert listed(services, (person, "100", "2026-11-20", said), country=country).added == 1
    assert [payment["currency"] for payment in stored(services)] == [currency]


@pytest.mark.parametrize("said", ["doblones", "CLPX", "pesos fuertes", "1", 7])
def test_an_unknown_currency_rejects_the_row(services, said):
    result = listed(services, (RUT, "100", "2026-11-20", said))
    assert [(row["column"], row["error"]) for row in result.rejected] == [("currency", "Moneda desconocida.")]
    assert stored(services) == []


def test_an_amount_in_another_currency_than_its_column_says_is_rejected(services):
    [rejected] = listed(services, (RUT, "US$ 100", "2026-11-20", "Pesos")).rejected
    assert rejected["column"] == "amount"
    assert listed(services, (RUT, "US$ 100", "2026-11-20")).added == 1


ONE = (RUT, "100", "2026-11-20", "CLP", "", "3")


@given(
    document=st.sampled_from([RUT, "11111111-1"]),
    amount=st.sampled_from(["100", "200"]),
    paid_on=st.sampled_from(["2026-11-20", "2026-11-21"]),
    reference=st.sampled_from(["3", "4", ""]),
)
def test_a_reference_alone_names_no_payment(document, amount, paid_on, reference):
    other = (document, amount, paid_on, "CLP", "", reference)
    assert len(read(ONE, other)) == (1 if other == ONE else 2)


def test_a_receipts_number_does():
    receipt = (RUT, "100", "2026-11-20", "CLP", "A-1")
    again = (RUT, "$ 90", "21/11/2026", "", "A-1")
    assert len(read(receipt, receipt, again)) == 1
    assert len(read(receipt, (RUT, "100", "2026-11-20", "CLP", "A-2"))) == 2
    assert len(read(receipt, ("11111111-1", "100", "2026-11-20", "CLP", "A-1"))) == 2
    assert len(read((*receipt, "cuota 1"), (*receipt, "cuota 2"))) == 2  # one receipt, two instalments
    assert len(read((*receipt[:4], "efectivo"), (RUT, "50", "2026-11-20", "CLP", "efectivo"))) == 2


def read(*rows):
    account = Account("default", "x", Plan.UNLIMITED, "America/Santiago", None, ())
    known = [dict(zip(FIELDS, row, strict=False)) for row in rows]
    about = {"account": account, "country": Country.CL, "today": TODAY, "by": "ana", "language": "es"}
    return read_payments(list(enumerate(known)), instant=MONDAY_NOON, **about).payments


def test_an_instalments_number_in_a_file_makes_two_payments_of_two(services, tmp_path):
    path = tmp_path / "pagos.csv"
    path.write_text(
        "RUT;Monto;Fecha;Numero\n12345678-5;50.000;20/11/2026;3\n12345678-5;60.000;21/11/2026;3\n"
    )
    rows = payment_rows.rows_of_file(path, Country.CL, "es")
    result = payments.receive(services, rows, **{**OPTIONS, "is_complete": False})
    assert (result.given, result.added, result.repeated) == (2, 2, 0)


def test_a_row_whose_cells_are_out_of_place_or_whose_documents_differ_is_rejected(services, tmp_path):
    path = tmp_path / "pagos.csv"
    path.write_text(
        "RUT,RUN,Monto,Fecha\n12345678-5,,50,000,20/11/2026\n12345678-5,11111111-1,50,20/11/2026\n"
    )
    result = payments.receive(services, payment_rows.rows_of_file(path, Country.CL, "es"), **OPTIONS)
    assert [row["row"] for row in result.rejected] == [2, 3]
    assert "más celdas" in result.rejected[0]["error"] and "distintas" in result.rejected[1]["error"]


# -- days, and what is owed since when ---------------------------------------------------------------


def test_days_are_the_accounts_own(promised):
    """Promised on the 23rd at 22:00 in Santiago, which is the 24th in UTC: a payment of the 23rd counts."""
    late = datetime(2026, 11, 24, 1, tzinfo=UTC)
    promised.store.db["call_jobs"].update_one({}, {"$set": {"promise.at": late, "created_at": late}})
    promised.clock.set(MONDAY_NOON + timedelta(days=2))
    assert dict(pay(promised, ("104.050", "2026-11-23"), is_complete=False).promises) == {"kept": 1}


def test_today_is_the_accounts_own_and_the_list_cannot_be_of_tomorrow(services):
    services.clock.set(datetime(2026, 11, 24, 1, tzinfo=UTC))  # still Monday the 23rd in Santiago
    assert pay(services, (5, "2026-11-24")).rejected[0]["error"] == "La fecha está en el futuro."
    with pytest.raises(payments.FutureListError) as refused:
        pay(services, as_of=date(2026, 11, 24))
    assert refused.value.today == TODAY
    assert pay(services, as_of=TODAY).given == 0


def replaced(services, debt):
    """A newer upload says that the person owes something else."""
    merge = Merge("claim", [2], "Persona 1", [], None, None, None, debt, {}, {}, is_repeated=False)
    assert services.store.jobs.replace_debts({job_id(): merge}, "batch-2", services.clock.now()) == set()


def test_what_was_paid_before_the_debt_was_replaced_does_not_count_again(services, worker):
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run()
    services.clock.set(MONDAY_NOON + timedelta(days=1))
    assert pay(services, (50_000, "2026-11-24"), is_complete=False).ended == 0
    services.clock.set(MONDAY_NOON + timedelta(days=2))
    replaced(services, a_debt(total_minor=54_050))
    services.clock.advance(timedelta(hours=1))
    assert pay(services, (4_050, "2026-11-25"), is_complete=False).ended == 0  # of 54,050
    assert pay(services, (50_000, "2026-11-25"), is_complete=False).ended == 1


def test_what_was_told_on_the_day_before_the_debt_was_replaced_is_in_the_new_sum(services, worker):
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run()
    pay(services, (50_000, "2026-11-23"), is_complete=False)
    services.clock.advance(timedelta(hours=1))
    replaced(services, a_debt(total_minor=54_050))
    services.clock.advance(timedelta(hours=1))
    assert pay(services, (4_050, "2026-11-23"), is_complete=False).ended == 0


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5), st.integers(1, 9)), max_size=6))
def test_what_counts_is_what_was_paid_or_told_since(told):
    """Of any payments: those of later dates, and those of the same date told of since."""
    zone, since = ZoneInfo("America/Santiago"), MONDAY_NOON
    rows = [
        {
            "paid_on": (TODAY + timedelta(days=day)).isoformat(),
            "at": since + timedelta(hours=hour),
            "amount_minor": amount,
            "currency": "CLP",
        }
        for day, hour, amount in told
    ]
    expected = sum(amount for day, hour, amount in told if day > 0 or day == 0 and hour >= 0)
    assert paid_since(rows, "CLP", since, zone) == expected
    assert paid_since(rows, "USD", since, zone) == 0


# -- what a list may decide ------------------------------------------------------------------------


def test_a_part_on_a_list_that_is_not_complete_decides_nothing(promised):
    promised.clock.set(MONDAY_NOON + timedelta(days=5))
    result = pay(promised, (50_000, "2026-11-25"), is_complete=False)
    assert (dict(result.promises), result.reopened) == ({}, 0)
    assert (job_of(promised)["status"], job_of(promised)["promise"]["status"]) == ("done", "promised")
    # … so that the complete one, later, still can.
    result = pay(promised)
    assert (dict(result.promises), result.reopened) == ({"partly_kept": 1}, 1)
    assert (dict(pay(promised).promises), pay(promised).reopened) == ({}, 0)  # and once


def test_enough_on_a_list_that_is_not_complete_keeps_the_promise_even_late(promised):
    promised.clock.set(MONDAY_NOON + timedelta(days=5))
    assert dict(pay(promised, (104_050, "2026-11-28"), is_complete=False).promises) == {"kept": 1}


def test_nothing_is_decided_against_whom_the_list_names_in_a_row_that_cannot_be_read(promised):
    promised.clock.set(MONDAY_NOON + timedelta(days=5))
    result = listed(promised, (RUT, "104.050", "2026-11-25", "doblones"), is_complete=True)
    assert (len(result.rejected), dict(result.promises), result.reopened) == (1, {}, 0)
    assert pay(promised).reopened == 1


def test_a_crash_between_reopening_and_judging_is_made_up_for_by_the_next_list(promised, monkeypatch):
    promised.clock.set(MONDAY_NOON + timedelta(days=5))
    monkeypatch.setattr(type(promised.store.payments), "judge_promise", dies)
    with pytest.raises(KilledError):
        pay(promised)
    monkeypatch.undo()
    assert job_of(promised)["status"] == "pending"
    result = pay(promised)
    assert (dict(result.promises), job_of(promised)["promise"]["status"]) == ({"broken": 1}, "broken")
    assert len(job_of(promised)["reopened"]) == 1


def test_a_payer_who_is_on_the_phone_is_ended_after_the_call(services, worker, provider):
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run(before="poll_call")
    assert job_of(services)["status"] == "in_progress"
    assert pay(services, (104_050, "2026-11-23"), is_complete=False).ended == 0
    worker.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("done", "paid")
    assert job_of(services)["call_result"]["outcome"] == "no_answer"
    assert services.store.batches.document("batch-1")["status"] == "completed"


@pytest.mark.parametrize("write", ["apply", "give_back"])
def test_a_payment_that_comes_as_the_job_begins_to_wait_ends_it(services, worker, provider, write):
    """It is stored after it was looked for, and its list finds nobody waiting yet."""
    add_batch(services, person_ids=["CL:RUT:123456785"])
    if write == "give_back":
        provider.fail_creates.append(Throttled("HTTP 429"))
    original = getattr(services.store.jobs, write)

    def pays_first(*args, **kwargs):
        assert pay(services, (104_050, "2026-11-23"), is_complete=False).ended == 0
        return original(*args, **kwargs)

    setattr(services.store.jobs, write, pays_first)
    worker.run()
    services.clock.advance(timedelta(days=1))  # whatever it waits for has come
    worker.tick()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("done", "paid")
    assert len(provider.rings) == (write == "apply")
    assert services.store.batches.document("batch-1")["status"] == "completed"


def test_who_has_paid_a_part_is_called_on(services, worker, provider):
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run(before="poll_call")
    pay(services, (104_049, "2026-11-23"), is_complete=False)
    worker.run()
    assert job_of(services)["status"] == "pending"


@pytest.mark.parametrize("answer", [Throttled("HTTP 429"), Retryable("no connection")])
def test_a_payer_whose_call_was_not_placed_is_not_called_again(services, worker, provider, answer):
    add_batch(services, person_ids=["CL:RUT:123456785"])
    create = provider.create_phone_call

    def pays(_):
        provider.create_phone_call = create
        pay(services, ("104050", "2026-11-23"))
        raise answer

    provider.create_phone_call = pays
    worker.run()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("done", "paid")
    assert provider.rings == []


def test_a_payer_whose_call_is_missing_is_looked_for_and_not_posted_again(services, worker, provider):
    provider.fail_creates.append(UnknownResult("read timed out"))
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run(before="reconcile")
    pay(services, ("104050", "2026-11-23"))
    worker.run()
    assert len(provider.requests) == 1
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("done", "paid")


def test_a_promise_that_was_kept_stays_kept_whatever_the_call_is_told_of_later(
    services, worker, provider, monkeypatch
):
    costless = {name: value for name, value in ENDS["promise"].items() if name != "call_cost"}
    monkeypatch.setitem(ENDS, "costless", costless)
    provider.default = "costless"
    add_batch(services, person_ids=["CL:RUT:123456785"])
    worker.run()
    services.clock.advance(timedelta(minutes=10))
    pay(services, ("104050", "2026-11-23"))
    kept = job_of(services)["promise"]
    assert kept["status"] == "kept"
    webhooks.receive(services, "call_analyzed", {**provider.rings[0], **ENDS["promise"]})
    assert job_of(services)["promise"] == kept
    assert job_of(services)["cost_cents"].to_decimal() > 0
