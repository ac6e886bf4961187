"""Whether an account's provider answers, and takes its calls: the breaker, as dials and calls find it.

See `speechai.core.breaker` for when it opens and for how long.
"""

from __future__ import annotations

import logging

from speechai.core.breaker import Breaker
from speechai.operation.services import Services

log = logging.getLogger(__name__)


def note_outage(services: Services, account_id: str, error: str, before: Breaker) -> None:
    """The provider did not answer a request of the account."""
    breakers, instant = services.store.breakers, services.clock.now()
    _alert(account_id, breakers.failed(account_id, instant, error, probe=before.is_open))


def hold_account(services: Services, account_id: str, error: str, *, probe: bool = False) -> None:
    """The provider refuses the account itself (its key, its money): one dial now and then tries it again."""
    breakers, instant = services.store.breakers, services.clock.now()
    _alert(account_id, breakers.refused(account_id, instant, error, probe=probe))


def note_answer(services: Services, account_id: str, before: Breaker) -> None:
    """Any answer closes the breaker; where there was nothing to close, nothing is written."""
    if before.failures and services.store.breakers.succeeded(account_id):
        log.warning("the provider answers again: dialing goes on", extra={"account_id": account_id})
        services.nudges.dispatch()


def _alert(account_id: str, breaker: Breaker) -> None:
    if breaker.is_open:
        extra = {"account_id": account_id, "until": str(breaker.probe_at), "error": breaker.last_error}
        log.error("%s: dialing waits", breaker.says, extra=extra)
