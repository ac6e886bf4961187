"""What the framework costs: `python bench/overhead.py`.

CPU per settled call over web, worker and poller, divided by that of a bare loop: one process that sends the
same requests, takes in the same webhooks and makes the same MongoDB writes, without Celery, Flask, rules or
reads. Both run against the simulator on the embedded mongod, on 20 slots.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import requests

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from speechai.clock import SystemClock  # noqa: E402 - this script runs from a checkout as it is
from speechai.core.call import Call  # noqa: E402
from speechai.core.model import Attempt, Batch, Job, Taken  # noqa: E402
from speechai.core.next_step import Step  # noqa: E402
from speechai.core.outcomes import Outcome  # noqa: E402
from speechai.core.states import BatchState, JobReason, JobState  # noqa: E402
from speechai.stack import wait  # noqa: E402
from speechai.stack.stack import Stack  # noqa: E402
from speechai.store import Store  # noqa: E402
from speechai.store.attempt_documents import Line, Reservation  # noqa: E402
from speechai.store.job_documents import job_from  # noqa: E402
from tests.e2e.site import FAST, Site, write_people  # noqa: E402

CALLS, SLOTS = 400, 20
GOAL = 4.0
PARTS = ("web", "worker", "poller")
SCRIPT = {"*": [{"outcome": "promise", "ring_s": 0.3, "talk_s": 2.0, "analysis_s": 0.1}]}


def main() -> int:
    """Print the ratio. 1 if the goal was missed."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **FAST,
            "SPEECHAI_HOME": directory,
            "MAX_CONCURRENT_CALLS": str(SLOTS),
            "CALLS_PER_SECOND": "1000",
            "MAX_ATTEMPTS": "1",
            "DAILY_CONTACTS": str(CALLS),
            "LEASE_SECONDS": "120",
            "CALL_POLLING_INTERVAL": "15",
            "LOG_LEVEL": "WARNING",
        }
        with Stack(environment=environment, simulator=["--speed", "1"]) as stack:
            stack.wait_ready()
            site = Site(stack)
            site.simulator("script", SCRIPT)
            store = site.store()
            batch_id = site.upload(write_people(Path(directory), CALLS).path, start="draft")["batch_id"]
            before = {part: cpu_of(site, part) for part in PARTS}
            site.post(f"/api/batches/{batch_id}/start", {"when": "now"})
            wait.until(lambda: is_completed(store, batch_id), seconds=300, what=batch_id)
            used = {part: cpu_of(site, part) - before[part] for part in PARTS}
            again = site.upload(write_people(Path(directory), CALLS).path, start="draft")["batch_id"]
            bare = BareLoop(site, store, again).run()
    ours = sum(used.values())
    ratio = ours / bare
    parts = ", ".join(f"{part} {1000 * seconds / CALLS:.1f}" for part, seconds in used.items())
    print(
        f"{CALLS} calls: {1000 * ours / CALLS:.1f} ms of CPU per settled call ({parts}); "
        f"bare loop {1000 * bare / CALLS:.1f} ms; ratio {ratio:.2f} (goal {GOAL:g})"
    )
    return int(ratio > GOAL)


def existing(batch: Batch | None) -> Batch:
    """The batch, which was just made."""
    assert batch is not None
    return batch


def is_completed(store: Store, batch_id: str) -> bool:
    """Whether every job of the batch is final."""
    batch = store.batches.get(batch_id)
    return batch is not None and batch.status is BatchState.COMPLETED


def cpu_of(site: Site, part: str) -> float:
    """Seconds of CPU that the part and its children have used."""
    process = psutil.Process(site.stack.supervisor.pid(part))
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(used.user + used.system for used in times))


