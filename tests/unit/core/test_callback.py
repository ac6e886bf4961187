"""The hour at which a person asked to be called, in the words of agents."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.core.callback import FARTHEST, Callback, CallbackFlaw, read_callback
from tests.builders import SANTIAGO

ENDED = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 12:00 in Santiago


def hour(day, hour, minute=0):
    """An hour of Santiago (UTC-3) in November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) + timedelta(hours=3)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-11-24T10:30:00-03:00", hour(24, 10, 30)),
        ("2026-11-24T13:30:00Z", hour(24, 10, 30)),
        ("2026-11-24T13:30:00.000z", hour(24, 10, 30)),
        ("2026-11-24T10:30", hour(24, 10, 30)),  # no zone: the person's
        ("2026-11-24 10:30", hour(24, 10, 30)),
        ("2026-11-24", hour(24, 0)),  # from when the window opens that day
        ("24/11/2026 10:30", hour(24, 10, 30)),
        ("24-11-26 a las 10:30 hrs.", hour(24, 10, 30)),
        ("2026/11/24, 10:30", hour(24, 10, 30)),
        ("mañana", hour(24, 0)),
        ("Mañana a las 10", hour(24, 10)),
        ("mañana a las 5 pm", hour(24, 17)),
        ("pasado mañana, 9:15", hour(25, 9, 15)),
        ("hoy 18:00", hour(23, 18)),
        ("15:30", hour(23, 15, 30)),
        ("10:30", hour(24, 10, 30)),  # the next such
        ("3 p.m.", hour(23, 15)),
        ("12 am", hour(24, 0)),
    ],
)
def test_when_the_person_asked_to_be_called(said, at):
    assert read_callback(said, SANTIAGO, ENDED) == Callback(at=at, said=said)


@pytest.mark.parametrize(
    ("said", "flaw"),
    [
        ("9999-12-31", CallbackFlaw.TOO_FAR),
        ("9999-12-31T23:59:59-03:00", CallbackFlaw.TOO_FAR),
        ("9999-12-31T23:59:59+23:59", CallbackFlaw.TOO_FAR),
        ("31/12/9999 23:59", CallbackFlaw.TOO_FAR),
        ("2027-01-22T15:00", CallbackFlaw.TOO_FAR),  # the 61st day
        ("2028-01-01", CallbackFlaw.TOO_FAR),
        ("0001-01-01", CallbackFlaw.PAST),
        ("2026-11-20", CallbackFlaw.PAST),
        ("2026-11-23T11:59", CallbackFlaw.PAST),
        ("hoy a las 9", CallbackFlaw.PAST),
        ("31/02/2026", CallbackFlaw.UNREADABLE),
        ("2026-11-24T25:00", CallbackFlaw.UNREADABLE),
        ("después de almuerzo", CallbackFlaw.UNREADABLE),
        ("15", CallbackFlaw.UNREADABLE),
        ("13 pm", CallbackFlaw.UNREADABLE),
    ],
)
def test_what_cannot_be_is_flagged_and_has_no_hour(said, flaw):
    assert read_callback(said, SANTIAGO, ENDED) == Callback(flaw=flaw, said=said)


@pytest.mark.parametrize("said", [None, "hoy", "2026-11-23", "23/11/2026"])
def test_without_an_hour_nothing_is_wrong(said):
    assert read_callback(said, SANTIAGO, ENDED) == Callback(said=said)


@given(
    st.text()
    | st.from_regex(r"\d{1,4}[-/.]\d\d?[-/.]\d{1,4}[ T]?(\d\d?:\d\d)?(Z|[+-]\d\d:\d\d)?", fullmatch=True)
    | st.datetimes().map(str)
    | st.datetimes(timezones=st.timezones()).map(str)
)
def test_no_words_raise_and_every_hour_is_within_reach(said):
    callback = read_callback(said, SANTIAGO, ENDED)
    if callback.at is not None:
        assert callback.flaw is None
        assert ENDED < callback.at <= ENDED + FARTHEST


@given(st.datetimes(datetime(2026, 11, 23, 12, 1), datetime(2027, 1, 22, 11, 59)))
def test_every_hour_of_sixty_days_is_kept_to_the_minute(local):
    local = local.replace(second=0, microsecond=0)
    for form in ("%Y-%m-%dT%H:%M", "%d/%m/%Y %H:%M", "%d-%m-%Y a las %H:%M hrs"):
        callback = read_callback(local.strftime(form), SANTIAGO, ENDED)
        assert callback.at == local.replace(tzinfo=SANTIAGO).astimezone(UTC)
