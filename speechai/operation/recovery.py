"""The sweep: every 30 seconds and at worker start, it finds what a crash or a lost message left behind.

It is many small sweeps, each for itself: done by one worker at a time, bounded in time, and one item that
raises does not keep the rest from being healed. They have no ways of their own: each finding goes through
the function that the normal path uses.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from speechai.core.model import Attempt, Job
from speechai.core.states import AttemptState
from speechai.operation.calling import closing, settling, waves
from speechai.operation.calling.dispatching import dispatch
from speechai.operation.calling.following import ask, look_in_pages
from speechai.operation.calling.pacing import ask_for_limit
from speechai.operation.calling.places import heal_places
from speechai.operation.calling.placing import give_back_expired
from speechai.operation.calling.reconciling import reconcile
from speechai.operation.calling.settling import Told
from speechai.operation.calling.unwinding import note_unknown
from speechai.operation.campaigns import batches
from speechai.operation.campaigns.counting import count_moves
from speechai.operation.campaigns.uploads import discard_abandoned
from speechai.operation.campaigns.waterfall import judge_on
from speechai.operation.parts import Part, do, whole
from speechai.operation.records import charging, erasing, evidence, persons
from speechai.operation.services import Services

log = logging.getLogger(__name__)

UNCONFIRMED_UPLOADS = timedelta(hours=24)  # how long a previewed file waits for its confirmation
PIECES = 10  # of a cancelled batch's jobs, ended in one turn


def _end_dial(services: Services, attempt: Attempt) -> int:
    """Posted, perhaps, by somebody who died: it may have rung."""
    note_unknown(services, attempt.id, "its owner died while placing the call")
    return 1


def _stranded_job(services: Services, job: Job) -> int:
    """A job being called whose attempt is over: a crash came between the two writes."""
    attempt = services.store.attempts.get(job.attempt_id or "")
    if attempt is None or attempt.status is AttemptState.RELEASED:
        due = (attempt.job_due if attempt else None) or services.clock.now()
        return closing.give_back(services, job.id, job.attempt_id or "", due)
    return settling.conclude(services, attempt) if attempt.status.is_final else 0


def _missing_details(services: Services, attempt: Attempt) -> int:
    """A settled call whose cost or analysis had not come yet: ask for it, reopen nothing."""
    settling.observe(services, attempt, ask(services, attempt), Told.BY_LOOKING)
    return 1


def _leaked_slots(services: Services, _: Sequence[str]) -> list[tuple[str, str, str]]:
    """Slots whose owner is over, or never came to be."""
    held = services.store.pacing.holders(services.settings.lease_seconds)
    rightful = services.store.attempts.open_ids([attempt_id for _, attempt_id, _ in held])
    return [slot for slot in held if slot[1] not in rightful]


def _free_slot(services: Services, slot: tuple[str, str, str]) -> int:
    provider, attempt_id, account_id = slot
    settling.end_call(services, attempt_id, account_id, provider=provider)
    return 1


def _limit_of_the_provider(services: Services) -> int:
    """While the provider allows fewer calls than we are set to, ask whether it allows more again."""
    if services.store.pacing.provider_limit(services.settings.provider_key) is None:
        return 0
    ask_for_limit(services)
    return 1


def _end_jobs(services: Services, batch_id: str) -> int:
    return closing.end_jobs(services, batch_id, pieces=PIECES)


def _start_as_wished(services: Services, wished: tuple[str, str]) -> int:
    """A batch whose upload died between the file's last row and its start."""
    batch_id, when = wished
    try:
        batches.start(services, batch_id, "now" if when == "now" else "next_wave")
    except batches.MoveRefusedError:
        return 0  # its upload lives, and was quicker
    return 1


def _id(item: Any) -> str:
    return str(item.id)


