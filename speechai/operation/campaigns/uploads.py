"""From a file to a batch: every row becomes a job, joins one, or is listed with its reason (I8).

A batch is there whole or not at all. While its file is read in it is `uploading`, under a lease: nobody sees
or starts it. One guarded write makes it a draft, once all of it is known to be stored. An upload that dies
or fails leaves nothing but what it had brought into jobs of other batches, and the same file uploaded again
brings the same once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from speechai.catalog.accounts import DEFAULT_ACCOUNT, Account
from speechai.catalog.policies import Consent, Policy
from speechai.catalog.use_cases import USE_CASES, Country, UseCaseId
from speechai.core.zones import ZONE_OF_COUNTRY, local_day
from speechai.ingest import FileError, ParsedFile, read_contacts
from speechai.ingest.messages import Language
from speechai.operation.campaigns import batches
from speechai.operation.campaigns.batches import MoveRefusedError, Start
from speechai.operation.campaigns.chunks import chunks
from speechai.operation.campaigns.configuring import (
    RefusedOptionError,
    check_rules,
    require_account,
    require_flow,
    require_policy,
)
from speechai.operation.campaigns.duplicates import Duplicates, OtherBatches
from speechai.operation.campaigns.legal_warnings import legal_warnings, sentence
from speechai.operation.campaigns.tally import Tally, UploadResult
from speechai.operation.campaigns.writing import UploadLostError, Writing, attempts_allowed, lease_seconds
from speechai.operation.records.persons import identified
from speechai.operation.services import Services
from speechai.store.batches import batch_document

log = logging.getLogger(__name__)

WRITERS = 2
CHUNK = 2000  # jobs per insert: large enough to be quick, small enough to keep memory flat


class SameFileError(Exception):
    """The same content was uploaded before; `batch_id` is what it became, or is becoming right now."""

    def __init__(self, batch_id: str, *, is_being_read_in: bool) -> None:
        super().__init__(batch_id)
        self.batch_id = batch_id
        self.is_being_read_in = is_being_read_in


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


def upload(services: Services, path: Path, filename: str, options: UploadOptions) -> UploadResult:
    """Read the file and make its batch (with `dry_run`: only say what would become of it).

    Raises FileError for a file that cannot be used, RefusedOptionError for an option that cannot,
    SameFileError where the same content is a batch already and `again` was not said, UploadLostError where it
    has to be uploaded again.
    """
    language = options.language
    account = require_account(services, options.account_id, language)
    if options.policy:  # before the file is read: a wrong name should not cost a minute
        require_policy(services, account, options.policy, language)
    sha256 = _sha256(path)
    if not options.again and not options.dry_run:
        _refuse_same_file(services, account.id, sha256)
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
    others = OtherBatches(services, account, parsed.use_case, options.duplicates)
    tally = Tally(
        parsed,
        [sentence(laxity, language) for laxity in laxities],
        company=options.company,
        language=language,
    )
    if options.dry_run:
        return _preview(services, account, parsed, others, tally)
    batch_id = f"batch-{instant:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    claim = f"{sha256}#{batch_id}" if options.again else sha256
    file = {
        "name": filename,
        "sha256": sha256,
        "claim": claim,
        "columns": parsed.columns,
        "rows": parsed.rows,
    }
    batch = _batch(services, batch_id, account, policy, flow_id, parsed, options, instant, file)
    _begin(services, {**batch, "legal_warnings": laxities}, account.id, sha256)
    writing = Writing(services, account, batch_id, claim, options.created_by, instant)
    return _make(services, writing, parsed, others, tally, options.start)


def _make(
    services: Services,
    writing: Writing,
    parsed: ParsedFile,
    others: OtherBatches,
    tally: Tally,
    start: Start,
) -> UploadResult:
    """The batch that was begun becomes whole, and is started as it was wished."""
    batch_id = writing.batch_id
    try:
        writing.write(parsed.contacts, others, tally, chunk=CHUNK, writers=WRITERS)
        result = tally.result(batch_id)
        wish = None if start == "draft" or not result.jobs_created else start
        _finish(services, batch_id, result, wish)
    except Exception:
        # Half an upload is worse than none: what was written goes, and the operator may try again.
        services.store.batches.give_up_upload(batch_id)
        if services.store.batches.document(batch_id) is None:  # else its last write came through after all
            _remove(services, batch_id)
        raise
    log.info("uploaded %d rows: %d jobs", result.rows, result.jobs_created, extra={"batch_id": batch_id})
    if wish:
        with contextlib.suppress(MoveRefusedError):  # the sweep, or somebody at the panel, was quicker
            batches.start(services, batch_id, wish)
    return result


def _preview(
    services: Services, account: Account, parsed: ParsedFile, others: OtherBatches, tally: Tally
) -> UploadResult:
    """What an upload would answer, by reading only."""
    for contacts in chunks(parsed.contacts, CHUNK):
        anew, known = others.sort(identified(services, account, contacts))
        tally.add(anew)
        if others.merges:
            tally.joined += known
        else:
            tally.skip(known)
    return tally.result(None)


def discard_abandoned(services: Services) -> int:
    """Remove what uploads left that failed, or whose process died (their lease is over). Returns how many.

    Cut off itself, it goes on where it was when it is called again: the batch goes last.
    """
    store = services.store.batches
    abandoned = [batch_id for batch_id in store.abandoned_uploads() if store.take_abandoned(batch_id)]
    for batch_id in abandoned:
        _remove(services, batch_id)
    return len(abandoned)


def _remove(services: Services, batch_id: str) -> None:
    removed = services.store.jobs.delete_batch(batch_id)
    services.store.batches.delete(batch_id)
    log.warning("discarded an unfinished upload with %d jobs", removed, extra={"batch_id": batch_id})


def _refuse_same_file(services: Services, account_id: str, sha256: str) -> None:
    """Raises SameFileError. What a dead upload of the same file left is no reason to refuse it."""
    store = services.store.batches
    same = store.with_file(account_id, sha256)
    if same and store.document(same) is None:
        discard_abandoned(services)
        same = store.with_file(account_id, sha256)
    if same:
        raise SameFileError(same, is_being_read_in=store.document(same) is None)


def _begin(services: Services, batch: dict[str, Any], account_id: str, sha256: str) -> None:
    """Claim the content; raises SameFileError where somebody else was quicker."""
    while not services.store.batches.begin_upload(batch, lease_seconds(services)):
        _refuse_same_file(services, account_id, sha256)  # unless the other one is gone again by now


def _finish(services: Services, batch_id: str, result: UploadResult, wish: str | None) -> None:
    """Make the batch a draft: everything is stored, a majority has it, and it is all there."""
    store = services.store
    store.batches.add_rejections(batch_id, result.rejected)
    counts = {
        "rows": result.rows,
        "jobs_created": result.jobs_created,
        "merged": result.merged,
        "rejected": len(result.rejected),
        "warnings": result.warnings,
        "replaced": result.replaced.as_answer(),
        "start_wish": wish,  # how it is to be started; whoever starts it has granted it
    }
    if not (
        store.batches.keep_upload(batch_id, lease_seconds(services), seal=True)
        and store.jobs.size(batch_id) == result.jobs_created
        and store.tallies.count_new(batch_id, result.jobs_created)
        and store.batches.finish_upload(batch_id, counts)
    ):
        raise UploadLostError(batch_id)


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
    "UploadLostError",
    "UploadResult",
    "discard_abandoned",
    "upload",
]
