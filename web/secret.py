"""The key that signs cookies: given, or made once and kept in `SPEECHAI_HOME`."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from speechai.settings import Settings, SettingsError

FILE = "secret_key"


def secret_key(settings: Settings) -> str:
    """`SPEECHAI_SECRET_KEY`, else the one of this home. Raises SettingsError where it cannot be kept."""
    if settings.speechai_secret_key:
        return settings.speechai_secret_key.get_secret_value()
    path = settings.speechai_home / FILE
    try:
        if not path.exists():
            _make(path)
        return path.read_text("ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"SPEECHAI_SECRET_KEY is not set and none can be kept in SPEECHAI_HOME: {error}"
        ) from error


def _make(path: Path) -> None:
    """Write a new key, whole and readable by its owner alone; of two processes the first one's stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}-")  # 0600 from the start
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
        try:
            os.link(fresh, path)
        except FileExistsError:
            return  # another process was quicker: its key is the key
    finally:
        fresh.unlink()
