"""A deadline is judged by time, also where every look at the provider fails; then everything held is free."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.catalog.accounts import Plan
from speechai.core.outcomes import Outcome
from speechai.core.states import AttemptState
from speechai.operation.calling import following, reconciling, webhooks
from speechai.operation.campaigns import accounts
from speechai.operation.recovery import sweep
from speechai.retell.errors import NotFound, Refused, Retryable, Throttled, UnknownResult
from tests.fakes import ENDS
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone

ERRORS = [
    Retryable("HTTP 500", status=500),
    Refused("HTTP 401: API key is invalid", status=401),
    Throttled("HTTP 429"),
    NotFound("no such call", status=404),
]


@pytest.fixture(params=ERRORS, ids=lambda error: str(error.status))
def error(request):
    return request.param


@pytest.fixture
def metered(services):
    """The default account pays: 18 c × 10 min are held for each call."""
    services.store.db["accounts"].update_one({"_id": "default"}, {"$set": {"plan": Plan.CREDIT.value}})
    accounts.top_up(services, "default", {"cents": 100_000, "reference": "r"}, "test")
    return services


def always(error):
    def fail(*_):
        raise error

    return fail


def assert_free(services):
    assert services.store.pacing.slots(services.settings.provider_key, 20).used == 0
    assert services.store.funds.of("default").held == 0
    [document] = services.store.db["call_logs"].find()
    assert "open_person" not in document and "open_number" not in document
    assert job_of(services)["status"] != "in_progress"


def test_an_unknown_attempt_ends_after_fifty_minutes(metered, worker, provider, error):
    services = metered
    provider.fail_creates.append(UnknownResult("500"))
    add_batch(services)
    worker.run(before="reconcile")
    worker.inbox.clear()
    provider.find_by_attempt = always(error)
    [attempt] = services.store.attempts.of_job(job_id())
    for _ in range(49):
        services.clock.advance(timedelta(minutes=1))
        assert reconciling.reconcile(services, attempt.id)
    assert len(provider.requests) == 1  # what could not be looked for is not posted again
    services.clock.advance(timedelta(minutes=1))
    assert not reconciling.reconcile(services, attempt.id)
    assert services.store.attempts.get(attempt.id).status is AttemptState.NEEDS_REVIEW
    assert_free(services)


@pytest.mark.parametrize("by", ["its chain", "the pages"])
def test_the_watchdog_ends_a_call_that_cannot_be_looked_at(metered, worker, provider, error, by):
    services = metered
    provider.default = "never_ends"
    add_batch(services)
    worker.run(before="poll_call")
    worker.inbox.clear()
    provider.get_call = provider.get_calls = always(error)
    [attempt] = services.store.attempts.of_job(job_id())
    for _ in range(20):
        services.clock.advance(timedelta(minutes=1))
        if by == "its chain":
            following.look(services, attempt.id, services.store.attempts.get(attempt.id).poll_token)
        else:
            services.store.attempts.extend_lease(attempt.id, -1)
            sweep(services)
            while worker.inbox:
                name, args, _ = worker.inbox.popleft()
                if name == "poll_call":
                    following.look(services, *args)
    assert provider.stopped == [attempt.call_id]
    assert services.store.attempts.get(attempt.id).status is AttemptState.NEEDS_REVIEW
    assert_free(services)


def test_a_call_that_ended_settles_though_its_analysis_cannot_be_asked_for(metered, worker, provider, error):
    services = metered
    provider.script[phone(1)] = ["not_analysed"]
    add_batch(services, retries={"goal_not_met": {"again": False}})
    worker.run(before="persist_result")  # seen to have ended
    provider.get_call = always(error)
    worker.run(limit=200)
    for _ in range(130):
        services.clock.advance(timedelta(minutes=1))
        sweep(services)
    assert job_of(services)["status"] == "done"
    assert_free(services)


def test_details_are_waited_for_an_hour_and_starve_nobody(metered, worker, provider, monkeypatch, error):
    services = metered
    end = {**ENDS["no_agreement"], "start_timestamp": 1_795_000_000_000}
    del end["call_cost"]
    monkeypatch.setitem(ENDS, "no_agreement", end)
    provider.default = "no_agreement"
    add_batch(services, people=1, retries={"goal_not_met": {"again": False}})
    worker.run()
    [attempt] = services.store.attempts.of_job(job_id())
    assert attempt.details_due is not None
    first = services.store.attempts.awaiting_details(services.clock.now() + timedelta(hours=2), limit=1)
    assert [one.id for one in first] == [attempt.id]
    provider.get_call = always(error)
    sweep(services)
    services.clock.advance(timedelta(minutes=1))
    sweep(services)
    asked = services.store.attempts.get(attempt.id).details_due
    assert asked is not None and asked > services.clock.now()  # behind whoever is asked for now
    for _ in range(60):
        services.clock.advance(timedelta(minutes=2))
        sweep(services)
    assert services.store.attempts.get(attempt.id).details_due is None
    assert_free(services)


def test_what_a_webhook_tells_during_the_last_look_is_believed(services, worker, provider):
    """The list is slow, the 50 minutes are over, and the call is found by its webhook: it goes on."""
    provider.default = "never_ends"
    provider.lose_replies.append(UnknownResult("read timed out"))
    add_batch(services)
    worker.run(before="reconcile")
    [attempt] = services.store.attempts.of_job(job_id())
    services.clock.advance(timedelta(minutes=51))

    def slow(_):
        webhooks.receive(services, "call_started", {**provider.rings[0], "call_status": "ongoing"})
        return []

    provider.find_by_attempt = slow
    assert not reconciling.reconcile(services, attempt.id)
    assert services.store.attempts.get(attempt.id).status is AttemptState.ONGOING
    assert services.store.pacing.slots(services.settings.provider_key, 20).used == 1


def test_an_end_that_comes_during_the_watchdogs_last_look_settles_the_call(services, worker, provider):
    provider.default = "never_ends"
    add_batch(services)
    worker.run(before="poll_call")
    [attempt] = services.store.attempts.of_job(job_id())
    services.clock.advance(timedelta(minutes=10))
    following.look(services, attempt.id, attempt.poll_token)  # asks to end it
    services.clock.advance(timedelta(minutes=5))

    def slow(_):
        webhooks.receive(services, "call_analyzed", {**provider.rings[0], **ENDS["promise"]})
        raise Retryable("read timed out")

    provider.get_call = slow
    following.look(services, attempt.id, attempt.poll_token)
    worker.run()
    settled = services.store.attempts.get(attempt.id)
    assert (settled.status, settled.outcome) == (AttemptState.SETTLED, Outcome.GOAL_MET)
    assert job_of(services)["status"] == "done"
