"""Commands on a running SpeechAI's data: report, export, reset, slots, indexes, rollups, user, key."""

from __future__ import annotations

import csv
import json
import secrets
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import click
from werkzeug.security import generate_password_hash

from speechai.clock import SystemClock
from speechai.composition import services
from speechai.operation.calling import pacing
from speechai.operation.campaigns import counting, jobs
from speechai.operation.campaigns.batches import BatchNotFoundError
from speechai.operation.campaigns.jobs import JobNotFoundError, JobRefusedError
from speechai.operation.shown import listed
from speechai.results import reports

_DEFAULT = click.core.ParameterSource.DEFAULT

as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")


def _dump(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@click.command()
@click.argument("batch_id", required=False)
@as_json
def report(batch_id: str | None, as_json: bool) -> None:
    """What a batch came to (without BATCH_ID: the newest one)."""
    if batch_id is None:
        newest = services().store.batches.page(limit=1, before=None)
        if not newest:
            raise click.ClickException("there is no batch yet: upload a file first")
        batch_id = str(newest[0]["_id"])
    try:
        found = reports.batch_report(services(), batch_id)
    except BatchNotFoundError:
        raise click.ClickException(f"there is no batch {batch_id}") from None
    if as_json:
        _dump(found)
    else:
        click.echo(reports.as_text(found))


@click.command()
@click.argument("batch_id")
@click.option(
    "--to", "target", type=click.File("w", encoding="utf-8"), default="-", help="A file; - is stdout."
)
@click.option("--attempts", is_flag=True, help="Every attempt with the provider's whole answer (JSON lines).")
def export(batch_id: str, target: TextIO, attempts: bool) -> None:
    """Write a batch's jobs as CSV, or its attempts as JSON lines."""
    store = services().store
    if store.batches.get(batch_id) is None:
        raise click.ClickException(f"there is no batch {batch_id}")
    if attempts:
        for document in store.attempts.export(batch_id):
            target.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
        return
    rows = (listed(document) for document in store.job_reports.export(batch_id))
    _write_csv(target, rows)


def _write_csv(target: TextIO, rows: Iterable[dict[str, Any]]) -> None:
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(target, fieldnames=list(row))
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})


_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula


def _cell(value: Any) -> str:
    """A cell that a spreadsheet shows and never runs: what looks like a formula is written as text."""
    text = "" if value is None else " ".join(value) if isinstance(value, list) else str(value)
    is_phone = text.replace("+", "").replace(" ", "").isdigit()
    return "'" + text if text[:1] in _FORMULA and not is_phone else text


@click.command()
@click.argument("job_id")
@click.option("--why", default="reset from the command line", help="Kept with the job.")
def reset(job_id: str, why: str) -> None:
    """Call a job again: a final one is reopened, on record. Never one that opted out."""
    try:
        view = jobs.retry(services(), job_id, f"command line: {why}")
    except JobNotFoundError:
        raise click.ClickException(f"there is no job {job_id}") from None
    except JobRefusedError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{job_id} is {view['status']}")


@click.command()
@as_json
def indexes(as_json: bool) -> None:
    """Build the database's indexes that are missing, and name them all."""
    built = services().store.ensure_indexes()
    if as_json:
        _dump(built)
        return
    for collection, names in built.items():
        click.echo(f"{collection}: {', '.join(names)}")


@click.command()
@click.option("--rebuild", "is_rebuild", is_flag=True, help="Count anew from the jobs and attempts.")
@click.option("--batch", "batch_id", help="With --rebuild: only this batch.")
@as_json
def rollups(is_rebuild: bool, batch_id: str | None, as_json: bool) -> None:
    """Bring the batches' sums up to date; with --rebuild, make them anew, also while calls are made."""
    if batch_id is not None and not is_rebuild:
        raise click.UsageError("--batch goes with --rebuild")
    if not is_rebuild:
        moved = counting.count_moves(services(), most=sys.maxsize)
        _dump({"counted": moved}) if as_json else click.echo(f"{moved} moves were counted")
        return
    try:
        batches = counting.rebuild(services(), batch_id)
    except BatchNotFoundError:
        raise click.ClickException(f"there is no batch {batch_id}") from None
    _dump({"batches": batches}) if as_json else click.echo(f"{len(batches)} batches were counted anew")


def _limit(_: click.Context, option: click.Parameter, value: str | None) -> int | None:
    if value is None or value == "default":
        return None
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 100_000):
        raise click.BadParameter("a number from 1 to 100000, or `default`", param=option)
    return int(value)


@click.command()
@click.option(
    "--limit", metavar="N|default", help="The most calls at once, over all accounts.", callback=_limit
)
@click.option("--account", help="The account that --share is for.")
@click.option("--share", metavar="N|default", help="The most calls of the account at once.", callback=_limit)
@as_json
@click.pass_context
def slots(
    context: click.Context, limit: int | None, account: str | None, share: int | None, as_json: bool
) -> None:
    """The provider's slots, used and in all. A change holds at once, and hangs up nobody."""
    given = {name for name in ("limit", "share") if context.get_parameter_source(name) is not _DEFAULT}
    if ("share" in given) != (account is not None):
        raise click.UsageError("--account and --share go together")
    made, by = services(), "command line"
    if "limit" in given:
        pacing.set_limit(made, limit, by)
    if account is not None:
        try:
            pacing.set_share(made, account, share, by)
        except pacing.NoSuchAccountError:
            raise click.ClickException(f"there is no account {account}") from None
    found = pacing.state(made)
    if as_json:
        _dump(found)
        return
    click.echo(f"{found['used']} of {found['limit']} slots are used")
    for name, part in found["accounts"].items():
        click.echo(f"  {name}: {part['used']}" + (f" of {part['share']}" if part["share"] else ""))


@click.group()
def user() -> None:
    """Who may log in to the panel."""


@user.command("add")
@click.argument("email")
@click.option("--password", envvar="SPEECHAI_NEW_PASSWORD", help="Without it, one is made and printed.")
def add_user(email: str, password: str | None) -> None:
    """Add a user, or set the password of one."""
    made = password or secrets.token_urlsafe(12)
    users, hashed = services().store.users, generate_password_hash(made)
    if not users.add(email, hashed, SystemClock().now()):
        users.set_password(email, hashed)
    click.echo(f"{email.lower()}" + ("" if password else f" {made}"))


@user.command("list")
@as_json
def list_users(as_json: bool) -> None:
    """Every user."""
    found = services().store.users.all()
    if as_json:
        _dump(found)
    else:
        for entry in found:
            click.echo(entry["email"])


@user.command("remove")
@click.argument("email")
def remove_user(email: str) -> None:
    """Take a user's access away."""
    if not services().store.users.remove(email):
        raise click.ClickException(f"there is no user {email}")


@click.group()
def key() -> None:
    """Keys of the API."""


@key.command("add")
@click.argument("name")
def add_key(name: str) -> None:
    """Make a key and print it: it is shown only now."""
    made = f"sk_{secrets.token_urlsafe(32)}"
    services().store.api_keys.add(made, name, SystemClock().now())
    sys.stdout.write(made + "\n")


@key.command("list")
@as_json
def list_keys(as_json: bool) -> None:
    """The names of the keys; the keys themselves are not kept."""
    names = [entry["name"] for entry in services().store.api_keys.all()]
    if as_json:
        _dump(names)
    else:
        click.echo("\n".join(names))


@key.command("remove")
@click.argument("name")
def remove_key(name: str) -> None:
    """Shut out the keys of that name."""
    if not services().store.api_keys.remove(name):
        raise click.ClickException(f"there is no key {name}")
