"""What every view is given: the services that the app was made with."""

from __future__ import annotations

from typing import cast

from flask import current_app

from speechai.operation.services import Services

KEY = "speechai"


def services() -> Services:
    """The services of this app."""
    return cast(Services, current_app.extensions[KEY])
