"""What was once posted without an answer may have rung, whatever its re-post is answered (I1)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.core.states import ATTEMPT_MOVES, AttemptState
from speechai.operation.calling import reconciling, webhooks
from speechai.operation.calling.unwinding import Held, Undone, unwind
from speechai.operation.recovery import sweep
from speechai.retell.errors import Refused, Retryable, Throttled, UnknownResult
from tests.integration.operation.conftest import add_batch, job_id, job_of

ANSWERS = [
    Throttled("HTTP 429", retry_after=3),
    Retryable("no connection"),
    Refused("to_number is not valid", status=400),
    Refused("API key is invalid", status=401),
    Refused("Trial has ended", status=402),
    Refused("flagged", status=403),
    Refused("no such agent", status=422),
]


@pytest.fixture
def lost(services, worker, provider):
    """The first create timed out, the call rings, and the provider's list does not show it."""
    provider.default = "never_ends"
    provider.lose_replies.append(UnknownResult("read timed out"))
    provider.list_lag = True
    add_batch(services)
    worker.run(before="reconcile")
    [attempt] = services.store.attempts.of_job(job_id())
    assert attempt.status is AttemptState.UNKNOWN
    return attempt


def slots_used(services):
    return services.store.pacing.slots(services.settings.provider_key, 20).used


@pytest.mark.parametrize("answer", ANSWERS, ids=[str(answer.status or "unreached") for answer in ANSWERS])
def test_a_refused_repost_keeps_all_that_the_first_may_need(services, worker, provider, lost, answer):
    provider.fail_creates.append(answer)
    while len(provider.requests) < 2:
        services.clock.advance(timedelta(seconds=10))
        worker._reconcile(lost.id)
    worker.inbox.clear()
    kept = services.store.attempts.get(lost.id)
    assert (kept.status, kept.uses_place, kept.posts) == (AttemptState.UNKNOWN, True, 2)
    assert slots_used(services) == 1
    assert job_of(services)["attempt_id"] == lost.id
    # It is looked for until the 50 minutes are over, posted no third time, and then a person must look.
    for _ in range(60):
        services.clock.advance(timedelta(minutes=1))
        reconciling.reconcile(services, lost.id)
        sweep(services)
    ended = services.store.attempts.get(lost.id)
    assert (ended.status, ended.uses_place) == (AttemptState.NEEDS_REVIEW, True)
    assert len(provider.rings) == 1 and len(provider.requests) == 2
    assert job_of(services)["waiting_for"] == "review" and slots_used(services) == 0


@pytest.mark.parametrize("answer", ANSWERS, ids=[str(answer.status or "unreached") for answer in ANSWERS])
def test_a_call_that_a_webhook_placed_is_nobodys_to_undo(services, worker, provider, lost, answer):
    create = provider.create_phone_call

    def webhook_first(_):
        provider.create_phone_call = create
        webhooks.receive(services, "call_started", {**provider.rings[0], "call_status": "ongoing"})
        raise answer

    provider.create_phone_call = webhook_first
    while services.store.attempts.get(lost.id).status is AttemptState.UNKNOWN:
        services.clock.advance(timedelta(seconds=10))
        worker._reconcile(lost.id)
    kept = services.store.attempts.get(lost.id)
    assert (kept.status, kept.uses_place) == (AttemptState.ONGOING, True)
    assert slots_used(services) == 1 and job_of(services)["status"] == "in_progress"


def test_two_that_looked_side_by_side_post_once(services, worker, provider, lost):
    """The second read `unknown` before the first posted, and writes after that post was lost too."""
    provider.lose_replies.append(UnknownResult("read timed out"))
    services.clock.advance(timedelta(minutes=1))
    reconciling.reconcile(services, lost.id)  # a first look
    services.clock.advance(timedelta(minutes=1))
    read = services.store.attempts.get(lost.id)
    assert services.store.attempts.dial_again(read, services.clock.now(), 120)
    assert services.store.attempts.unknown(lost.id, "lost again", services.clock.now(), 120)
    assert not services.store.attempts.dial_again(read, services.clock.now(), 120)


