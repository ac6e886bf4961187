"""docs/architecture.md names every collection that the store writes, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NAMED_BY_SETTINGS = {"call_jobs", "call_logs"}
OF_THE_FILE_STORE = {"uploads.files", "uploads.chunks"}


def test_every_collection_is_in_the_table() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = re.search(r"^\| collection \|.*?\n\n", page, re.MULTILINE | re.DOTALL)
    assert table
    first_cells = [row.split("|")[1] for row in table[0].splitlines()[2:] if row.startswith("|")]
    documented = {name for cell in first_cells for name in re.findall(r"`([a-z_.]+)`", cell)}
    sources = (ROOT / "speechai" / "store").glob("*.py")
    written = {name for source in sources for name in re.findall(r'db\["([a-z_.]+)"\]', source.read_text())}
    assert len(written) > 15
    assert documented == written | NAMED_BY_SETTINGS | OF_THE_FILE_STORE
