"""Who waits for what: of a batch's jobs, how many are held by which rule, and until when.

The engine itself judges each active job, so that what is shown is what the dialer would decide. A request
judges `AT_ONCE` jobs at most: a batch of no more is judged whole, as it is now. A larger one is judged in
pieces, one by each look and some by each sweep while somebody looks; until all are judged, the rest is shown
as not judged. Then that result is shown with its instant, and a new one begun when it is older than `FRESH`.
Each job counts once, under the first rule that holds it, in whichever of these is shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from speechai.core.calendar import next_slot
from speechai.core.model import Job
from speechai.core.rules import RuleResult, Verdict
from speechai.core.states import BatchState, JobState
from speechai.core.tallies import Sums
from speechai.core.waiting import WaitingFor
from speechai.operation.campaigns.batches import BatchNotFoundError
from speechai.operation.campaigns.eligibility import verdicts
from speechai.operation.services import Services
from speechai.store.database import Document
from speechai.store.standing import Standing

AT_ONCE = 2000  # jobs judged by one look
PIECES = 10  # of as many each, judged by one sweep
FRESH = timedelta(minutes=1)
LOOKED_AT = timedelta(minutes=2)  # for how long after a look the sweep goes on judging
DETAILS = 3  # sentences shown of each rule: its most frequent ones …
KEPT_DETAILS = 50  # … of those kept
NOT_JUDGED = "not_judged"
# What says only that a job waits or is being called is named where no rule of calling is.
_LAST_NAMED = ("not_before", "job_state")


@dataclass(slots=True)
class _Held:
    """The jobs that one rule holds."""

    first: int = 0  # those for which it is the first reason
    all: int = 0  # those that it forbids at all
    earliest: datetime | None = None
    latest: datetime | None = None
    by_detail: Counter[str] = field(default_factory=Counter)

    def add(self, rule: RuleResult, *, is_first: bool) -> None:
        self.all += 1
        self.first += is_first
        self.by_detail[rule.detail] += 1
        if rule.until:
            self.earliest = min(filter(None, (self.earliest, rule.until)))
            self.latest = max(filter(None, (self.latest, rule.until)))


@dataclass(slots=True)
class _Walk:
    """What judging a batch's active jobs, in the order of their ids, has found so far."""

    at: datetime  # when it began
    after: str | None = None  # the last job that was judged
    is_whole: bool = False
    judged: int = 0
    in_progress: int = 0
    callable: int = 0
    jobs: int = 0  # of the batch, when it was whole
    held: dict[str, _Held] = field(default_factory=dict)

    def add(self, job: Job, verdict: Verdict, wave: RuleResult) -> None:
        self.judged += 1
        self.after = job.id
        if job.status is JobState.IN_PROGRESS:
            self.in_progress += 1
            return
        reasons = sorted(verdict.forbidding, key=lambda rule: rule.rule in _LAST_NAMED)
        if job.waiting and job.waiting.kind is WaitingFor.WAVE:
            reasons.append(wave)
        self.callable += not reasons
        for rule in reasons:
            self.held.setdefault(rule.rule, _Held()).add(rule, is_first=rule is reasons[0])


def of_batch(services: Services, batch_id: str) -> dict[str, Any]:
    """The waterfall. Each job counts once as `jobs`, under the first rule that holds it, and as `forbids`
    under each; `at` is when it was judged, `complete` whether every job was. Raises BatchNotFoundError.
    """
    standing = services.store.standing.of(batch_id)
    if standing is None or standing.batch.status is BatchState.UPLOADING:
        raise BatchNotFoundError(batch_id)
    sums = services.store.tallies.read(batch_id)
    active, instant = sums.total - sums.final, services.clock.now()
    if active <= AT_ONCE:
        walk = _Walk(instant)
        while not walk.is_whole:
            _go_on(services, standing, walk)
        walk.jobs = max(sums.total, walk.judged)
        return _shown(batch_id, walk)
    known = services.store.waterfalls.ask(batch_id, instant)
    walk, found = _judge_piece(services, standing, known, sums)
    if found is not None:
        return _shown(batch_id, found)
    walk.jobs = max(sums.total, walk.judged)
    walk.held[NOT_JUDGED] = _Held(first=max(0, active - walk.judged), all=max(0, active - walk.judged))
    return _shown(batch_id, walk)


