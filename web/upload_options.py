"""An upload's options as a form or a JSON body writes them, typed; every bad one is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, time
from enum import StrEnum
from typing import Any, TypeVar

from speechai.catalog.accounts import DEFAULT_ACCOUNT
from speechai.catalog.policies import Consent
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.operation.campaigns.configuring import BatchEdit
from speechai.operation.campaigns.uploads import Language, UploadOptions
from speechai.settings import parse_wave_times
from web.language import translate

# The options' names in the API and in the panel's form.
NAMES = (
    "account_id",
    "name",
    "use_case",
    "country",
    "policy",
    "start",
    "wave_times",
    "daily_contacts",
    "duplicates",
    "again",
    "mapping",
    "dry_run",
    "company",
    "dias_fecha_limite",
    "dias_fecha_maxima",
    "agent_id",
    "flow",
    "priority",
    "weekdays",
    "retries",
    "purpose",
    "legal_basis",
    "consent",
)
STARTS = ("now", "next_wave", "draft")
DUPLICATES = ("merge", "skip", "allow")
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})
MAX_TEXT = 200
MAX_CONTACTS = 100_000
MAX_DAYS = 365
DEFAULT_PRIORITY, MOST_PRIORITY = 2, 4

_E = TypeVar("_E", bound=StrEnum)


class BadOptionsError(ValueError):
    """Options that cannot be used: `errors` says of each what is wrong."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in errors.items()))
        self.errors = errors


def read_options(given: Mapping[str, Any], *, created_by: str, language: Language) -> UploadOptions:
    """The options, with their defaults. Raises BadOptionsError with every one that is wrong."""
    reader = OptionReader(given, language)
    options = UploadOptions(
        account_id=reader.text("account_id") or DEFAULT_ACCOUNT,
        name=reader.text("name"),
        use_case=reader.member("use_case", UseCaseId, None),
        country=reader.member("country", Country, Country.CL) or Country.CL,
        policy=reader.text("policy"),
        start=reader.choice("start", STARTS, "next_wave"),  # type: ignore[arg-type]  # one of STARTS
        wave_times=reader.wave_times("wave_times"),
        daily_contacts=reader.count("daily_contacts", 1, MAX_CONTACTS),
        duplicates=reader.choice("duplicates", DUPLICATES, "merge"),  # type: ignore[arg-type]
        again=reader.flag("again"),
        mapping=reader.mapping("mapping"),
        company=reader.text("company"),
        deadline_days=reader.count("dias_fecha_limite", 0, MAX_DAYS),
        final_deadline_days=reader.count("dias_fecha_maxima", 0, MAX_DAYS),
        agent_id=reader.text("agent_id"),
        flow=reader.text("flow"),
        priority=reader.count("priority", 1, MOST_PRIORITY) or DEFAULT_PRIORITY,
        weekdays=reader.weekdays("weekdays"),
        retries=reader.table("retries"),
        purpose=reader.text("purpose"),
        legal_basis=reader.text("legal_basis"),
        consent=reader.member("consent", Consent, Consent.NONE) or Consent.NONE,
        dry_run=reader.flag("dry_run"),
        created_by=created_by,
        language=language,
    )
    if reader.errors:
        raise BadOptionsError(reader.errors)
    return options


EDITABLE = (
    "name",
    "policy",
    "flow",
    "wave_times",
    "weekdays",
    "daily_contacts",
    "priority",
    "agent_id",
    "company",
    "purpose",
    "consent",
    "retries",
)


