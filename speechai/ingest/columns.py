"""Which column of a sheet means what: by header, country, the sheet's kind and an upload's mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from speechai.catalog.use_cases import Country, Field
from speechai.ingest.aliases import (
    CHECK_DIGIT_ALIASES,
    EXPORT_INTERNAL,
    EXPORT_ONLY,
    EXPORT_SIGNATURE,
    INSTALMENT_IDENTITY,
    RUNNING_NUMBERS,
    SURNAME_ALIASES,
)
from speechai.ingest.headers import (
    document_country,
    is_somebody_elses,
    key_of,
    line_kind,
    normalise,
    recognise,
    slug,
    words,
)
from speechai.ingest.messages import Language, file_error, say, shorten
from speechai.ingest.phones import LineKind

_DEBT_DETAILS = (
    Field.CURRENCY,
    Field.INSTALMENTS,
    Field.DUE_DATE,
    Field.DAYS_LATE,
    Field.DEADLINE,
    Field.FINAL_DEADLINE,
)
_INTERNAL_KEYS = frozenset(key_of(name) for name in EXPORT_INTERNAL)
_EXPORT_ONLY_KEYS = frozenset(key_of(name) for name in EXPORT_ONLY)
_IDENTITY_KEYS = frozenset(key_of(name) for name in INSTALMENT_IDENTITY)


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its place and its header as the file writes it."""

    index: int
    header: str


@dataclass(slots=True)
class Columns:
    """Where everything is in a sheet whose header has been read."""

    fields: dict[Field, list[Column]]  # several for phones, names and documents; else one
    phone_kinds: dict[int, LineKind]
    check_digit: Column | None  # a RUT's, where it has a column of its own
    variables: dict[str, Column]
    identity: list[int]  # the cells that make two rows the same row
    taken_for: dict[str, str]
    warnings: list[str] = field(default_factory=list)

    def single(self, target: Field) -> Column | None:
        """The one column of a field, where it has one."""
        group = self.fields.get(target)
        return group[0] if group else None


def resolve(
    headers: Sequence[str], country: Country, mapping: Mapping[str, str] | None, language: Language
) -> Columns:
    """Give every column its meaning, or raise FileError where two claim the same or the country is wrong."""
    return _Resolution(headers, country, language).run(mapping or {})


