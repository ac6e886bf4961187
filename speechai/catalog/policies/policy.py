"""What a contact policy can say. Each is a data file beside this module."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from speechai.catalog.presets import FileError

_STRICT = ConfigDict(extra="forbid")
MIDNIGHT = time(0)
SHORTEST_DAY = 23 * 60  # minutes of a date on which the clocks go forward


class PolicyFileError(FileError):
    """A policy is not valid; the message names it and what is wrong."""


class Certainty(StrEnum):
    """How sure a rule is."""

    LAW = "law"
    """In force, read in a source."""
    DRAFT = "draft"
    """A bill or a regulation in consultation, or a reading of the law that is in doubt."""
    HOUSE = "house"
    """Nobody's law: our own caution, or the customer's wish."""


class Per(StrEnum):
    """Over what a cap counts, in local dates of the person."""

    DAY = "day"
    WEEK = "week"
    """The calendar week, Monday to Sunday."""
    ROLLING_DAYS = "rolling_days"
    """So many consecutive dates, the day of the call included."""


class Of(StrEnum):
    """What a cap counts."""

    ATTEMPT = "attempt"
    """Every ring."""
    CONTACT = "contact"
    """Rings that became a conversation with a person."""


class Scope(StrEnum):
    """About whom a cap counts."""

    PERSON = "person"
    """Over all numbers, batches and accounts."""
    NUMBER = "number"
    """Over all people who share it."""
    DEBT = "debt"
    """The person, in the batches of one creditor (account)."""


class Consent(StrEnum):
    """What the law asks of the people before the first call, or what an operator states that they gave."""

    NONE = "none"
    EXPRESS = "express"
    WRITTEN = "written"

    def covers(self, asked: Consent) -> bool:
        """Whether this, once given, is as much as `asked`: written consent is express too."""
        return list(Consent).index(self) >= list(Consent).index(asked)


class PromptRule(StrEnum):
    """What the agent must do or leave; it is passed to it as a variable."""

    AUTOMATED = "automated"
    RECORDED = "recorded"
    IDENTIFY_CALLER = "identify_caller"
    VERIFY_IDENTITY = "verify_identity"
    NO_VOICEMAIL_MESSAGE = "no_voicemail_message"
    NO_THIRD_PARTIES = "no_third_parties"
    NO_JUDICIAL_LOOK = "no_judicial_look"
    OFFER_OPT_OUT = "offer_opt_out"
    NO_REASON_FOR_NON_PAYMENT = "no_reason_for_non_payment"


@dataclass(frozen=True, slots=True)
class Window:
    """Hours in which calling is allowed, local to the contact, half-open: `start` is in, `end` is out."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    days: frozenset[Annotated[int, Field(ge=1, le=7)]]  # ISO weekdays, Monday is 1
    start: time
    end: time  # 00:00 means the end of the day
    article: str = ""
    certainty: Certainty = Certainty.HOUSE

    def __post_init__(self) -> None:
        if not self.days:
            raise ValueError("a window needs days: ISO weekdays, 1 to 7")
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("a window's hours are the contact's own: such as 09:00, without a zone")
        if self.end not in (MIDNIGHT,) and self.end <= self.start:
            raise ValueError(f"window {self.label} ends before it starts")

    @property
    def label(self) -> str:
        """The window as an operator writes it: "1-5 09:00–18:00"."""
        days = sorted(self.days)
        whole = len(days) > 1 and days == list(range(days[0], days[-1] + 1))
        named = f"{days[0]}-{days[-1]}" if whole else ",".join(map(str, days))
        end = "24:00" if self.end == MIDNIGHT else f"{self.end:%H:%M}"
        return f"{named} {self.start:%H:%M}–{end}"

    def contains(self, clock: time) -> bool:
        """Whether that time of day is in it."""
        return self.start <= clock and (self.end == MIDNIGHT or clock < self.end)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `count` attempts or contacts, over a day, a week, or so many consecutive dates."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    count: Annotated[int, Field(ge=1, le=1000)]
    per: Per
    of: Of
    scope: Scope
    days: Annotated[int, Field(ge=1, le=60)] = 1  # only for `rolling_days`
    article: str = ""
    certainty: Certainty = Certainty.HOUSE

    def __post_init__(self) -> None:
        if (self.per is Per.ROLLING_DAYS) != (self.days > 1):
            raise ValueError("`days` (2 and up) belongs to rolling_days, and only there")

    @property
    def longest_days(self) -> int:
        """How many dates back it may have to look, today included."""
        return {Per.DAY: 1, Per.WEEK: 7, Per.ROLLING_DAYS: self.days}[self.per]

    @property
    def name(self) -> str:
        """Its name as a rule: "person_attempts_per_7_days"."""
        per = f"{self.days}_days" if self.per is Per.ROLLING_DAYS else self.per.value
        return f"{self.scope.value}_{self.of.value}s_per_{per}"


