"""The console script `speechai`. Exit codes: 0 done, 1 failed, 2 bad usage, 3 already running."""

from __future__ import annotations

import sys

import click

from speechai import __version__
from speechai.cli import administration, demo, people, provider, stack
from speechai.retell.simulator.command import simulator
from speechai.settings import SettingsError
from speechai.store import StoreError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """SpeechAI: call everyone on a list through Retell AI, by the rules.

    The workers' own commands are Celery's: `celery -A speechai call|inspect|status|events|flower`.
    """


commands.add_command(stack.up)
commands.add_command(demo.demo)
commands.add_command(simulator)
commands.add_command(administration.report)
commands.add_command(administration.export)
commands.add_command(administration.reset)
commands.add_command(administration.slots)
commands.add_command(administration.indexes)
commands.add_command(provider.provider)
commands.add_command(administration.rollups)
commands.add_command(people.evidence)
commands.add_command(people.erase)
commands.add_command(administration.user)
commands.add_command(administration.key)


def main() -> None:
    """Run the command line; an error that the operator can mend is one line, without a traceback."""
    try:
        commands(standalone_mode=True)
    except SettingsError as error:
        click.echo(f"speechai: {error}", err=True)
        sys.exit(2)
    except StoreError as error:
        click.echo(f"speechai: the database does not answer (MONGO_URI): {error}", err=True)
        sys.exit(1)
