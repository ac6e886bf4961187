"""What must hold after every step of a random history (I1 to I9 of the design), judged from the provider's
ledger and from the documents, never by asking the code under test.

What a call is judged by is how things stood when the step began in which it was created: whoever acts
meanwhile is too late for a request that is on its way.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from bson.decimal128 import Decimal128

from speechai.catalog.use_cases import Country
from speechai.core.states import ATTEMPT_MOVES, AttemptState, JobState
from speechai.core.waiting import AFTER_ACCOUNT, FOR_A_LINE
from speechai.core.zones import ZONE_OF_COUNTRY
from speechai.logs import JsonFormatter
from speechai.retell.client import CallRequest
from speechai.store import Store
from tests.integration.operation.exchange import Exchange, Ring
from tests.integration.store.summed import summed

ZONE = ZONE_OF_COUNTRY[Country.CL]
MOST_A_DAY = 3
MOST_POSTS = 2  # of one attempt
ON_ITS_WAY = timedelta(seconds=5)
SILENT = {"invalid", "full", "no_money", "failure"}
OPEN = [state.value for state in AttemptState if ATTEMPT_MOVES[state]]
FINAL = {state.value for state in JobState if state.is_final}
DAYS_AND_HOURS = {"days": range(5), "hours": range(9, 18)}


@dataclass(frozen=True)
class View:
    """How things stand, as far as they forbid a call."""

    stopped: bool
    suspended: bool
    batches: dict[str, str]
    jobs: dict[str, str]
    listed: frozenset[str]
    struck: frozenset[tuple[str, str]]
    opted_out: frozenset[str]
    limit: int


class Overheard(logging.Handler):
    """Everything that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(JsonFormatter())  # with what every line of the product goes through

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class Judge:
    """Remembers what it saw, and says what is wrong."""

    store: Store
    numbers: Sequence[str]
    provider: Exchange  # its ledger and the requests it got
    wrong: list[str] = field(default_factory=list)
    undone: set[str] = field(default_factory=set)  # do-not-call entries, by key

    def __post_init__(self) -> None:
        self._views: list[View] = []
        self._attempts: dict[str, dict[str, Any]] = {}
        self._jobs: dict[str, dict[str, Any]] = {}
        self.overheard = Overheard()

    # -- when a phone rings ---------------------------------------------------------------------

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While a step is done."""
        self._views.append(self.view())
        try:
            yield
        finally:
            self._views.pop()

    def view(self) -> View:
        """How things stand now."""
        db = self.store.db
        told = list(db[self.store.logs_name].find({"status": {"$nin": OPEN}}))
        pacing = db["pacing"].find_one() or {}
        account = db["accounts"].find_one({"_id": "default"}) or {}
        return View(
            stopped=db["stops"].find_one({"in_force": True}) is not None,
            suspended=account.get("status") == "suspended",
            batches={row["_id"]: row["status"] for row in db["batches"].find({}, {"status": 1})},
            jobs={row["_id"]: row["status"] for row in db[self.store.jobs_name].find({}, {"status": 1})},
            listed=frozenset(row["key"] for row in db["do_not_call"].find({"in_force": True})),
            struck=frozenset((row["person_id"], row["to_number"]) for row in told if _strikes(row)),
            opted_out=frozenset(
                key for row in told if _said(row, "opt_out") for key in (row["person_id"], row["to_number"])
            )
            - self.undone,
            limit=pacing.get("limit") or 2,
        )

    def rung(self, ring: Ring, request: CallRequest) -> None:
        """A phone rings: may it?"""
        ledger, view, number = self.provider.ledger, self._views[-1], ring.number
        job = self.store.db[self.store.jobs_name].find_one({"_id": request.job_id}) or {}
        person = job.get("person_id", "")
        people = {attempt["_id"]: attempt for attempt in self.store.db[self.store.logs_name].find()}
        of_person = [one for one in ledger if people[one.attempt_id]["person_id"] == person]
        of_number = [one for one in ledger if one.number == number]
        live = [one for one in ledger if one.stage == 0 and people[one.attempt_id]["status"] in OPEN]
        if len(live) > view.limit:
            self._wrong(f"I5: {len(live)} calls at once", ring)
        if sum(one.attempt_id == ring.attempt_id for one in ledger) > 1:
            self._wrong("I1: an attempt rang twice", ring)
        for who, rings in (("person", of_person), ("number", of_number)):
            if sum(_day(one) == _day(ring) and _really(one) for one in rings) > MOST_A_DAY:
                self._wrong(f"I2: a {who} was rung too often", ring)
            if sum(one.stage == 0 for one in rings) > 1:
                self._wrong(f"two calls to one {who} at once", ring)
        if not (_is_open(ring.at) or _is_open(ring.at - ON_ITS_WAY)):
            self._wrong("I3: outside the window", ring)
        if view.stopped or view.suspended or view.batches.get(request.batch_id) != "running":
            self._wrong(f"I3: dialed though {view}", ring)
        if {person, number} & (view.listed | view.opted_out):
            self._wrong("I7: rang somebody who is not to be called", ring)
        if (person, number) in view.struck:
            self._wrong("I7: rang a struck number", ring)
        if view.jobs.get(request.job_id) in FINAL:
            self._wrong("I7: rang for a final job", ring)

    def _wrong(self, what: str, ring: Ring) -> None:
        self.wrong.append(f"{what}: {ring.attempt_id} {ring.number} at {ring.at.astimezone(ZONE)}")

    # -- after every step -----------------------------------------------------------------------

    def check(self) -> None:
        """What holds at every moment, also in the middle of what a crash cut off."""
        assert self.wrong == []
        db = self.store.db
        attempts = {row["_id"]: row for row in db[self.store.logs_name].find()}
        jobs = {row["_id"]: row for row in db[self.store.jobs_name].find()}
        self._check_finals(attempts, jobs)
        self._check_rings(attempts)
        self._check_rows(jobs)
        pacing = db["pacing"].find_one() or {}
        assert pacing["used"] == len(pacing["open"]) == sum(pacing["used_by"].values())  # I5
        account = db["accounts"].find_one({"_id": "default"}) or {}
        funds = account.get("funds", {})
        ledger = [row["amount"] for row in db["ledger"].find()]
        assert _money(funds.get("balance")) == sum(map(_money, ledger), Decimal(0)) + sum(  # I6
            (
                _money(row["amount"])
                for row in funds.get("waiting", [])
                if not db["ledger"].find_one({"_id": row["_id"]})
            ),
            Decimal(0),
        )
        holds = funds.get("holds", {})
        assert _money(funds.get("held")) == sum((_money(one["units"]) for one in holds.values()), Decimal(0))
        for batch in db["batches"].find({"status": {"$ne": "uploading"}}, {"_id": 1}):
            assert self.store.tallies.read(batch["_id"]) == summed(self.store, batch["_id"])  # I8
        assert list(db["set_aside"].find()) == [], "a part of the sweep raised"
        self._check_words()

    def _check_finals(self, attempts: dict[str, Any], jobs: dict[str, Any]) -> None:
        for attempt_id, before in self._attempts.items():
            if before["status"] not in OPEN:
                assert attempts[attempt_id]["status"] == before["status"], "I7: a final attempt moved"
        for job_id, before in self._jobs.items():
            if before["status"] not in FINAL:
                continue
            now = jobs.get(job_id)
            if now is None:  # of an upload that was cut off, and discarded with all that it had made
                assert not self.store.db["batches"].find_one({"_id": before["batch_id"]})
                continue
            if (now["status"], now["reason"]) != (before["status"], before["reason"]):
                assert len(now.get("reopened", [])) > len(before.get("reopened", [])), "I7: a final job moved"
                assert before["reason"] != "opted_out", "I7: reopened who opted out"
        for job in jobs.values():
            waiting = job["waiting_for"]
            assert (waiting is None) == (job["status"] in ("done", "failed")), f"I4: {job}"
            assert job["next_attempt_at"] or waiting not in FOR_A_LINE, f"I4: {job}"
            if job["status"] == "pending":
                assert waiting not in AFTER_ACCOUNT, f"I4: {job}"
            if job["status"] == "in_progress":
                assert job["attempt_id"] in attempts, f"I4: {job}"
        self._attempts, self._jobs = attempts, jobs

    def _check_rings(self, attempts: dict[str, Any]) -> None:
        """What rang is never given back, nor settled as if it had been silent; nobody is posted thrice."""
        for ring in self.provider.ledger:
            attempt = attempts[ring.attempt_id]
            assert attempt["status"] != "released", f"I2: it rang: {attempt}"
            if attempt["status"] not in OPEN and _really(ring):
                assert attempt["uses_place"], f"I2: it rang: {attempt}"

        posts = Counter(request.attempt_id for request in self.provider.requests)
        assert max(posts.values(), default=0) <= MOST_POSTS, f"I1: {posts.most_common(1)}"

    def _check_rows(self, jobs: dict[str, Any]) -> None:
        """Every row of a file is in exactly one of three places."""
        db = self.store.db
        made = Counter(job["batch_id"] for job in jobs.values())
        rejected = Counter(row["batch_id"] for row in db["rejections"].find())
        for batch in db["batches"].find({"status": {"$ne": "uploading"}}):
            assert batch["jobs_created"] == made[batch["_id"]], f"I8: {batch}"
            assert batch["rejected"] == rejected[batch["_id"]], f"I8: {batch}"
            assert batch["rows"] == batch["jobs_created"] + batch["merged"] + batch["rejected"], (
                f"I8: {batch}"
            )

    def _check_words(self) -> None:
        for line in self.overheard.lines:
            for secret in (*(number[3:] for number in self.numbers), "Pago el viernes"):
                assert secret not in line, f"I9: {line}"
        self.overheard.lines.clear()

    # -- at rest --------------------------------------------------------------------------------

    def unrest(self) -> list[str]:
        """What is still to be done, as long as nothing happens any more: who is forgotten, at the end."""
        db = self.store.db
        found = []
        batches = {row["_id"]: row for row in db["batches"].find()}
        for batch in batches.values():
            active = [
                job
                for job in db[self.store.jobs_name].find({"batch_id": batch["_id"]})
                if job["status"] not in FINAL
            ]
            if batch["status"] == "uploading" or batch.get("ending") or batch.get("reopening"):
                found.append(f"unfinished: {batch['_id']} {batch['status']}")
            if batch["status"] in ("completed", "cancelled") and active:
                found.append(f"I4: jobs of a {batch['status']} batch: {_briefly(active)}")
            waiting = [job for job in active if job["waiting_for"] != "review"]
            if batch["status"] == "running" and (waiting or not active):
                found.append(f"I4: of a running batch: {_briefly(waiting)}")
            found += [
                f"I4: {_briefly([job])}"
                for job in active
                if batch["status"] in ("draft", "paused") and job["status"] == "in_progress"
            ]
        for row in db[self.store.logs_name].find():
            if row["status"] in OPEN or row.get("unapplied"):
                found.append(f"attempt {row['_id']} {row['status']}")
        pacing = db["pacing"].find_one() or {}
        if pacing["used"] or pacing["open"]:
            found.append(f"I5: slots {pacing['open']}")
        funds = (db["accounts"].find_one({"_id": "default"}) or {}).get("funds", {})
        if _money(funds.get("held")) or funds.get("holds") or funds.get("waiting"):
            found.append(f"I6: money {funds}")
        found += self._uncharged()
        if db["waves"].find_one({"status": "open"}):
            found.append("an open wave")
        return found

    def _uncharged(self) -> list[str]:
        """Of every call the ledger of money says what the attempt does."""
        charged: dict[str, Decimal] = defaultdict(Decimal)
        for entry in self.store.db["ledger"].find({"attempt_id": {"$ne": None}}):
            charged[entry["attempt_id"]] -= _money(entry["amount"])
        told = {"is_metered": True, "call.call_cost": {"$exists": True}}  # the others' are estimated
        attempts = self.store.db[self.store.logs_name].find(told)
        return [
            f"I6: {row['_id']} cost {_money(row.get('cost_cents'))}, charged {charged[row['_id']]}"
            for row in attempts
            if _money(row.get("cost_cents")) != charged[row["_id"]]
        ]


def _briefly(jobs: Sequence[dict[str, Any]]) -> list[str]:
    names = ("_id", "status", "reason", "waiting_for", "next_attempt_at", "attempt_id")
    return [" ".join(str(job.get(name)) for name in names) for job in jobs]


def _money(value: Any) -> Decimal:
    return value.to_decimal() if isinstance(value, Decimal128) else Decimal(0)


def _said(row: dict[str, Any], what: str) -> bool:
    analysis = row.get("call", {}).get("call_analysis") or {}
    return (analysis.get("custom_analysis_data") or {}).get(what) == "true"


def _strikes(row: dict[str, Any]) -> bool:
    return _said(row, "wrong_person") or row.get("outcome") == "invalid_number"


def _day(ring: Ring) -> Any:
    return ring.at.astimezone(ZONE).date()


def _really(one: Ring) -> bool:
    return one.call["scripted"] not in SILENT


def _is_open(instant: Any) -> bool:
    local = instant.astimezone(ZONE)
    return local.weekday() in DAYS_AND_HOURS["days"] and local.hour in DAYS_AND_HOURS["hours"]