class _Resolution:
    """One file's header on its way to Columns."""

    def __init__(self, headers: Sequence[str], country: Country, language: Language) -> None:
        self.columns = [Column(index, header) for index, header in enumerate(headers) if words(header)]
        self.keys = {column.index: key_of(column.header) for column in self.columns}
        self.country = country
        self.language = language
        self.fields: dict[Field, list[Column]] = {}
        self.settled: dict[int, str] = {}  # column → what it was taken for
        self.warnings: list[str] = []
        internal = sum(key in _INTERNAL_KEYS for key in self.keys.values())
        self.is_export = internal >= EXPORT_SIGNATURE

    def run(self, mapping: Mapping[str, str]) -> Columns:
        self._apply_mapping(mapping)
        self._leave_out_internal()
        self._leave_out_others()
        self._find_documents()
        self._find_fields()
        self._join_surnames()
        check_digit = self._find_check_digit()
        if Field.AMOUNT not in self.fields:  # dates without a debt are what the agent may be told
            for detail in _DEBT_DETAILS:
                for column in self.fields.pop(detail, []):
                    del self.settled[column.index]
        self._order_phones()
        variables = self._name_variables()
        return Columns(
            fields=self.fields,
            phone_kinds={
                column.index: line_kind(column.header) for column in self.fields.get(Field.PHONE, [])
            },
            check_digit=check_digit,
            variables=variables,
            identity=self._identity(variables, check_digit),
            taken_for={column.header: self.settled[column.index] for column in self.columns},
            warnings=self.warnings,
        )

    def _take(self, column: Column, target: Field) -> None:
        self.fields.setdefault(target, []).append(column)
        self.settled[column.index] = target.value

    def _left(self) -> list[Column]:
        return [column for column in self.columns if column.index not in self.settled]

    def _apply_mapping(self, mapping: Mapping[str, str]) -> None:
        several = (Field.PHONE, Field.IGNORE)
        for header, name in mapping.items():
            column = self._mapped_column(header)
            if name not in set(Field):
                fields = ", ".join(Field)
                raise file_error("bad_mapping_field", self.language, header=header, field=name, fields=fields)
            target = Field(name)
            if target in self.fields and target not in several:
                raise file_error("bad_mapping_twice", self.language, field=name)
            self._take(column, target)
        self.fields.pop(Field.IGNORE, None)

    def _mapped_column(self, header: str) -> Column:
        exact = [column for column in self._left() if column.header == header]
        key = key_of(header)
        for column in exact or [column for column in self._left() if self.keys[column.index] == key]:
            return column
        found = ", ".join(column.header for column in self.columns)
        raise file_error("bad_mapping_header", self.language, header=header, found=found)

    def _leave_out_internal(self) -> None:
        for column in self._left():
            key = self.keys[column.index]
            own = self.is_export and (key in _INTERNAL_KEYS or key in _EXPORT_ONLY_KEYS)
            if own or key in RUNNING_NUMBERS:
                self.settled[column.index] = Field.IGNORE.value

    def _leave_out_others(self) -> None:
        """Somebody else's phones, names and documents are not the debtor's, and are told to nobody."""
        for column in self._left():
            if is_somebody_elses(column.header):
                self.settled[column.index] = Field.IGNORE.value
                self.warnings.append(say("somebody_elses", self.language, header=shorten(column.header)))

    def _find_documents(self) -> None:
        """The country's documents; another country's alone means that the country was chosen wrong."""
        if Field.DOCUMENT in self.fields:
            return
        claims = []
        for column in self._left():
            found = recognise(column.header)
            if found and found[0] is Field.DOCUMENT:
                claims.append((column, document_country(column.header)))
        own = [column for column, of in claims if of is self.country]
        foreign = [column for column, of in claims if of not in (self.country, None)]
        neutral = [column for column, of in claims if of is None]
        if foreign and not own and not neutral:
            header = foreign[0].header
            raise file_error("wrong_country", self.language, header=header, country=self.country.value)
        for column in own or neutral[:1]:
            self._take(column, Field.DOCUMENT)
        for column in foreign:
            self.settled[column.index] = Field.IGNORE.value
            self.warnings.append(say("foreign_document", self.language, header=column.header))
        # A bare "id" is a document only in a file of debts that has no other.
        if Field.DOCUMENT not in self.fields and any(
            (found := recognise(column.header)) and found[0] is Field.AMOUNT for column in self._left()
        ):
            for column in self._left():
                if self.keys[column.index] == "id":
                    self._take(column, Field.DOCUMENT)

    def _find_fields(self) -> None:
        claims: dict[Field, list[tuple[int, Column]]] = {}
        for column in self._left():
            found = recognise(column.header)
            if found and found[0] is not Field.DOCUMENT and found[0] not in self.fields:
                claims.setdefault(found[0], []).append((found[1], column))
        for target, candidates in claims.items():
            if target is Field.PHONE:
                for _, column in candidates:
                    self._take(column, target)
                continue
            candidates.sort(key=lambda claim: claim[0])  # stable: of equals, the leftmost
            best_rank, best = candidates[0]
            for rank, column in candidates[1:]:
                if rank == best_rank:
                    self._refuse_twins(best, column, target)
            self._take(best, target)

    def _refuse_twins(self, first: Column, second: Column, target: Field) -> None:
        """Money is not taken from one of two alike columns; elsewhere the first is used, with a warning."""
        if target in (Field.AMOUNT, Field.CURRENCY, Field.DUE_DATE):
            raise file_error(
                "ambiguous_columns",
                self.language,
                first=first.header,
                second=second.header,
                field=target.value,
            )
        self.warnings.append(say("duplicate_column", self.language, first=first.header, second=second.header))

    def _join_surnames(self) -> None:
        if Field.NAME not in self.fields:
            return
        for alias in SURNAME_ALIASES:
            for column in self._left():
                if normalise(column.header) == alias:
                    self._take(column, Field.NAME)

    def _find_check_digit(self) -> Column | None:
        if self.country is not Country.CL or Field.DOCUMENT not in self.fields:
            return None
        for column in self._left():
            if normalise(column.header) in CHECK_DIGIT_ALIASES:
                self.settled[column.index] = Field.DOCUMENT.value
                return column
        return None

    def _order_phones(self) -> None:
        """Left to right, but the export has landlines first and the original dialed mobiles first."""
        if self.is_export and Field.PHONE in self.fields:
            self.fields[Field.PHONE].sort(key=lambda column: line_kind(column.header) is not LineKind.MOBILE)

    def _name_variables(self) -> dict[str, Column]:
        variables: dict[str, Column] = {}
        for column in self._left():
            base = slug(column.header)
            name, count = base, 1
            while name in variables:
                count += 1
                name = f"{base}_{count}"
            variables[name] = column
            self.settled[column.index] = f"variable:{name}"
        return variables

    def _identity(self, variables: Mapping[str, Column], check_digit: Column | None) -> list[int]:
        used = {column.index for group in self.fields.values() for column in group}
        used |= {column.index for column in variables.values()}
        used |= {index for index, key in self.keys.items() if key in _IDENTITY_KEYS}
        if check_digit:
            used.add(check_digit.index)
        return sorted(used)
