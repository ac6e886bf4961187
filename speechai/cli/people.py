"""Commands about a person: the evidence of why they were called, and forgetting them."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from speechai.composition import services
from speechai.operation.records import erasing
from speechai.operation.records.erasing import StillCalledError
from speechai.operation.records.evidence import pack
from speechai.operation.records.persons import PersonNotFoundError
from speechai.store.database import decimal_of


@click.command()
@click.argument("person_id", metavar="PERSON")
@click.option(
    "--to", "target", type=click.File("w", encoding="utf-8"), default="-", help="A file; - is stdout."
)
def evidence(person_id: str, target: TextIO) -> None:
    """Write and verify why PERSON was called, by CL:RUT:…, AR:DNI:… or TEL:+….

    Exit code 1: nobody of that id, or the chain does not hold.
    """
    try:
        found = pack(services(), person_id)
    except PersonNotFoundError:
        raise click.ClickException(f"nobody of the id {person_id} was ever in a batch") from None
    json.dump(found, target, ensure_ascii=False, indent=2, default=_plain)
    target.write("\n")
    links = sum(len(chain["links"]) for chain in found["chains"])
    if not found["holds"]:
        raise click.ClickException("the chain of evidence does not hold: see `chains` in the pack")
    click.echo(f"{links} links hold", err=True)


@click.command()
@click.argument("person_id", metavar="PERSON")
@click.option("--why", required=True, help="Kept on record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def erase(person_id: str, why: str, yes: bool, as_json: bool) -> None:
    """Forget PERSON on their demand, and certify what was removed, what stays and why."""
    if not yes:
        click.confirm(f"Erase {person_id} for good?", abort=True)
    try:
        certificate = erasing.erase(services(), person_id, "command line", why).as_answer("en")
    except PersonNotFoundError:
        raise click.ClickException(f"nobody of the id {person_id} was ever in a batch") from None
    except StillCalledError:
        raise click.ClickException("the person is in an active batch: cancel their jobs first") from None
    if as_json:
        click.echo(json.dumps(certificate, ensure_ascii=False, indent=2, default=_plain))
        return
    click.echo(certificate["erased_as"])
    for part in certificate["removed"]:
        click.echo(f"  removed: {part['count']} {part['text']}")
    for part in certificate["stays"]:
        click.echo(f"  stays: {part['text']}")
    for call_id in certificate["calls_at_provider"]:
        click.echo(f"  at the provider: {call_id}")


def _plain(value: Any) -> Any:
    """What JSON does not know: exact decimals as numbers, instants as ISO 8601."""
    if hasattr(value, "to_decimal"):
        return float(decimal_of(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
