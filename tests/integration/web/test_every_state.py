"""Every state that anything can be in, on every page and route that shows it, in both languages.

The cases are the enums themselves: a new state without a name, or one that a page cannot draw, fails here.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from speechai.catalog.accounts import AccountStatus, Legal, Plan
from speechai.catalog.policies import Consent, presets
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.breaker import FAILURES_TO_OPEN
from speechai.core.money import EntryKind
from speechai.core.outcomes import Outcome
from speechai.core.promises import Flaw, PromiseState
from speechai.core.states import AttemptState, BatchState, JobReason, JobState, WaveState
from speechai.core.waiting import AFTER_ACCOUNT, FOR_A_LINE, Waiting, WaitingFor
from speechai.operation.records import do_not_call, erasing
from speechai.operation.services import Services
from speechai.store.job_documents import waiting_fields
from tests.fakes import Worker
from tests.integration.operation.conftest import add_batch, job_id, phone
from tests.integration.web.conftest import Api
from web.language import LANGUAGES
from web.texts import TEXTS
from web.texts.details import entry_word_in

BATCH, JOB, PERSON, ACCOUNT = "batch-1", job_id(), "CL:RUT:10000001", "default"
BATCH_PAGE = f"/batches/{BATCH}"
LIVE = f"/panel/batches/{BATCH}.json"
JOB_PAGE, PERSON_PAGE = f"/jobs/{JOB}", f"/persons/{PERSON}"
PAGES_OF_A_BATCH = (
    "/",
    BATCH_PAGE,
    LIVE,
    *(f"{BATCH_PAGE}/{page}" for page in ("why", "edit", "cancel", "rejected")),
)
ROUTES_OF_A_BATCH = (
    "/api/batches",
    f"/api/batches/{BATCH}",
    f"/api/batches/{BATCH}/eligibility",
    f"/api/reports/batches/{BATCH}",
)
ROUTES_OF_A_JOB = (
    "/api/jobs",
    *(f"/api/jobs/{JOB}{more}" for more in ("", "/eligibility", "/preview")),
    f"/api/persons/{PERSON}",
    f"/api/persons/{PERSON}/evidence",
)
NOT_SHOWN = frozenset({"uploading"})  # a batch whose file is still being stored is on no page

# What a dialed attempt has and one that never got so far does not.
OF_A_PLACED_CALL = ("placed_at", "call_id", "poll_token", "looks")


class Looking:
    """Whoever looks at pages and routes, and insists that each of them answers."""

    def __init__(self, panel: FlaskClient, api: Api, services: Services) -> None:
        self.panel, self.api, self.db = panel, api, services.store.db

    def sees(self, paths: Iterable[str], *keys: str) -> None:
        """Each of the panel's pages says all of these, in either language."""
        for language in LANGUAGES:
            words = [TEXTS[key][LANGUAGES.index(language)] for key in keys]
            for path in paths:
                shown = self._page(path, language)
                assert [word for word in words if word not in shown] == [], (path, language)

    def opens(self, *paths: str) -> None:
        """Each of these answers, in either language: a page or a route."""
        for path in paths:
            for language in LANGUAGES:
                if path.startswith("/api/"):
                    self.api.headers["Accept-Language"] = language
                    answer = self.api.get(path)
                    assert answer.status_code == 200, (path, language, answer.text)
                else:
                    self._page(path, language)

    def _page(self, path: str, language: str) -> str:
        answer = self.panel.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 200, (path, language, answer.text)
        if answer.is_json:
            return unescape(" ".join((*answer.json["parts"].values(), *answer.json["text"].values())))
        return unescape(answer.text)

    def change(self, collection: str, changes: dict[str, Any], *, without: Iterable[str] = ()) -> None:
        """Every stored document of the kind is as said from now on."""
        update: dict[str, Any] = {"$set": changes} if changes else {}
        if without:
            update["$unset"] = dict.fromkeys(without, "")
        assert self.db[collection].update_many({}, update).matched_count


@pytest.fixture
def look(panel: FlaskClient, api: Api, services: Services) -> Looking:
    return Looking(panel, api, services)


@pytest.fixture
def called(services: Services, worker: Worker, look: Looking) -> Looking:
    """One batch of one person, whose first call is going on."""
    add_batch(services)
    worker.run(before="poll_call")
    return look


