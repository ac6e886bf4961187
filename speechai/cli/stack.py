"""`speechai up`: everything on one machine."""

from __future__ import annotations

import sys

import click

from speechai.stack.up import up as run


@click.command()
@click.option("--simulator", is_flag=True, help="Call a simulated Retell on this machine: nobody is rung.")
def up(simulator: bool) -> None:
    """Start the whole stack and keep it running until Ctrl-C or SIGTERM.

    REDIS_URL and MONGO_URI are used where they are set; else a Valkey and a MongoDB server are started, with
    their data under SPEECHAI_HOME (default: var/).
    """
    sys.exit(run(simulator=simulator))