def test_the_verdict_of_a_repost_grows_old_too(services, worker, provider, lost):
    """I3 binds re-posts: between the rules' answer and the request time passes, and it is not sent."""
    begin = services.store.attempts.dial_again

    def slow(*args):
        begun = begin(*args)
        services.clock.advance(timedelta(seconds=30))
        return begun

    services.store.attempts.dial_again = slow
    for _ in range(12):
        services.clock.advance(timedelta(seconds=10))
        worker._reconcile(lost.id)
    assert len(provider.requests) == 1
    assert services.store.attempts.get(lost.id).status is AttemptState.UNKNOWN


def test_the_first_post_is_given_back_whatever_it_is_refused_with(services, worker, provider):
    for answer in ANSWERS[:2]:
        provider.fail_creates.append(answer)
    provider.default = "promise"
    add_batch(services)
    worker.run()
    states = [attempt.status for attempt in services.store.attempts.of_job(job_id())]
    assert states == [AttemptState.RELEASED, AttemptState.RELEASED, AttemptState.SETTLED]
    assert len(provider.rings) == 1 and slots_used(services) == 0


@pytest.mark.parametrize("before", [AttemptState.RESERVED, AttemptState.DIALING])
@pytest.mark.parametrize("state", list(AttemptState))
@pytest.mark.parametrize("posts", [0, 1, 2])
def test_what_may_be_undone(services, worker, provider, state, posts, before):
    """One function undoes; only what has not been sent, or the answer to a first post, lets it."""
    provider.default = "never_ends"
    add_batch(services)
    worker.run(before="poll_call")
    [attempt] = services.store.attempts.of_job(job_id())
    changes = {"status": state.value, "posts": posts}
    services.store.db["call_logs"].update_one({"_id": attempt.id}, {"$set": changes})
    held = Held(attempt.id, attempt.job_id, attempt.account_id, attempt.provider)
    undone = unwind(services, held, "a test", before=before)
    if state is AttemptState.RELEASED or (state is before and posts <= 1):
        expected = Undone.FREE  # a second time, too: what a crash left held is freed
    else:
        expected = Undone.UNKNOWN if state is before is AttemptState.DIALING else Undone.MOVED_ON
    assert undone is expected
    assert slots_used(services) == (0 if undone is Undone.FREE else 1)
    after = services.store.attempts.get(attempt.id).status
    if undone is Undone.MOVED_ON:
        assert after is state


def test_no_table_lets_what_may_have_rung_be_given_back():
    givers = {state for state, targets in ATTEMPT_MOVES.items() if AttemptState.RELEASED in targets}
    assert givers == {AttemptState.RESERVED, AttemptState.DIALING}
    assert AttemptState.SETTLED not in ATTEMPT_MOVES[AttemptState.UNKNOWN]


def test_one_look_is_not_enough_however_long_it_is_missing(services, worker, provider, lost):
    """The provider's list lags: what it does not show now it may show next time."""
    services.clock.advance(timedelta(minutes=5))
    assert reconciling.reconcile(services, lost.id)
    assert len(provider.requests) == 1
    assert not reconciling.reconcile(services, lost.id)
    assert len(provider.requests) == 2


def test_many_looks_are_not_enough_within_half_a_lease(services, worker, provider, lost):
    services.clock.advance(timedelta(seconds=55))
    for _ in range(5):
        assert reconciling.reconcile(services, lost.id)
    assert len(provider.requests) == 1


def test_within_the_lists_grace_nobody_looks(services, worker, provider, lost):
    looked = []
    provider.find_by_attempt = lambda attempt_id: looked.append(attempt_id) or []
    services.clock.advance(timedelta(seconds=9))
    assert reconciling.reconcile(services, lost.id) and looked == []
    services.clock.advance(timedelta(seconds=2))
    assert reconciling.reconcile(services, lost.id) and looked == [lost.id]


def test_what_is_no_longer_its_jobs_attempt_is_not_posted_again(services, worker, provider, lost):
    services.store.db["call_jobs"].update_one({}, {"$set": {"attempt_id": "att-other"}})
    services.clock.advance(timedelta(minutes=5))
    for _ in range(3):
        reconciling.reconcile(services, lost.id)
    assert len(provider.requests) == 1
    assert services.store.attempts.get(lost.id).status is AttemptState.NEEDS_REVIEW
