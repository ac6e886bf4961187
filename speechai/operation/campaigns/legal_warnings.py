"""What an operator is told where a policy is laxer than the law: which rule, which article, by how much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speechai.catalog.accounts import Account, Legal
from speechai.catalog.policies import Consent, Policy, preset, strictest
from speechai.catalog.policies.law import Kind, Laxity, law_of, laxities
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.ingest.messages import Language
from speechai.operation.services import Services

_TEXTS: dict[Kind, dict[Language, str]] = {
    Kind.HOURS: {
        "es": "La política «{policy}» llama fuera de las horas de la ley ({window}; {allowed}): {article}.",
        "en": "Policy “{policy}” calls outside the law's hours ({window}; {allowed}): {article}.",
    },
    Kind.HOLIDAYS: {
        "es": "La política «{policy}» llama en feriados, y la ley no lo permite: {article}.",
        "en": "Policy “{policy}” calls on public holidays, which the law forbids: {article}.",
    },
    Kind.ATTEMPTS: {
        "es": "La política «{policy}» permite {most} llamadas en {days} días; la ley, {count}: {article}.",
        "en": "Policy “{policy}” allows {most} calls in {days} days; the law, {count}: {article}.",
    },
    Kind.CONTACTS: {
        "es": "La política «{policy}» permite {most} contactos en {days} días; la ley, {count}: {article}.",
        "en": "Policy “{policy}” allows {most} contacts in {days} days; the law, {count}: {article}.",
    },
    Kind.REGISTRY: {
        "es": "La política «{policy}» no consulta el registro {registry}: {article}.",
        "en": "Policy “{policy}” does not consult the register {registry}: {article}.",
    },
    Kind.CONSENT: {
        "es": "La ley pide consentimiento previo ({consent}), y la campaña no declara tenerlo: {article}.",
        "en": "The law asks for prior consent ({consent}), and the batch states none: {article}.",
    },
    Kind.CALLER_ID: {
        "es": "El número que llama no tiene el prefijo que se exige ({prefixes}): {article}.",
        "en": "The caller's number does not have the prefix that is asked for ({prefixes}): {article}.",
    },
}


_CONSENT: dict[str, dict[Language, str]] = {
    Consent.EXPRESS: {"es": "expreso", "en": "express"},
    Consent.WRITTEN: {"es": "por escrito", "en": "written"},
}


def sentence(laxity: Mapping[str, Any], language: Language) -> str:
    """A stored warning, in the reader's language."""
    values = {"policy": laxity["policy"], "article": laxity["article"], **laxity["details"]}
    if "consent" in values:
        values["consent"] = _CONSENT[values["consent"]][language]
    return _TEXTS[Kind(laxity["kind"])][language].format(**values)


def legal_warnings(
    services: Services,
    account: Account,
    policy: Policy,
    country: Country,
    use_case: UseCaseId,
    consent: Consent,
) -> list[dict[str, Any]]:
    """What the policy does not keep of the law of the contacts' country, as a batch stores it."""
    if policy.simulation_only:
        return []  # a simulation rings nobody
    found = _beyond_the_law(services, account, policy, law_of(country, use_case))
    if not consent.covers(policy.consent):
        found.append(Laxity(Kind.CONSENT, policy.consent_article, {"consent": policy.consent.value}))
    return [
        {
            "kind": laxity.kind.value,
            "policy": policy.id,
            "article": laxity.article,
            "details": laxity.details,
        }
        for laxity in found
    ]


def _beyond_the_law(services: Services, account: Account, policy: Policy, law: str | None) -> list[Laxity]:
    if law is None:
        return []
    if account.legal is Legal.ENFORCE:
        policy = strictest(policy, preset(law)) if policy.id != law else policy
    from_number = (*account.from_numbers, services.settings.retell_from_number)[0]
    found = laxities(policy, preset(law), services.settings.max_calls_per_day, from_number)
    return [
        laxity
        for laxity in found
        # The owner's own statement of how the prefix rule is met takes the place of the warning.
        if laxity.kind is not Kind.CALLER_ID or not account.caller_id_statement
    ]
