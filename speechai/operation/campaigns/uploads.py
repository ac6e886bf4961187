"""From a file to a batch: every row becomes a job, joins one, or is listed with its reason (I8)."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from speechai.catalog.accounts import DEFAULT_ACCOUNT, Account
from speechai.catalog.policies import Consent, Policy
from speechai.catalog.use_cases import USE_CASES, Country, UseCaseId
from speechai.core.zones import ZONE_OF_COUNTRY, local_day
from speechai.ingest import Contact, FileError, ParsedFile, read_contacts
from speechai.ingest.messages import Language
from speechai.operation.campaigns import batches
from speechai.operation.campaigns.batches import Start
from speechai.operation.campaigns.chunks import chunks
from speechai.operation.campaigns.configuring import (
    RefusedOptionError,
    check_rules,
    require_account,
    require_flow,
    require_policy,
)
from speechai.operation.campaigns.legal_warnings import legal_warnings, sentence
from speechai.operation.records.persons import identified, join_histories
from speechai.operation.services import Services
from speechai.store.batches import batch_document
from speechai.store.job_documents import job_document

log = logging.getLogger(__name__)

WRITERS = 2
CHUNK = 2000  # jobs per insert: large enough to be quick, small enough to keep memory flat

Duplicates = Literal["merge", "skip", "allow"]


class SameFileError(Exception):
    """The same content was uploaded before; `batch_id` is what it became."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(batch_id)
        self.batch_id = batch_id


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """What an operator may say about an upload. None: what the file, the account or the settings say."""

    account_id: str = DEFAULT_ACCOUNT
    name: str | None = None
    use_case: UseCaseId | None = None
    country: Country = Country.CL
    policy: str | None = None
    start: Start = "next_wave"
    wave_times: tuple[time, ...] | None = None
    daily_contacts: int | None = None
    duplicates: Duplicates = "merge"
    again: bool = False
    mapping: Mapping[str, str] | None = None
    company: str | None = None
    deadline_days: int | None = None
    final_deadline_days: int | None = None
    agent_id: str | None = None
    flow: str | None = None
    priority: int = 2
    weekdays: frozenset[int] | None = None
    retries: Mapping[str, Any] | None = None
    purpose: str | None = None
    legal_basis: str | None = None
    consent: Consent = Consent.NONE
    dry_run: bool = False
    created_by: str = "api"
    language: Language = "es"


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What became of the file's rows. The counts are counts of rows."""

    batch_id: str | None
    use_case: UseCaseId
    rows: int
    jobs_created: int
    merged: int
    rejected: list[dict[str, Any]]
    warnings: list[str]
    columns: dict[str, str] = field(default_factory=dict)
    preview: list[Contact] = field(default_factory=list)

    def as_answer(self) -> dict[str, Any]:
        """The API's answer."""
        return {
            "batch_id": self.batch_id,
            "use_case": self.use_case.value,
            "rows": self.rows,
            "jobs_created": self.jobs_created,
            "merged": self.merged,
            "rejected": self.rejected,
            "warnings": self.warnings,
            "columns": self.columns,
        }


_TEXTS = {
    "active_elsewhere": {
        "es": "Esta persona ya está en una campaña activa de la cuenta ({job}); se pidió omitirla.",
        "en": "This person is already in an active batch of the account ({job}); skipping was asked for.",
    },
    "no_company": {
        "es": "Personas sin empresa: {count}. El agente no sabrá por quién llama; indíquela.",
        "en": "People without a company: {count}. The agent will not know for whom it calls; give it.",
    },
    "merged_elsewhere": {
        "es": "{count} personas ya estaban en una campaña activa: su deuda se actualizó allí.",
        "en": "{count} people were already in an active batch: what they owe was updated there.",
    },
}


def _text(key: str, language: Language, **values: object) -> str:
    return _TEXTS[key][language].format(**values)


