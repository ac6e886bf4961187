"""Whatever an account writes as its own policy is refused by the name of a field, or it can be called by."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechai.catalog.accounts import Account, Plan
from speechai.catalog.policies import Policy, policy_of, preset, presets
from speechai.catalog.presets import OverrideError
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.caps import PastCall
from speechai.core.model import Taken
from speechai.core.policy_check import Impossible, flaw_of
from speechai.core.rules import judge
from speechai.core.waiting import Waiting, WaitingFor
from tests.builders import a_job, a_rulebook, some_facts

SINCE = date(2026, 11, 24)
NAMES = [field.name for field in fields(Policy)]


def own(changes):
    """The account's own policy, as it is read at a dial."""
    account = Account(
        "acme", "Acme", Plan.UNLIMITED, "America/Santiago", None, (), policies={"mine": changes}
    )
    return policy_of(account, "mine")


def refused(changes):
    """The field for which the policy is refused when it is saved, or None."""
    try:
        policy = own(changes)
    except OverrideError as error:
        return error.field
    flaw = flaw_of(policy, SINCE)
    return flaw.field if flaw else None


MIDNIGHT = {"days": [7], "start": "00:00", "end": "00:00"}
HOUR = {"days": [1, 2], "start": "09:00", "end": "10:00"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"extends": "nothing"}, "extends"),
        ({}, "extends"),
        ({"holidays": "XX"}, "holidays"),
        ({"holidays": "US-XX"}, "holidays"),
        ({"holidays": "HolidayBase"}, "holidays"),
        ({"holidays": ""}, "holidays"),
        ({"windows": []}, "windows"),
        ({"windows": "always"}, "windows"),
        ({"windows": [None]}, "windows"),
        ({"windows": None}, "windows"),
        ({"windows": [{**HOUR, "start": "09:00Z"}]}, "windows"),
        ({"windows": [{**HOUR, "end": "08:00"}]}, "windows"),
        ({"windows": [HOUR], "tz_rule": "strictest"}, "windows"),  # never nine in all of Chile at once
        ({"caps": 5}, "caps"),
        ({"caps": [{"count": 10**30, "per": "day", "of": "attempt", "scope": "person"}]}, "caps"),
        ({"after_conversation_hours": float("inf")}, "after_conversation_hours"),
        ({"after_conversation_hours": float("nan")}, "after_conversation_hours"),
        ({"after_conversation_hours": 1e300}, "after_conversation_hours"),
        ({"min_gap_minutes": 10**12}, "min_gap_minutes"),
        ({"retention_days": 10**12}, "retention_days"),
        ({"registries": [{"name": "No llame", "max_age_days": 10**12}]}, "registries"),
        ({"label_es": "\ud800"}, "label_es"),
        ({"colour": "red"}, "colour"),
        ({"extends": "anytime", "simulation_only": False}, "simulation_only"),
        ({"extends": "anytime", "simulation_only": 0}, "simulation_only"),
        ({"extends": "anytime", "simulation_only": "no"}, "simulation_only"),
        ({"extends": "anytime", "simulation_only": None}, "simulation_only"),
    ],
)
def test_what_nobody_could_be_called_by_is_refused_by_its_field(changes, field):
    assert refused({"extends": "house", **changes} if changes else {}) == field


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"holidays": "none"},
        {"holidays": "BR-SP"},
        {"windows": [MIDNIGHT]},
        {"windows": [{**HOUR, "end": "18:00"}], "tz_rule": "strictest"},
        {"simulation_only": True},
        {"min_gap_minutes": 60 * 24 * 60, "after_conversation_hours": 60 * 24},
    ],
)
def test_what_is_possible_is_kept(changes):
    assert refused({"extends": "house", **changes}) is None


@pytest.mark.parametrize("name", presets())
def test_every_preset_can_be_judged_by(name):
    assert flaw_of(preset(name), SINCE) is None


def test_whatever_a_rule_raises_is_found_before_a_wave_finds_it(monkeypatch):
    """A value that reading lets through and judging does not: the net under the bounds."""
    broken = replace(preset("house"), after_conversation_hours=1e300)
    flaw = flaw_of(broken, SINCE)
    assert (flaw.field, flaw.why) == ("after_conversation_hours", Impossible.NOT_JUDGED)
    assert "OverflowError" in flaw.detail


# -- any wish ----------------------------------------------------------------------------------------

_clock = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59))
_window = st.fixed_dictionaries(
    {"days": st.lists(st.integers(1, 7), min_size=1, max_size=4), "start": _clock, "end": _clock}
)
_cap = st.fixed_dictionaries(
    {
        "count": st.integers(1, 5),
        "per": st.sampled_from(["day", "week", "rolling_days"]),
        "of": st.sampled_from(["attempt", "contact"]),
        "scope": st.sampled_from(["person", "number", "debt"]),
    },
    optional={"days": st.integers(1, 60)},
)
_likely = {
    "windows": st.lists(_window, min_size=1, max_size=3),
    "caps": st.lists(_cap, max_size=3),
    "holidays": st.sampled_from(["contact", "none", "US", "BR-SP", "XX", "CL-", "ES", "us"]),
    "tz_rule": st.sampled_from(["contact", "strictest"]),
    "after_conversation_hours": st.floats(0, 10**6),
    "min_gap_minutes": st.integers(0, 10**6),
    "registries": st.lists(
        st.fixed_dictionaries({"name": st.text(max_size=5), "max_age_days": st.integers(0, 10**5)}),
        max_size=2,
    ),
    "consent": st.sampled_from(["none", "express", "written"]),
    "simulation_only": st.booleans(),
    "retention_days": st.one_of(st.none(), st.integers(0, 10**6)),
}
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_overrides = st.builds(
    lambda base, likely, wild: {**likely, **wild, "extends": base},
    st.sampled_from(list(presets())),
    st.fixed_dictionaries({}, optional=_likely),
    st.one_of(
        st.just({}),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=6)), _json, max_size=2),
    ),
)
_instants = st.datetimes(datetime(2026, 11, 24), datetime(2027, 11, 24)).map(
    lambda at: at.replace(tzinfo=UTC)
)


@settings(max_examples=150, deadline=None)
@given(
    _overrides,
    st.lists(_instants, min_size=1, max_size=8),
    st.sampled_from(Country),
    st.sampled_from(UseCaseId),
    st.timedeltas(timedelta(0), timedelta(days=70)),
)
def test_any_wish_is_refused_by_name_or_holds_at_every_instant(changes, instants, country, use_case, ago):
    field = refused(changes)
    if field is not None:
        assert field in NAMES or field in changes or field == "extends"
        return
    policy = own(changes)
    assert policy.simulation_only or not preset(changes["extends"]).simulation_only
    book = replace(a_rulebook(use_case=use_case, country=country), policy=policy)
    job = a_job(country=country, waiting=Waiting(WaitingFor.WAVE))
    for instant in instants:
        past = PastCall(instant - ago, (instant - ago).date(), True, True, "default", True)
        verdict = judge(job, book, some_facts(taken=Taken(calls=(past,))), instant)
        window = next(rule for rule in verdict.rules if rule.rule == "window")
        assert window.allowed or window.until is not None
