"""What a job waits for, as one value."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speechai.core.waiting import AFTER_ACCOUNT, FOR_A_LINE, Waiting, WaitingFor
from tests.builders import MONDAY_NOON, a_job

LATER = MONDAY_NOON + timedelta(hours=1)


@pytest.mark.parametrize("kind", WaitingFor)
def test_only_what_waits_for_a_line_is_due_and_from_its_instant_on(kind):
    waiting = Waiting(kind, LATER)
    assert not waiting.is_due(MONDAY_NOON)
    assert waiting.is_due(LATER) == (kind in FOR_A_LINE)
    assert not Waiting(kind).is_due(LATER)


@pytest.mark.parametrize("kind", WaitingFor)
def test_who_has_an_hour_keeps_one_whatever_comes_between(kind):
    before = AFTER_ACCOUNT.get(kind, kind)
    again = Waiting(kind, MONDAY_NOON).again(LATER)
    assert again == Waiting(before if before in FOR_A_LINE else WaitingFor.TURN, LATER)
    assert again.again(MONDAY_NOON).kind is again.kind


def test_what_the_account_held_goes_on_as_it_was():
    assert set(AFTER_ACCOUNT.values()) == set(FOR_A_LINE)


def test_only_who_waits_for_a_person_is_in_review():
    kinds = {kind for kind in WaitingFor if a_job(waiting=Waiting(kind)).is_in_review}
    assert kinds == {WaitingFor.REVIEW}
    assert not a_job(waiting=None).is_in_review
