"""What every operation is given: settings, clock, stores, the provider, and a way to nudge.

Nothing in the operation layer makes these itself; `speechai.composition` does, once per process. That is
what lets a test put a manual clock and a scripted provider in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from speechai.catalog.accounts import Account
from speechai.catalog.flows import Flow, flow_of
from speechai.catalog.policies import policy_in_force
from speechai.clock import Clock
from speechai.core.model import Limits, Rulebook
from speechai.core.money import Price, worst_case
from speechai.core.retry_table import RETRIES, changed
from speechai.core.watching import Patience
from speechai.retell.client import CallRequest
from speechai.settings import Settings
from speechai.store import Store
from speechai.store.standing import Standing


class Provider(Protocol):
    """What dialing needs of the provider; `speechai.retell.RetellClient` is it."""

    def create_phone_call(self, request: CallRequest) -> dict[str, Any]:
        """Place a call. Raises Refused, Throttled, Retryable (nothing was sent) or UnknownResult."""
        ...

    def get_call(self, call_id: str) -> dict[str, Any]:
        """The call as it stands. Raises NotFound, Retryable, Throttled, Refused."""
        ...

    def find_by_attempt(self, attempt_id: str) -> list[dict[str, Any]]:
        """Every call that carries this attempt's id in its metadata."""
        ...

    def get_calls(self, call_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Many calls at once, without transcripts and without those that the provider does not know."""
        ...

    def get_concurrency(self) -> dict[str, Any]:
        """How many calls are running in the workspace, and how many may."""
        ...

    def stop_call(self, call_id: str) -> None:
        """End a call."""
        ...


class Nudges(Protocol):
    """Messages to the workers. They carry ids, and losing one costs only time: the sweep heals it."""

    def call_contact(self, job_id: str, delay: float = 0) -> None:
        """Dial the job's next number."""
        ...

    def follow(self, attempt_id: str, poll_token: str, delay: float) -> None:
        """Poll the attempt's call after `delay` seconds, then persist its result."""
        ...

    def persist_result(self, attempt_id: str) -> None:
        """Settle the attempt from what is known of its call."""
        ...

    def reconcile(self, attempt_id: str, delay: float) -> None:
        """Look for an attempt of which nobody knows whether it rang."""
        ...

    def dispatch(self, delay: float = 0) -> None:
        """Hand out as many due jobs as there are free slots."""
        ...


class Pace(Protocol):
    """Calls per second, per from-number, over all workers."""

    def wait(self, from_number: str, per_second: float | None = None) -> float:
        """0 when a call may be placed now (and it counts), else the seconds to wait."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything an operation works with."""

    settings: Settings
    clock: Clock
    store: Store
    provider: Provider
    nudges: Nudges
    pace: Pace
    worker: str

    @property
    def limits(self) -> Limits:
        """How often a person may be called, by the settings."""
        settings = self.settings
        return Limits(
            calls_per_day=settings.max_calls_per_day,
            days_without_answer=settings.max_days_without_answer,
            retry_delay=timedelta(minutes=settings.retry_delay_minutes),
            no_answer_delay=timedelta(minutes=settings.no_answer_retry_minutes),
        )

    @property
    def patience(self) -> Patience:
        """How long calls are waited for, by the settings."""
        settings = self.settings
        return Patience(
            interval=timedelta(seconds=settings.call_polling_interval),
            lease=timedelta(seconds=settings.lease_seconds),
        )

    def rulebook(self, standing: Standing) -> Rulebook:
        """Everything that decides when the people of a batch may be called, as it is configured now."""
        batch, account = standing.batch, standing.account
        retries = RETRIES
        for changes in (account.retries if account else {}, batch.retries):
            retries = changed(retries, changes) if changes else retries
        return Rulebook(
            policy=policy_in_force(account, batch.policy_id, batch.country, batch.use_case, batch.weekdays),
            limits=self.limits,
            batch=batch,
            retries=retries,
        )

    def flow(self, standing: Standing) -> Flow:
        """The negotiation flow of a batch."""
        return flow_of(standing.account, standing.batch.flow_id)

    def worst_case(self, account: Account) -> Price:
        """What one call of the account may cost at most."""
        settings = self.settings
        return worst_case(account, settings.call_max_duration_minutes, settings.cost_per_minute_cents)
