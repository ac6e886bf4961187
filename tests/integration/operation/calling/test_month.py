"""A month of 600 people under the house policy, on a virtual clock: the customer's requirements on every day.

What is asserted is read from the provider's own ledger of rings, not from what we believe we did.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest

from speechai.core.calendar import at
from speechai.core.states import JobReason
from speechai.operation import recovery
from speechai.operation.calling import dispatching
from tests.builders import SANTIAGO
from tests.fakes import ENDS, FakeProvider, make_services
from tests.integration.operation.conftest import add_batch, job_id, phone

PEOPLE, DAILY = 600, 60
FIRST = date(2026, 11, 23)
HOLIDAYS = {date(2026, 12, 8), date(2026, 12, 25), date(2027, 1, 1)}
WAVES = (time(9), time(12), time(15))
CLOSES = time(18)
DELIVERED = timedelta(hours=1)  # a wave of sixty, one call after the other, takes a quarter of an hour
ENDINGS = [  # what a number does in the end …
    ["promise"],
    ["no_agreement", "promise"],
    ["callback", "promise"],
    ["callback_tonight", "promise"],
    ["opted_out"],
    ["invalid"],
]
WEIGHTS = [8, 2, 2, 1, 1, 1]  # … and how often
SILENT = {"invalid", "failure"}  # the provider never rang
SPOKE = {"promise", "no_agreement", "callback", "callback_tonight", "opted_out"}


@dataclass(frozen=True)
class Ring:
    """One ring, as the provider saw it."""

    at: datetime
    person: int
    number: str
    outcome: str

    @property
    def local(self) -> datetime:
        return self.at.astimezone(SANTIAGO)

    @property
    def day(self) -> date:
        return self.local.date()


class LedgerProvider(FakeProvider):
    """Knows when each phone rang."""

    services = None

    def create_phone_call(self, request):
        call = super().create_phone_call(request)
        now = self.services.clock.now()
        outcome = self.calls[call["call_id"]]["scripted"]
        if outcome not in SILENT:
            person = int(request.job_id.rpartition("-")[2])
            self.ledger.append(Ring(now, person, request.to_number, outcome))
        return call

    def __post_init__(self):
        super().__post_init__()
        self.ledger: list[Ring] = []


def script(dice: random.Random) -> dict[str, list[str]]:
    """What each person's two numbers do, call after call; the last thing again and again."""
    found = {}
    for person in range(1, PEOPLE + 1):
        never = dice.random() < 0.06
        for number in (phone(person), phone(10_000 + person)):
            silent = 9 if never else dice.choices([0, 1, 2, 9], [14, 3, 2, 1])[0]
            unreached = dice.choices(["no_answer", "voicemail", "failure"], [40, 15, 1], k=silent)
            found[number] = [*unreached, *dice.choices(ENDINGS, WEIGHTS)[0]]
    return found


@pytest.fixture(scope="module")
def month(mongo_uri):
    """The ledger of the whole month, and the services it was run with."""
    provider = LedgerProvider(script=script(random.Random(20261123)))
    services = make_services(mongo_uri, "month", provider=provider)
    provider.services = services
    services.store.db.client.drop_database("month")
    services.store.ensure_indexes()
    services.store.pacing.ensure(services.settings.provider_key)
    services.clock.set(at(FIRST, time(8), SANTIAGO))
    tonight = {"custom_analysis_data": {"callback_at": "2026-12-01T21:30:00"}}
    patch = pytest.MonkeyPatch()
    patch.setitem(ENDS, "callback_tonight", {**ENDS["callback"], "call_analysis": tonight})
    phones = [[phone(person), phone(10_000 + person)] for person in range(1, PEOPLE + 1)]
    add_batch(services, PEOPLE, policy="house", start="next_wave", phones=phones, daily_contacts=DAILY)
    for offset in range(60):
        if not services.store.jobs.has_active("batch-1"):
            break
        run_day(services, FIRST + timedelta(days=offset))
    patch.undo()
    yield services, provider
    services.store.db.client.drop_database("month")


def run_day(services, day):
    """Beat's ticks at every hour, the waves' among them, and whatever is due at its own minute in between."""
    moments = [at(day, time(hour), SANTIAGO) for hour in range(8, 23)]
    for moment in moments:
        while (due := next_hour(services, moment)) is not None:
            services.clock.set(max(due, services.clock.now()))
            dispatching.dispatch(services)
            services.nudges.run()
        services.clock.set(max(moment, services.clock.now()))
        services.nudges.tick()
    recovery.sweep(services)
    services.nudges.run()
    holds_i4(services)


def next_hour(services, before):
    """When the next callback before that moment is due."""
    found = services.store.db["call_jobs"].find_one(
        {
            "status": "pending",
            "waiting_for": "hour",
            "next_attempt_at": {"$lt": before, "$gt": services.clock.now()},
        },
        sort=[("next_attempt_at", 1)],
    )
    return found["next_attempt_at"] if found else None


def holds_i4(services):
    for job in services.store.jobs.active("batch-1"):
        assert job.waiting, job.id


