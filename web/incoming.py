"""An uploaded file on its way to the operation: on disk only while the request lasts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import request
from werkzeug.datastructures import FileStorage


@contextmanager
def kept_file(uploaded: FileStorage) -> Iterator[Path]:
    """The file in a private directory of its own, under a name that is not its owner's."""
    with scratch() as path:
        uploaded.save(path)
        yield path


@contextmanager
def scratch() -> Iterator[Path]:
    """A path for a file that goes when the block ends."""
    with tempfile.TemporaryDirectory(prefix="speechai-upload-") as directory:
        yield Path(directory) / "file"


def sent_file() -> tuple[FileStorage, str] | None:
    """The request's file and what its owner calls it; None where no file was chosen."""
    uploaded = request.files.get("file")
    if uploaded is None or not uploaded.filename:
        return None
    # Browsers on Windows used to send whole paths; only the last part is a name.
    name = uploaded.filename.replace("\\", "/").rsplit("/", 1)[-1]
    return uploaded, name[:200]