@pytest.mark.parametrize("state", [state for state in BatchState if state.value not in NOT_SHOWN])
@pytest.mark.parametrize("is_continuous", [True, False], ids=["continuous", "waves"])
def test_a_batch_in_every_state(called: Looking, state: BatchState, is_continuous: bool):
    called.change("batches", {"status": state.value, "continuous": is_continuous})
    called.sees(("/", BATCH_PAGE, LIVE), f"batch.{state}")
    called.opens(*PAGES_OF_A_BATCH, *ROUTES_OF_A_BATCH, JOB_PAGE, f"/api/jobs/{JOB}/eligibility")


def test_a_batch_whose_provider_is_away(called: Looking, services: Services):
    for _ in range(FAILURES_TO_OPEN):
        services.store.breakers.failed(ACCOUNT, services.clock.now(), "HTTP 500", probe=False)
    called.opens(*PAGES_OF_A_BATCH, JOB_PAGE, *ROUTES_OF_A_BATCH)


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("called_before", [True, False], ids=["called", "new"])
def test_a_job_in_every_state(
    services: Services, worker: Worker, look: Looking, state: JobState, called_before: bool
):
    add_batch(services)
    if called_before:
        worker.run(before="poll_call")
    waiting = None if state.is_final else Waiting(WaitingFor.TURN, services.clock.now())
    look.change("call_jobs", {"status": state.value, **waiting_fields(waiting)})
    look.sees((BATCH_PAGE, LIVE, JOB_PAGE, PERSON_PAGE), f"job.{state}")
    look.opens(f"{BATCH_PAGE}?status={state}", *PAGES_OF_A_BATCH, *ROUTES_OF_A_BATCH, *ROUTES_OF_A_JOB)


@pytest.mark.parametrize("reason", JobReason)
def test_a_job_with_every_reason(called: Looking, reason: JobReason):
    for state in (JobState.SUSPENDED, JobState.FAILED, JobState.DONE):
        called.change("call_jobs", {"status": state.value, "reason": reason.value})
        called.sees((BATCH_PAGE, LIVE, JOB_PAGE, PERSON_PAGE), f"reason.{reason}")
    called.opens(*ROUTES_OF_A_JOB, *ROUTES_OF_A_BATCH)


@pytest.mark.parametrize("kind", WaitingFor)
def test_a_job_that_waits_for_everything(called: Looking, services: Services, kind: WaitingFor):
    state = JobState.SUSPENDED if kind in AFTER_ACCOUNT else JobState.PENDING
    due = services.clock.now() if kind in FOR_A_LINE else None
    called.change("call_jobs", {"status": state.value, **waiting_fields(Waiting(kind, due))})
    in_lists = state is JobState.PENDING and due is None  # others are shown by their time, or their state
    called.sees((BATCH_PAGE, LIVE, JOB_PAGE) if in_lists else (JOB_PAGE,), f"waiting.{kind}")
    called.opens(*ROUTES_OF_A_JOB, *ROUTES_OF_A_BATCH, f"{BATCH_PAGE}/why")


@pytest.mark.parametrize("state", AttemptState)
@pytest.mark.parametrize("is_placed", [True, False], ids=["placed", "never placed"])
def test_an_attempt_in_every_state(called: Looking, services: Services, state: AttemptState, is_placed: bool):
    called.change(
        "call_logs", {"status": state.value, "ended_at": None}, without=() if is_placed else OF_A_PLACED_CALL
    )
    pages = (JOB_PAGE, PERSON_PAGE, BATCH_PAGE, LIVE)
    called.sees(pages, f"attempt.{state}")
    called.opens(*ROUTES_OF_A_JOB, *ROUTES_OF_A_BATCH, *PAGES_OF_A_BATCH)
    called.change("call_logs", {"ended_at": services.clock.now()})
    called.sees(pages, f"attempt.{state}" if state.is_final else "attempt.ended")