def by_day(ledger):
    found = defaultdict(list)
    for ring in ledger:
        found[ring.day].append(ring)
    return found


def of_person(ledger):
    found = defaultdict(list)
    for ring in ledger:
        found[ring.person].append(ring)
    return found


def test_everybody_comes_to_an_end(month):
    services, provider = month
    assert services.store.batches.document("batch-1")["status"] == "completed"
    assert len(provider.ledger) > 900
    assert len(by_day(provider.ledger)) > 12


def test_nobody_is_rung_outside_the_hours(month):
    _, provider = month
    for ring in provider.ledger:
        assert ring.local.isoweekday() <= 5, ring
        assert ring.day not in HOLIDAYS, ring
        assert WAVES[0] <= ring.local.time() < CLOSES, ring


def test_at_most_sixty_people_a_day_and_sixty_while_there_are_so_many(month):
    _, provider = month
    days = by_day(provider.ledger)
    people = {day: {ring.person for ring in rings} for day, rings in days.items()}
    assert all(len(rung) <= DAILY for rung in people.values())
    ever, met = set().union(*people.values()), set[int]()
    for day in sorted(people):
        met |= people[day]
        if met != ever:  # somebody new is left for another day
            # A number that never rings takes a place in the group: those are few.
            assert len(people[day]) >= DAILY - 10, day


def test_at_most_three_rings_a_day_for_a_person_and_for_a_number(month):
    _, provider = month
    for rings in by_day(provider.ledger).values():
        for key in ("person", "number"):
            counts: dict[object, int] = defaultdict(int)
            for ring in rings:
                counts[getattr(ring, key)] += 1
            assert max(counts.values()) <= 3


def test_after_three_days_without_an_answer_nobody_calls_again(month):
    services, provider = month
    excluded = 0
    for person, rings in of_person(provider.ledger).items():
        spoken = {ring.day for ring in rings if ring.outcome in SPOKE}
        unanswered = sorted({ring.day for ring in rings} - spoken)
        if len(unanswered) >= 3:
            excluded += 1
            assert len(unanswered) == 3
            assert rings[-1].day == unanswered[2]
            reason = services.store.jobs.get(job_id(number=person)).reason
            assert reason in (JobReason.NO_ANSWER, JobReason.PROVIDER_FAILURE)
    assert excluded > 20


def test_who_opted_out_is_never_rung_again_and_who_promised_neither(month):
    _, provider = month
    ended = 0
    for rings in of_person(provider.ledger).values():
        for ring in rings[:-1]:
            assert ring.outcome not in ("opted_out", "promise")
        ended += rings[-1].outcome == "opted_out"
    assert ended > 10


def test_rings_come_in_waves_but_callbacks_at_their_hour(month):
    _, provider = month
    for rings in of_person(provider.ledger).values():
        for before, ring in zip([None, *rings], rings, strict=False):
            if before and before.outcome == "callback":
                wished = before.at + timedelta(hours=2)
                rung = sum(other.day == before.day and other.at <= before.at for other in rings)
                if rung == 3:  # the day has no call left
                    wished = at(before.day + timedelta(days=1), time(0), SANTIAGO)
                late = ring.at - opening(wished)
                assert timedelta(0) <= late < DELIVERED, (before, ring)
            elif before and before.outcome == "callback_tonight":
                asked = datetime(2026, 12, 2, 0, 30, tzinfo=UTC)
                assert ring.at >= opening(max(asked, before.at))
            else:
                assert in_a_wave(ring.local), ring


def opening(instant):
    """The next legal moment, worked out by hand: working days from 9 to 18."""
    local = instant.astimezone(SANTIAGO)
    while local.isoweekday() > 5 or local.date() in HOLIDAYS or local.time() >= CLOSES:
        local = datetime.combine(local.date() + timedelta(days=1), time(0), SANTIAGO)
    if local.time() < WAVES[0]:
        local = datetime.combine(local.date(), WAVES[0], SANTIAGO)
    return local.astimezone(UTC)


def in_a_wave(local):
    return any(
        timedelta(0) <= local - datetime.combine(local.date(), wave, SANTIAGO) < DELIVERED for wave in WAVES
    )


def test_who_was_not_reached_comes_before_new_people(month):
    _, provider = month
    people = of_person(provider.ledger)
    days = sorted(by_day(provider.ledger))
    for before, day in zip(days, days[1:], strict=False):
        waiting = {
            person
            for person, rings in people.items()
            if any(ring.day == before for ring in rings)
            and last_before(rings, day).outcome not in SPOKE
            and any(ring.day > before for ring in rings)
        }
        rung = {person for person, rings in people.items() if any(ring.day == day for ring in rings)}
        new = {person for person in rung if people[person][0].day == day}
        if new:
            assert waiting <= rung, (day, waiting - rung)


def last_before(rings, day):
    return [ring for ring in rings if ring.day < day][-1]


def test_the_database_tells_the_same(month):
    services, provider = month
    stored = services.store.db["call_logs"].find({"uses_place": True}, {"to_number": 1, "reserved_at": 1})
    assert sorted(row["to_number"] for row in stored) == sorted(ring.number for ring in provider.ledger)
