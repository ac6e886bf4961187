"""The Procfile: what SpeechAI is made of.

`python -m speechai.stack.procfile web` becomes one part, for containers.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from honcho.environ import parse_procfile

from speechai.stack.errors import StackError

PROCFILE = Path(__file__).resolve().parents[2] / "Procfile"


def read(procfile: Path = PROCFILE) -> dict[str, str]:
    """Each part's name and shell line."""
    try:
        return dict(parse_procfile(procfile.read_text()).processes)
    except OSError as error:
        raise StackError(f"cannot read the Procfile: {error}") from error


def main(arguments: list[str]) -> None:
    """Become the part that is named."""
    parts = read()
    if len(arguments) != 1 or arguments[0] not in parts:
        raise SystemExit(f"usage: python -m speechai.stack.procfile {'|'.join(parts)}")
    os.chdir(PROCFILE.parent)
    os.execv("/bin/sh", ["sh", "-c", parts[arguments[0]]])  # noqa: S606 - the line is the product's own


if __name__ == "__main__":
    main(sys.argv[1:])
