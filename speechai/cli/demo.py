"""`speechai demo`: the main job on synthetic people, from the example workbook to the report.

It uses what an operator uses, the stack, the API and the workers, and then checks what they say against the
simulator's own ledger of rings. Its data lives in a home of its own and is made anew each time.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import requests

from speechai.stack.errors import StackError
from speechai.stack.stack import Stack

HOME = Path("var/demo")
WORKBOOK = Path(__file__).parent.parent.parent / "examples" / "demo.xlsx"
API_KEY = "demo-key-of-a-stack-on-loopback"
# Rehearsal pace: what takes days with real people takes a minute with simulated ones.
PACE = {
    "MAX_ATTEMPTS": "3",
    "RETRY_DELAY_MINUTES": "0",
    "NO_ANSWER_RETRY_MINUTES": "0",
    "CALL_POLLING_INTERVAL": "1",
    "CALLS_PER_SECOND": "10",
    "MAX_CONCURRENT_CALLS": "20",
}
COSTS_SECONDS = 60
SIMULATOR = ["--speed", "30", "--callback-after", "5"]


@click.command()
@click.option("--workbook", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=WORKBOOK)
@click.option("--seed", type=int, default=20261123, show_default=True, help="Of the simulated outcomes.")
@click.option("--timeout", type=int, default=300, show_default=True, help="Seconds to finish the batch in.")
def demo(workbook: Path, seed: int, timeout: int) -> None:
    """Call everyone in the example workbook, simulated: the whole product in a minute or two.

    With a terminal on standard input it stays up afterwards, for a look at the panel, until Ctrl-C.
    Otherwise it ends with 0 only if every job is final and the books agree with the simulator's.
    """
    environment = {
        **PACE,
        "SPEECHAI_HOME": str(HOME),
        "SPEECHAI_API_KEY": API_KEY,
        # The demo begins with an empty database: never one that somebody named.
        "MONGO_URI": "",
        "REDIS_URL": "",
        "MONGO_DB": "speechai_demo",
        "PUBLIC_URL": "",
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stack = Stack(
        environment=environment,
        simulator=[*SIMULATOR, "--seed", str(seed)],
        fresh=True,  # people called by an earlier demo may not be called more often on the same day
        report=lambda line: click.echo(f"  {line}", err=True),
    )
    try:
        with stack:
            sys.exit(_run(stack, workbook, timeout))
    except KeyboardInterrupt:
        click.echo("stopped")
    except StackError as error:
        click.echo(f"speechai: {error}", err=True)
        sys.exit(1)


def _run(stack: Stack, workbook: Path, timeout: int) -> int:
    click.echo("starting the servers, the simulator, the workers and the panel …")
    stack.wait_ready()
    password = stack.environment["ADMIN_PASSWORD"]
    click.echo(f"panel  {stack.panel_url}  user {_admin(stack)}  password {password}")
    click.echo(f"flower {stack.flower_url}  {stack.environment['FLOWER_BASIC_AUTH'].replace(':', '  ')}")
    api = Api(stack.panel_url)
    uploaded = api.upload(workbook)
    click.echo(
        f"uploaded {workbook.name}: {uploaded['rows']} rows, {uploaded['jobs_created']} people to call, "
        f"{uploaded['merged']} rows merged, {len(uploaded['rejected'])} rejected"
    )
    batch_id = uploaded["batch_id"]
    finished = _follow(api, batch_id, timeout)
    problems = _checked(api, stack.simulator_url or "", batch_id)
    click.echo(_report_text(api, batch_id))
    for problem in problems:
        click.echo(f"WRONG: {problem}", err=True)
    if not finished:
        click.echo(f"WRONG: the batch was not finished within {timeout} s", err=True)
    if not problems and finished:
        click.echo("every job is final, and the database agrees with the simulator's ledger ring by ring")
    click.echo(f"the batch in the panel: {stack.panel_url}/batches/{batch_id}")
    if sys.stdin.isatty():
        click.echo("Ctrl-C stops everything")
        stack.wait()
    return 0 if finished and not problems else 1


def _admin(stack: Stack) -> str:
    return stack.environment.get("ADMIN_EMAIL", "admin@localhost")


class Api:
    """The JSON API, as any client uses it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {API_KEY}"

    def upload(self, workbook: Path) -> dict[str, Any]:
        """Upload the workbook and start calling now."""
        fields = {
            "policy": "anytime",
            "start": "now",
            "name": "Demo",
            "again": "1",
            "company": "Casa Ejemplo",
        }
        with workbook.open("rb") as file:
            answer = self._session.post(
                f"{self._url}/api/upload/excel",
                data=fields,
                files={"file": (workbook.name, file)},
                timeout=120,
            )
        if answer.status_code != 201:
            raise StackError(f"the upload was refused: {answer.status_code} {answer.text}")
        return dict(answer.json())

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """A GET that must succeed."""
        answer = self._session.get(f"{self._url}{path}", params=query, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())

    def jobs(self, batch_id: str) -> list[dict[str, Any]]:
        """Every job of the batch, with its attempts."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get("/api/jobs", batch_id=batch_id, limit=100, cursor=cursor)
            found += [self.get(f"/api/jobs/{job['job_id']}") for job in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found


def _follow(api: Api, batch_id: str, timeout: int) -> bool:
    """Show the batch's progress until it is completed. False when the time is up."""
    deadline = time.monotonic() + timeout
    shown = ""
    while time.monotonic() < deadline:
        batch = api.get(f"/api/batches/{batch_id}")
        counts = batch["counts"]
        line = (
            f"  pending {counts['pending']:>3}  calling {counts['in_progress']:>3}  "
            f"done {counts['done']:>3}  failed {counts['failed']:>3}  rings {batch['rings']:>3}  "
            f"cost US$ {batch['cost_cents'] / 100:.2f}"
        )
        if line != shown:
            click.echo(line)
            shown = line
        if batch["status"] == "completed":
            return True
        time.sleep(1)
    return False


