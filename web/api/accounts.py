"""Accounts: made, changed, topped up; their ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speechai.operation.campaigns import accounts
from speechai.operation.campaigns.accounts import AccountExistsError, AccountNotFoundError
from speechai.operation.campaigns.configuring import RefusedOptionError
from web.api.blueprint import blueprint, cursor_of_query, json_body, limit_of_query
from web.auth import caller
from web.context import services
from web.language import current, text
from web.problems import ProblemError


@blueprint.get("/accounts")
def list_accounts() -> dict[str, Any]:
    """Every account, by name, with its money."""
    return {"items": accounts.listed(services()), "next_cursor": None}


@blueprint.post("/accounts")
def make_account() -> tuple[dict[str, Any], int]:
    """Make one: `{"name", "plan", …}`; `account_id` is made where none is given."""
    body = json_body()
    account_id = body.pop("account_id", None)
    if account_id is not None and not isinstance(account_id, str):
        raise ProblemError(422, text("option.text"), field="account_id")
    return _found(lambda: accounts.make(services(), account_id, body, caller(), current())), 201


@blueprint.get("/accounts/<account_id>")
def get_account(account_id: str) -> dict[str, Any]:
    """One account, with its money and its own rules."""
    return _found(lambda: accounts.view(services(), account_id))


@blueprint.patch("/accounts/<account_id>")
def change_account(account_id: str) -> dict[str, Any]:
    """Change what is given; the next call obeys."""
    return _found(lambda: accounts.change(services(), account_id, json_body(), caller(), current()))


@blueprint.post("/accounts/<account_id>/topup")
def top_up_account(account_id: str) -> dict[str, Any]:
    """Add to the balance; jobs that waited for money go on."""
    return _found(lambda: accounts.top_up(services(), account_id, json_body(), caller()))


@blueprint.post("/accounts/<account_id>/adjustments")
def adjust_account(account_id: str) -> dict[str, Any]:
    """Correct the balance, up or down, with a reason."""
    return _found(lambda: accounts.top_up(services(), account_id, json_body(), caller(), is_adjustment=True))


@blueprint.get("/accounts/<account_id>/ledger")
def account_ledger(account_id: str) -> dict[str, Any]:
    """Every entry, newest first, in pages. The balance is their sum."""
    limit, store = limit_of_query(100, 500), services().store
    if store.accounts.get(account_id) is None:
        raise _no_account()
    try:
        found = store.funds.ledger(account_id, limit=limit + 1, before=cursor_of_query())
    except (ValueError, OverflowError):  # no date, or one at the end of the calendar
        raise ProblemError(422, text("option.cursor"), field="cursor") from None
    shown = found[:limit]
    cursor = f"{shown[-1]['at'].isoformat()}|{shown[-1]['_id']}" if len(found) > limit else None
    return {"items": [{"entry_id": row.pop("_id"), **row} for row in shown], "next_cursor": cursor}


def _found(operation: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return operation()
    except AccountNotFoundError:
        raise _no_account() from None
    except AccountExistsError as error:
        raise ProblemError(409, text("account.exists", account=str(error))) from None
    except RefusedOptionError as error:
        raise ProblemError(422, error.message, field=error.field) from error


def _no_account() -> ProblemError:
    return ProblemError(404, text("http.no_account"))
