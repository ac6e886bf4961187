"""What the operator is told about a file's rows: which were rejected and why, and what was left out."""

from __future__ import annotations

from operator import itemgetter

from speechai.catalog.use_cases import Country
from speechai.ingest.cells import cell_text
from speechai.ingest.columns import Column
from speechai.ingest.messages import Language, say, shorten

Rejected = tuple[int, str | None, str, str]  # row, column, value, reason


class Remarks:
    """Collects them, warnings up to a limit and after it only their number."""

    def __init__(self, country: Country, language: Language, most_warnings: int) -> None:
        self._country = country
        self._language = language
        self._most_warnings = most_warnings
        self._rejected: list[Rejected] = []
        self._warnings: list[str] = []
        self._unlisted = 0

    def reject(self, number: int, column: str | None, value: object, code: str, **values: object) -> None:
        """Row `number` becomes nothing."""
        error = say(code, self._language, **values)
        self._rejected.append((number, column, shorten(cell_text(value)), error))

    def warn(
        self, number: int, column: Column, value: object, code: str, left_out: bool = True, **values: object
    ) -> None:
        """A cell of row `number` was not taken as it stands; `left_out`: not taken at all."""
        error = say(code, self._language, country=self._country.value, **values)
        if left_out:
            error += say("left_out", self._language)
        self.note(
            say(
                "at_row",
                self._language,
                row=number,
                column=shorten(column.header),
                value=shorten(cell_text(value)),
                error=error,
            )
        )

    def note(self, warning: str) -> None:
        """One warning more, if there is room."""
        if len(self._warnings) < self._most_warnings:
            self._warnings.append(warning)
        else:
            self._unlisted += 1

    def rejected(self) -> list[Rejected]:
        """The rejected rows, in the file's order."""
        return sorted(self._rejected, key=itemgetter(0))

    def warnings(self) -> list[str]:
        """Every warning that had room, then how many had none."""
        unlisted = [say("more_warnings", self._language, count=self._unlisted)] if self._unlisted else []
        return self._warnings + unlisted
