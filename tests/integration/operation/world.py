"""A whole SpeechAI of two workers on one database, whatever may happen to it, and time to come to rest.

The two share a clock, a provider and a broker. What happens is a step of one of them; at any write of it the
process may die, or the other one may act (`writes.Points`).
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from unittest import mock

from speechai.catalog.accounts import Account, Plan
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.clock import ManualClock
from speechai.core.zones import ZONE_OF_COUNTRY
from speechai.ingest import ParsedFile, worker
from speechai.ingest.limits import Limits
from speechai.ingest.packing import unpack
from speechai.ingest.row_reader import Request
from speechai.operation.calling import dispatching, pacing, stopping, waves, webhooks
from speechai.operation.campaigns import accounts, batches, jobs, payments, uploads, writing
from speechai.operation.campaigns.batches import MoveRefusedError
from speechai.operation.campaigns.jobs import JobRefusedError
from speechai.operation.campaigns.uploads import SameFileError, UploadOptions, upload
from speechai.operation.records import do_not_call
from speechai.operation.recovery import sweep, sweep_part
from speechai.operation.services import Services
from speechai.retell.errors import UnknownResult
from speechai.store import connect, open_store
from tests.fakes import Worker, make_services
from tests.integration.operation.exchange import Exchange, refusals
from tests.integration.operation.judge import Judge
from tests.integration.operation.writes import KilledError, Points

SLOTS = 2
ZONE = ZONE_OF_COUNTRY[Country.CL]
HOURS = (9, 12, 15)  # at which a day without events is looked at, when it comes to rest
MOST_DAYS = 12  # in which everybody who may be called is reached
REFUSED = (MoveRefusedError, JobRefusedError, SameFileError)

PEOPLE = (  # a name, a document, numbers; two of them share one
    ("Ana Rojas", "11111111-1", ("+56961000001",)),
    ("Beto Soto", "12345678-5", ("+56961000002", "+56961000003")),
    ("Carla Vidal", "22222222-2", ("+56961000003",)),
)
NUMBERS = sorted({number for *_, numbers in PEOPLE for number in numbers})
DEBT = 104_050


class _InOrder:
    """An executor that does what it is given at once: threads of one upload would write in any order."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> _InOrder:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*args))
        return done


def _read_here(path: Path, filename: str, **asked: Any) -> ParsedFile:
    """What `read_contacts` says of a small, honest file, without a process for each."""
    request = Request(
        use_case=asked["use_case"],
        country=asked["country"],
        currency=None,
        language=asked["language"],
        today=asked["today"],
        limits=Limits(),
    )
    return unpack(worker.parse(path, filename, asked["mapping"], request))


