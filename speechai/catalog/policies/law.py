"""Where a policy is laxer than the law of a contact's country, rule by rule, and by how much."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum

from speechai.catalog.policies.policy import MIDNIGHT, Cap, Certainty, Of, Per, Policy, Scope, Window
from speechai.catalog.use_cases import Country, UseCaseId

_LAW = {
    (Country.CL, UseCaseId.DEBT_COLLECTION): "cl-collections",
    (Country.CL, UseCaseId.MARKETING): "cl-marketing",
    (Country.AR, UseCaseId.DEBT_COLLECTION): "ar-collections",
    (Country.AR, UseCaseId.MARKETING): "ar-marketing",
}


class Kind(StrEnum):
    """Which rule of the law is not kept."""

    HOURS = "hours"
    HOLIDAYS = "holidays"
    ATTEMPTS = "attempts"
    CONTACTS = "contacts"
    REGISTRY = "registry"
    CONSENT = "consent"
    CALLER_ID = "caller_id"


@dataclass(frozen=True, slots=True)
class Laxity:
    """A rule of the law that a policy does not keep, with what a sentence about it needs."""

    kind: Kind
    article: str
    details: dict[str, object] = field(default_factory=dict)


def law_of(country: Country, use_case: UseCaseId) -> str | None:
    """The id of the preset that holds the country's law for the use case, where there is one."""
    return _LAW.get((country, use_case))


def laxities(policy: Policy, law: Policy, calls_per_day: int, from_number: str | None = None) -> list[Laxity]:
    """What of `law` the policy does not keep. Only what is in force counts; our own cautions do not.

    `calls_per_day` is the customer's own cap. A caller-ID prefix is missed unless `from_number` has it.
    """
    return [
        *_hours(policy, law),
        *(
            Laxity(*found)
            for cap in law.caps
            if cap.certainty is Certainty.LAW and (found := _cap(policy, cap, calls_per_day))
        ),
        *(
            Laxity(Kind.REGISTRY, registry.article, {"registry": registry.name})
            for registry in law.registries
            if registry.certainty is Certainty.LAW
            and registry.name not in {known.name for known in policy.registries}
        ),
        *_consent(policy, law),
        *_caller_id(law, from_number),
    ]


def has_prefix(number: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a caller's number has one of the national prefixes; any number has, where none is asked for."""
    national = number.removeprefix("+56").removeprefix("+54").removeprefix("+34")
    return not prefixes or national.startswith(prefixes)


def _hours(policy: Policy, law: Policy) -> list[Laxity]:
    if any(window.certainty is not Certainty.LAW for window in law.windows):
        return []
    article = law.windows[0].article
    found = []
    beyond = next(
        (
            window
            for window in policy.windows
            for day in window.days
            if not _covered(window, day, law.windows)
        ),
        None,
    )
    if beyond:
        allowed = ", ".join(window.label for window in law.windows)
        found.append(Laxity(Kind.HOURS, article, {"window": beyond.label, "allowed": allowed}))
    if policy.holidays == "none" and law.holidays != "none":
        found.append(Laxity(Kind.HOLIDAYS, article))
    return found


def _covered(window: Window, day: int, allowed: tuple[Window, ...]) -> bool:
    """Whether every minute of the window on that weekday is in one of the allowed ones."""
    return any(
        day in other.days and other.start <= window.start and _end(window.end) <= _end(other.end)
        for other in allowed
    )


def _end(end: time) -> float:
    return math.inf if end == MIDNIGHT else end.hour * 60 + end.minute + end.second / 60


def _cap(policy: Policy, law: Cap, calls_per_day: int) -> tuple[Kind, str, dict[str, object]] | None:
    house = Cap(calls_per_day, Per.DAY, Of.ATTEMPT, Scope.PERSON)
    most = min(
        cap.count * _periods(cap, law)
        for cap in (house, *policy.caps)
        # Fewer attempts mean fewer contacts, and fewer calls to a person fewer about each debt.
        if (cap.of is law.of or cap.of is Of.ATTEMPT)
        and (cap.scope is law.scope or (cap.scope is Scope.PERSON and law.scope is Scope.DEBT))
    )
    if most <= law.count:
        return None
    kind = Kind.ATTEMPTS if law.of is Of.ATTEMPT else Kind.CONTACTS
    return kind, law.article, {"most": most, "count": law.count, "days": law.longest_days}


def _periods(cap: Cap, law: Cap) -> int:
    """Over how many periods of `cap` the days of `law` can reach; rolling days straddle calendar weeks."""
    straddles = cap.per is Per.WEEK and law.per is Per.ROLLING_DAYS
    return math.ceil(law.longest_days / cap.longest_days) + straddles


def _consent(policy: Policy, law: Policy) -> list[Laxity]:
    if policy.consent.covers(law.consent):
        return []
    return [Laxity(Kind.CONSENT, law.consent_article, {"consent": law.consent.value})]


def _caller_id(law: Policy, from_number: str | None) -> list[Laxity]:
    if has_prefix(from_number or "", law.caller_id_prefixes):
        return []
    return [Laxity(Kind.CALLER_ID, law.caller_id_article, {"prefixes": ", ".join(law.caller_id_prefixes)})]
