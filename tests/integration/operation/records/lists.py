"""Small lists of people, uploaded as an operator would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechai.catalog.use_cases import UseCaseId
from speechai.operation.campaigns.tally import UploadResult
from speechai.operation.campaigns.uploads import UploadOptions, upload
from speechai.operation.services import Services


def write(tmp_path: Path, *rows: tuple[str, str, str], name: str = "people.csv") -> Path:
    """A file of names, documents and numbers."""
    path = tmp_path / name
    path.write_text("nombre;rut;telefono\n" + "\n".join(";".join(row) for row in rows), encoding="utf-8")
    return path


def add(services: Services, path: Path, **options: Any) -> UploadResult:
    """Upload it and start at once, whatever was uploaded before."""
    given = {"policy": "anytime", "start": "now", "use_case": UseCaseId.NOTIFICATION, "again": True}
    return upload(services, path, path.name, UploadOptions(**{**given, **options}))