class World:
    """Everything there is, and everything that may happen."""

    def __init__(self, mongo_uri: str, database: str, *, plan: Plan = Plan.CREDIT) -> None:
        self.points = Points()
        first = make_services(mongo_uri, database, max_concurrent_calls=SLOTS, calls_per_second=100)
        assert isinstance(first.nudges, Worker) and isinstance(first.clock, ManualClock)
        self.clock = first.clock
        self.provider = Exchange(clock=self.clock, point=self.points.reached, rung=self._rung)
        self.broker = first.nudges.inbox
        self.workers = [first.nudges, Worker()]
        self.workers[1].inbox = self.broker
        second = open_store(connect(mongo_uri, database))
        self.services = [
            dataclasses.replace(first, provider=self.provider),
            dataclasses.replace(
                first, provider=self.provider, store=second, nudges=self.workers[1], worker="second"
            ),
        ]
        for each, services in zip(self.workers, self.services, strict=True):
            each.services = services
        self.store = open_store(connect(mongo_uri, database))  # the judge's own
        for name in self.store.db.list_collection_names():
            if not name.startswith("system"):
                self.store.db[name].delete_many({})
        self.store.pacing.ensure(first.settings.provider_key)
        account = Account("default", "Casa Ejemplo", plan, ZONE.key, None, ())
        self.store.accounts.insert(account, self.clock.now())
        self.judge = Judge(self.store, NUMBERS, self.provider)
        self.died = 0

    def close(self) -> None:
        """Its connections."""
        for store in (*(services.store for services in self.services), self.store):
            store.db.client.close()

    @contextmanager
    def open(self) -> Iterator[None]:
        """While it is open, processes may die in it."""
        with (
            self.points.at_every_write(),
            mock.patch.object(writing, "ThreadPoolExecutor", _InOrder),
            mock.patch.object(uploads, "read_contacts", _read_here),
        ):
            yield

    def _rung(self, ring: Any, request: Any) -> None:
        self.judge.rung(ring, request)

    # -- steps ----------------------------------------------------------------------------------

    def step(self, work: Callable[[Services], object], by: int = 0) -> None:
        """One of the two does something; what is refused is refused, and who dies is followed by another."""
        with self.judge.watching(), self.points.of_a_step():
            try:
                work(self.services[by])
            except REFUSED:
                pass
            except KilledError:
                self.died += 1
        self.clock.advance(timedelta(seconds=1))

    def upload(self, by: int, who: int, **options: Any) -> None:
        """A list of some of the people (bits of `who`); one row of it is no good, and one is there twice."""
        some = [person for bit, person in enumerate(PEOPLE) if who >> bit & 1] or [PEOPLE[0]]
        rows = [
            ";".join([document, name, *numbers, *[""] * (2 - len(numbers)), str(DEBT)])
            for name, document, numbers in some
        ]
        rows = [*rows, "1-9;Nadie;12;;5", rows[0]]
        given = {"policy": "house", "use_case": UseCaseId.DEBT_COLLECTION, "daily_contacts": 2, **options}
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "lista.csv"
            path.write_text(
                "rut;nombre;telefono;telefono2;monto\n" + "\n".join(rows) + "\n", encoding="utf-8"
            )
            self.step(lambda services: upload(services, path, path.name, UploadOptions(**given)), by)

    def order_batch(
        self, by: int, which: int, order: Literal["now", "next_wave", "pause", "resume", "cancel"]
    ) -> None:
        """What an operator does with a batch."""
        if (batch_id := self._one_of("batches", which, {"status": {"$ne": "uploading"}})) is None:
            return
        works: dict[str, Callable[[Services], object]] = {
            "now": lambda services: batches.start(services, batch_id, "now"),
            "next_wave": lambda services: batches.start(services, batch_id, "next_wave"),
            "pause": lambda services: batches.pause(services, batch_id),
            "resume": lambda services: batches.resume(services, batch_id),
            "cancel": lambda services: batches.cancel(services, batch_id),
        }
        self.step(works[order], by)

    def order_job(self, by: int, which: int, order: Literal["retry", "cancel", "call_back"]) -> None:
        """What an operator does with a job."""
        if (job_id := self._one_of(self.store.jobs_name, which)) is None:
            return
        if self.store.batches.document(job_id.replace("job-", "batch-", 1).rpartition("-")[0]) is None:
            return  # nobody sees a batch that is being read in
        hour = self.clock.now() + timedelta(hours=20)
        works: dict[str, Callable[[Services], object]] = {
            "retry": lambda services: jobs.retry(services, job_id, "ana"),
            "cancel": lambda services: jobs.cancel(services, job_id),
            "call_back": lambda services: jobs.call_back(services, job_id, hour, "ana"),
        }
        self.step(works[order], by)

    def list_somebody(self, by: int, which: int) -> None:
        """A number is entered into the do-not-call list."""
        entry = {"number": NUMBERS[which % len(NUMBERS)], "country": "CL"}
        scope = do_not_call.Scope.EVERYBODY.value
        self.step(
            lambda services: do_not_call.add(services, [entry], scope=scope, reason="asked", by="ana"), by
        )

    def undo_listing(self, by: int, which: int) -> None:
        """A supervisor undoes an entry."""
        if (entry_id := self._one_of("do_not_call", which, {"in_force": True})) is not None:
            self.judge.undone.add(entry_id.rpartition("|")[2])
            self.step(lambda services: do_not_call.undo(services, entry_id, "eva", "mistake"), by)

    def pay(self, by: int, which: int, amount: int, is_complete: bool) -> None:
        """A list of payments with one payment in it."""
        paid_on = self.clock.now().astimezone(ZONE).date().isoformat()
        row = {"document": PEOPLE[which % len(PEOPLE)][1], "amount": str(amount), "paid_on": paid_on}
        self.step(
            lambda services: payments.receive(
                services,
                [(2, row)],
                account_id="default",
                country=Country.CL,
                as_of=None,
                is_complete=is_complete,
                by="eva",
                language="es",
            ),
            by,
        )

    def switch(self, by: int, what: Literal["stop", "go on", "suspend", "activate"]) -> None:
        """The kill switch, or the account's own."""
        works: dict[str, Callable[[Services], object]] = {
            "stop": lambda services: stopping.stop(services, "ana"),
            "go on": lambda services: stopping.resume(services, "ana"),
            "suspend": lambda services: self._account(services, status="suspended"),
            "activate": lambda services: self._account(services, status="active"),
        }
        self.step(works[what], by)

    @staticmethod
    def _account(services: Services, **changes: Any) -> None:
        accounts.change(services, "default", changes, "ana", "es")

    def top_up(self, by: int, cents: int) -> None:
        """Money for the account."""
        self.step(lambda services: accounts.top_up(services, "default", {"cents": cents}, "ana"), by)

    def limit(self, by: int, slots: int | None) -> None:
        """Another limit of slots."""
        self.step(lambda services: pacing.set_limit(services, slots, "ana"), by)

    # -- messages and calls ---------------------------------------------------------------------

    def deliver(self, by: int, which: int, *, twice: bool = False) -> None:
        """A message arrives, in any order; `twice`: it will come again. Its countdown has passed by then."""
        if not self.broker:
            return
        self.broker.rotate(-(which % len(self.broker)))
        name, args, delay = self.broker.popleft()
        if twice:
            self.broker.append((name, args, delay))
        self.clock.advance(timedelta(seconds=delay))
        self.step(lambda _: getattr(self.workers[by], f"_{name}")(*args), by)

    def work(self, by: int, most: int) -> None:
        """A good while: Beat ticks, and what there is of messages arrives in order."""
        self.tick(by)
        for _ in range(most):
            self.deliver(by, 0)

    def hang_up(self, by: int, stage: int, *, is_told: bool) -> None:
        """Every call that goes on ends, as far as `stage`; the provider tells of it, or waits to be asked."""
        for which, ring in enumerate(reversed(self.provider.ledger)):
            if ring.stage == 0:
                ring.stage = stage
                if is_told:
                    self.webhook(by, which, stage)

    def lose(self, which: int) -> None:
        """A message is lost."""
        if self.broker:
            self.broker.rotate(-(which % len(self.broker)))
            self.broker.popleft()

    def webhook(self, by: int, which: int, stage: int) -> None:
        """The provider tells of a call by itself: what is known of it by now, or what was."""
        if ledger := self.provider.ledger:
            told = ledger[-1 - which % len(ledger)].told(stage)
            self.step(lambda services: webhooks.receive(services, "call", told), by)

    def call_goes_on(self, which: int, stages: int) -> None:
        """More comes to be known of a call, to the provider."""
        if ledger := self.provider.ledger:
            ledger[-1 - which % len(ledger)].stage += stages

    def an_answer_is_lost(self, by: int, then: str | None) -> None:
        """A call rings and nobody knows: it is looked for, and perhaps posted again, which is answered so."""
        self.provider.lose_replies.append(UnknownResult("read timed out"))
        self.work(by, 3)
        if then:
            self.refuse_next(then)
        for _ in range(3):
            self.clock.advance(timedelta(seconds=40))
            self.work(by, 3)
            self.end_leases()
            self.sweep(by, "unknown")

    def refuse_next(self, how: str) -> None:
        """What the next create is answered with."""
        self.provider.fail_creates.append(refusals()[how]())

    # -- time -----------------------------------------------------------------------------------

    def sweep(self, by: int, part: str | None = None) -> None:
        """The sweep, or a part of it."""
        self.step(lambda services: sweep_part(services, part) if part else sweep(services), by)

    def tick(self, by: int) -> None:
        """What Beat does each minute."""
        self.step(lambda services: (waves.open_waves(services), dispatching.dispatch(services)), by)

    def until(self, hour: int) -> None:
        """It gets as late as that in Santiago, today or tomorrow."""
        now = self.clock.now().astimezone(ZONE)
        then = now.replace(hour=hour, minute=0, second=1, microsecond=0)
        self.clock.set(then if then > now else then + timedelta(days=1))

    def end_leases(self) -> None:
        """Whoever has died has died long ago, by the database's clock."""
        hour = 3_600_000
        db = self.store.db
        for name, field in (
            (self.store.logs_name, "lease_until"),
            (self.store.jobs_name, "released_until"),
            ("sweeps", "until"),
            ("batches", "upload.lease_until"),
            ("batch_days", "taken_at"),
        ):
            earlier = {"$set": {field: {"$subtract": [f"${field}", hour]}}}
            db[name].update_many({field: {"$type": "date"}}, [earlier])
        since = {"$subtract": ["$$slot.v.since", hour]}
        held = {"k": "$$slot.k", "v": {"$mergeObjects": ["$$slot.v", {"since": since}]}}
        slots = {"$map": {"input": {"$objectToArray": "$open"}, "as": "slot", "in": held}}
        db["pacing"].update_many({}, [{"$set": {"open": {"$arrayToObject": slots}}}])

    def come_to_rest(self) -> None:
        """Nothing more goes wrong: time passes, Beat sweeps, messages arrive, whoever is called answers."""
        self.points.disarm()
        self.provider.heal()
        self.switch(0, "go on")
        self.switch(0, "activate")
        self.limit(0, None)
        self.top_up(0, 1_000_000)
        for _ in range(MOST_DAYS * len(HOURS)):
            self.end_leases()
            self.sweep(0)
            self.tick(0)
            self.step(lambda _: self.workers[0].run(2000))
            if not self.judge.unrest() and not self.broker:
                break
            hour = self.clock.now().astimezone(ZONE).hour
            self.until(next((later for later in HOURS if later > hour), HOURS[0]))
        assert self.judge.unrest() == []

    def _one_of(self, collection: str, which: int, wanted: dict[str, Any] | None = None) -> str | None:
        ids = [row["_id"] for row in self.store.db[collection].find(wanted or {}, {"_id": 1}).sort("_id", 1)]
        return str(ids[which % len(ids)]) if ids else None
