"""What a job and an attempt add to the sums of their batch."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from speechai.core.outcomes import Outcome
from speechai.core.promises import PromiseState
from speechai.core.states import AttemptState, JobReason, JobState
from speechai.core.tallies import add, sums_of, tally_of_attempt, tally_of_job

JOBS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([*JobState]),
        "reason": st.none() | st.sampled_from([*JobReason]),
        "promise": st.none()
        | st.fixed_dictionaries(
            {
                "status": st.sampled_from([*PromiseState]),
                "currency": st.sampled_from(["CLP", "ARS", None]),
                "amount_minor": st.none() | st.integers(1, 10**12),
            }
        ),
    }
)
ATTEMPTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([*AttemptState]),
        "outcome": st.none() | st.sampled_from([*Outcome]),
        "uses_place": st.booleans(),
        "ended_at": st.sampled_from([None, "an instant"]),
        "duration_ms": st.sampled_from([None, 0, 1200, 90.5, float("nan"), "soon", True]),
        "cost_cents": st.decimals(0, 1000, places=2),
    }
)


@given(st.lists(JOBS), st.lists(ATTEMPTS))
def test_a_batch_is_the_sum_of_its_documents_and_each_is_taken_away_whole(jobs, attempts):
    tallies = [*map(tally_of_job, jobs), *map(tally_of_attempt, attempts)]
    total = {}
    for tally in tallies:
        add(total, tally)
    sums = sums_of(total)
    made = [attempt for attempt in attempts if attempt["status"] is not AttemptState.RELEASED]
    assert (sums.total, sums.dials) == (len(jobs), len(made))
    assert sums.final == sum(job["status"].is_final for job in jobs)
    assert sum(sums.outcomes.values()) == len(made)
    assert sums.cost_cents == sum((attempt["cost_cents"] for attempt in made), Decimal(0))
    assert sum(sums.reasons.values()) == sum(job["reason"] is not None for job in jobs)
    for tally in tallies:
        add(total, tally, -1)
    assert not any(total.values())


@given(ATTEMPTS)
def test_names_can_be_fields_of_a_document(attempt):
    assert not any(name.startswith("$") or "." in name for name in tally_of_attempt(attempt))


def test_a_flagged_promise_is_not_counted():
    job = {"status": "done", "promise": {"status": "flagged", "currency": "CLP", "amount_minor": 7}}
    assert tally_of_job(job) == {"jobs:done": 1}
    believed = {**job, "promise": {**job["promise"], "status": "broken"}}
    assert tally_of_job(believed) == {"jobs:done": 1, "promises:CLP": 1, "promised:CLP": 7}


def test_a_call_that_was_given_back_was_none():
    assert tally_of_attempt({"status": "released", "uses_place": True, "cost_cents": Decimal(3)}) == {}
