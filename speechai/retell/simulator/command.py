"""`speechai simulator`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from speechai.retell.simulator.calls import Limits
from speechai.retell.simulator.faults import FAULTS, SECONDS, UnknownFaultError
from speechai.retell.simulator.outcomes import UnknownOutcomeError
from speechai.retell.simulator.server import Options, make_world, run

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--port", type=int, default=8100, show_default=True, help="0 picks a free one.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--speed", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="Times faster."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed, the same outcomes.")
@click.option("--webhook", help="Where webhooks go, unless a call says otherwise.")
@click.option("--webhook-key", help="Signs the webhooks (default: the key that made the call).")
@click.option("--api-key", help="The only key that is accepted (default: any).")
@click.option("--concurrency", type=int, default=20, show_default=True, help="Calls at once.")
@click.option("--cps", type=float, default=0.0, help="Calls per second and from-number (0: no limit).")
@click.option("--refuse-by", type=click.Choice(["429", "call_error"]), default="429", help="When it is full.")
@click.option(
    "--callback-after", type=float, default=7200.0, help="Seconds until a callback that is asked for."
)
@click.option("--mix", type=_file, help="JSON: outcome → weight.")
@click.option("--script", type=_file, help='JSON: number (or "*") → outcomes, one per call.')
@click.option("--fault", "faults", multiple=True, metavar="NAME=PROBABILITY", help="Repeatable.")
def simulator(
    port: int,
    host: str,
    speed: float,
    seed: int,
    webhook: str | None,
    webhook_key: str | None,
    api_key: str | None,
    concurrency: int,
    cps: float,
    refuse_by: str,
    callback_after: float,
    mix: Path | None,
    script: Path | None,
    faults: tuple[str, ...],
) -> None:
    """Simulate Retell's API: nobody is rung, nothing is charged."""
    options = Options(
        host=host,
        port=port,
        speed=speed,
        seed=seed,
        webhook_url=webhook,
        webhook_key=webhook_key,
        api_key=api_key,
        callback_after_s=callback_after,
        limits=Limits(concurrency=concurrency, calls_per_second=cps, concurrency_refusal=refuse_by),
        mix=_json(mix),
        scripts=_json(script),
        faults=dict(_fault(text) for text in faults),
    )
    try:
        make_world(options).close()  # a wrong name is said here, before anything listens
    except (UnknownOutcomeError, UnknownFaultError) as error:
        raise click.ClickException(str(error)) from error
    run(options)


def _json(path: Path | None) -> Any:
    try:
        return json.loads(path.read_text("utf-8")) if path else None
    except ValueError as error:
        raise click.ClickException(f"{path}: not JSON: {error}") from error


def _fault(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        known = ", ".join([*FAULTS, *SECONDS])
        raise click.ClickException(f"--fault {text}: NAME=PROBABILITY with NAME one of {known}") from None
