"""Accounts: their money, and what an operator changes most often. The rest is in the API."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation, Overflow
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from speechai.operation.calling.readiness import readiness
from speechai.operation.campaigns import accounts as operation
from speechai.operation.campaigns.accounts import AccountExistsError, AccountNotFoundError
from speechai.operation.campaigns.configuring import RefusedOptionError
from web.auth import caller
from web.context import services
from web.language import current, text
from web.panel.blueprint import blueprint
from web.problems import ProblemError

LEDGER = 50
UNITS = {"credit_based": "credits", "minutes_based": "minutes"}  # what a top-up is typed in


@blueprint.get("/accounts")
def accounts() -> str:
    """Every account with its money."""
    made = services()
    return render_template(
        "panel/accounts.html", accounts=operation.listed(made), lacks=readiness(made).lacks
    )


@blueprint.post("/accounts")
def make_account() -> Response:
    """A new account."""
    given = {"name": request.form.get("name", ""), "plan": request.form.get("plan", "unlimited")}
    try:
        made = operation.make(services(), request.form.get("account_id") or None, given, caller(), current())
    except RefusedOptionError as error:
        flash(f"{error.field}: {error.message}", "error")
        return redirect(url_for("panel.accounts"), 303)
    except AccountExistsError as error:
        flash(text("account.exists", account=str(error)), "error")
        return redirect(url_for("panel.accounts"), 303)
    return redirect(url_for("panel.account", account_id=made["account_id"]), 303)


@blueprint.get("/accounts/<account_id>")
def account(account_id: str) -> str:
    """One account: balance, limits, ledger."""
    made = services()
    try:
        found = operation.view(made, account_id)
    except AccountNotFoundError:
        raise _no_account() from None
    entries = made.store.funds.ledger(account_id, limit=LEDGER, before=None)
    return render_template(
        "panel/account.html",
        account=found,
        entries=entries,
        zone=made.settings.zone,
        unit=UNITS.get(found["plan"]),
        missing=readiness(made).lacks.get(account_id, ()),
    )


@blueprint.post("/accounts/<account_id>/topup")
def top_up(account_id: str) -> Response:
    """Add to the balance."""
    made = services()
    unit = request.form.get("unit", "")
    given = {unit: _typed(request.form.get("amount", "")), "note": request.form.get("note", "")}
    return _changed(account_id, lambda: operation.top_up(made, account_id, given, caller()))


@blueprint.post("/accounts/<account_id>")
def change_account(account_id: str) -> Response:
    """Status, law, budget, numbers, slots."""
    form = request.form
    budget, slots = form.get("daily_budget", "").strip(), form.get("slots", "").strip()
    given: dict[str, Any] = {
        "status": form.get("status"),
        "legal": form.get("legal"),
        "daily_budget_cents": _in_cents(_typed(budget)) if budget else None,
        "slots": int(slots) if slots.isascii() and slots.isdigit() and len(slots) < 10 else slots or None,
        "from_numbers": form.get("from_numbers", "").replace(",", " ").split(),
        "agent_id": form.get("agent_id", "").strip() or None,
        "caller_id_statement": form.get("caller_id_statement", "").strip() or None,
    }
    made = services()
    return _changed(account_id, lambda: operation.change(made, account_id, given, caller(), current()))


def _changed(account_id: str, change: Any) -> Response:
    try:
        change()
    except AccountNotFoundError:
        raise _no_account() from None
    except RefusedOptionError as error:
        flash(f"{error.field}: {error.message}", "error")
    else:
        flash(text("page.saved"), "ok")
    return redirect(url_for("panel.account", account_id=account_id), 303)


def _typed(value: str) -> Decimal:
    """A number as people type it; what is none goes on as it is, to be refused by name."""
    try:
        return Decimal(value.strip().replace(",", "."))
    except InvalidOperation:
        return Decimal("NaN")


def _in_cents(dollars: Decimal) -> Decimal:
    """100 times as much; more than any number can hold is none."""
    try:
        return dollars * 100
    except Overflow:
        return Decimal("NaN")


def _no_account() -> ProblemError:
    return ProblemError(404, text("http.no_account"))
