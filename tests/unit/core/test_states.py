"""The transition tables: complete, and with final states that nothing leaves."""

import pytest

from speechai.core.states import (
    ATTEMPT_MOVES,
    BATCH_MOVES,
    JOB_MOVES,
    OPEN_ATTEMPTS,
    AttemptState,
    BatchState,
    JobState,
)


@pytest.mark.parametrize(
    ("states", "moves"),
    [(JobState, JOB_MOVES), (AttemptState, ATTEMPT_MOVES), (BatchState, BATCH_MOVES)],
)
def test_every_state_has_its_row(states, moves):
    assert set(moves) == set(states)
    assert all(target in states for targets in moves.values() for target in targets)


def test_final_jobs_are_never_left():
    assert [state for state in JobState if state.is_final] == [JobState.DONE, JobState.FAILED]
    assert not any(JOB_MOVES[state] for state in JobState if state.is_final)


def test_final_attempts_are_never_left():
    final = {AttemptState.SETTLED, AttemptState.RELEASED, AttemptState.NEEDS_REVIEW}
    assert {state for state in AttemptState if state.is_final} == final
    assert set(OPEN_ATTEMPTS) == set(AttemptState) - final


def test_what_may_have_rung_is_never_simply_released():
    # I1: an attempt whose fate is unknown is looked for; giving it back would let it ring twice.
    assert AttemptState.RELEASED not in ATTEMPT_MOVES[AttemptState.UNKNOWN]


def test_a_cancelled_batch_stays_cancelled():
    assert BatchState.CANCELLED.is_final
    assert not BATCH_MOVES[BatchState.CANCELLED]
