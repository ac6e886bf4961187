"""How values are written: for programs as JSON, for people in pages."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from speechai.core.states import JobState
from web.api.uploads import cell_text
from web.panel import show
from web.panel.markup import bar_segments, web_address
from web.serialization import plain

SANTIAGO = ZoneInfo("America/Santiago")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2026, 11, 23, 15, 0, tzinfo=UTC), "2026-11-23T15:00:00.000Z"),
        (datetime(2026, 11, 23, 12, 0, tzinfo=SANTIAGO), "2026-11-23T15:00:00.000Z"),
        (datetime(2026, 11, 23, 15, 0, 0, 123456), "2026-11-23T15:00:00.123Z"),
        (date(2026, 11, 23), "2026-11-23"),
        (time(9, 30), "09:30:00"),
        (Decimal("15.37"), 15.37),
        (Decimal("3"), 3),
        (Decimal128("8.50"), 8.5),
        (frozenset({"b", "a"}), ["a", "b"]),
    ],
)
def test_json_forms(value: Any, written: Any) -> None:
    assert json.loads(json.dumps(value, default=plain)) == written


@pytest.mark.parametrize("value", [ObjectId(), object(), b"bytes"])
def test_what_has_no_form_is_an_error_not_a_leak(value: Any) -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        json.dumps(value, default=plain)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "1"),
        (104050, "104050"),
        (104050.0, "104050"),
        (1040.5, "1040.50"),
        (1234.567, "1234.5670"),
        (1e-3, "0.0010"),
        (12.3456, "12.3456"),
        ("1.234", "1.234"),
    ],
)
def test_a_json_number_becomes_a_cell_that_reads_one_way(value: Any, cell: str) -> None:
    assert cell_text(value) == cell


@pytest.mark.parametrize(
    ("amount", "currency", "spanish", "english"),
    [
        (104050, "CLP", "$104.050 CLP", "$104,050 CLP"),
        (Decimal("1234.5"), "ARS", "$1.234,50 ARS", "$1,234.50 ARS"),
        (None, "CLP", "—", "—"),
        ("la mitad", "CLP", "la mitad", "la mitad"),
        ("NaN", "CLP", "NaN", "NaN"),
        (12.3456, "UF", "12,3456 UF", "12.3456 UF"),
        (7, None, "7", "7"),
    ],
)
def test_money(amount: Any, currency: str | None, spanish: str, english: str) -> None:
    assert show.money(amount, currency, "es") == spanish
    assert show.money(amount, currency, "en") == english


def test_costs_times_and_durations() -> None:
    assert show.usd(1537, "es") == "US$ 15,37"
    assert show.usd(None, "en") == "US$ 0.00"
    assert [show.duration(value) for value in (None, 9, 67.4, 3900)] == [
        "—",
        "9 s",
        "1 min 07 s",
        "1 h 05 min",
    ]
    assert show.clock(67.9) == "01:07"
    noon = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
    assert show.moment(noon, SANTIAGO, "es") == "lun 23-11-2026 12:00"
    assert show.moment(noon, ZoneInfo("America/Argentina/Buenos_Aires"), "en") == "Mon 2026-11-23 12:00"
    assert show.moment(None, SANTIAGO, "es") == "—"
    assert show.day("2026-11-27", "es") == "27-11-2026"
    assert show.day("el viernes", "es") == "el viernes"


def test_the_bar_is_full_and_in_order() -> None:
    segments = bar_segments({"pending": 1, "in_progress": 1, "suspended": 0, "done": 1, "failed": 1})
    assert [part.state for part in segments] == ["done", "failed", "in_progress", "suspended", "pending"]
    assert [(part.x, part.width) for part in segments] == [(0, 25), (25, 25), (50, 25), (75, 0), (75, 25)]
    assert {part.width for part in bar_segments(dict.fromkeys(map(str, JobState), 0))} == {0}


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://example.com/a.wav", "https://example.com/a.wav"),
        (" http://example.com ", "http://example.com"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//example.com", None),
        ("https:", None),
        ("http://[", None),
        (None, None),
        (7, None),
    ],
)
def test_only_web_addresses_become_links(value: Any, address: str | None) -> None:
    assert web_address(value) == address