def upload(services: Services, path: Path, filename: str, options: UploadOptions) -> UploadResult:
    """Read the file and make its batch (with `dry_run`: only say what would become of it).

    Raises FileError for a file that cannot be used, RefusedOptionError for an option that cannot,
    SameFileError where the same content is a batch already and `again` was not said.
    """
    language = options.language
    account = require_account(services, options.account_id, language)
    if options.policy:  # before the file is read: a wrong name should not cost a minute
        require_policy(services, account, options.policy, language)
    sha256 = _sha256(path)
    same = services.store.batches.with_file(account.id, sha256)
    if same and not options.again and not options.dry_run:
        raise SameFileError(same)
    instant = services.clock.now()
    parsed = read_contacts(
        path,
        filename,
        use_case=options.use_case,
        country=options.country,
        mapping=options.mapping,
        language=options.language,
        today=local_day(instant, ZONE_OF_COUNTRY[options.country]),
    )
    policy_id = options.policy or USE_CASES[parsed.use_case].default_policy
    policy = require_policy(services, account, policy_id, language)
    check_rules(
        account,
        parsed.country,
        parsed.use_case,
        policy_id=policy_id,
        weekdays=options.weekdays,
        retries=options.retries or {},
        language=language,
    )
    flow_id = require_flow(account, options.flow, parsed.use_case, language)
    laxities = legal_warnings(services, account, policy, parsed.country, parsed.use_case, options.consent)
    plan = _plan(services, account, parsed, options, [sentence(laxity, language) for laxity in laxities])
    if options.dry_run:
        return _result(None, parsed, plan, preview=True)
    batch_id = f"batch-{instant:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    file = {"name": filename, "sha256": sha256, "columns": parsed.columns, "rows": parsed.rows}
    batch = _batch(services, batch_id, account, policy, flow_id, parsed, options, instant, file)
    services.store.batches.insert({**batch, "legal_warnings": laxities})
    try:
        _write(services, batch_id, account, plan, instant)
        result = _result(batch_id, parsed, plan)
        services.store.batches.add_rejections(batch_id, result.rejected)
    except Exception:
        # Half an upload is worse than none: what was written goes, and the operator may try again.
        services.store.tallies.delete_jobs(batch_id)
        services.store.batches.delete(batch_id)
        raise
    services.store.batches.finish_upload(
        batch_id,
        {
            "rows": result.rows,
            "jobs_created": result.jobs_created,
            "merged": result.merged,
            "rejected": len(result.rejected),
            "warnings": result.warnings,
        },
    )
    log.info("uploaded %d rows: %d jobs", result.rows, result.jobs_created, extra={"batch_id": batch_id})
    if options.start != "draft" and result.jobs_created:
        batches.start(services, batch_id, options.start)
    return result


@dataclass(slots=True)
class _Plan:
    """What each contact of the file becomes."""

    create: list[Contact] = field(default_factory=list)
    update: list[tuple[str, Contact]] = field(default_factory=list)  # (active job, contact)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _plan(
    services: Services,
    account: Account,
    parsed: ParsedFile,
    options: UploadOptions,
    legal: Sequence[str],
) -> _Plan:
    """Decide about people who are in an active batch of the account already."""
    plan = _Plan(warnings=list(parsed.warnings))
    for row in parsed.rejected:
        plan.rejected.append({"row": row.row, "column": row.column, "value": row.value, "error": row.error})
    for read in chunks(parsed.contacts, CHUNK):
        chunk = identified(services, account, read)
        if not options.dry_run:
            join_histories(services, account, chunk, options.created_by)
        active: dict[str, str] = {}
        if options.duplicates != "allow":
            people = [contact.person_id for contact in chunk]
            active = services.store.jobs.active_people(account.id, people)
        for contact in chunk:
            job_id = active.get(contact.person_id)
            if job_id is None:
                plan.create.append(contact)
            elif options.duplicates == "merge":
                plan.update.append((job_id, contact))
            else:
                error = _text("active_elsewhere", options.language, job=job_id)
                plan.rejected.extend(
                    {"row": row, "column": None, "value": contact.name, "error": error}
                    for row in contact.rows
                )
    nameless = 0 if options.company else sum(not contact.company for contact in plan.create)
    if nameless:
        plan.warnings.append(_text("no_company", options.language, count=nameless))
    plan.warnings += legal
    if plan.update:
        plan.warnings.append(_text("merged_elsewhere", options.language, count=len(plan.update)))
    plan.rejected.sort(key=lambda row: row["row"])
    return plan


