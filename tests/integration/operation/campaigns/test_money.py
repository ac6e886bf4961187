"""Accounts that pay (I6): held before a call, charged after it, suspended without money, resumed with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speechai.catalog.accounts import Account, Plan
from speechai.core.money import Price
from speechai.core.zones import local_day
from speechai.operation import recovery
from speechai.operation.calling import webhooks
from speechai.operation.campaigns import accounts
from speechai.operation.campaigns.accounts import AccountExistsError
from speechai.operation.campaigns.configuring import RefusedOptionError
from speechai.operation.records import charging
from tests.builders import MONDAY_NOON
from tests.fakes import ENDS, make_services
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone
from tests.integration.operation.writes import KilledError, dies

CALL = Decimal("15.37")  # what a "promise" costs at the scripted provider
WORST = Decimal(180)  # 18 cents a minute, 10 minutes


def an_account(services, **given):
    accounts.make(services, "acme", {"name": "Acme", "plan": "credit_based", **given}, "test", "en")
    return services


def funds(services):
    return services.store.funds.of("acme")


def entries(services):
    return services.store.funds.ledger("acme", limit=500, before=None)


def top_up(services, cents):
    return accounts.top_up(services, "acme", {"cents": cents}, "test")


def calls(services, people, **batch):
    """People who all promise, in a batch of the account."""
    for number in range(1, people + 1):
        services.provider.script[phone(number)] = ["promise"]
    add_batch(services, people, account_id="acme", **batch)
    services.store.db["call_jobs"].update_many({}, {"$set": {"account_id": "acme"}})


def test_the_balance_is_the_sum_of_the_ledger(services, worker):
    an_account(services)
    top_up(services, 1000)
    calls(services, 3)
    worker.tick()
    found = funds(services)
    assert found.balance == 1000 - 3 * CALL == services.store.funds.ledger_sum("acme")
    assert found.held == found.held_cents == 0
    assert found.spent_cents == 3 * CALL
    assert [row["kind"] for row in entries(services)] == ["call"] * 3 + ["top_up"]


def test_without_credit_jobs_are_suspended_and_a_top_up_resumes_them(services, worker):
    an_account(services)
    calls(services, 5)
    worker.tick()
    assert len(services.provider.rings) == 0
    job = job_of(services)
    assert (job["status"], job["reason"]) == ("suspended", "no_credit")

    top_up(services, WORST + CALL)  # for two calls, one after the other
    worker.run()
    assert len(services.provider.rings) == 2
    assert funds(services).balance == WORST + CALL - 2 * CALL
    statuses = [job_of(services, number)["status"] for number in range(1, 6)]
    assert sorted(statuses) == ["done", "done", "suspended", "suspended", "suspended"]

    top_up(services, 1000)
    worker.run()
    assert len(services.provider.rings) == 5
    assert services.store.batches.document("batch-1")["status"] == "completed"


def test_a_job_that_money_held_keeps_its_hour(services, worker):
    an_account(services)
    calls(services, 1)
    later = MONDAY_NOON + timedelta(hours=2)
    services.store.jobs.call_back("job-1-000001", later, "ana", MONDAY_NOON)
    services.clock.set(later)
    worker.tick()
    assert (job_of(services)["status"], job_of(services)["waiting_for"]) == ("suspended", "account_then_hour")
    top_up(services, 1000)
    job = job_of(services)
    assert (job["status"], job["next_attempt_at"], job["waiting_for"]) == ("pending", later, "hour")


def test_the_budget_of_the_day_suspends_and_the_next_day_resumes(services, worker):
    an_account(services, plan="unlimited", daily_budget_cents="200")
    calls(services, 4)
    worker.tick()
    # 180 may be spent by one call at worst: after two calls of 15.37 the third could go over 200.
    assert len(services.provider.rings) == 2
    assert {job_of(services, number)["reason"] for number in (3, 4)} == {"daily_budget"}
    assert funds(services).spent_cents == 2 * CALL

    services.clock.set(MONDAY_NOON + timedelta(hours=20))
    recovery.sweep(services)
    worker.tick()
    assert len(services.provider.rings) == 4
    assert funds(services).balance == 0  # an unlimited plan has no balance; its calls are in the ledger
    assert sum(row["cents"].to_decimal() for row in entries(services)) == 4 * CALL


def test_minutes_are_counted_in_seconds_begun(services, worker):
    an_account(services, plan="minutes_based")
    accounts.top_up(services, "acme", {"minutes": 11}, "test")
    calls(services, 2)
    worker.tick()
    assert funds(services).balance == 11 * 60 - 2 * 60


def test_a_call_that_never_was_gives_back_what_it_held(services, worker):
    an_account(services)
    top_up(services, 500)
    calls(services, 1)
    services.provider.script[phone(1)] = ["invalid"]
    worker.tick()
    assert funds(services).held == 0
    assert funds(services).balance == 500


def test_the_cost_that_comes_late_is_charged_when_it_comes(services, worker, monkeypatch):
    an_account(services)
    top_up(services, 500)
    calls(services, 1)
    late = {**ENDS["promise"]}
    cost = late.pop("call_cost")
    monkeypatch.setitem(ENDS, "promise", late)
    worker.tick()
    assert job_of(services)["status"] == "done"
    assert (funds(services).balance, funds(services).held) == (500, WORST)  # held until it is known

    monkeypatch.setitem(ENDS, "promise", {**late, "call_cost": cost})
    services.clock.advance(timedelta(minutes=1))
    recovery.sweep(services)
    assert (funds(services).balance, funds(services).held) == (500 - CALL, 0)


def test_a_cost_that_grows_is_charged_once_more_and_once_only(services, worker, provider):
    an_account(services, daily_budget_cents=400)
    top_up(services, 500)
    calls(services, 1)
    worker.tick()
    assert funds(services).balance == 500 - CALL
    call = {**provider.rings[0], **ENDS["promise"]}
    for cents, entry_count in ((20, 3), (20, 3), (12, 3), ("27.5", 4)):
        told = {**call, "call_cost": {"combined_cost": cents}, "told": entry_count}
        webhooks.receive(services, "call_analyzed", told)
        found = funds(services)
        assert len(entries(services)) == entry_count
        assert found.balance == services.store.funds.ledger_sum("acme") == 500 - found.spent_cents
    assert (found.spent_cents, found.held) == (Decimal("27.5"), 0)


def test_a_cost_that_never_comes_is_reckoned(services, worker, monkeypatch):
    an_account(services)
    top_up(services, 500)
    calls(services, 1)
    monkeypatch.setitem(ENDS, "promise", {**ENDS["promise"], "call_cost": None})
    worker.tick()
    for _ in range(12):
        services.clock.advance(timedelta(minutes=15))
        recovery.sweep(services)
    assert funds(services).balance == 500 - 18  # one minute at 18 cents
    assert funds(services).held == 0


def test_a_crash_between_the_balance_and_the_ledger_is_healed(services, worker, monkeypatch):
    an_account(services)
    top_up(services, 500)
    calls(services, 1)
    monkeypatch.setattr(type(services.store.funds), "post_waiting", lambda self, account_id: 0)
    worker.tick()
    assert funds(services).balance == 500 - CALL
    assert services.store.funds.ledger_sum("acme") == 500
    monkeypatch.undo()
    recovery.sweep(services)
    recovery.sweep(services)
    assert services.store.funds.ledger_sum("acme") == funds(services).balance == 500 - CALL


def test_what_a_dead_worker_held_is_given_back(services):
    an_account(services)
    top_up(services, 500)
    account = services.store.accounts.get("acme")
    assert charging.hold_funds(services, account, "att-dead", MONDAY_NOON)
    assert funds(services).held == WORST
    recovery.sweep(services)
    assert funds(services).held == 0


def test_a_reference_counts_once(services):
    an_account(services)
    first = accounts.top_up(services, "acme", {"cents": 100, "reference": "inv-1"}, "test")
    again = accounts.top_up(services, "acme", {"cents": 100, "reference": "inv-1"}, "test")
    assert (first["posted"], again["posted"]) == (True, False)
    assert again["balance"] == 100


@pytest.mark.parametrize(
    "given", [{"cents": -5}, {"cents": 0}, {"cents": 1e12}, {"cents": "5"}, {"cents": float("nan")}, {}]
)
def test_negative_and_absurd_amounts_are_refused(services, given):
    an_account(services)
    with pytest.raises(RefusedOptionError):
        accounts.top_up(services, "acme", given, "test")
    assert funds(services).balance == 0


def test_an_adjustment_may_be_negative_and_needs_a_reason(services):
    an_account(services)
    top_up(services, 500)
    with pytest.raises(RefusedOptionError, match="reason"):
        accounts.top_up(services, "acme", {"cents": -100}, "ana", is_adjustment=True)
    accounts.top_up(services, "acme", {"cents": -100, "note": "refund"}, "ana", is_adjustment=True)
    assert funds(services).balance == 400


def test_a_suspended_account_calls_nobody(services, worker):
    an_account(services)
    top_up(services, 1000)
    calls(services, 2)
    accounts.change(services, "acme", {"status": "suspended"}, "ana", "en")
    worker.tick()
    assert services.provider.rings == []
    assert job_of(services)["reason"] == "account_suspended"
    accounts.change(services, "acme", {"status": "active"}, "ana", "en")
    worker.run()
    assert len(services.provider.rings) == 2


def test_the_balance_tells_when_it_runs_low(services, worker, caplog):
    an_account(services, alert_below=[300, 100])
    top_up(services, 310)
    calls(services, 1)
    worker.tick()
    assert "the balance fell below 300" in caplog.text
    assert accounts.view(services, "acme")["alerts"] == [300]


@pytest.mark.parametrize(
    "given",
    [{"plan": "credit_based"}, {"plan": "unlimited", "daily_budget_cents": int(5 * WORST)}],
    ids=["credit", "budget"],
)
def test_fifty_workers_cannot_hold_more_than_there_is(services, given):
    an_account(services, **given)
    if given["plan"] == "credit_based":
        top_up(services, 5 * WORST)
    account = services.store.accounts.get("acme")

    def hold(number):
        return charging.hold_funds(services, account, f"att-{number}", MONDAY_NOON)

    with ThreadPoolExecutor(50) as pool:
        held = list(pool.map(hold, range(50)))
    assert sum(held) == 5
    assert funds(services).held_cents == 5 * WORST


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_happens_the_books_balance(mongo_uri, database, data):
    """Random holds, charges, releases, top-ups and repeats: the balance is the ledger's sum, and spend is
    never more than the budget while no call costs more than what was held for it."""
    services = make_services(mongo_uri, f"{database}")
    services.store.db.client.drop_database(database)
    budget = data.draw(st.sampled_from([None, Decimal(400)]))
    account = Account("acme", "Acme", Plan.CREDIT, "America/Santiago", None, (), daily_budget_cents=budget)
    services.store.accounts.insert(account, MONDAY_NOON)
    today, store = date(2026, 11, 23), services.store.funds
    price, spent = Price(Decimal(100), Decimal(100)), Decimal(0)
    steps = data.draw(
        st.lists(st.tuples(st.sampled_from("htcr"), st.integers(0, 5), st.integers(0, 100)), max_size=30)
    )
    for what, number, cents in steps:
        attempt_id = f"att-{number}"
        match what:
            case "h":
                store.hold(account, attempt_id, price, today)
            case "t":
                store.post("acme", _entry(services, f"top:{number}", Decimal(cents)))
            case "r":
                store.release("acme", attempt_id)
            case "c":
                cost = Decimal(cents)
                entry = replace(_entry(services, f"call:{attempt_id}:{len(steps)}", -cost), cents=cost)
                spent += cost if store.charge("acme", attempt_id, entry, today) else 0
        now = store.of("acme")
        assert now.held >= 0
        assert now.balance - now.held >= 0
        assert now.balance == store.ledger_sum("acme") or what == "c"
        assert budget is None or spent + now.held_cents <= budget
    assert store.of("acme").spent_on(today) == spent


def _entry(services, entry_id, amount):
    from speechai.core.money import EntryKind
    from speechai.store.funds import Entry

    return Entry(id=entry_id, kind=EntryKind.TOP_UP, amount=amount, by="test", at=MONDAY_NOON)


def test_an_id_is_taken_once(services):
    an_account(services)
    with pytest.raises(AccountExistsError):
        an_account(services)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"plan": "free"}, "plan"),
        ({"tz_name": "Mars/Base"}, "tz_name"),
        ({"from_numbers": ["912345678"]}, "from_numbers"),
        ({"slots": 0}, "slots"),
        ({"daily_budget_cents": -1}, "daily_budget_cents"),
        ({"colour": "red"}, "colour"),
        ({"policies": {"mine": {"extends": "nothing"}}}, "policies"),
        ({"policies": {"mine": {"extends": "house", "caps": [{"count": 0}]}}}, "policies"),
        ({"policies": {"house": {"extends": "house"}}}, "policies"),
        ({"policies": {"Mine!": {"extends": "house"}}}, "policies"),
        ({"flows": {"mine": {"extends": "collections", "buckets": []}}}, "flows"),
        ({"retries": {"opted_out": {"again": True}}}, "retries"),
        ({"retries": {"busy": {"wait_minutes": -1}}}, "retries"),
    ],
)
def test_what_cannot_be_is_refused_by_name(services, given, field):
    with pytest.raises(RefusedOptionError) as refused:
        an_account(services, **given)
    assert refused.value.field.startswith(field)


def test_a_cost_that_grows_is_charged_once_more_for_what_it_grew(services, worker):
    an_account(services, daily_budget_cents=10_000)
    top_up(services, 500)
    calls(services, 1)
    worker.tick()
    [attempt] = services.store.attempts.of_job(job_id())
    call = {**services.store.attempts.get(attempt.id).call.raw, "call_cost": {"combined_cost": 40}}
    for _ in range(2):  # told twice
        webhooks.receive(services, "call_analyzed", call)
    assert funds(services).balance == 500 - 40
    assert services.store.funds.ledger_sum("acme") == 500 - 40
    today = local_day(services.clock.now(), ZoneInfo("America/Santiago"))
    assert funds(services).spent_on(today) == 40
    webhooks.receive(services, "call_analyzed", {**call, "call_cost": {"combined_cost": 30}})
    assert funds(services).balance == 500 - 40  # what was charged is not given back


def test_a_cost_that_grew_before_a_crash_is_charged_by_the_sweep(services, worker, monkeypatch):
    an_account(services)
    top_up(services, 500)
    calls(services, 1)
    worker.tick()
    [attempt] = services.store.attempts.of_job(job_id())
    call = {**services.store.attempts.get(attempt.id).call.raw, "call_cost": {"combined_cost": 40}}
    with monkeypatch.context() as crash, pytest.raises(KilledError):
        crash.setattr(services.store.funds, "charge_rest", dies)
        webhooks.receive(services, "call_analyzed", call)
    assert funds(services).balance == 500 - CALL
    recovery.sweep(services)
    assert funds(services).balance == services.store.funds.ledger_sum("acme") == 500 - 40