def read_edit(given: Mapping[str, Any], language: Language) -> BatchEdit:
    """What an operator changes of a batch. Raises BadOptionsError with everything that is wrong."""
    reader = OptionReader(given, language)
    for name in set(given) - set(EDITABLE):
        reader.errors[name] = translate(language, "option.choice", known=", ".join(EDITABLE))
    wished = BatchEdit(
        name=reader.text("name"),
        policy=reader.text("policy"),
        flow=reader.text("flow"),
        wave_times=reader.wave_times("wave_times"),
        weekdays=reader.weekdays("weekdays"),
        daily_contacts=reader.count("daily_contacts", 1, MAX_CONTACTS),
        priority=reader.count("priority", 1, MOST_PRIORITY),
        agent_id=reader.text("agent_id"),
        company=reader.text("company"),
        purpose=reader.text("purpose"),
        consent=reader.member("consent", Consent, None),
        retries=reader.table("retries"),
    )
    if reader.errors:
        raise BadOptionsError(reader.errors)
    return wished


class OptionReader:
    """Reads one option after the other, and remembers what was wrong."""

    def __init__(self, given: Mapping[str, Any], language: Language) -> None:
        self._given = given
        self._language = language
        self.errors: dict[str, str] = {}

    def _wrong(self, name: str, key: str, **values: Any) -> None:
        self.errors[name] = translate(self._language, f"option.{key}", **values)

    def text(self, name: str) -> str | None:
        value = self._given.get(name)
        if value is None:
            return None
        if isinstance(value, bool | list | dict):
            self._wrong(name, "text")
            return None
        shown = " ".join(str(value).split())
        if len(shown) > MAX_TEXT:
            self._wrong(name, "too_long", limit=MAX_TEXT)
            return None
        return shown or None

    def choice(self, name: str, known: tuple[str, ...], default: str) -> str:
        value = self.text(name)
        if value is None:
            return default
        if value not in known:
            self._wrong(name, "choice", known=", ".join(known))
            return default
        return value

    def member(self, name: str, kind: type[_E], default: _E | None) -> _E | None:
        value = self.text(name)
        if value is None:
            return default
        try:
            return kind(value)
        except ValueError:
            self._wrong(name, "choice", known=", ".join(kind))
            return default

    def flag(self, name: str) -> bool:
        value = self._given.get(name)
        if isinstance(value, bool):
            return value
        said = (self.text(name) or "").lower()
        if said not in _YES | _NO:
            self._wrong(name, "flag")
        return said in _YES

    def count(self, name: str, least: int, most: int) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or len(value) > 9 or not least <= int(value) <= most:
            self._wrong(name, "count", least=least, most=most)
            return None
        return int(value)

    def wave_times(self, name: str) -> tuple[time, ...] | None:
        value = self._given.get(name)
        if isinstance(value, list):
            value = ",".join(map(str, value))
        if value is None or not str(value).strip():
            return None
        try:
            return parse_wave_times(str(value))
        except ValueError:
            self._wrong(name, "wave_times")
            return None

    def weekdays(self, name: str) -> frozenset[int] | None:
        """ISO weekdays, as a list or as "1,2,3,4,5"."""
        value = self._given.get(name)
        parts = value if isinstance(value, list) else str(value or "").replace(" ", "").split(",")
        if value is None or parts == [""] or not parts:
            return None
        if not all(str(part) in {"1", "2", "3", "4", "5", "6", "7"} for part in parts):
            self._wrong(name, "weekdays")
            return None
        return frozenset(int(part) for part in parts)

    def day(self, name: str) -> date | None:
        """A calendar date as 2026-11-30."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            self._wrong(name, "day")
            return None

    def table(self, name: str) -> dict[str, Any] | None:
        """A JSON object, as itself or as its text."""
        value = self._given.get(name)
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                self._wrong(name, "mapping_json")
                return None
        if value is None or value == "":
            return None
        if not isinstance(value, dict):
            self._wrong(name, "object")
            return None
        return value

    def mapping(self, name: str) -> dict[str, str] | None:
        value = self._given.get(name)
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                self._wrong(name, "mapping_json")
                return None
        if value is None:
            return None
        if not isinstance(value, dict) or not all(isinstance(target, str) for target in value.values()):
            self._wrong(name, "mapping")
            return None
        return value or None