def _result(batch_id: str | None, parsed: ParsedFile, plan: _Plan, *, preview: bool = False) -> UploadResult:
    return UploadResult(
        batch_id=batch_id,
        use_case=parsed.use_case,
        rows=parsed.rows,
        jobs_created=len(plan.create),
        # Every row that is neither a job of its own nor rejected joined a job, of this file or of another.
        merged=parsed.rows - len(plan.create) - len(plan.rejected),
        rejected=plan.rejected,
        warnings=plan.warnings,
        columns=parsed.columns,
        preview=plan.create[:20] if preview else [],
    )


def _write(services: Services, batch_id: str, account: Account, plan: _Plan, instant: datetime) -> None:
    for chunk in chunks(plan.update, CHUNK):
        ended = services.store.jobs.replace_debts({job: contact.debt for job, contact in chunk}, instant)
        # Active when the plan was made, final by now: a job of their own, like anybody who is called anew.
        plan.create += [contact for job, contact in chunk if job in ended]
    max_attempts = attempts_allowed(services)
    # The database is another process: while it takes one chunk, the next is made.
    documents = chunks(_documents(batch_id, account, plan.create, max_attempts, instant), CHUNK)
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="upload") as writers:
        writing: deque[Future[None]] = deque()
        for made in documents:
            if len(writing) == WRITERS:
                writing.popleft().result()
            writing.append(writers.submit(services.store.tallies.insert_jobs, made))
        for written in writing:
            written.result()


def attempts_allowed(services: Services) -> int:
    """MAX_ATTEMPTS if set, else what the daily and the days' limits allow."""
    settings = services.settings
    return settings.max_attempts or settings.max_calls_per_day * settings.max_days_without_answer


def _documents(
    batch_id: str, account: Account, contacts: Sequence[Contact], max_attempts: int, instant: datetime
) -> Iterator[dict[str, Any]]:
    for seq, contact in enumerate(contacts, start=1):
        yield job_document(
            job_id=f"{batch_id.replace('batch-', 'job-', 1)}-{seq:06d}",
            seq=seq,
            batch_id=batch_id,
            account_id=account.id,
            person_id=contact.person_id,
            country=contact.country,
            document=contact.document,
            document_label=contact.document_label,
            name=contact.name,
            phones=contact.phones,
            company=contact.company,
            debt=contact.debt,
            offer=contact.offer,
            variables=contact.variables,
            max_attempts=max_attempts,
            rows=contact.rows,
            instant=instant,
        )


def _batch(
    services: Services,
    batch_id: str,
    account: Account,
    policy: Policy,
    flow_id: str,
    parsed: ParsedFile,
    options: UploadOptions,
    instant: datetime,
    file: dict[str, Any],
) -> dict[str, Any]:
    settings = services.settings
    return batch_document(
        batch_id=batch_id,
        account_id=account.id,
        name=options.name or Path(str(file["name"])).stem or batch_id,
        use_case=parsed.use_case,
        country=parsed.country,
        policy_id=policy.id,
        provider=settings.provider_key,
        wave_times=options.wave_times or settings.wave_times,
        tz_name=ZoneInfo(account.tz_name).key,
        daily_contacts=options.daily_contacts or settings.daily_contacts,
        company=options.company or None,
        deadline_days=options.deadline_days,
        final_deadline_days=options.final_deadline_days,
        max_attempts=attempts_allowed(services),
        agent_id=options.agent_id or None,
        flow_id=flow_id,
        priority=options.priority,
        weekdays=sorted(options.weekdays) if options.weekdays else None,
        retries=dict(options.retries or {}),
        purpose=options.purpose or USE_CASES[parsed.use_case].purpose_es,
        legal_basis=options.legal_basis or policy.legal_basis,
        consent=options.consent,
        created_by=options.created_by,
        instant=instant,
        file=file,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


__all__ = [
    "FileError",
    "Language",
    "SameFileError",
    "UploadOptions",
    "RefusedOptionError",
    "UploadResult",
    "upload",
]