@pytest.mark.parametrize("outcome", Outcome)
def test_an_attempt_with_every_outcome(called: Looking, outcome: Outcome):
    for placed in (True, False):
        called.change(
            "call_logs",
            {"status": AttemptState.SETTLED.value, "outcome": outcome.value},
            without=() if placed else OF_A_PLACED_CALL,
        )
        called.change("call_jobs", {"last_outcome": outcome.value, "reason": None})
        called.sees((JOB_PAGE, PERSON_PAGE, BATCH_PAGE, LIVE), f"outcome.{outcome}")
    called.opens(*ROUTES_OF_A_JOB, *ROUTES_OF_A_BATCH)


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"call_analysis": {}, "call_cost": {}, "transcript_object": []},
        {
            "call_analysis": None,
            "call_cost": None,
            "transcript": None,
            "duration_ms": None,
            "recording_url": None,
        },
        {
            "call_analysis": "?",
            "call_cost": "?",
            "transcript_object": "?",
            "duration_ms": "?",
            "recording_url": 7,
        },
        {"transcript_object": [{"role": "agent", "content": "Hola", "words": [{"word": "Hola"}]}, {}, None]},
        {"call_cost": {"product_costs": [{"product": None, "cost": None}, {"cost": 1}, None]}},
        {"collected_dynamic_variables": {"x": None, "y": ["z"]}, "disconnection_reason": "never_heard_of"},
    ],
    ids=[
        "nothing",
        "empty",
        "nulls",
        "other kinds",
        "words without times",
        "costs without prices",
        "odd variables",
    ],
)
def test_whatever_the_provider_said_of_a_call(called: Looking, call: dict[str, Any]):
    called.change(
        "call_logs", {"call": call, "status": AttemptState.SETTLED.value, "outcome": "unclassified"}
    )
    called.opens(JOB_PAGE, PERSON_PAGE, BATCH_PAGE, LIVE, *ROUTES_OF_A_JOB)


WHAT_WAVES_SAY: dict[WaveState, tuple[dict[str, Any], ...]] = {
    WaveState.OPEN: ({},),
    WaveState.RUN: ({"picked": 3, "released": 2},),
    WaveState.MISSED: (
        {"detail": "not opened within 30 minutes, or a later wave took its place"},
        {"detail": "interrupted, and its day or its batch is over"},
    ),
    WaveState.SKIPPED: (
        {"rule": "window", "detail": "2026-12-25 is a public holiday: Navidad"},
        {"rule": "window"},
    ),
}


@pytest.mark.parametrize("state", WaveState)
def test_a_wave_in_every_state(called: Looking, services: Services, state: WaveState):
    for number, details in enumerate(WHAT_WAVES_SAY[state]):
        day = services.clock.now().date().replace(day=10 + number)
        services.store.waves.record(BATCH, day, "09:00", state, {"at": services.clock.now(), **details})
    called.sees((BATCH_PAGE, LIVE), f"wave.{state}")
    called.opens(*PAGES_OF_A_BATCH, *ROUTES_OF_A_BATCH)
    page = called.panel.get(BATCH_PAGE, headers={"Accept-Language": "es"}).text
    assert [
        said for details in WHAT_WAVES_SAY[state] if (said := details.get("detail", "")) and said in page
    ] == []


@pytest.mark.parametrize("state", PromiseState)
def test_a_promise_in_every_state(called: Looking, state: PromiseState):
    promise = {
        "status": state.value,
        "due": "2026-11-27",
        "amount_minor": 1000,
        "currency": "CLP",
        "flaws": [],
    }
    for kept in ({"fecha_pago_cliente": "2026-11-27", "monto_pago_cliente": 1000}, {}):
        called.change("call_jobs", {"promise": promise, **kept})
        called.sees((JOB_PAGE,), f"promise.{state}")
        called.opens(*ROUTES_OF_A_JOB, *PAGES_OF_A_BATCH, *ROUTES_OF_A_BATCH)


@pytest.mark.parametrize("flaw", Flaw)
def test_a_promise_with_every_flaw(called: Looking, flaw: Flaw):
    promise = {
        "status": "flagged",
        "due": None,
        "amount_minor": None,
        "currency": None,
        "flaws": [flaw.value],
    }
    called.change("call_jobs", {"promise": promise})
    called.sees((JOB_PAGE,), f"flaw.{flaw}")
    called.opens(*ROUTES_OF_A_JOB, *PAGES_OF_A_BATCH, *ROUTES_OF_A_BATCH)


@pytest.mark.parametrize("plan", Plan)
@pytest.mark.parametrize("status", AccountStatus)
def test_an_account_of_every_plan_and_status(called: Looking, plan: Plan, status: AccountStatus):
    called.change("accounts", {"plan": plan.value, "status": status.value, "daily_budget_cents": None})
    called.sees(("/accounts", f"/accounts/{ACCOUNT}"), f"plan.{plan}", f"account_status.{status}")
    called.opens(
        "/api/accounts", f"/api/accounts/{ACCOUNT}", f"/api/accounts/{ACCOUNT}/ledger", JOB_PAGE, BATCH_PAGE
    )


@pytest.mark.parametrize("legal", Legal)
def test_an_account_that_heeds_the_law_either_way(called: Looking, legal: Legal):
    called.change("accounts", {"legal": legal.value})
    called.sees((f"/accounts/{ACCOUNT}",), f"legal.{legal}")
    called.opens("/api/accounts", BATCH_PAGE, JOB_PAGE)


