"""What deciding costs: `python bench/rules.py [jobs …]`.

Verdicts per second of one core: every preset, open and closed hours, holidays, histories of zero to twelve
calls, 500 jobs at each of 60 instants, as a waterfall asks. And the time to pick a wave of 60 people among
10,000, 100,000 and 1,000,000 jobs of a batch on the embedded mongod, half of the places for carry-over, with
what the database's plan looked at. The goal: 20,000 verdicts, and the last pick at most 1.5 times the first.
"""

from __future__ import annotations

import random
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from pymongo import WriteConcern

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.catalog.policies import presets  # noqa: E402 - this script runs from a checkout as it is
from speechai.catalog.use_cases import Country  # noqa: E402
from speechai.core.caps import PastCall  # noqa: E402
from speechai.core.model import Taken  # noqa: E402
from speechai.core.rules import Facts, judge  # noqa: E402
from speechai.operation.calling.waves import pick_group  # noqa: E402
from speechai.operation.services import Services  # noqa: E402
from speechai.stack.ports import Ports  # noqa: E402
from speechai.stack.servers import Mongod  # noqa: E402
from speechai.store.job_documents import job_document  # noqa: E402
from tests.builders import MONDAY_NOON, a_debt, a_job, a_rulebook, some_facts  # noqa: E402
from tests.fakes import make_services  # noqa: E402

INSTANTS, JOBS = 60, 500
VERDICTS_GOAL = 20_000
SIZES = (10_000, 100_000, 1_000_000)
PICK, DAYS = 60, 15
PICK_GOAL = 1.5
CARRY_OVER = PICK // 2
CALLED = CARRY_OVER * (DAYS + 2)
CHUNK = 5_000
DEBT = a_debt()


def main(sizes: Sequence[int]) -> int:
    """Print a line for each claim. 1 if a goal was missed."""
    return max(verdicts(), picks(sizes))


def verdicts() -> int:
    """How many verdicts one core gives in a second."""
    dice = random.Random(1)
    books = [a_rulebook(policy_id) for policy_id in presets()]
    jobs = [(a_job(id=f"job-{number}"), _facts(dice)) for number in range(JOBS)]
    instants = [MONDAY_NOON + timedelta(hours=7 * number) for number in range(INSTANTS)]
    for book in books:  # once without the watch: a country's holidays are loaded at first use
        for instant in instants:
            judge(jobs[0][0], book, jobs[0][1], instant)
    began, allowed, given = time.process_time(), 0, 0
    for number, instant in enumerate(instants):
        book = books[number % len(books)]
        for job, facts in jobs:
            allowed += judge(job, book, facts, instant).allowed
            given += 1
    rate = given / (time.process_time() - began)
    print(
        f"rules: {rate:,.0f} verdicts/s on one core ({allowed / given:.0%} allowed), "
        f"ratio to the goal {rate / VERDICTS_GOAL:.2f} (goal ≥ 1)"
    )
    return int(rate < VERDICTS_GOAL)


def _facts(dice: random.Random) -> Facts:
    calls = tuple(
        PastCall(
            at=MONDAY_NOON - timedelta(hours=dice.randint(1, 400)),
            day=date(2026, 11, 23) - timedelta(days=dice.randint(0, 16)),
            of_person=True,
            of_number=dice.random() < 0.7,
            account_id="default",
            is_conversation=dice.random() < 0.3,
        )
        for _ in range(dice.randint(0, 12))
    )
    places = frozenset(range(1, 1 + dice.randint(0, 3)))
    return some_facts(taken=Taken(person_places=places, number_places=places, calls=calls))


def picks(sizes: Sequence[int]) -> int:
    """How long a wave of 60 takes to pick, by the size of the batch."""
    ports = Ports()
    with tempfile.TemporaryDirectory() as directory:
        try:
            with Mongod(
                Path(directory), ports.claim(Mongod.preferred_port), secrets.token_urlsafe(16)
            ) as server:
                services = make_services(server.uri, "bench")
                took = [_pick(services, size) for size in sizes]
        finally:
            ports.release()
    ratio = took[-1] / took[0]
    print(f"waves: {sizes[-1]:,} jobs take {ratio:.2f} times as long as {sizes[0]:,} (goal ≤ {PICK_GOAL})")
    return int(ratio > PICK_GOAL)


def _pick(services: Services, size: int) -> float:
    """The median of several days' picks, in milliseconds."""
    store = services.store
    batch = replace(a_rulebook().batch, id=f"batch-{size}", daily_contacts=PICK)
    jobs = store.db.get_collection("call_jobs", write_concern=WriteConcern(w=1))
    for first in range(0, size, CHUNK):
        numbers = range(first, min(first + CHUNK, size))
        jobs.insert_many([_job(batch.id, number, size // CALLED) for number in numbers])
    days = [date(2026, 11, 24) + timedelta(days=number) for number in range(DAYS + 2)]
    took = []
    for number, day in enumerate(days):
        if number == len(days) - 1:
            store.db.command("profile", 2)
        began = time.perf_counter()
        picked, _ = pick_group(services, batch, day, MONDAY_NOON)
        took.append((time.perf_counter() - began) * 1000)
        assert picked == PICK, picked
        jobs.update_many({"batch_id": batch.id, "group_date": day.isoformat()}, {"$set": {"status": "done"}})
    store.db.command("profile", 0)
    wanted = {"op": "query", "command.find": "call_jobs", "command.filter.batch_id": batch.id}
    plans = list(store.db["system.profile"].find(wanted))
    assert plans, "the profile has no pick"
    shapes = sorted({plan["planSummary"] for plan in plans})
    examined = sum(plan["docsExamined"] for plan in plans) / PICK
    found = median(took[1:-1])  # the first warms up, the last is watched
    print(
        f"waves: {size:>9,} jobs: {PICK} people in {found:.0f} ms, {examined:.1f} documents looked at for "
        f"each, by {' and '.join(shapes)}"
    )
    return found


def _job(batch_id: str, number: int, every: int) -> dict[str, Any]:
    """One in `every` was called before and is due again, thirty on each day."""
    called = number % every == 0
    document = job_document(
        job_id=f"{batch_id}-{number:07d}",
        seq=number,
        batch_id=batch_id,
        account_id="default",
        person_id=f"CL:RUT:{number}",
        country=Country.CL,
        document=str(number),
        document_label=None,
        name=f"Persona {number}",
        phones=[f"+569{60_000_000 + number}"],
        company=None,
        debt=DEBT,
        offer={},
        variables={},
        max_attempts=9,
        rows=[number + 2],
        instant=MONDAY_NOON,
    )
    if called:
        due = MONDAY_NOON + timedelta(days=1 + number // every // CARRY_OVER)
        document |= {"group_date": "2026-11-20", "next_attempt_at": due, "attempts": 1}
    return document


if __name__ == "__main__":
    sys.exit(main([int(text) for text in sys.argv[1:]] or SIZES))
