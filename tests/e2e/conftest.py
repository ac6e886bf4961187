"""One running SpeechAI for the session's tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from speechai.stack.stack import Stack
from tests.e2e.site import FAST, SIMULATOR, ZONE, Site


@pytest.fixture(scope="session")
def wave_at() -> datetime:
    """The minute for which the stack's wave is configured: soon, but after the stack is up."""
    soon = datetime.now(ZONE) + timedelta(seconds=50)
    return soon.replace(second=0, microsecond=0) + timedelta(minutes=1)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, wave_at: datetime) -> Iterator[Site]:
    """The stack on the embedded servers and a fast simulator."""
    home = tmp_path_factory.mktemp("home")
    environment = {**FAST, "SPEECHAI_HOME": str(home), "WAVE_TIMES": f"{wave_at:%H:%M}"}
    with Stack(environment=environment, simulator=SIMULATOR) as stack:
        stack.wait_ready()
        yield Site(stack)
