"""Named places at which a process can be made to die, for crash tests. Without the variable they do nothing.

`SPEECHAI_FAILPOINTS` names a directory. A process that reaches a place whose name is a file there removes the
file and ends at once, without unwinding, flushing or acknowledging anything: what `kill -9` would do, exactly
there. Removing the file first makes it die once, so that whatever restarts it goes on.
"""

from __future__ import annotations

import os
from pathlib import Path

EXIT_CODE = 70
_DIRECTORY = os.environ.get("SPEECHAI_FAILPOINTS")

# The steps of a call, in order; the name says what has just been done.
PLACES = (
    "slot_taken",
    "funds_held",
    "attempt_reserved",
    "job_begun",
    "dialing_noted",
    "call_created",
    "call_placed",
    "slot_freed",
    "end_noted",
    "attempt_settled",
    "news_kept",
    "person_bound",
    "job_moved",
    "wave_begun",
    "unknown_found",
)


def reached(place: str) -> None:
    """Die here if a test asks for it."""
    if _DIRECTORY is None:
        return
    try:
        (Path(_DIRECTORY) / place).unlink()
    except FileNotFoundError:
        return
    os._exit(EXIT_CODE)
