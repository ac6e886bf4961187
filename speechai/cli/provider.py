"""The provider in use, and which batches are dialed through which."""

from __future__ import annotations

import json
from typing import Any

import click

from speechai.composition import services
from speechai.operation.campaigns import providers
from speechai.operation.campaigns.batches import BatchNotFoundError, MoveRefusedError
from speechai.operation.campaigns.configuring import RefusedOptionError

_as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")


@click.group(invoke_without_command=True)
@_as_json
@click.pass_context
def provider(context: click.Context, as_json: bool) -> None:
    """The provider in use, and which open batches are dialed through which.

    A batch is dialed only through the provider it was made for, a simulator or a real one; a rotated
    RETELL_API_KEY is the same provider.
    """
    if context.invoked_subcommand is None:
        _show(providers.overview(services()), as_json)


@provider.command("move")
@click.argument("batch_ids", metavar="BATCH…", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
def move(batch_ids: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Dial BATCH… through the provider in use from now on; who, when, from and to are kept with each."""
    made = services()
    if not yes:
        settings = made.settings
        rings = "" if settings.provider_kind == "simulator" else " Telephones will ring."
        click.confirm(f"Dial {', '.join(batch_ids)} through {settings.provider_key}?{rings}", abort=True)
    try:
        moved = providers.move(made, batch_ids, "command line", "en")
    except BatchNotFoundError as error:
        raise click.ClickException(f"there is no batch {error}") from None
    except providers.SameProviderError as error:
        raise click.ClickException(f"{error} is dialed through the provider in use already") from None
    except providers.CallsInFlightError as error:
        raise click.ClickException(f"calls of {error} are in flight: wait until they are over") from None
    except (MoveRefusedError, RefusedOptionError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"moved": moved, "provider": made.settings.provider_key}))
    else:
        click.echo(f"moved to {made.settings.provider_key}: {', '.join(moved)}")


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    click.echo(f"in use: {found['provider']}")
    for batch in found["batches"]:
        held = f"  held: made for {batch['provider']}" if batch["held"] else ""
        click.echo(f"  {batch['batch_id']}  {batch['status']}  {batch['name']}{held}")
