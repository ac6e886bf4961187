"""The retry table: what follows each outcome, and how a job ends."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.core.next_step import CAPACITY_DELAY, ENDS, SUSPENDS, next_step
from speechai.core.numbers import next_number
from speechai.core.outcomes import Outcome
from speechai.core.retry_table import RETRIES, Number
from speechai.core.states import JobReason, JobState
from speechai.core.waiting import Waiting, WaitingFor
from tests.builders import LIMITS, MONDAY_NOON, a_job, a_rulebook, an_attempt

FIRST, SECOND = "+56911111111", "+56922222222"
THREE_PM = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
TUESDAY_NINE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def step_after(outcome, *, job=None, book=None, history=None, instant=MONDAY_NOON, **details):
    job = job or a_job()
    history = history or [an_attempt(outcome=outcome, to_number=FIRST)]
    job = replace(job, attempts=sum(attempt.uses_place for attempt in history))
    return next_step(job, book or a_rulebook(continuous=True), outcome, history, instant, **details)


def number_after(*calls, job=None, struck=(), book=None):
    """Which number comes next after these calls: (outcome, number) each."""
    history = [
        an_attempt(id=f"att-{place}", outcome=outcome, to_number=number)
        for place, (outcome, number) in enumerate(calls)
    ]
    return next_number(job or a_job(), (book or a_rulebook()).retries, history, frozenset(struck))


def test_every_outcome_has_a_row():
    special = {Outcome.CAPACITY_REFUSED, Outcome.NEEDS_REVIEW}
    assert set(Outcome) == set(RETRIES) | set(ENDS) | set(SUSPENDS) | special


def test_goal_met_ends_the_job():
    step = step_after(Outcome.GOAL_MET)
    assert (step.state, step.reason) == (JobState.DONE, JobReason.GOAL_MET)


def test_an_opt_out_ends_the_job():
    step = step_after(Outcome.OPTED_OUT)
    assert (step.state, step.reason) == (JobState.FAILED, JobReason.OPTED_OUT)


def test_goal_not_met_is_called_again_after_24_hours_on_the_same_number():
    step = step_after(Outcome.GOAL_NOT_MET)
    assert step.state is JobState.PENDING
    assert step.waiting.due == MONDAY_NOON + timedelta(hours=24)
    assert number_after((Outcome.GOAL_NOT_MET, FIRST)) == FIRST


@pytest.mark.parametrize("outcome", [Outcome.NO_ANSWER, Outcome.BUSY, Outcome.DECLINED, Outcome.VOICEMAIL])
def test_unreached_is_called_again_after_an_hour_on_the_next_number(outcome):
    step = step_after(outcome)
    assert step.waiting.due == MONDAY_NOON + timedelta(minutes=60)
    assert number_after((outcome, FIRST)) == SECOND


def test_after_the_last_number_the_first_comes_again():
    assert number_after((Outcome.NO_ANSWER, FIRST), (Outcome.NO_ANSWER, SECOND)) == FIRST


def test_the_first_number_comes_first_and_none_comes_where_none_is_left():
    assert number_after() == FIRST
    assert number_after(struck=[FIRST]) == SECOND
    assert number_after(struck=[FIRST, SECOND]) is None
    assert number_after((Outcome.GOAL_NOT_MET, FIRST), struck=[FIRST, SECOND]) is None


def test_a_reopened_job_begins_anew_with_the_number_that_was_dialed_last():
    failed = [(Outcome.PROVIDER_FAILURE, number) for number in (FIRST, FIRST, SECOND, SECOND)]
    assert number_after(*failed) is None
    again = a_job(reopened_at=MONDAY_NOON + timedelta(hours=1))
    assert number_after(*failed, job=again) == SECOND
    assert number_after(*failed, job=again, struck=[SECOND]) == FIRST


def test_an_invalid_number_is_struck_and_the_next_is_dialed_at_once_even_between_waves():
    history = [an_attempt(outcome=Outcome.INVALID_NUMBER, uses_place=False)]
    step = step_after(Outcome.INVALID_NUMBER, history=history, book=a_rulebook())
    assert number_after((Outcome.INVALID_NUMBER, FIRST)) == SECOND
    assert step.waiting == Waiting(WaitingFor.HOUR, MONDAY_NOON)


def test_numbers_run_out():
    step = step_after(Outcome.INVALID_NUMBER, job=a_job(phones=(FIRST,)))
    assert (step.state, step.reason) == (JobState.FAILED, JobReason.NO_PHONES)


@pytest.mark.parametrize("outcome", [Outcome.WRONG_PERSON, Outcome.THIRD_PARTY])
def test_somebody_elses_number_is_struck(outcome):
    assert number_after((outcome, FIRST)) == SECOND
    alone = step_after(outcome, job=a_job(phones=(FIRST,)))
    assert (alone.state, alone.reason) == (JobState.FAILED, JobReason.NO_PHONES)


def test_a_provider_failure_is_tried_once_more_on_the_same_number_then_on_the_next():
    failed = an_attempt(outcome=Outcome.PROVIDER_FAILURE, uses_place=False)
    once = step_after(Outcome.PROVIDER_FAILURE, history=[failed])
    assert once.waiting.due == MONDAY_NOON + timedelta(minutes=30)
    failure = (Outcome.PROVIDER_FAILURE, FIRST)
    assert number_after(failure) == FIRST
    assert number_after(failure, failure) == SECOND
    other = replace(failed, to_number=SECOND)
    spent = step_after(Outcome.PROVIDER_FAILURE, history=[failed, failed, other, other])
    assert (spent.state, spent.reason) == (JobState.FAILED, JobReason.PROVIDER_FAILURE)


def test_a_callback_is_kept_at_its_hour():
    asked = datetime(2026, 11, 24, 14, 30, tzinfo=UTC)
    step = step_after(Outcome.CALLBACK_REQUESTED, asked_for=asked, book=a_rulebook())
    assert step.waiting == Waiting(WaitingFor.HOUR, asked)
    assert number_after((Outcome.CALLBACK_REQUESTED, FIRST)) == FIRST


def test_a_callback_at_night_is_kept_at_the_next_legal_moment():
    asked = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)  # 22:00 on Monday in Santiago
    assert step_after(Outcome.CALLBACK_REQUESTED, asked_for=asked).waiting.due == TUESDAY_NINE


def test_a_callback_asked_for_the_past_is_kept_now():
    asked = MONDAY_NOON - timedelta(hours=1)
    assert step_after(Outcome.CALLBACK_REQUESTED, asked_for=asked).waiting.due == MONDAY_NOON


def test_a_refusal_for_want_of_capacity_uses_nothing_up():
    history = [an_attempt(outcome=Outcome.CAPACITY_REFUSED, uses_place=False)]
    step = step_after(Outcome.CAPACITY_REFUSED, history=history)
    assert step.state is JobState.PENDING
    assert step.waiting.due == MONDAY_NOON + CAPACITY_DELAY
    assert number_after((Outcome.CAPACITY_REFUSED, FIRST)) == FIRST


@pytest.mark.parametrize("outcome", list(SUSPENDS))
def test_no_credit_suspends_and_comes_back_by_itself(outcome):
    step = step_after(outcome)
    assert step.state is JobState.SUSPENDED
    assert step.waiting.due > MONDAY_NOON


def test_what_nobody_can_tell_waits_for_a_person():
    step = step_after(Outcome.NEEDS_REVIEW)
    assert (step.state, step.waiting) == (JobState.PENDING, Waiting(WaitingFor.REVIEW))


def test_a_retry_between_waves_waits_for_the_first_wave_at_or_after_its_time():
    step = step_after(Outcome.NO_ANSWER, book=a_rulebook())
    assert step.waiting == Waiting(WaitingFor.WAVE, MONDAY_NOON + timedelta(hours=1))  # the 15:00 wave's


def test_the_third_call_of_a_day_is_the_last_of_the_day():
    history = [an_attempt(id=f"att-{n}") for n in range(3)]
    step = step_after(Outcome.NO_ANSWER, history=history)
    assert step.state is JobState.PENDING
    assert step.waiting == Waiting(WaitingFor.WAVE, TUESDAY_NINE)  # a later day's group


def test_max_attempts_ends_the_job():
    history = [an_attempt(id=f"att-{n}") for n in range(3)]
    unreached = step_after(Outcome.NO_ANSWER, job=a_job(max_attempts=3), history=history)
    assert (unreached.state, unreached.reason) == (JobState.FAILED, JobReason.NO_ANSWER)
    talked = step_after(Outcome.GOAL_NOT_MET, job=a_job(max_attempts=3), history=history)
    assert (talked.state, talked.reason) == (JobState.DONE, JobReason.NO_AGREEMENT)


def test_a_reopening_carries_its_own_allowance():
    before = [an_attempt(id=f"att-{n}") for n in range(3)]
    job = a_job(max_attempts=3, reopened_at=MONDAY_NOON + timedelta(hours=1), attempts_before=3)
    again = an_attempt(id="att-again", reserved_at=MONDAY_NOON + timedelta(hours=2))
    step = step_after(Outcome.NO_ANSWER, job=job, history=[*before, again])
    assert step.state is JobState.PENDING


def test_three_days_without_an_answer_exclude():
    earlier = [
        an_attempt(id=f"att-{day}", person_day=date(2026, 11, day), reserved_at=MONDAY_NOON)
        for day in (19, 20)
    ]
    today = [an_attempt(id=f"att-today-{n}") for n in range(3)]
    done = step_after(Outcome.NO_ANSWER, history=earlier + today)
    assert (done.state, done.reason) == (JobState.FAILED, JobReason.NO_ANSWER)
    # While the third day lasts, its calls are made.
    going_on = step_after(Outcome.NO_ANSWER, history=earlier + today[:1])
    assert going_on.state is JobState.PENDING


def test_a_day_with_a_conversation_is_not_a_day_without_an_answer():
    earlier = [
        an_attempt(id="a", person_day=date(2026, 11, 19)),
        an_attempt(id="b", person_day=date(2026, 11, 20), outcome=Outcome.GOAL_NOT_MET),
    ]
    today = [an_attempt(id=f"att-today-{n}") for n in range(3)]
    assert step_after(Outcome.NO_ANSWER, history=earlier + today).state is JobState.PENDING


def test_anytime_has_no_minimum_gap():
    limits = replace(LIMITS, retry_delay=timedelta(0), no_answer_delay=timedelta(0))
    book = a_rulebook("anytime", limits=limits, continuous=True)
    for outcome in (Outcome.NO_ANSWER, Outcome.GOAL_NOT_MET, Outcome.PROVIDER_FAILURE):
        assert step_after(outcome, book=book).waiting.due == MONDAY_NOON


outcomes = st.sampled_from(list(RETRIES))


@given(
    st.lists(st.tuples(outcomes, st.integers(0, 5)), min_size=1, max_size=12),
    st.booleans(),
    st.integers(1, 9),
)
def test_a_job_always_ends_or_has_a_next_time(calls, continuous, max_attempts):
    """I4: whatever happened, the job is final or says what it waits for; and it ends in the end."""
    job = a_job(max_attempts=max_attempts)
    book = a_rulebook(continuous=continuous)
    history, instant = [], MONDAY_NOON
    number = FIRST
    for place, (outcome, days) in enumerate(calls):
        instant += timedelta(days=days)
        uses_place = outcome not in (Outcome.INVALID_NUMBER, Outcome.PROVIDER_FAILURE)
        history.append(
            an_attempt(
                id=f"att-{place}",
                outcome=outcome,
                uses_place=uses_place,
                to_number=number,
                person_day=instant.astimezone(job.zone).date(),
            )
        )
        job = replace(job, attempts=sum(attempt.uses_place for attempt in history))
        step = next_step(job, book, outcome, history, instant)
        if step.state.is_final:
            assert step.reason is not None
            return
        assert job.attempts < max_attempts
        assert step.waiting.due >= instant
        if RETRIES[outcome].number is Number.STRIKE:
            job = replace(job, struck_phones=job.struck_phones | {number})
        number = next_number(job, book.retries, history)
        assert number in job.phones and number not in job.struck_phones
