"""Dated cases of every preset, with the article that each is about: both sides of each boundary."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from speechai.catalog.policies import Certainty, Consent, preset, presets
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.core.caps import PastCall
from speechai.core.model import Taken
from speechai.core.rules import judge
from speechai.core.waiting import Waiting, WaitingFor
from tests.builders import a_job, a_rulebook, some_facts

SANTIAGO, BUENOS_AIRES = ZoneInfo("America/Santiago"), ZoneInfo("America/Argentina/Buenos_Aires")
PUNTA_ARENAS, EASTER = ZoneInfo("America/Punta_Arenas"), ZoneInfo("Pacific/Easter")
ZONES = {Country.CL: SANTIAGO, Country.AR: BUENOS_AIRES}


def local(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def is_open(policy: str, country: Country, text: str, zone: ZoneInfo | None = None, **facts) -> bool:
    instant = local(text, zone or ZONES[country])
    verdict = judge(a_job(country=country), a_rulebook(policy), some_facts(**facts), instant)
    return next(rule.allowed for rule in verdict.rules if rule.rule == "window")


CL, AR = Country.CL, Country.AR

WINDOWS = [
    # 2026-11-23 is a Monday, 2026-11-28 a Saturday, 2026-11-29 a Sunday.
    ("house", CL, "customer: Mon-Fri 09-18", "2026-11-23T08:59:59", False),
    ("house", CL, "customer: Mon-Fri 09-18", "2026-11-23T09:00", True),
    ("house", CL, "customer: Mon-Fri 09-18", "2026-11-23T17:59:59", True),
    ("house", CL, "customer: Mon-Fri 09-18", "2026-11-23T18:00", False),
    ("house", CL, "customer: Mon-Fri 09-18", "2026-11-28T12:00", False),
    ("house", CL, "customer: no holidays", "2026-12-08T12:00", False),
    ("cl-collections", CL, "CPC art. 59: Mon-Sat 08-20", "2026-11-28T07:59", False),
    ("cl-collections", CL, "CPC art. 59: Mon-Sat 08-20", "2026-11-28T08:00", True),
    ("cl-collections", CL, "CPC art. 59: Mon-Sat 08-20", "2026-11-28T19:59", True),
    ("cl-collections", CL, "CPC art. 59: Mon-Sat 08-20", "2026-11-28T20:00", False),
    ("cl-collections", CL, "CPC art. 59: not on Sundays", "2026-11-29T12:00", False),
    ("cl-collections", CL, "CPC art. 59: not on holidays", "2026-12-25T12:00", False),
    ("cl-marketing", CL, "house: Sat 10-14", "2026-11-28T09:59", False),
    ("cl-marketing", CL, "house: Sat 10-14", "2026-11-28T10:00", True),
    ("cl-marketing", CL, "house: Sat 10-14", "2026-11-28T14:00", False),
    ("cl-marketing", CL, "house: Mon-Fri 09-20", "2026-11-23T19:59", True),
    ("cl-marketing", CL, "house: Mon-Fri 09-20", "2026-11-23T20:00", False),
    ("ar-collections", AR, "house: Sat 09-12", "2026-11-28T11:59", True),
    ("ar-collections", AR, "house: Sat 09-12", "2026-11-28T12:00", False),
    ("ar-collections", AR, "house: no holidays", "2026-11-23T12:00", False),  # soberanía nacional, moved
    ("ar-collections", AR, "house: Mon-Fri 09-20", "2026-11-24T19:59", True),
    ("ar-marketing", AR, "house: Mon-Fri 09-20", "2026-11-24T08:59", False),
    ("ar-marketing", AR, "house: Mon-Fri 09-20", "2026-11-24T09:00", True),
    ("us-reg-f", AR, "12 CFR 1006.6(b)(1): 08-21 every day", "2026-11-29T07:59", False),
    ("us-reg-f", AR, "12 CFR 1006.6(b)(1): 08-21 every day", "2026-11-29T08:00", True),
    ("us-reg-f", AR, "12 CFR 1006.6(b)(1): 08-21 every day", "2026-11-29T20:59", True),
    ("us-reg-f", AR, "12 CFR 1006.6(b)(1): 08-21 every day", "2026-11-29T21:00", False),
    ("mx-collections", CL, "CONDUSEF: 07-22", "2026-11-23T06:59", False),
    ("mx-collections", CL, "CONDUSEF: 07-22", "2026-11-23T07:00", True),
    ("mx-collections", CL, "CONDUSEF: 07-22", "2026-11-23T21:59", True),
    ("mx-collections", CL, "CONDUSEF: 07-22", "2026-11-23T22:00", False),
    ("mx-collections", CL, "Profeco: working days", "2026-11-28T12:00", False),
    ("mx-collections", CL, "Profeco: working days", "2026-11-16T12:00", False),  # Revolución
    ("co-2300", CL, "Ley 2300 art. 3: Mon-Fri 07-19", "2026-11-23T18:59", True),
    ("co-2300", CL, "Ley 2300 art. 3: Mon-Fri 07-19", "2026-11-23T19:00", False),
    ("co-2300", CL, "Ley 2300 art. 3: Sat 08-15", "2026-11-28T07:59", False),
    ("co-2300", CL, "Ley 2300 art. 3: Sat 08-15", "2026-11-28T14:59", True),
    ("co-2300", CL, "Ley 2300 art. 3: Sat 08-15", "2026-11-28T15:00", False),
    ("co-2300", CL, "Ley 2300 art. 3: never on Sundays", "2026-11-29T12:00", False),
    ("co-2300", CL, "Ley 2300 art. 3: never on holidays", "2026-11-16T12:00", False),
    ("pe-collections", CL, "Ley 29571 art. 62 b: 07-20", "2026-11-23T06:59", False),
    ("pe-collections", CL, "Ley 29571 art. 62 b: 07-20", "2026-11-23T07:00", True),
    ("pe-collections", CL, "Ley 29571 art. 62 b: 07-20", "2026-11-23T20:00", False),
    ("pe-collections", CL, "Ley 29571 art. 62 b: no Saturdays", "2026-11-28T12:00", False),
    ("br-sp", CL, "Lei 15.426: Sat 08-14", "2026-11-28T13:59", True),
    ("br-sp", CL, "Lei 15.426: Sat 08-14", "2026-11-28T14:00", False),
    ("br-sp", CL, "Lei 15.426: Mon-Fri 08-20", "2026-11-23T07:59", False),
    ("br-sp", CL, "Lei 15.426: Mon-Fri 08-20", "2026-11-23T08:00", True),
    ("es-commercial", CL, "TRLGDCU art. 96.2: Mon-Fri 09-21", "2026-11-23T08:59", False),
    ("es-commercial", CL, "TRLGDCU art. 96.2: Mon-Fri 09-21", "2026-11-23T20:59", True),
    ("es-commercial", CL, "TRLGDCU art. 96.2: Mon-Fri 09-21", "2026-11-23T21:00", False),
    ("es-commercial", CL, "TRLGDCU art. 96.2: no holidays", "2026-10-12T12:00", False),
    ("anytime", CL, "contract: no hours", "2026-11-29T03:00", True),
]


@pytest.mark.parametrize(
    ("policy", "country", "article", "when", "expected"),
    WINDOWS,
    ids=[f"{case[0]}, {case[2]}, {case[3]}" for case in WINDOWS],
)
def test_windows(policy, country, article, when, expected):
    assert is_open(policy, country, when) is expected


def test_every_preset_has_cases():
    assert {case[0] for case in WINDOWS} == set(presets())


# -- zones ---------------------------------------------------------------------------------------------


def test_a_landline_of_magallanes_and_one_of_easter_island_keep_their_own_hours():
    # In winter Santiago is an hour behind Punta Arenas, which keeps summer time all year.
    noon = "2026-07-06T18:30"
    assert not is_open("house", CL, noon, PUNTA_ARENAS, number="+56612345678")
    assert is_open("house", CL, noon.replace("18", "17"), PUNTA_ARENAS, number="+56612345678")
    # Two hours earlier than Santiago: nine in Santiago is seven there.
    assert not is_open("house", CL, "2026-11-23T09:30", SANTIAGO, number="+56322100123")
    assert is_open("house", CL, "2026-11-23T09:30", EASTER, number="+56322100123")


def test_the_strictest_zone_is_asked_where_a_policy_says_so():
    # A Chilean mobile may be on Easter Island: at 08:30 in Santiago it would ring there at 06:30.
    assert not is_open("us-reg-f", CL, "2026-11-23T08:30")
    assert not is_open("us-reg-f", CL, "2026-11-23T09:59")
    assert is_open("us-reg-f", CL, "2026-11-23T10:00")
    job = a_job(waiting=Waiting(WaitingFor.WAVE))
    verdict = judge(job, a_rulebook("us-reg-f"), some_facts(), local("2026-11-23T08:30", SANTIAGO))
    assert verdict.next_allowed_at == local("2026-11-23T10:00", SANTIAGO)


# -- caps ----------------------------------------------------------------------------------------------


def a_call(day: date, *, conversation: bool = False, account_id: str = "default", of_person: bool = True):
    at = datetime(day.year, day.month, day.day, 12, tzinfo=SANTIAGO)
    return PastCall(at, day, of_person, True, account_id, conversation)


def capped(policy: str, calls: list[PastCall], when: str = "2026-11-25T12:00", country: Country = CL):
    facts = some_facts(taken=Taken(calls=tuple(calls)))
    return judge(a_job(country=country), a_rulebook(policy), facts, local(when, ZONES[country]))


def forbidden(verdict) -> set[str]:
    return {rule.rule for rule in verdict.forbidding}


WEDNESDAY = date(2026, 11, 25)


def days_before(count: int) -> date:
    return WEDNESDAY - timedelta(days=count)


def test_ley_21320_art_37_one_phone_contact_in_seven_days():
    spoken = [a_call(days_before(6), conversation=True)]
    verdict = capped("cl-collections", spoken)
    assert forbidden(verdict) == {"person_contacts_per_7_days", "person_attempts_per_7_days"}
    assert verdict.next_allowed_at == local("2026-11-26T08:00", SANTIAGO)
    assert capped("cl-collections", [a_call(days_before(7), conversation=True)]).allowed


def test_ley_21320_an_unanswered_dial_is_capped_as_a_house_rule_and_says_so():
    verdict = capped("cl-collections", [a_call(days_before(1))])
    assert forbidden(verdict) == {"person_attempts_per_7_days"}
    cap = next(cap for cap in preset("cl-collections").caps if cap.name == "person_attempts_per_7_days")
    assert cap.certainty is Certainty.HOUSE


def test_ar_house_one_a_day_and_three_a_calendar_week():
    assert forbidden(capped("ar-collections", [a_call(WEDNESDAY)], country=AR)) == {"person_attempts_per_day"}
    week = [a_call(day) for day in (days_before(2), days_before(1), WEDNESDAY)]
    thursday = capped("ar-collections", week, "2026-11-26T12:00", AR)
    assert forbidden(thursday) == {"person_attempts_per_week"}
    assert thursday.next_allowed_at == local("2026-11-30T09:00", BUENOS_AIRES)  # the next Monday
    assert capped("ar-collections", week, "2026-11-30T09:00", AR).allowed


def test_reg_f_1006_14_b_2_i_a_seven_calls_in_seven_days_about_a_debt():
    seven = [a_call(days_before(count)) for count in (6, 5, 4, 3, 2, 1, 1)]
    assert forbidden(capped("us-reg-f", seven, country=AR)) == {"debt_attempts_per_7_days"}
    assert capped("us-reg-f", seven[1:], country=AR).allowed
    another = [a_call(days_before(1), account_id="another creditor") for _ in range(7)]
    assert capped("us-reg-f", another, country=AR).allowed  # per person and per debt


def test_reg_f_1006_14_b_2_i_b_the_day_of_the_conversation_is_the_first_of_seven():
    spoken = [a_call(days_before(6), conversation=True)]
    verdict = capped("us-reg-f", spoken, country=AR)
    assert forbidden(verdict) == {"debt_contacts_per_7_days"}
    assert verdict.next_allowed_at == local("2026-11-26T08:00", BUENOS_AIRES)
    assert capped("us-reg-f", [a_call(days_before(7), conversation=True)], country=AR).allowed


def test_ley_2300_art_3_one_contact_a_week_by_the_strict_reading():
    spoken = [a_call(days_before(2), conversation=True)]
    verdict = capped("co-2300", spoken)
    assert forbidden(verdict) == {"person_contacts_per_week"}
    assert verdict.next_allowed_at == local("2026-11-30T07:00", SANTIAGO)


def test_ley_26951_marketing_waits_for_a_register_that_is_not_older_than_thirty_days():
    noon = local("2026-11-25T12:00", BUENOS_AIRES)

    def verdict(consulted, use_case=UseCaseId.MARKETING):
        registries = {"no_llame": consulted} if consulted else {}
        book = a_rulebook("ar-marketing", use_case=use_case)
        return judge(a_job(country=AR), book, some_facts(registries=registries), noon)

    assert forbidden(verdict(None)) == {"registry_no_llame"}
    assert verdict(noon - timedelta(days=30)).allowed
    assert forbidden(verdict(noon - timedelta(days=30, seconds=1))) == {"registry_no_llame"}
    assert verdict(None, UseCaseId.DEBT_COLLECTION).allowed  # a contract in force is exempt


def test_lgtel_art_66_marketing_waits_for_express_consent_and_written_consent_is_express():
    noon = local("2026-11-25T12:00", SANTIAGO)

    def verdict(consent, use_case=UseCaseId.MARKETING):
        book = a_rulebook("es-commercial", use_case=use_case, consent=consent)
        return judge(a_job(), book, some_facts(registries={"robinson": noon}), noon)

    assert forbidden(verdict(Consent.NONE)) == {"consent"}
    assert verdict(Consent.NONE).next_allowed_at is None  # waiting does not heal it
    assert verdict(Consent.EXPRESS).allowed
    assert verdict(Consent.WRITTEN).allowed
    assert verdict(Consent.NONE, UseCaseId.REMINDER).allowed
