"""The Celery app: `celery -A speechai …`, and the messages that SpeechAI sends.

Tasks are sent by name: whoever nudges (web, the command line) need not import the workers' code.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery, chain, signals
from kombu.exceptions import OperationalError

app = Celery("speechai")
app.config_from_object("celeryconfig")

log = logging.getLogger(__name__)

CALL_CONTACT = "tasks.calls.call_contact"
POLL_CALL = "tasks.calls.poll_call"
PERSIST_RESULT = "tasks.calls.persist_result"
DISPATCH = "tasks.waves.dispatch"
RECONCILE = "tasks.recovery.reconcile"


class CeleryNudges:
    """Sends ids to the workers.

    A broker that cannot be reached must not undo what is on record already: the nudge is logged as lost, and
    the sweep finds what it was about.
    """

    def call_contact(self, job_id: str, delay: float = 0) -> None:
        """Dial the job's next number."""
        self._send(app.signature(CALL_CONTACT, args=(job_id,)), delay)

    def follow(self, attempt_id: str, poll_token: str, delay: float) -> None:
        """Poll the attempt's call after `delay` seconds, then persist its result: the chain of a call."""
        poll = app.signature(POLL_CALL, args=(attempt_id, poll_token), immutable=True)
        persist = app.signature(PERSIST_RESULT, args=(attempt_id,), immutable=True)
        self._send(chain(poll, persist, app=app), delay)

    def persist_result(self, attempt_id: str) -> None:
        """Settle the attempt from what is known of its call."""
        self._send(app.signature(PERSIST_RESULT, args=(attempt_id,)), 0)

    def reconcile(self, attempt_id: str, delay: float) -> None:
        """Look for an attempt of which nobody knows whether it rang."""
        self._send(app.signature(RECONCILE, args=(attempt_id,)), delay)

    def dispatch(self, delay: float = 0) -> None:
        """Hand out as many due jobs as there are free slots."""
        self._send(app.signature(DISPATCH), delay)

    @staticmethod
    def _send(signature: Any, delay: float) -> None:
        try:
            signature.apply_async(countdown=delay if delay > 0 else None)
        except OperationalError as error:
            log.warning("nudge lost, the sweep will heal it: %s", error, extra={"task": signature.task})


def _configure_logging(**_: object) -> None:
    """Celery would set up logging its own way: ours redacts, and writes JSON where asked."""
    from speechai.logs import configure
    from speechai.settings import current

    settings = current()
    configure(settings.log_level, settings.log_format)


signals.setup_logging.connect(_configure_logging)
