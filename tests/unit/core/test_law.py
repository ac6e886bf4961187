"""What an operator is warned of, and policies combined."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.policies import PolicyFileError, Window, preset, presets, strictest
from speechai.catalog.policies.law import Kind, law_of, laxities
from speechai.catalog.policies.policy import read_policy
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.calendar import closed_reason
from speechai.core.zones import ZONE_OF_COUNTRY
from tests.unit.core.test_calendar import instants

CHILE = preset("cl-collections")


def kinds(policy, law=CHILE, calls_per_day=3, from_number="+56600123456"):
    return {laxity.kind for laxity in laxities(policy, law, calls_per_day, from_number)}


def test_the_house_policy_in_chile_is_laxer_by_the_contacts_of_a_week_and_names_the_article():
    [found] = laxities(preset("house"), CHILE, 3, "+56600123456")
    assert (found.kind, found.article) == (Kind.CONTACTS, "Ley 19.496 art. 37 (Ley 21.320)")
    assert found.details == {"most": 21, "count": 1, "days": 7}


def test_each_rule_that_is_not_kept_is_named():
    assert kinds(preset("anytime")) == {Kind.HOURS, Kind.HOLIDAYS, Kind.CONTACTS}
    assert kinds(CHILE) == set()
    assert kinds(CHILE, from_number="+56912345678") == {Kind.CALLER_ID}
    assert kinds(CHILE, from_number=None) == {Kind.CALLER_ID}
    assert kinds(preset("house"), preset("ar-marketing")) == {Kind.REGISTRY}
    assert Kind.CONSENT in kinds(preset("house"), preset("es-commercial"))
    assert kinds(preset("house"), preset("us-reg-f")) == {Kind.ATTEMPTS, Kind.CONTACTS, Kind.CONSENT}


def test_only_what_is_in_force_is_warned_of():
    # Argentina's hours and frequency are our own caution.
    assert kinds(preset("anytime"), preset("ar-collections")) == set()


@pytest.mark.parametrize(
    ("country", "use_case", "law"),
    [
        (Country.CL, UseCaseId.DEBT_COLLECTION, "cl-collections"),
        (Country.AR, UseCaseId.MARKETING, "ar-marketing"),
        (Country.CL, UseCaseId.SURVEY, None),
    ],
)
def test_the_law_of_a_country(country, use_case, law):
    assert law_of(country, use_case) == law


@given(instants, st.sampled_from(list(presets())), st.sampled_from(list(presets())))
def test_two_policies_together_are_open_exactly_where_both_are(instant, one, other):
    first, second = preset(one), preset(other)
    country = Country.CL
    try:
        both = strictest(first, second)
    except PolicyFileError:
        return  # the holidays of two countries, or never open
    zone = ZONE_OF_COUNTRY[country]
    closed = [closed_reason(policy, instant, zone, country) is not None for policy in (first, second)]
    assert (closed_reason(both, instant, zone, country) is not None) == any(closed)
    assert set(both.caps) == set(first.caps) | set(second.caps)
    assert both.min_gap_minutes == max(first.min_gap_minutes, second.min_gap_minutes)
    assert both.consent.covers(first.consent) and both.consent.covers(second.consent)
    assert bool(both.consent_article) == bool(first.consent_article or second.consent_article)
    assert bool(both.caller_id_article) == bool(first.caller_id_article or second.caller_id_article)


def test_policies_that_together_never_allow_a_call_are_refused():
    sunday = replace(preset("house"), windows=(Window(frozenset({7}), time(9), time(10)),))
    with pytest.raises(PolicyFileError, match="never allow"):
        strictest(sunday, CHILE)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"windows": []}, "needs a window"),
        ({"windows": [{"days": [8], "start": time(9), "end": time(10)}]}, "windows.0.days"),
        ({"windows": [{"days": [1], "start": time(10), "end": time(9)}]}, "ends before it starts"),
        ({"caps": [{"count": 0, "per": "day", "of": "attempt", "scope": "person"}]}, "caps.0.count"),
        ({"caps": [{"count": 1, "per": "rolling_days", "of": "attempt", "scope": "person"}]}, "rolling_days"),
        ({"caps": [{"count": 1, "per": "month", "of": "attempt", "scope": "person"}]}, "caps.0.per"),
        ({"hours": 3}, "hours"),
        ({"certainty": "probably"}, "certainty"),
        ({"prompt_rules": ["be_nice"]}, "prompt_rules.0"),
        ({"id": "another"}, "its name"),
    ],
)
def test_a_policy_file_that_is_wrong_names_the_place(change, named):
    good = {
        "id": "mine",
        "label_es": "x",
        "label_en": "x",
        "description_es": "x",
        "description_en": "x",
        "legal_basis": "x",
        "source": "x",
        "certainty": "house",
        "reviewed_on": "2026-11-23",
        "windows": [{"days": [1], "start": time(9), "end": time(10)}],
    }
    assert read_policy("mine", good).windows[0].article == "x"
    with pytest.raises(PolicyFileError, match=named) as caught:
        read_policy("mine", {**good, **change})
    assert str(caught.value).startswith("mine:")
