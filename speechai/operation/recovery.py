"""The sweep: every 30 seconds and at worker start, it finds what a crash or a lost message left behind.

It has no ways of its own: each finding goes through the function that the normal path uses.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from speechai.core.states import AttemptState
from speechai.operation.calling.dispatching import dispatch
from speechai.operation.calling.following import look_in_pages
from speechai.operation.calling.pacing import ask_for_limit
from speechai.operation.calling.placing import give_back, note_unknown
from speechai.operation.calling.reconciling import reconcile
from speechai.operation.calling.settling import Told, complete_batch_if_over, conclude, end_call, observe
from speechai.operation.calling.waves import finish_wave, open_waves
from speechai.operation.campaigns.counting import count_moves
from speechai.operation.campaigns.waterfall import judge_on
from speechai.operation.records.charging import heal, resume_all
from speechai.operation.records.evidence import link_all
from speechai.operation.records.persons import join_again
from speechai.operation.services import Services
from speechai.retell.errors import NotFound, ProviderError

log = logging.getLogger(__name__)

UNCONFIRMED_UPLOADS = timedelta(hours=24)  # how long a previewed file waits for its confirmation


def sweep(services: Services) -> dict[str, int]:
    """Heal everything that is found. Returns how many of each kind; one failure does not stop the rest."""
    parts: dict[str, Callable[[Services], int]] = {
        "reservations": _expired_reservations,
        "dials": _expired_dials,
        "unknown": _unknown_attempts,
        "calls": look_in_pages,
        "jobs": _stranded_jobs,
        "details": _missing_details,
        "slots": _leaked_slots,
        "limit": _limit_of_the_provider,
        "money": heal,
        "joins": join_again,
        "resumed": resume_all,
        "suspended": lambda services: services.store.jobs.resume_suspended(services.clock.now()),
        "waves": _unfinished_waves,
        "due_waves": open_waves,
        "batches": _finished_batches,
        "dispatched": dispatch,
        "evidence": link_all,
        "sums": count_moves,
        "waterfalls": judge_on,
        "uploads": lambda services: services.store.uploads.purge(services.clock.now() - UNCONFIRMED_UPLOADS),
    }
    found: dict[str, int] = {}
    errors: list[Exception] = []
    for name, part in parts.items():
        try:
            found[name] = part(services)
        except Exception as error:
            log.exception("the sweep could not do its part: %s", name)
            errors.append(error)
    if healed := {name: count for name, count in found.items() if count}:
        log.info("swept: %s", healed)
    if errors:
        raise ExceptionGroup("parts of the sweep failed", errors)
    return found


def _expired_reservations(services: Services) -> int:
    """Reserved and never posted: nothing rang."""
    expired = services.store.attempts.expired(AttemptState.RESERVED)
    for attempt in expired:
        instant = services.clock.now()
        services.store.jobs.back_to_pending(attempt.job_id, attempt.id, instant)
        why = "its owner died before placing the call"
        give_back(services, attempt.id, attempt.account_id, why, instant)
    return len(expired)


def _expired_dials(services: Services) -> int:
    """Posted, perhaps, by somebody who died: it may have rung."""
    expired = services.store.attempts.expired(AttemptState.DIALING)
    for attempt in expired:
        note_unknown(services, attempt.id, "its owner died while placing the call")
    return len(expired)


def _unknown_attempts(services: Services) -> int:
    """Attempts of which nobody knows whether they rang: looked for at the provider."""
    unknown = services.store.attempts.in_state(AttemptState.UNKNOWN)
    return sum(not reconcile(services, attempt.id) for attempt in unknown)


def _stranded_jobs(services: Services) -> int:
    """Jobs being called whose attempt is over: a crash came between the two writes."""
    healed = 0
    for job in services.store.jobs.stranded(services.store.logs_name):
        attempt = services.store.attempts.get(job.attempt_id or "")
        if attempt is None or attempt.status is AttemptState.RELEASED:
            instant = services.clock.now()
            healed += services.store.jobs.back_to_pending(job.id, job.attempt_id or "", instant)
        elif attempt.status.is_final:
            healed += conclude(services, attempt)
    return healed


def _missing_details(services: Services) -> int:
    """Settled calls whose cost or analysis had not come yet: ask for it, reopen nothing."""
    waiting = services.store.attempts.awaiting_details(services.clock.now())
    for attempt in waiting:
        try:
            call = services.provider.get_call(attempt.call_id or "")
        except NotFound:
            call = {}
        except ProviderError as error:
            log.warning(
                "could not ask for the call's details",
                extra={"attempt_id": attempt.id, "error": str(error)},
            )
            continue
        observe(services, attempt, call, Told.BY_LOOKING)
    return len(waiting)


def _leaked_slots(services: Services) -> int:
    """Slots whose owner is over, or never came to be."""
    held = services.store.pacing.holders(services.settings.lease_seconds)
    rightful = services.store.attempts.open_ids([attempt_id for _, attempt_id, _ in held])
    leaked = [slot for slot in held if slot[1] not in rightful]
    for provider, attempt_id, account_id in leaked:
        end_call(services, attempt_id, account_id, provider=provider)
    return len(leaked)


def _limit_of_the_provider(services: Services) -> int:
    """While the provider allows fewer calls than we are set to, ask whether it allows more again."""
    if services.store.pacing.provider_limit(services.settings.provider_key) is None:
        return 0
    ask_for_limit(services)
    return 1


def _finished_batches(services: Services) -> int:
    """Batches whose last job ended, and whoever ended it died before saying so."""
    running = services.store.batches.running()
    return sum(complete_batch_if_over(services, batch) for batch in running)


def _unfinished_waves(services: Services) -> int:
    unfinished = services.store.waves.unfinished()
    for wave in unfinished:
        finish_wave(services, wave)
    return len(unfinished)