def judge_on(services: Services) -> int:
    """Go on judging the large batches that somebody looks at. Returns how many jobs were judged."""
    store, judged = services.store, 0
    for batch_id in store.waterfalls.asked_since(services.clock.now() - LOOKED_AT):
        for _ in range(PIECES):
            standing, known = store.standing.of(batch_id), store.waterfalls.get(batch_id)
            if standing is None or known is None or not _is_wanted(services, known):
                break
            before = (known.get("walk") or {}).get("judged", 0)
            walk, _found = _judge_piece(services, standing, known, store.tallies.read(batch_id))
            judged += walk.judged - before
    return judged


def _is_wanted(services: Services, known: Document) -> bool:
    """Whether there is anything to judge: nothing whole is known, or it is old, or one was begun."""
    found = known.get("found")
    return bool(known.get("walk")) or found is None or services.clock.now() - found["at"] >= FRESH


def _judge_piece(
    services: Services, standing: Standing, known: Document, sums: Sums
) -> tuple[_Walk, _Walk | None]:
    """One piece more, if one is wanted. Returns how far it came, and the last that was whole."""
    found = _read(known["found"]) if known.get("found") else None
    walk = _read(known["walk"]) if known.get("walk") else _Walk(services.clock.now())
    if not _is_wanted(services, known):
        return walk, found
    _go_on(services, standing, walk)
    changes: Document = {"walk": _stored(walk)}
    if walk.is_whole:
        walk.jobs = max(sums.total, walk.judged)
        found = walk
        changes = {"walk": None, "found": _stored(walk)}
    # Where another look judged the same piece meanwhile, its result stands: each job counts once.
    services.store.waterfalls.write(standing.batch.id, known["revision"], changes)
    return walk, found


def _go_on(services: Services, standing: Standing, walk: _Walk) -> None:
    """Judge the next `AT_ONCE` jobs."""
    instant, before = services.clock.now(), walk.judged
    wave = _next_wave(standing, instant)
    jobs = services.store.jobs.active(standing.batch.id, after=walk.after, limit=AT_ONCE)
    for job, verdict in verdicts(services, jobs, standing, instant):
        walk.add(job, verdict, wave)
    walk.is_whole = walk.judged - before < AT_ONCE


def _next_wave(standing: Standing, instant: datetime) -> RuleResult:
    batch = standing.batch
    if batch.continuous:
        return RuleResult("wave", False, "waits for its turn in a day's group", "DAILY_CONTACTS")
    opens_at = next_slot(instant, batch.wave_times, batch.zone).opens_at
    return RuleResult("wave", False, "waits for a wave", "WAVE_TIMES", opens_at)


def _shown(batch_id: str, walk: _Walk) -> dict[str, Any]:
    held = sorted(walk.held.items(), key=lambda item: (-item[1].first, -item[1].all))
    not_judged = walk.held[NOT_JUDGED].first if NOT_JUDGED in walk.held else 0
    return {
        "batch_id": batch_id,
        "at": walk.at,
        "complete": walk.is_whole,
        "jobs": walk.jobs,
        "final": max(0, walk.jobs - walk.judged - not_judged),
        "in_progress": walk.in_progress,
        "callable": walk.callable,
        "rules": [
            {
                "rule": name,
                "jobs": found.first,
                "forbids": found.all,
                "earliest": found.earliest,
                "latest": found.latest,
                "details": dict(found.by_detail.most_common(DETAILS)),
            }
            for name, found in held
        ],
    }


def _stored(walk: _Walk) -> Document:
    held = [
        {
            "rule": name,
            "first": found.first,
            "all": found.all,
            "earliest": found.earliest,
            "latest": found.latest,
            "details": [list(pair) for pair in found.by_detail.most_common(KEPT_DETAILS)],
        }
        for name, found in walk.held.items()
    ]
    return {
        "at": walk.at,
        "after": walk.after,
        "is_whole": walk.is_whole,
        "judged": walk.judged,
        "in_progress": walk.in_progress,
        "callable": walk.callable,
        "jobs": walk.jobs,
        "held": held,
    }


def _read(document: Document) -> _Walk:
    held = {
        row["rule"]: _Held(
            row["first"], row["all"], row["earliest"], row["latest"], Counter(dict(row["details"]))
        )
        for row in document["held"]
    }
    return _Walk(**{**document, "held": held})