PARTS: dict[str, Part[Any]] = {
    part.name: part
    for part in (
        Part(
            "reservations",
            lambda services, aside: services.store.attempts.expired(AttemptState.RESERVED, aside),
            give_back_expired,
            _id,
        ),
        Part(
            "dials",
            lambda services, aside: services.store.attempts.expired(AttemptState.DIALING, aside),
            _end_dial,
            _id,
        ),
        Part(
            "unknown",
            lambda services, aside: services.store.attempts.in_state(AttemptState.UNKNOWN, aside),
            lambda services, attempt: not reconcile(services, attempt.id),
            _id,
        ),
        whole("calls", look_in_pages),
        Part(
            "jobs",
            lambda services, aside: services.store.jobs.stranded(services.store.logs_name, aside),
            _stranded_job,
            _id,
        ),
        Part(
            "details",
            lambda services, aside: services.store.attempts.awaiting_details(services.clock.now(), aside),
            _missing_details,
            _id,
        ),
        Part(
            "news",
            lambda services, aside: services.store.attempts.unapplied(aside),
            settling.apply_news,
            _id,
        ),
        Part("slots", _leaked_slots, _free_slot, lambda slot: slot[1]),
        whole("limit", _limit_of_the_provider),
        Part(
            "ledger",
            lambda services, _: services.store.funds.accounts_with_waiting(),
            lambda services, account_id: services.store.funds.post_waiting(account_id),
            str,
        ),
        Part(
            "holds",
            lambda services, _: services.store.funds.holders(),
            charging.heal_hold,
            lambda held: held[1],
        ),
        Part(
            "erasures",
            lambda services, _: services.store.erasure.unfinished(),
            erasing.finish,
            lambda erasure: str(erasure.pseudonym),
        ),
        Part("joins", persons.recent_joins, persons.join_again, lambda joined: joined[0]),
        Part(
            "resumed",
            lambda services, _: services.store.jobs.accounts_suspended(),
            charging.resume,
            str,
        ),
        whole("suspended", lambda services: services.store.jobs.resume_suspended(services.clock.now())),
        Part(
            "waves",
            lambda services, _: services.store.waves.unfinished(),
            waves.finish_wave,
            lambda wave: str(wave["_id"]),
        ),
        Part(
            "places",
            lambda services, _: services.store.batches.running(),
            heal_places,
            _id,
        ),
        waves.DUE,
        Part(
            "wished",
            lambda services, _: services.store.batches.wished(),
            _start_as_wished,
            lambda wished: str(wished[0]),
        ),
        Part(
            "cancelled",
            lambda services, _: services.store.batches.ending(),
            _end_jobs,
            str,
        ),
        Part(
            "reopenings",
            lambda services, _: services.store.batches.reopening(),
            closing.finish_reopening,
            lambda cut_off: f"{cut_off[0]}|{cut_off[1]}",
        ),
        Part(
            "batches",
            lambda services, _: services.store.batches.running(),
            closing.complete_if_over,
            _id,
        ),
        whole("dispatched", dispatch),
        Part(
            "evidence",
            lambda services, _: services.store.evidence.unlinked(),
            evidence.link,
            lambda attempt: str(attempt["_id"]),
        ),
        whole("sums", count_moves),
        whole("waterfalls", judge_on),
        whole("cut_off_uploads", discard_abandoned),
        whole(
            "uploads",
            lambda services: services.store.uploads.purge(services.clock.now() - UNCONFIRMED_UPLOADS),
        ),
    )
}


def sweep_part(services: Services, name: str) -> int:
    """Do one part of the sweep, unless somebody else does. Returns how much was healed."""
    healed = do(services, PARTS[name])
    if healed:
        log.info("swept: %s", name, extra={"part": name, "healed": healed})
    return healed


def sweep(services: Services) -> dict[str, int]:
    """Every part, one after the other. Returns how much of each was healed."""
    found: dict[str, int] = {}
    errors: list[Exception] = []
    for name in PARTS:
        try:
            found[name] = sweep_part(services, name)
        except Exception as error:
            log.exception("the sweep could not do its part: %s", name)
            errors.append(error)
    if errors:
        raise ExceptionGroup("parts of the sweep failed", errors)
    return found
