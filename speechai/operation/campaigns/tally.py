"""What became of the rows of an upload: the answer, and how it is counted while the file is read in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from speechai.catalog.use_cases import UseCaseId
from speechai.ingest import Contact, ParsedFile
from speechai.ingest.messages import Language
from speechai.operation.campaigns.duplicates import Joined, Replaced, replaced, skipped

SHOWN_PEOPLE = 20  # of a preview

_NO_COMPANY = {
    "es": "Personas sin empresa: {count}. El agente no sabrá por quién llama; indíquela.",
    "en": "People without a company: {count}. The agent will not know for whom it calls; give it.",
}


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
    replaced: Replaced = field(default_factory=Replaced)
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
            "replaced": self.replaced.as_answer(),
        }


class Tally:
    """What each contact of the file becomes, counted as it is read."""

    def __init__(
        self, parsed: ParsedFile, of_law: Sequence[str], *, company: str | None, language: Language
    ) -> None:
        self._parsed = parsed
        self._of_law = of_law
        self._company = company
        self._language = language
        self._rejected: list[dict[str, Any]] = [
            {"row": row.row, "column": row.column, "value": row.value, "error": row.error}
            for row in parsed.rejected
        ]
        self._nameless = 0
        self._first: list[Contact] = []
        self.created = 0
        self.joined: list[Joined] = []

    def add(self, contacts: Sequence[Contact]) -> None:
        """People who get a job of their own."""
        self.created += len(contacts)
        if len(self._first) < SHOWN_PEOPLE:
            self._first += contacts[: SHOWN_PEOPLE - len(self._first)]
        if not self._company:
            self._nameless += sum(not contact.company for contact in contacts)

    def skip(self, known: Sequence[Joined]) -> None:
        """People of another batch whom the operator wants left out."""
        self._rejected += skipped(known, self._language)

    def result(self, batch_id: str | None) -> UploadResult:
        """The answer; of a dry run (no batch) with the first people."""
        parsed, language = self._parsed, self._language
        warnings = [*parsed.warnings]
        if self._nameless:
            warnings.append(_NO_COMPANY[language].format(count=self._nameless))
        warnings += self._of_law
        changed = replaced(self.joined)
        if self.joined:
            warnings.append(changed.sentence(language))
        return UploadResult(
            batch_id=batch_id,
            use_case=parsed.use_case,
            rows=parsed.rows,
            jobs_created=self.created,
            # Every row that is neither a job of its own nor rejected joined one, of this file or another's.
            merged=parsed.rows - self.created - len(self._rejected),
            rejected=sorted(self._rejected, key=itemgetter("row")),
            warnings=warnings,
            columns=parsed.columns,
            replaced=changed,
            preview=[] if batch_id else self._first,
        )
