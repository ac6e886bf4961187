"""Dates as files write them: the day before the month, always."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.ingest import dates
from speechai.ingest.amounts import UnreadableError

THE_DAY = date(2025, 8, 14)
TODAY = date(2026, 11, 23)


def parse_date(cell: object) -> date:
    return dates.parse_date(cell, TODAY)


@pytest.mark.parametrize(
    "cell",
    [
        THE_DAY,
        datetime(2025, 8, 14, 13, 30),  # Excel has no zones
        45883,
        45883.0,
        45883.75,
        "45883",
        "45883.0",
        20250814,
        "20250814",
        "14082025",
        "2025-08-14",
        "2025/8/14",
        "2025-08-14T00:00:00",
        "2025-08-14 00:00:00",
        "2025-08-14T10:00:00.000Z",
        "14/08/2025",
        "14-08-2025",
        "14.08.2025",
        "14/8/25",
        "14-08-25",
        " 14/08/2025 ",
        "14/08/2025 10:30",
        "14/08/2025 10:30:15 a. m.",
        "14-ago-2025",
        "14-ago-25",
        "14 ago. 2025",
        "14 de agosto de 2025",
        "14 de Agosto del 2025",
        "14° de agosto de 2025",
        "14º de agosto de 2025",
        "jueves, 14 de agosto de 2025",
        "14 Aug 2025",
    ],
)
def test_read(cell: object) -> None:
    assert parse_date(cell) == THE_DAY


def test_the_day_comes_first() -> None:
    assert parse_date("03/04/2025") == date(2025, 4, 3)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "date_form"),
        ("mañana", "date_form"),
        ("08/14/2025", "date_form"),
        ("31/02/2025", "date_form"),
        ("14/08", "date_form"),
        ("14 de foo de 2025", "date_form"),
        (True, "date_form"),
        (-3, "date_form"),
        (1e9, "date_form"),
        (float("nan"), "date_form"),
        (float("inf"), "date_form"),
        (time(10), "date_form"),
        (None, "date_form"),
        ("14/08/95", "date_century"),
        ("14-ago-95", "date_century"),
        ("01/01/47", "date_century"),
        ("31/02/95", "date_form"),
        ("14/08/0025", "date_absurd"),
        ("14/08/2999", "date_absurd"),
        (date(1900, 1, 1), "date_absurd"),
        (30.0, "date_absurd"),
    ],
)
def test_refused(cell: object, code: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        parse_date(cell)
    assert refusal.value.code == code


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.dates(date(2020, 1, 1), date(2040, 12, 31)))
def test_a_year_of_two_digits_is_near_today_or_refused(day: date, today: date) -> None:
    for text in (day.strftime("%d/%m/%y"), day.strftime("%d-%m-%y 10:30")):
        try:
            assert dates.parse_date(text, today) == day
            assert day.year <= today.year + 20
        except UnreadableError as error:
            assert error.code == "date_century" and day.year > today.year + 20


SHAPES = ("%d/%m/%Y", "%d-%m-%Y", "%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%Y-%m-%dT%H:%M:%S")


@given(st.dates(date(1990, 1, 1), date(2100, 12, 31)), st.sampled_from(SHAPES))
def test_round_trip(day: date, shape: str) -> None:
    text = day.strftime(shape)
    try:
        assert parse_date(text) == day
    except UnreadableError as error:
        assert error.code == "date_ambiguous" and shape == "%Y%m%d"


@given(st.dates(date(1990, 1, 1), date(2100, 12, 31)))
def test_serials(day: date) -> None:
    assert parse_date(float((day - date(1899, 12, 30)) / timedelta(days=1))) == day


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.booleans(), st.none()))
def test_never_fails_otherwise(cell: object) -> None:
    try:
        assert 1990 <= parse_date(cell).year <= 2100
    except UnreadableError as error:
        assert error.code.startswith("date_")