def _checked(api: Api, simulator_url: str, batch_id: str) -> list[str]:
    """The problems that remain once the last costs are in: Retell tells them some time after a call."""
    deadline = time.monotonic() + COSTS_SECONDS
    while (problems := check(api, simulator_url, batch_id)) and time.monotonic() < deadline:
        time.sleep(2)
    return problems


def check(api: Api, simulator_url: str, batch_id: str) -> list[str]:
    """What does not add up between the database and the simulator's ledger; nothing, if all is well."""
    batch = api.get(f"/api/batches/{batch_id}")
    jobs = api.jobs(batch_id)
    attempts = [attempt for job in jobs for attempt in job["attempts"] if attempt["status"] != "released"]
    ledger = requests.get(f"{simulator_url}/_simulator/ledger", timeout=30).json()
    calls = [call for call in ledger["calls"] if call["metadata"].get("batch_id") == batch_id]
    rings = [call for call in calls if call["rang"]]

    problems = []
    if open_jobs := [job["job_id"] for job in jobs if job["status"] not in ("done", "failed")]:
        problems.append(f"{len(open_jobs)} jobs are not final")
    recorded = {attempt["attempt_id"] for attempt in attempts if attempt["uses_place"]}
    rung = Counter(call["metadata"]["attempt_id"] for call in rings)
    if set(rung) != recorded:
        problems.append(
            f"rings without a record: {len(set(rung) - recorded)}, the other way: {len(recorded - set(rung))}"
        )
    if twice := [attempt for attempt, count in rung.items() if count > 1]:
        problems.append(f"attempts that rang more than once (I1): {twice}")
    if batch["rings"] != len(rings):
        problems.append(f"the batch says {batch['rings']} rings, the ledger {len(rings)}")
    cost = sum(call["cost_cents"] or 0 for call in calls)
    if abs(batch["cost_cents"] - cost) > 0.005:
        problems.append(f"the batch says {batch['cost_cents']} cents, the ledger {cost}")
    per_person = Counter(
        job["person_id"] for job in jobs for attempt in job["attempts"] if attempt["uses_place"]
    )
    if often := [person for person, count in per_person.items() if count > 3]:
        problems.append(f"people called more than 3 times (I2): {len(often)}")
    if ledger["max_concurrent"] > int(PACE["MAX_CONCURRENT_CALLS"]):
        problems.append(f"{ledger['max_concurrent']} calls at once (I5)")
    return problems


def _report_text(api: Api, batch_id: str) -> str:
    from speechai.results.reports import as_text

    return as_text(api.get("/api/reports/batches/" + batch_id))
