"""Negotiation flows: by days past due, which agent speaks, how it opens, and what it may offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from speechai.catalog.presets import FileError
from speechai.catalog.use_cases import UseCaseId

_STRICT = ConfigDict(extra="forbid")


class FlowFileError(FileError):
    """A flow is not valid; the message names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of days past due, half-open: `from_days` is in, `to_days` is out. None: without end."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: str  # the type of arrears (tipo de mora), as the agent is told it
    label_es: str
    label_en: str
    opening: str  # how the agent opens, in the person's language
    from_days: int | None = None
    to_days: int | None = None
    tone: str = ""
    most_instalments: Annotated[int, Field(ge=1, le=120)] = 1
    discount_percent: Annotated[int, Field(ge=0, le=100)] = 0
    pay_within_days: Annotated[int, Field(ge=0, le=365)] | None = None  # the last day that may be offered
    agent_id: str | None = None  # None: the batch's, the account's, RETELL_AGENT_ID
    agent_version: int | None = None

    def holds(self, days_past_due: int) -> bool:
        """Whether a debt so many days past due belongs here (negative: not due yet)."""
        above = self.from_days is None or self.from_days <= days_past_due
        return above and (self.to_days is None or days_past_due < self.to_days)


@dataclass(frozen=True, slots=True)
class Flow:
    """What the agent is and may say, by days past due; one bucket where there is no debt."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: str
    label_es: str
    label_en: str
    use_case: UseCaseId
    variables: frozenset[str]  # what its agents' prompts use: nothing else leaves the house …
    buckets: tuple[Bucket, ...]
    extra_columns: bool = True  # … but the columns that the operator added to the file for the agent

    def __post_init__(self) -> None:
        if not self.buckets:
            raise ValueError("a flow needs a bucket")
        if self.buckets[0].from_days is not None:
            raise ValueError(f"nothing is said below {self.buckets[0].from_days} days past due")
        if self.buckets[-1].to_days is not None:
            raise ValueError(f"nothing is said from {self.buckets[-1].to_days} days past due on")
        for before, after in zip(self.buckets, self.buckets[1:], strict=False):
            if before.to_days is None or after.from_days is None:
                raise ValueError(f"{before.id} and {after.id} overlap: only the ends may be open")
            if before.to_days != after.from_days:
                kind = "overlap" if before.to_days > after.from_days else "leave a gap"
                raise ValueError(f"{before.id} and {after.id} {kind}: {before.to_days}, {after.from_days}")
            if before.from_days is not None and before.from_days >= before.to_days:
                raise ValueError(f"{before.id} ends before it starts")

    def bucket(self, days_past_due: int) -> Bucket:
        """The bucket of a debt so many days past due."""
        return next(bucket for bucket in self.buckets if bucket.holds(days_past_due))


_FLOW = TypeAdapter(Flow)


def read_flow(name: str, data: Mapping[str, Any]) -> Flow:
    """The flow of a data file. Raises FlowFileError."""
    try:
        flow = _FLOW.validate_python(dict(data))
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, entry['loc'])) or 'flow'}: {entry['msg']}" for entry in error.errors()
        )
        loc = error.errors()[0]["loc"]
        raise FlowFileError(f"{name}: {where}", str(loc[0]) if loc else "buckets") from error
    if flow.id != name:
        raise FlowFileError(f"{name}: its id must be its name, not {flow.id}")
    return flow
