"""What grows with the data: `python bench/scale.py [small] [large]`, 10,000 and 1,000,000 jobs by itself.

Two databases on the embedded mongod with equally many batches: of people who were called, with their attempts
as the simulator makes them (8 KB), one of a fifth of everybody that is being called, and one that is a draft.
Every operation is timed on both. The goals: a ratio of 2 at most for each of them, an idle mongod under 2 %
of a core, a web process under 150 MB after large pages.

A large batch is judged, and cancelled, in pieces of 2,000 people; the small one should hold as many, for the
same piece. A cancel is the request, which ends the first piece, and the sweep, which ends the rest.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from bson.decimal128 import Decimal128
from stdnum.cl.rut import is_valid as is_rut

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.catalog.use_cases import Country  # noqa: E402 - this script runs from a checkout as it is
from speechai.core.promises import PromiseState  # noqa: E402
from speechai.operation import recovery  # noqa: E402
from speechai.operation.calling import closing, webhooks  # noqa: E402
from speechai.operation.calling.waves import pick_group  # noqa: E402
from speechai.operation.campaigns import batches, counting, payments  # noqa: E402
from speechai.operation.parts import SECONDS  # noqa: E402
from speechai.operation.services import Services  # noqa: E402
from speechai.stack import wait  # noqa: E402
from speechai.stack.ports import Ports  # noqa: E402
from speechai.stack.servers import Mongod  # noqa: E402
from tests.builders import MONDAY_NOON  # noqa: E402
from tests.fakes import FakeProvider, make_services  # noqa: E402
from tests.integration.operation.conftest import add_batch, phone  # noqa: E402
from web.app import create_app  # noqa: E402

SIZES = (10_000, 1_000_000)
BATCHES = 20  # in each database
SHARE = 5  # the batch that is being called, and the draft, hold one in so many of all jobs
PATTERNS = 40  # people of whom all others are copies
CALL_BYTES = 8_300
PLACES = 600
TIMES = 3
GOAL, IDLE_GOAL, MEMORY_GOAL = 2.0, 2.0, 150
KEY, EMAIL, PASSWORD = "key-of-the-bench", "bench@example.com", "a password for the bench"
BIG, DRAFT = "batch-big", "batch-draft"
OUTCOMES = ("promise", "no_answer", "voicemail", "no_agreement", "opted_out")


@dataclass(frozen=True, slots=True)
class Place:
    """A filled database, and who works on it."""

    services: Services
    api: Callable[..., Any]
    panel: Callable[..., Any]


def main(small: int, large: int) -> int:
    """Print a line for each operation. The number of missed goals, at most 1."""
    ports = Ports()
    with tempfile.TemporaryDirectory() as directory:
        try:
            port = ports.claim(Mongod.preferred_port)
            with Mongod(Path(directory), port, secrets.token_urlsafe(16)) as server:
                places = [fill(server.uri, size) for size in (small, large)]
                missed = [compare(*places), cancelled(*places), idle(port), memory(server.uri, large, ports)]
        finally:
            ports.release()
    return int(any(missed))


# -- filling ----------------------------------------------------------------------------------------


def fill(uri: str, size: int) -> Place:
    """A database of `size` jobs. The server makes the copies itself: nothing travels."""
    began, name = time.perf_counter(), f"scale_{size}"
    patterns = make_services(uri, "patterns", provider=FakeProvider())
    if not patterns.store.batches.get("batch-1"):
        make_patterns(patterns)
    services = make_services(
        uri, name, provider=FakeProvider(), speechai_api_key=KEY, admin_email=EMAIL, admin_password=PASSWORD
    )
    db = services.store.db
    for collection in ("call_jobs", "call_logs"):
        db[collection].drop_indexes()  # built at once afterwards, as they are on any other database
    big, each = size // SHARE, (size - 2 * (size // SHARE)) // (BATCHES - 2)
    offset = 0
    for number in range(BATCHES - 2):
        offset += copy(patterns, services, f"batch-old-{number:02d}", each, offset, "completed")
    offset += copy(patterns, services, BIG, big, offset, "running", waiting=True)
    copy(patterns, services, DRAFT, big, offset, "draft", waiting=True)
    services.store.ensure_indexes()
    app = create_app(services)
    app.config["WTF_CSRF_ENABLED"] = False
    client, browser = app.test_client(), app.test_client()
    browser.post("/login", data={"email": EMAIL, "password": PASSWORD})
    jobs, attempts = (db[part].estimated_document_count() for part in ("call_jobs", "call_logs"))
    print(f"{name}: {jobs} jobs, {attempts} attempts in {time.perf_counter() - began:.0f} s", flush=True)
    return Place(
        services,
        lambda path: expect(client.get(path, headers={"Authorization": f"Bearer {KEY}"})),
        lambda path: expect(browser.get(path)),
    )


def expect(answer: Any) -> Any:
    """The answer, if it is one."""
    if answer.status_code != 200:
        raise SystemExit(f"{answer.request.path}: {answer.status}")
    return answer


def make_patterns(services: Services) -> None:
    """Some people who were called, to every end, and their attempts as large as the simulator's."""
    assert isinstance(services.provider, FakeProvider)
    for number in range(1, PATTERNS + 1):
        services.provider.script[phone(number)] = [OUTCOMES[number % len(OUTCOMES)]]
    add_batch(services, PATTERNS, max_attempts=1)
    services.nudges.run()  # type: ignore[attr-defined]
    add_batch(services, 1, batch_id="batch-new", start=None, phones=[[phone(9999)]], person_ids=["CL:RUT:1"])
    db, words = services.store.db, "Buenos días, le llamo por su cuenta. " * (CALL_BYTES // 38)
    db["call_logs"].update_many({}, {"$set": {"call.transcript": words}})
    db["call_jobs"].update_many(
        {"promise": {"$type": "object"}}, {"$set": {"promise.at": MONDAY_NOON - timedelta(days=3)}}
    )
    counting.count_moves(services)
    counting.rebuild(services)


def copy(
    patterns: Services,
    services: Services,
    batch_id: str,
    size: int,
    offset: int,
    status: str,
    *,
    waiting: bool = False,
) -> int:
    """A batch of copies: of people who were called, or of one who waits (in the large batch every other was
    called on an earlier day)."""
    source, db = patterns.store.db, services.store.db
    batch = source["batches"].find_one({"_id": "batch-1"}) or {}
    db["batches"].insert_one(
        {**batch, "_id": batch_id, "batch_id": batch_id, "status": status, "continuous": False,
         "policy": "house", "provider": services.settings.provider_key}
    )  # fmt: skip
    pattern = "batch-new" if waiting else "batch-1"
    of_each = size if waiting else size // PATTERNS
    numbered = numbering(batch_id, of_each, 1 if waiting else PATTERNS, offset)
    into = {"into": {"db": db.name, "coll": "call_jobs"}, "whenMatched": "fail"}
    changes: dict[str, Any] = {}
    if batch_id == BIG:
        before = {"$eq": [{"$mod": ["$seq", 2]}, 0]}
        changes["group_date"] = {"$cond": [before, date(2026, 11, 20).isoformat(), None]}
        changes["next_attempt_at"] = {"$cond": [before, MONDAY_NOON - timedelta(hours=1), None]}
    source["call_jobs"].aggregate(
        [{"$match": {"batch_id": pattern}}, *numbered, {"$set": changes}, {"$merge": into}]
    )
    if not waiting:
        into = {"into": {"db": db.name, "coll": "call_logs"}, "whenMatched": "fail"}
        source["call_logs"].aggregate([*numbered, {"$merge": into}])
    counters = source["tallies"].find_one({"_id": pattern}) or {"sums": {}}
    sums = {name: multiplied(value, of_each) for name, value in counters["sums"].items()}
    db["tallies"].insert_one({"_id": batch_id, "sums": sums})
    return size


def numbering(batch_id: str, of_each: int, patterns: int, offset: int) -> list[dict[str, Any]]:
    """Copies of documents, each with a person, a number and ids of its own."""
    nth = {"$toInt": {"$substrCP": ["$job_id", {"$subtract": [{"$strLenCP": "$job_id"}, 6]}, 6]}}
    padded = {"$substrCP": [{"$toString": {"$add": ["$seq", 10_000_000]}}, 1, 7]}
    person = {"$toString": {"$add": ["$seq", offset, 10_000_000]}}
    number = {"$concat": ["+569", {"$substrCP": [person, 0, 8]}]}
    job_id = {"$concat": [batch_id.replace("batch", "job", 1), "-", padded]}
    attempt_id = {"$concat": ["att-", batch_id, "-", padded]}
    return [
        {"$set": {"copy": {"$range": [0, of_each]}}},
        {"$unwind": "$copy"},
        {"$set": {"seq": {"$add": [{"$multiply": ["$copy", patterns]}, nth]}}},
        {
            "$set": {
                "_id": {"$cond": [{"$eq": [{"$type": "$attempt_id"}, "string"]}, attempt_id, job_id]},
                "job_id": job_id,
                "batch_id": batch_id,
                "person_id": {"$concat": ["CL:RUT:", person]},
                "to_number": number,
                "number_key": number,
                "try_phones": [number],
                "call_id": {"$concat": ["call_", batch_id, padded]},
            }
        },
        {"$unset": ["copy", "unlinked", "details_due"]},
    ]


def multiplied(value: Any, times: int) -> Any:
    """A counter of so many copies."""
    return Decimal128(value.to_decimal() * Decimal(times)) if isinstance(value, Decimal128) else value * times


# -- measuring --------------------------------------------------------------------------------------


def compare(small: Place, large: Place) -> int:
    """Time every operation on both. 1 if one of them grows."""
    return max([grows(name, *both(small, large, operate, times)) for name, operate, times in operations()])


def both(small: Place, large: Place, operate: Callable[[Place], Any], times: int = 1) -> tuple[float, float]:
    """Seconds on the one and on the other."""
    return timed(small, operate, times), timed(large, operate, times)


def grows(name: str, small: float, large: float) -> int:
    """Print a line. 1 if the ratio misses the goal."""
    ratio = large / small
    took = f"{small * 1000:.1f} ms, {large * 1000:.1f} ms"
    print(f"{name}: {took}; ratio {ratio:.2f} (goal {GOAL:g})", flush=True)
    return int(ratio > GOAL)


def timed(place: Place, operate: Callable[[Place], Any], times: int) -> float:
    """Seconds that it takes, the middle one of some, after a first that warms up."""
    if times > 1:
        operate(place)
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        operate(place)
        seconds.append(time.perf_counter() - began)
        place.services.clock.advance(timedelta(seconds=1))  # type: ignore[attr-defined]
    return median(seconds)


def operations() -> Iterator[tuple[str, Callable[[Place], Any], int]]:
    """What is timed, and how often. Those that change much come last."""
    foreign, poll = {"call_id": "call_of_somebody_else", "call_status": "ended"}, f"/panel/batches/{BIG}.json"
    yield "sweep", lambda at: recovery.sweep(at.services), TIMES
    yield "somebody else's webhook", lambda at: webhooks.receive(at.services, "call_ended", foreign), 9
    yield "list of batches", lambda at: at.panel("/"), 9
    yield "GET /api/batches", lambda at: at.api("/api/batches?limit=50"), 9
    yield "page of the large batch", lambda at: at.panel(f"/batches/{BIG}"), 9
    yield "its live poll", lambda at: at.panel(poll), 9
    yield "eight viewers at once", lambda at: together(lambda _: at.panel(poll)), TIMES
    yield "waterfall, one look", lambda at: at.api(f"/api/batches/{BIG}/eligibility"), TIMES
    yield "GET /api/jobs?status=suspended", lambda at: at.api("/api/jobs?status=suspended"), 9
    yield "GET /api/jobs?status=done", lambda at: at.api("/api/jobs?status=done&limit=50"), 9
    yield "one payment", one_payment(), TIMES
    yield f"carry-over pick, {PLACES} places", pick, 1
    yield "start of the draft", lambda at: batches.start(at.services, DRAFT, "next_wave"), 1


def together(work: Callable[[int], Any]) -> None:
    """Eight do it at once."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))


def one_payment() -> Callable[[Place], None]:
    """Somebody pays what was promised, each time another one."""
    who: dict[str, Iterator[str]] = {}

    def pay(place: Place) -> None:
        store = place.services.store
        if store.db.name not in who:  # the first, which warms up
            found = store.db["call_jobs"].find({"promise.status": PromiseState.PROMISED.value}).limit(500)
            ruts = [job["person_id"].rpartition(":")[2] for job in found]
            who[store.db.name] = iter([rut for rut in ruts if is_rut(rut)])
        row = {"document": next(who[store.db.name]), "amount": "104050", "paid_on": "2026-11-23"}
        result = payments.receive(
            place.services, [(1, row)], account_id="default", country=Country.CL, as_of=None,
            is_complete=False, by="bench", language="en",
        )  # fmt: skip
        if result.promises != {PromiseState.KEPT.value: 1}:
            raise SystemExit(f"one payment: {result.as_answer()}")

    return pay


def pick(place: Place) -> None:
    """The day's group of the large batch."""
    services = place.services
    batch, today = services.store.batches.get(BIG), date(2026, 11, 23)
    assert batch is not None
    pick_group(services, replace(batch, daily_contacts=PLACES), today, services.clock.now())
    if services.store.groups.size(BIG, today) != min(PLACES, services.store.jobs.size(BIG)):
        raise SystemExit("the day's group was not filled")


def cancelled(small: Place, large: Place) -> int:
    """Cancel the batch that was started: what the request does, and what the sweep. 1 if either grows."""
    request = both(small, large, lambda at: batches.cancel(at.services, DRAFT))
    left = active(large)
    pieces, turns = max(1, -(-left // closing.PIECE)), [0.0]
    while large.services.store.batches.ending() and len(turns) <= pieces + 1:
        turns.append(timed(large, lambda at: recovery.sweep_part(at.services, "cancelled"), 1))
    if active(large):
        raise SystemExit(f"the sweep left {active(large)} jobs")
    print(
        f"the sweep ended {left} jobs in turns of {max(turns):.1f} s at most (goal {SECONDS:g})", flush=True
    )
    return max(
        grows("cancel, the request", *request),
        left and grows("cancel, a piece in the request and in the sweep", request[0], sum(turns) / pieces),
        grows("its page then", *both(small, large, lambda at: at.panel(f"/batches/{DRAFT}"), TIMES)),
        int(max(turns) > SECONDS),
    )


def active(place: Place) -> int:
    """How many jobs of the cancelled batch are not final, by its sums."""
    sums = place.services.store.tallies.read(DRAFT)
    return sums.total - sums.final


def idle(port: int) -> int:
    """How much of a core a filled mongod uses while nobody asks. 1 if it is too much."""
    [process] = [
        each for each in psutil.process_iter(["name", "cmdline"])
        if each.info["name"] == "mongod" and str(port) in (each.info["cmdline"] or ())
    ]  # fmt: skip
    time.sleep(5)  # what was written is flushed
    used = process.cpu_percent(10)
    print(f"idle mongod: {used:.1f} % of a core (goal {IDLE_GOAL:g})", flush=True)
    return int(used > IDLE_GOAL)


def memory(uri: str, size: int, ports: Ports) -> int:
    """What a web process, as the Procfile starts it, keeps after large pages. 1 if it is too much."""
    port = ports.claim(8000)
    environment = {
        **os.environ, "MONGO_URI": uri, "MONGO_DB": f"scale_{size}", "REDIS_URL": "redis://127.0.0.1:9",
        "PORT": str(port), "SPEECHAI_API_KEY": KEY, "RETELL_API_KEY": "key_test",
        "RETELL_BASE_URL": "http://127.0.0.1:9", "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    command = [sys.executable, "-m", "speechai.stack.procfile", "web"]
    with tempfile.TemporaryDirectory() as home, subprocess.Popen(
        command, env={**environment, "SPEECHAI_HOME": home}, start_new_session=True, stderr=subprocess.DEVNULL
    ) as web:  # fmt: skip
        try:
            wait.until(lambda: answers(port), seconds=60, what="web")
            before = resident(web.pid)
            pages = [f"/api/jobs?limit=500&status={state}" for state in ("done", "failed")] * 20
            together(lambda n: read(port, pages[n::8]))
            time.sleep(2)
            after = resident(web.pid)
        finally:
            web.terminate()
    print(f"web process: {before:.0f} MB, after large pages {after:.0f} MB (goal {MEMORY_GOAL})", flush=True)
    return int(after > MEMORY_GOAL)


def answers(port: int) -> bool:
    """Whether the web process does."""
    with contextlib.suppress(OSError):
        read(port, ["/api/batches?limit=1"])
        return True
    return False


def read(port: int, paths: list[str]) -> None:
    """Ask for pages, one after the other."""
    for path in paths:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            answer.read()


def resident(pid: int) -> float:
    """Memory (MB) of the largest of a process and its children."""
    process = psutil.Process(pid)
    return float(max(one.memory_info().rss for one in (process, *process.children(recursive=True))) / 1e6)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:3]]
    sys.exit(main(*(given or SIZES)))
