"""A number's hours are judged where its phone rings, its days in one zone of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.use_cases import Country
from speechai.core.model import Taken
from speechai.core.rules import judge
from speechai.core.zones import ZONE_OF_COUNTRY, zone_of_number, zones_of_number
from tests.builders import MONDAY_NOON, SANTIAGO, a_job, a_rulebook, some_facts

MADRID, NEW_YORK = "+34912345678", "+12125551234"
SPANISH_MOBILE = "+34612345678"  # of the mainland or of the Canaries, an hour apart
EXAMPLES = [
    phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    if (example := phonenumbers.example_number_for_type(region, kind))
]


def window(number, instant, **job):
    verdict = judge(a_job(**job), a_rulebook(), some_facts(number=number), instant)
    return next(rule for rule in verdict.rules if rule.rule == "window")


def at(hour, minute=0):
    """An instant of that Monday, by the clocks of Santiago (UTC−3)."""
    return MONDAY_NOON.replace(hour=0) + timedelta(hours=hour + 3, minutes=minute)


@pytest.mark.parametrize(
    ("number", "opens", "closes"),  # by the clocks of Santiago; the house calls from 9 to 18
    [
        ("+56911111111", at(9), at(18)),
        (MADRID, at(5), at(14)),  # UTC+1
        (SPANISH_MOBILE, at(6), at(14)),  # from nine in the Canaries to six in Madrid
        (NEW_YORK, at(11), at(20)),  # UTC−5
    ],
)
def test_a_chileans_number_abroad_is_called_in_its_own_hours(number, opens, closes):
    minute = timedelta(minutes=1)
    assert [
        window(number, instant).allowed for instant in (opens - minute, opens, closes - minute, closes)
    ] == [False, True, True, False]
    assert window(number, opens - minute).until == opens


@given(
    st.sampled_from(EXAMPLES),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC)),
    st.sampled_from(Country),
)
def test_no_number_is_called_outside_the_hours_of_any_place_where_it_may_be(number, instant, country):
    zones = zones_of_number(number, ZONE_OF_COUNTRY[country])
    assert zone_of_number(number, ZONE_OF_COUNTRY[country]) in zones
    if window(number, instant, country=country).allowed:
        assert all(9 <= instant.astimezone(zone).hour < 18 for zone in zones)


@given(st.sampled_from(EXAMPLES))
def test_what_a_numbering_plan_knows_does_not_depend_on_whose_number_it_is(number):
    here, there = (zones_of_number(number, ZONE_OF_COUNTRY[country]) for country in Country)
    unknown = here == (ZONE_OF_COUNTRY[Country.CL],) and there == (ZONE_OF_COUNTRY[Country.AR],)
    assert here == there or unknown


@pytest.mark.parametrize("number", ["", "+", "+999123", "+1212", "nobody"])
def test_a_number_that_no_plan_knows_is_judged_at_home(number):
    assert zones_of_number(number, SANTIAGO) == (SANTIAGO,)


def test_the_prefixes_of_our_own_countries_say_the_place():
    assert zones_of_number("+56612223344", SANTIAGO) == (ZoneInfo("America/Punta_Arenas"),)
    assert zones_of_number("+541145678901", SANTIAGO) == (ZONE_OF_COUNTRY[Country.AR],)


def test_the_calls_of_a_number_are_counted_on_its_own_dates():
    full = some_facts(taken=Taken(number_places=frozenset({1, 2, 3})), number=NEW_YORK)
    held = judge(a_job(), a_rulebook("anytime"), full, MONDAY_NOON)
    midnight = datetime(2026, 11, 24, tzinfo=ZoneInfo("America/New_York"))
    assert next(rule.until for rule in held.forbidding) == midnight
