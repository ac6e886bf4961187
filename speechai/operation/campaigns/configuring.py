"""How a batch is set up, at upload and by later edits: what is wished, checked against what exists.

An edit binds the next call: every dial reads the batch and its account anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from speechai.catalog.accounts import Account
from speechai.catalog.flows import FlowNotFoundError, flow_of, flows
from speechai.catalog.policies import (
    Consent,
    Policy,
    PolicyFileError,
    PolicyNotFoundError,
    policy_in_force,
    policy_of,
    presets,
)
from speechai.catalog.presets import OverrideError
from speechai.catalog.use_cases import USE_CASES, Country, UseCaseId
from speechai.core.policy_check import Impossible, flaw_of
from speechai.core.retry_table import RETRIES, RetryTableError, changed
from speechai.ingest.messages import Language
from speechai.operation.campaigns.legal_warnings import legal_warnings
from speechai.operation.services import Services
from speechai.store.database import Document


class RefusedOptionError(Exception):
    """An option cannot be used; `field` is its name, `message` says why and what to do."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name
        self.message = message


class NotEditableError(Exception):
    """The batch is over."""


@dataclass(frozen=True, slots=True)
class BatchEdit:
    """What an operator changes of a batch. None: as it is."""

    name: str | None = None
    policy: str | None = None
    flow: str | None = None
    wave_times: tuple[time, ...] | None = None
    weekdays: frozenset[int] | None = None
    daily_contacts: int | None = None
    priority: int | None = None
    agent_id: str | None = None
    company: str | None = None
    purpose: str | None = None
    consent: Consent | None = None
    retries: Mapping[str, Any] | None = None


_TEXTS: dict[str, dict[Language, str]] = {
    "unknown_policy": {
        "es": "No existe la política «{policy}». Las que hay: {known}.",
        "en": "There is no policy “{policy}”. There are: {known}.",
    },
    "simulation_only": {
        "es": "La política «{policy}» sólo vale con el proveedor simulado de esta máquina.",
        "en": "Policy “{policy}” is only for a simulated provider on this machine.",
    },
    "never": {
        "es": "Así no se podría llamar nunca: {why}.",
        "en": "Nobody could ever be called like that: {why}.",
    },
    Impossible.UNKNOWN_HOLIDAYS: {
        "es": "{policy}: {field}: no hay un calendario de feriados «{detail}». Use contact, none, un país"
        " como US, o un país y una región como BR-SP.",
        "en": "{policy}: {field}: there is no calendar of public holidays “{detail}”. Use contact, none, a"
        " country such as US, or a country and a region such as BR-SP.",
    },
    Impossible.NEVER_OPENS: {
        "es": "{policy}: {field}: con este horario no se podría llamar nunca a alguien en {detail}.",
        "en": "{policy}: {field}: at these hours nobody in {detail} could ever be called.",
    },
    Impossible.NOT_JUDGED: {
        "es": "{policy}: {field}: con este valor no se pueden aplicar las reglas ({detail}).",
        "en": "{policy}: {field}: the rules cannot be applied with this value ({detail}).",
    },
    "unknown_account": {"es": "No existe la cuenta «{account}».", "en": "There is no account “{account}”."},
    "unknown_flow": {
        "es": "No existe el flujo «{flow}». Los que hay: {known}.",
        "en": "There is no flow “{flow}”. There are: {known}.",
    },
    "flow_use_case": {
        "es": "El flujo «{flow}» es para {use_case}.",
        "en": "Flow “{flow}” is for {use_case}.",
    },
    "retries": {"es": "Tabla de reintentos: {why}.", "en": "Retry table: {why}."},
}


def said(key: str, language: Language, **values: object) -> str:
    """The sentence, in the operator's language."""
    return _TEXTS[key][language].format(**values)


def require_account(services: Services, account_id: str, language: Language) -> Account:
    """The account. Raises RefusedOptionError."""
    account = services.store.accounts.get(account_id)
    if account is None:
        raise RefusedOptionError("account_id", said("unknown_account", language, account=account_id))
    return account


def require_policy(services: Services, account: Account, policy_id: str, language: Language) -> Policy:
    """The account's own policy or the preset, if it may be used here. Raises RefusedOptionError."""
    try:
        policy = policy_of(account, policy_id)
    except PolicyNotFoundError:
        known = ", ".join([*presets(), *account.policies])
        message = said("unknown_policy", language, policy=policy_id, known=known)
        raise RefusedOptionError("policy", message) from None
    except OverrideError as error:
        raise RefusedOptionError("policy", str(error)) from error
    if policy.simulation_only and not services.settings.provider_is_local:
        raise RefusedOptionError("policy", said("simulation_only", language, policy=policy.id))
    return policy


