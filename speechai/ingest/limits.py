"""What one upload may cost us, whatever is in it."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a file and on the process that reads it. The defaults carry 100,000 rows of 45 columns."""

    upload_bytes: int = 64 * _MIB
    inflated_bytes: int = 768 * _MIB  # all entries of the archive together, counted by inflating them
    archive_entries: int = 2_000
    rows: int = 200_000  # rows with something in them
    columns: int = 500
    warnings: int = 200  # those beyond are counted, not listed
    seconds: float = 60.0  # wall clock and processor time of the reading process
    memory_bytes: int = 1_024 * _MIB  # its address space
