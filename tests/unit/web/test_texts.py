"""Every sentence that a page or a view asks for is there, in both languages, with the same blanks."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from string import Formatter

import pytest

from speechai.catalog.accounts import AccountStatus, Legal, Plan
from speechai.catalog.policies import Certainty, Consent, presets
from speechai.catalog.use_cases import Country, Field, UseCaseId
from speechai.core.breaker import CLOSED
from speechai.core.callback import CallbackFlaw
from speechai.core.model import Taken
from speechai.core.money import EntryKind
from speechai.core.outcomes import Outcome
from speechai.core.promises import Flaw, PromiseState
from speechai.core.rules import judge
from speechai.core.states import AttemptState, BatchState, JobReason, JobState, WaveState
from speechai.core.waiting import Waiting, WaitingFor
from speechai.operation.calling.readiness import Missing
from tests.builders import MONDAY_NOON, a_job, a_rulebook, some_facts
from web.texts import TEXTS, errors, pages, words
from web.texts.details import detail_in
from web.upload_options import DUPLICATES, STARTS

WEB = Path(__file__).resolve().parents[3] / "web"
_ASKED = re.compile(r"""\b(?:t|text|translate)\((?:\w+(?:\.\w+)?, )?["']([a-z_0-9]+\.[a-z_0-9]+)["']""")

NAMED: dict[str, type[StrEnum]] = {
    "batch": BatchState,
    "job": JobState,
    "jobs": JobState,
    "attempt": AttemptState,
    "wave": WaveState,
    "waiting": WaitingFor,
    "reason": JobReason,
    "outcome": Outcome,
    "callback_flaw": CallbackFlaw,
    "use_case": UseCaseId,
    "country": Country,
    "missing": Missing,
    "promise": PromiseState,
    "flaw": Flaw,
    "plan": Plan,
    "account_status": AccountStatus,
    "legal": Legal,
    "entry": EntryKind,
    "consent": Consent,
    "certainty": Certainty,
    "field": Field,
}


def test_every_key_that_is_asked_for_exists() -> None:
    sources = [*WEB.rglob("*.html"), *WEB.rglob("*.py")]
    asked = {key for source in sources for key in _ASKED.findall(source.read_text("utf-8"))}
    assert len(asked) > 100
    assert asked <= set(TEXTS)


def test_no_key_is_said_twice() -> None:
    assert len(TEXTS) == len(words.TEXTS) + len(pages.TEXTS) + len(errors.TEXTS)


@pytest.mark.parametrize("kind", NAMED)
def test_every_stored_word_has_a_name(kind: str) -> None:
    assert {f"{kind}.{value.value}" for value in NAMED[kind]} <= set(TEXTS)


def test_every_choice_and_rule_has_a_name() -> None:
    assert {f"start.{start}" for start in STARTS} | {f"duplicates.{name}" for name in DUPLICATES} <= set(
        TEXTS
    )
    for policy in presets():
        verdict = judge(a_job(), a_rulebook(policy), some_facts(), MONDAY_NOON)
        assert {f"rule.{rule.rule}" for rule in verdict.rules} <= set(TEXTS)


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_have_the_same_blanks(key: str) -> None:
    spanish, english = TEXTS[key]
    assert spanish and english
    assert _blanks(spanish) == _blanks(english)


def _blanks(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_every_sentence_of_the_rules_reads_in_spanish() -> None:
    open_now = judge(a_job(), a_rulebook(), some_facts(), MONDAY_NOON)
    closed = judge(
        a_job(waiting=Waiting(WaitingFor.TURN, MONDAY_NOON.replace(year=2027)), status=JobState.SUSPENDED),
        a_rulebook("anytime", status=BatchState.PAUSED),
        some_facts(
            provider="other",
            provider_is_local=False,
            stopped_by="ana",
            taken=Taken(person_open=True),
            has_group_place=False,
            lacking=JobReason.NO_CREDIT,
            money_tied_up=True,
        ),
        MONDAY_NOON,
    )
    listed = some_facts(
        do_not_call="opted_out since 2026-11-23, for everybody", registries={"no_llame": MONDAY_NOON}
    )
    marketing = judge(a_job(), a_rulebook("ar-marketing", use_case=UseCaseId.MARKETING), listed, MONDAY_NOON)
    unread = judge(
        a_job(), a_rulebook("ar-marketing", use_case=UseCaseId.MARKETING), some_facts(), MONDAY_NOON
    )
    spain = [
        judge(
            a_job(),
            a_rulebook("es-commercial", use_case=use_case, consent=consent),
            some_facts(registries={"robinson": MONDAY_NOON}),
            MONDAY_NOON,
        )
        for use_case in (UseCaseId.MARKETING, UseCaseId.REMINDER)
        for consent in Consent
    ]
    tied = judge(a_job(), a_rulebook(), some_facts(money_tied_up=True), MONDAY_NOON)
    refused = judge(
        a_job(), a_rulebook(), some_facts(breaker=CLOSED.refused_at(MONDAY_NOON, "402")), MONDAY_NOON
    )
    night = judge(a_job(), a_rulebook(), some_facts(), MONDAY_NOON.replace(hour=4))
    christmas = judge(a_job(), a_rulebook(), some_facts(), MONDAY_NOON.replace(month=12, day=25))
    for verdict in (open_now, closed, night, christmas, marketing, unread, tied, refused, *spain):
        for rule in verdict.rules:
            assert detail_in("es", rule.detail) != rule.detail, rule.detail
            assert detail_in("en", rule.detail) == rule.detail


def test_a_sentence_that_nobody_translated_stays() -> None:
    assert detail_in("es", "something new") == "something new"