@pytest.mark.parametrize("kind", EntryKind)
def test_an_entry_of_the_ledger_of_every_kind(called: Looking, services: Services, kind: EntryKind):
    called.change("accounts", {"plan": Plan.CREDIT.value})
    path = f"/api/accounts/{ACCOUNT}/topup"
    assert called.api.post(path, {"cents": 100}).status_code == 200
    called.change("ledger", {"kind": kind.value})
    called.sees((f"/accounts/{ACCOUNT}",), f"entry.{kind}")
    called.opens(f"/api/accounts/{ACCOUNT}/ledger")


SCOPES = (*(scope.value for scope in do_not_call.Scope), f"account:{ACCOUNT}")
REASONS = ("opted_out", "list", "panel", "registry no_llame", "no quiso")


@pytest.mark.parametrize(
    ("scope", "reason"),
    [*((scope, "list") for scope in SCOPES), *((SCOPES[2], reason) for reason in REASONS)],
)
def test_a_do_not_call_entry_in_force_and_undone(
    called: Looking, services: Services, scope: str, reason: str
):
    do_not_call.add(services, [{"number": phone(1), "country": "CL"}], scope=scope, reason=reason, by="ana")
    pages, routes = (JOB_PAGE, PERSON_PAGE, f"{BATCH_PAGE}/why"), ("/api/do-not-call", *ROUTES_OF_A_JOB)
    called.opens("/do-not-call", *pages, *routes)
    for page in ("/do-not-call", PERSON_PAGE):
        shown = called.panel.get(page, headers={"Accept-Language": "es"}).text
        assert entry_word_in("es", scope) in shown and entry_word_in("es", reason) in shown
    assert do_not_call.undo(services, f"{scope}|{phone(1)}", "berta", "se equivocó")
    called.opens("/do-not-call", *pages, *routes)
    called.sees((PERSON_PAGE,), "dnc.undone")


def test_a_person_who_was_erased(called: Looking, services: Services):
    called.change("call_logs", {"status": AttemptState.SETTLED.value, "outcome": Outcome.NO_ANSWER.value})
    called.change("call_jobs", {"status": JobState.FAILED.value, "reason": JobReason.NO_ANSWER.value})
    pseudonym = erasing.erase(services, PERSON, "ana", "lo pidió").pseudonym
    called.sees((f"/persons/{pseudonym}",), "person.erased")
    called.opens(
        JOB_PAGE, BATCH_PAGE, LIVE, f"{BATCH_PAGE}/why", "/", *ROUTES_OF_A_JOB[:4], *ROUTES_OF_A_BATCH
    )
    called.opens(f"/api/persons/{pseudonym}", f"/api/persons/{pseudonym}/evidence")


@pytest.mark.parametrize("use_case", UseCaseId)
def test_a_batch_of_every_use_case_and_country(called: Looking, use_case: UseCaseId):
    for country in Country:
        called.change("batches", {"use_case": use_case.value, "country": country.value})
        called.change("call_jobs", {"country": country.value})
        called.sees(("/", BATCH_PAGE), f"use_case.{use_case}", f"country.{country}")
        called.opens(*PAGES_OF_A_BATCH, *ROUTES_OF_A_BATCH, *ROUTES_OF_A_JOB, JOB_PAGE, PERSON_PAGE)


def test_a_batch_of_every_policy(called: Looking):
    for policy in presets():
        called.change("batches", {"policy": policy})
        called.opens(*PAGES_OF_A_BATCH, *ROUTES_OF_A_BATCH, *ROUTES_OF_A_JOB, JOB_PAGE)


@pytest.mark.parametrize("consent", Consent)
def test_a_batch_with_every_consent(called: Looking, consent: Consent):
    called.change("batches", {"consent": consent.value, "use_case": UseCaseId.MARKETING.value})
    called.sees((f"{BATCH_PAGE}/edit",), f"consent.{consent}")
    called.opens(BATCH_PAGE, JOB_PAGE, *ROUTES_OF_A_BATCH, *ROUTES_OF_A_JOB)


@pytest.mark.parametrize("hang_up", [True, False])
def test_while_everything_is_stopped(called: Looking, hang_up: bool):
    assert called.api.post("/api/stop", {"hang_up": hang_up}).status_code == 200
    called.sees(("/", BATCH_PAGE, JOB_PAGE, "/accounts", "/do-not-call"), "stop.in_force")
    called.opens("/api/stop", "/stop", "/policies", "/upload", *PAGES_OF_A_BATCH, *ROUTES_OF_A_JOB)