@dataclass(frozen=True, slots=True)
class Registry:
    """A public list of people who are not to be called for marketing, and how old our copy may be."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    max_age_days: Annotated[int, Field(ge=1, le=3660)]
    article: str = ""
    certainty: Certainty = Certainty.LAW


@dataclass(frozen=True, slots=True)
class Policy:
    """When and how often a person may be called, and where each rule comes from."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: str
    label_es: str
    label_en: str
    description_es: str
    description_en: str
    legal_basis: str
    source: str
    certainty: Certainty
    reviewed_on: date
    windows: Annotated[tuple[Window, ...], Field(max_length=100)]
    holidays: str = "contact"  # of the contact's country; "none"; or a calendar: "US", "BR-SP"
    tz_rule: Annotated[str, Field(pattern="^(contact|strictest)$")] = "contact"
    caps: Annotated[tuple[Cap, ...], Field(max_length=100)] = ()
    after_conversation_hours: Annotated[float, Field(ge=0, le=60 * 24)] = (
        0  # where a person spoke without the goal
    )
    min_gap_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 60)] = 0  # between two attempts at a person
    channel_exclusive_week: bool = False  # once reached by one channel, no other in that week
    caller_id_prefixes: tuple[str, ...] = ()
    caller_id_article: str = ""
    registries: Annotated[tuple[Registry, ...], Field(max_length=100)] = ()
    consent: Consent = Consent.NONE
    consent_article: str = ""
    retention_days: Annotated[int, Field(ge=1, le=36_600)] | None = (
        None  # how long the record of contacts is kept
    )
    prompt_rules: tuple[PromptRule, ...] = ()
    simulation_only: bool = False  # allowed only while the provider is on loopback

    def __post_init__(self) -> None:
        if not self.windows:
            raise ValueError("a policy needs a window")

    @property
    def looks_back_days(self) -> int:
        """How many dates of a person's history its caps and its gap need, today included."""
        midnights = math.ceil(self.min_gap_minutes / SHORTEST_DAY)  # that a gap may reach over
        return max([1 + midnights, *(cap.longest_days for cap in self.caps)])


_POLICY = TypeAdapter(Policy)


def read_policy(name: str, data: Mapping[str, Any]) -> Policy:
    """The policy of a data file. What a rule does not say of its source is the policy's own.

    Raises PolicyFileError.
    """
    values = dict(data)
    origin = {"article": values.get("legal_basis", ""), "certainty": values.get("certainty", "")}
    for rules in ("windows", "caps", "registries"):
        given = values.get(rules, [])
        if isinstance(given, list | tuple):
            values[rules] = [{**origin, **rule} if isinstance(rule, Mapping) else rule for rule in given]
    try:
        policy = _POLICY.validate_python(values)
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, entry['loc'])) or 'policy'}: {entry['msg']}" for entry in error.errors()
        )
        loc = error.errors()[0]["loc"]
        raise PolicyFileError(f"{name}: {where}", str(loc[0]) if loc else "windows") from error
    if policy.id != name:
        raise PolicyFileError(f"{name}: its id must be its name, not {policy.id}")
    return policy


def on_weekdays(policy: Policy, days: frozenset[int]) -> Policy:
    """The policy on some ISO weekdays only. Raises PolicyFileError where that leaves no hour at all."""
    windows = tuple(
        replace(window, days=window.days & days) for window in policy.windows if window.days & days
    )
    if not windows:
        raise PolicyFileError(f"{policy.id} allows no call on the weekdays {sorted(days)}")
    return replace(policy, windows=windows)


def strictest(first: Policy, second: Policy) -> Policy:
    """Both at once: a call is allowed only where each of them allows it.

    Raises PolicyFileError where that is never.
    """
    windows = tuple(
        replace(
            one,
            days=one.days & other.days,
            start=max(one.start, other.start),
            end=_earlier(one.end, other.end),
            article=one.article if one.article == other.article else f"{one.article}; {other.article}",
        )
        for one in first.windows
        for other in second.windows
        if one.days & other.days and _is_before(max(one.start, other.start), _earlier(one.end, other.end))
    )
    if not windows:
        raise PolicyFileError(f"{first.id} and {second.id} together never allow a call")
    if "none" not in (first.holidays, second.holidays) and first.holidays != second.holidays:
        raise PolicyFileError(f"{first.id} and {second.id} keep the holidays of different countries")
    stricter = first if first.consent.covers(second.consent) else second
    return replace(
        first,
        id=f"{first.id}+{second.id}",
        windows=windows,
        holidays=first.holidays if second.holidays == "none" else second.holidays,
        tz_rule="strictest" if "strictest" in (first.tz_rule, second.tz_rule) else "contact",
        caps=tuple(dict.fromkeys(first.caps + second.caps)),
        after_conversation_hours=max(first.after_conversation_hours, second.after_conversation_hours),
        min_gap_minutes=max(first.min_gap_minutes, second.min_gap_minutes),
        channel_exclusive_week=first.channel_exclusive_week or second.channel_exclusive_week,
        caller_id_prefixes=first.caller_id_prefixes or second.caller_id_prefixes,
        caller_id_article=(first if first.caller_id_prefixes else second).caller_id_article,
        registries=tuple(dict.fromkeys(first.registries + second.registries)),
        consent=stricter.consent,
        consent_article=stricter.consent_article,
        retention_days=max(filter(None, (first.retention_days, second.retention_days)), default=None),
        prompt_rules=tuple(dict.fromkeys(first.prompt_rules + second.prompt_rules)),
        simulation_only=first.simulation_only or second.simulation_only,
    )


def _earlier(one: time, other: time) -> time:
    if MIDNIGHT in (one, other):
        return other if one == MIDNIGHT else one
    return min(one, other)


def _is_before(start: time, end: time) -> bool:
    return end == MIDNIGHT or start < end