class BareLoop:
    """The same requests and the same writes, and nothing else."""

    def __init__(self, site: Site, store: Store, batch_id: str) -> None:
        self._site = site
        self._store = store
        self._batch = existing(store.batches.get(batch_id))
        self._provider = "bare"
        self._store.pacing.ensure(self._provider)
        self._session = requests.Session()
        self._clock = SystemClock()
        self._slots = threading.Semaphore(SLOTS)
        self._left = CALLS
        self._over = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> float:
        """Make the calls. Returns the CPU (s) that this process used for it."""
        handler = type("Handler", (Webhooks,), {"loop": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        people = [job_from(row) for row in self._store.job_reports.export(self._batch.id)]
        began = time.process_time()
        for job in people:
            self._slots.acquire()
            self._dial(job, address)
        if not self._over.wait(60):
            raise SystemExit(f"the bare loop did not settle {self._left} of its {CALLS} calls")
        used = time.process_time() - began
        server.shutdown()
        return used

    def _dial(self, job: Job, webhook_url: str) -> None:
        store, instant, number = self._store, self._clock.now(), job.phones[0]
        attempt_id = f"att-bare-{job.id}"
        store.jobs.hand_out(self._batch.id, instant, 120)
        store.pacing.take_slot(self._provider, attempt_id, SLOTS, "default")
        store.attempts.reserve(
            Reservation(
                attempt_id=attempt_id,
                job=job,
                batch=self._batch,
                line=Line(number, number, instant.date()),
                from_number="+56600123456",
                taken=Taken(),
                calls_per_day=3,
                is_metered=False,
                provider=self._provider,
                verdict={},
                worker="bare",
                instant=instant,
                lease_seconds=120,
            )
        )
        store.jobs.begin(job, attempt_id, 120, "bare")
        store.attempts.begin_dialing(attempt_id, instant, 120)
        url = f"{self._site.stack.environment['RETELL_BASE_URL']}/v2/create-phone-call"
        body = {
            "from_number": "+56600123456",
            "to_number": number,
            "idempotency_key": attempt_id,
            "metadata": {"attempt_id": attempt_id, "job_id": job.id, "batch_id": self._batch.id},
            "agent_override": {"agent": {"webhook_url": webhook_url}},
        }
        key = self._site.stack.environment["RETELL_API_KEY"]
        headers = {"Authorization": f"Bearer {key}"}
        call = self._session.post(url, json=body, headers=headers, timeout=20).json()
        store.attempts.placed(attempt_id, call, "token", instant, 120)
        store.jobs.placed(job.id, attempt_id, call["call_id"], number, instant, 120)

    def take_in(self, event: str, call: dict[str, Any]) -> None:
        """A webhook: the end frees the slot, the analysis settles."""
        attempt_id, instant = call["metadata"]["attempt_id"], self._clock.now()
        if event == "call_started":
            return
        attempt = self._store.attempts.get(attempt_id)
        if attempt is None:
            return
        if event == "call_ended":
            self._store.pacing.free_slot(self._provider, attempt_id, "default", heard_at=instant)
            self._slots.release()
        known = Call.of(call)
        if self._store.attempts.observe(attempt, known, instant, ended=True, lease_seconds=35):
            attempt = replace(attempt, call=known, revision=attempt.revision + 1)
        if event == "call_analyzed":
            self._settle(attempt, call)

    def _settle(self, attempt: Attempt, call: dict[str, Any]) -> None:
        store, instant = self._store, self._clock.now()
        step = Step(JobState.DONE, JobReason.GOAL_MET, None)
        result = {"call_result": {"summary": call}}
        if store.attempts.settle(
            attempt, Outcome.GOAL_MET, rang=True, cost_cents=Decimal(1), instant=instant, details_due=None
        ) and store.jobs.apply(
            attempt.job_id, step, instant, attempt_id=attempt.id, attempts=1, result=result
        ):
            with self._lock:
                self._left -= 1
                if not self._left:
                    self._over.set()


class Webhooks(BaseHTTPRequestHandler):
    """The barest receiver of webhooks."""

    protocol_version = "HTTP/1.1"
    loop: BareLoop

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.loop.take_in(body["event"], body["call"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