def check_policy(services: Services, account: Account, policy_id: str, language: Language) -> None:
    """An account's own policy can be read and judged by, for a year from now. Raises RefusedOptionError, with
    the name of the field that is wrong."""
    try:
        policy = policy_of(account, policy_id)
    except OverrideError as error:
        raise RefusedOptionError(field_of("policies", policy_id, error), str(error)) from error
    if flaw := flaw_of(policy, services.clock.now().date()):
        raise RefusedOptionError(
            f"policies.{policy_id}.{flaw.field}",
            said(flaw.why, language, policy=policy_id, field=flaw.field, detail=flaw.detail),
        )


def field_of(rules: str, rules_id: str, error: OverrideError) -> str:
    """Where in an account's own rules something is wrong: "policies.mine.windows"."""
    return ".".join(filter(None, (rules, rules_id, error.field)))


def check_rules(
    account: Account,
    country: Country,
    use_case: UseCaseId,
    *,
    policy_id: str,
    weekdays: frozenset[int] | None,
    retries: Mapping[str, Any],
    language: Language,
) -> Policy:
    """What would be in force: policy, weekdays and law together. Raises RefusedOptionError."""
    try:
        policy = policy_in_force(account, policy_id, country, use_case, weekdays)
    except PolicyFileError as error:
        field = "weekdays" if weekdays else "policy"
        raise RefusedOptionError(field, said("never", language, why=error)) from error
    try:
        changed(changed(RETRIES, account.retries), retries)
    except RetryTableError as error:
        raise RefusedOptionError("retries", said("retries", language, why=error)) from error
    return policy


def require_flow(account: Account, flow_id: str | None, use_case: UseCaseId, language: Language) -> str:
    """The flow's id: the one that is wished, else the use case's own. Raises RefusedOptionError."""
    wished = flow_id or USE_CASES[use_case].default_flow
    try:
        flow = flow_of(account, wished)
    except FlowNotFoundError:
        known = ", ".join([*flows(), *account.flows])
        message = said("unknown_flow", language, flow=wished, known=known)
        raise RefusedOptionError("flow", message) from None
    except OverrideError as error:
        raise RefusedOptionError("flow", str(error)) from error
    if flow.use_case is not use_case:
        raise RefusedOptionError(
            "flow", said("flow_use_case", language, flow=wished, use_case=flow.use_case.value)
        )
    return flow.id


def edit(services: Services, batch_id: str, wished: BatchEdit, by: str, language: Language) -> None:
    """Change a batch that is not over; the next call obeys. Raises RefusedOptionError, NotEditableError."""
    batch = services.store.batches.get(batch_id)
    if batch is None:
        raise LookupError(batch_id)
    account = require_account(services, batch.account_id, language)
    weekdays = batch.weekdays if wished.weekdays is None else wished.weekdays
    retries = batch.retries if wished.retries is None else wished.retries
    policy = require_policy(services, account, wished.policy or batch.policy_id, language)
    check_rules(
        account,
        batch.country,
        batch.use_case,
        policy_id=wished.policy or batch.policy_id,
        weekdays=weekdays,
        retries=retries,
        language=language,
    )
    changes: Document = {
        "name": wished.name,
        "policy": wished.policy,
        "flow": require_flow(account, wished.flow, batch.use_case, language) if wished.flow else None,
        "wave_times": None if wished.wave_times is None else [f"{at:%H:%M}" for at in wished.wave_times],
        "weekdays": None if wished.weekdays is None else sorted(wished.weekdays),
        "daily_contacts": wished.daily_contacts,
        "priority": wished.priority,
        "agent_id": wished.agent_id,
        "company": wished.company,
        "purpose": wished.purpose,
        "consent": wished.consent.value if wished.consent else None,
        "retries": wished.retries,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if wished.policy or wished.consent:
        changes["legal_warnings"] = legal_warnings(
            services, account, policy, batch.country, batch.use_case, wished.consent or batch.consent
        )
    entry = {"at": services.clock.now(), "by": by, "changes": changes}
    if not services.store.batches.change(batch_id, changes, entry):
        raise NotEditableError(batch_id)
    services.nudges.dispatch()
