"""What a verdict leads to is written only where the job still is as it was judged."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.operation.calling import dialing
from speechai.operation.campaigns import jobs
from speechai.store.attempt_documents import AlreadyOpenError
from tests.integration.operation.conftest import add_batch, job_id, job_of


def closed(services):
    services.store.db["batches"].update_one({}, {"$set": {"policy": "house"}})
    services.clock.advance(timedelta(hours=8))


def foreign(services):
    services.store.db["batches"].update_one({}, {"$set": {"provider": "https://api.retellai.com#retell"}})


def taken(services):
    def reserve(_):
        raise AlreadyOpenError

    services.store.attempts.reserve = reserve


@pytest.mark.parametrize("held_by", [closed, foreign, taken])
def test_an_hour_that_is_agreed_while_the_rules_are_asked_is_kept(services, worker, monkeypatch, held_by):
    add_batch(services)
    held_by(services)
    agreed, may_i = services.clock.now() + timedelta(days=2), dialing.may_i

    def slow(*asked):
        judged = may_i(*asked)
        jobs.call_back(services, job_id(), agreed, "ana@ejemplo.cl")
        return judged

    monkeypatch.setattr(dialing, "may_i", slow)
    dialing.dial(services, job_id())
    job = job_of(services)
    assert (job["status"], job["next_attempt_at"], job["waiting_for"]) == ("pending", agreed, "hour")
