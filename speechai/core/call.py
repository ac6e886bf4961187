"""One call as the provider tells of it: read here, and nowhere else.

Whatever the provider sends is kept whole (`Call.raw`), and whatever of it cannot be read counts as not said:
no field raises. Source of names, units and reasons: reference/retell-api.md, sections 2 and 3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from speechai.core.callback import Callback, read_callback
from speechai.core.captured import Captured, captured_in
from speechai.core.words import answer_of, written

TERMINAL_STATUSES = frozenset({"ended", "not_connected", "error"})
LIVE_STATUSES = frozenset({"registered", "ongoing"})

IMPERSONAL = (
    "call_id",
    "call_status",
    "disconnection_reason",
    "duration_ms",
    "start_timestamp",
    "end_timestamp",
    "call_cost",
)
"""What of a call names nobody: all that is kept of the calls to a person who was erased."""

# -- ends, by what they say about the line (`outcomes.BY_DISCONNECTION` says what each comes to) -------------

MACHINE_ENDS = frozenset({"voicemail_reached", "ivr_reached"})
UNANSWERED_ENDS = frozenset({"dial_no_answer", "dial_busy", "user_declined"})
INVALID_ENDS = frozenset({"invalid_destination"})
FULL_ENDS = frozenset({"concurrency_limit_reached", "no_concurrency_fallback"})
NO_CREDIT_ENDS = frozenset({"no_valid_payment", "credit_exhausted", "budget_reached"})
FAILED_ENDS = frozenset(
    {
        "dial_failed",
        "telephony_provider_permission_denied",
        "telephony_provider_unavailable",
        "sip_routing_error",
        "marked_as_spam",
        "network_blocked",
        "scam_detected",
        "registered_call_timeout",
    }
)
OPTED_OUT_END = "user_requested_dnc"
CALLBACK_END = "user_requested_callback"

_SILENT_ENDS = INVALID_ENDS | FULL_ENDS | NO_CREDIT_ENDS
"""Nothing rings before these, unless somebody talked."""
_WORDLESS_ENDS = _SILENT_ENDS | UNANSWERED_ENDS | FAILED_ENDS
"""Nothing is said before these, unless somebody talked."""

MOST_CENTS = Decimal(10) ** 9  # no call costs more: such a cost is not believed
DEEPEST = 50  # a field nested deeper is kept as text: MongoDB keeps a hundred levels
LONGEST_MS = 24 * 60 * 60 * 1000  # nor lasts longer: the provider ends every call after two hours
_FINEST_CENTS = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class ProductCost:
    """What one of the provider's products cost in a call."""

    name: str
    cents: Decimal  # US cents


@dataclass(frozen=True, eq=False)
class Call(Mapping[str, Any]):
    """What the provider has told about one call so far. Immutable; reading costs only what is read.

    As a mapping it is the provider's own fields, to be kept, compared or handed on whole; what the product
    reads of them, it reads by the properties.
    """

    raw: dict[str, Any]
    """The provider's own fields, all of them; not to be changed."""

    @classmethod
    def of(cls, raw: object) -> Call:
        """The call that the provider's answer tells of; an answer that is no mapping tells of nothing."""
        if isinstance(raw, cls):
            return raw
        if isinstance(raw, dict):
            return cls(raw)
        return cls(dict(raw) if isinstance(raw, Mapping) else {})

    @cached_property
    def kept(self) -> dict[str, Any]:
        """The provider's fields as a database can keep them: what none can (integers of more than 64 bits,
        halves of characters, lists in lists without end) is text there, and nothing is left out.
        """
        return {_storable_text(name): _storable(value) for name, value in self.raw.items()}

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    # -- what it says -----------------------------------------------------------------------------

    @property
    def call_id(self) -> str | None:
        """The provider's name for it."""
        return _name(self.raw.get("call_id"))

    @property
    def attempt_id(self) -> str | None:
        """Our attempt, as we named it when the call was created."""
        return _name(_mapping(self.raw.get("metadata")).get("attempt_id"))

    @property
    def status(self) -> str | None:
        """`registered`, `ongoing`, `ended`, `not_connected`, `error`, or one of next year's."""
        return _word(self.raw.get("call_status"))

    @property
    def reason(self) -> str | None:
        """Why it ended, in the provider's words; there will be ones that we do not know."""
        return _word(self.raw.get("disconnection_reason"))

    @property
    def start_ms(self) -> int | None:
        """When somebody or something answered (epoch, ms)."""
        return _integer(self.raw.get("start_timestamp"))

    @property
    def end_ms(self) -> int | None:
        """When it ended (epoch, ms)."""
        return _integer(self.raw.get("end_timestamp"))

    @property
    def duration_ms(self) -> int:
        """How long was talked, in ms; 0 where that is not said, or cannot be."""
        spans = [_integer(self.raw.get("duration_ms"))]
        if self.start_ms is not None and self.end_ms is not None:
            spans.append(self.end_ms - self.start_ms)
        return next((span for span in spans if span is not None and 0 <= span <= LONGEST_MS), 0)

    @property
    def transcript(self) -> str:
        """What was said, as text with `User:` and `Agent:` before each turn."""
        text = self.raw.get("transcript")
        return text if isinstance(text, str) else ""

    @property
    def analysis(self) -> dict[str, Any]:
        """The provider's analysis of what was said; empty until it is there."""
        return _mapping(self.raw.get("call_analysis"))

    @property
    def is_successful(self) -> bool:
        """Whether the analysis says that the call reached its goal."""
        return answer_of(self.analysis.get("call_successful")) is True

    @property
    def in_voicemail(self) -> bool:
        """Whether the analysis says that a machine answered."""
        return answer_of(self.analysis.get("in_voicemail")) is True

    @cached_property
    def products(self) -> tuple[ProductCost, ...]:
        """What each of the provider's products cost."""
        listed = _mapping(self.raw.get("call_cost")).get("product_costs")
        rows = [_mapping(row) for row in listed] if isinstance(listed, list) else []
        priced = [(row, _cents(row.get("cost"))) for row in rows]
        return tuple(
            ProductCost(_name(row.get("product")) or "?", cents) for row, cents in priced if cents is not None
        )

    @cached_property
    def cost(self) -> Decimal | None:
        """What the provider charges for it, in US cents: exact, finite, ≥ 0. None while it has not said.

        Without a readable sum, that of the products.
        """
        combined = _cents(_mapping(self.raw.get("call_cost")).get("combined_cost"))
        if combined is None and self.products:
            return sum((product.cents for product in self.products), Decimal(0))
        return combined

    @property
    def says_cost(self) -> bool:
        """Whether the provider said anything about the cost, readable or not."""
        return bool(self.raw.get("call_cost"))

    @cached_property
    def captured(self) -> Captured:
        """What the agent captured, in the call's variables and in its analysis.

        The analysis wins where it says something. An opt-out binds whichever of the two says so.
        """
        return captured_in(self._analysed, self._variables)

    @property
    def said(self) -> dict[str, Any]:
        """Everything captured by the agent's own names, as it wrote it; the analysis wins."""
        kept = {**self._variables, **self._analysed}
        return {name: value for name, value in kept.items() if value not in (None, "")}

    def named(self, names: Iterable[str]) -> dict[str, str]:
        """What was captured under these names, as text."""
        said = self.said
        return {name: str(said[name]) for name in names if name in said}

    def callback(self, zone: ZoneInfo, ended: datetime) -> Callback:
        """The hour the person asked to be called at: judged against the call's end, in the person's zone."""
        return read_callback(self.captured.callback_at, zone, ended)

    # -- what follows from it -----------------------------------------------------------------------

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended, by a status we know or by an end that it carries."""
        if self.status in TERMINAL_STATUSES:
            return True
        return self.status not in LIVE_STATUSES and bool(self.reason or self.raw.get("end_timestamp"))

    @cached_property
    def user_spoke(self) -> bool:
        """Whether the transcript holds words of the person (or of a machine that answered)."""
        turns = self.raw.get("transcript_object")
        utterances = [_mapping(turn) for turn in turns] if isinstance(turns, list) else []
        if any(turn.get("role") == "user" and turn.get("content") for turn in utterances):
            return True
        return bool(re.search(r"^User:\s*\S", self.transcript, re.MULTILINE))

    @property
    def talked(self) -> bool:
        """Whether it had talk time: somebody or something answered, whatever ended it."""
        if (_integer(self.raw.get("duration_ms")) or 0) > 0:
            return True
        if self.start_ms is not None and self.end_ms is not None and self.end_ms > self.start_ms:
            return True
        return self.user_spoke

    @property
    def rang(self) -> bool:
        """Whether a phone rang. What follows talk time did, whatever its reason; and so did what cannot be
        told: the rule errs on the person's side.
        """
        if self.talked:
            return True
        if self.reason in _SILENT_ENDS:
            return False
        if self.reason in FAILED_ENDS or self.status == "error":
            return bool(self.raw.get("start_timestamp") or self.transcript)
        return True

    @property
    def awaits_analysis(self) -> bool:
        """Whether what was said is still being analysed: somebody answered, and it is not there yet.

        A machine says nothing worth waiting for, and a request for no more calls binds without it.
        """
        if not self.is_terminal or self.analysis or self.reason in MACHINE_ENDS | {OPTED_OUT_END}:
            return False
        return self.talked or (self.status == "ended" and self.reason not in _WORDLESS_ENDS)

    @property
    def lacks_details(self) -> bool:
        """Whether an answered call still misses its cost or its analysis: both come after its end."""
        if not (self.talked or self.raw.get("start_timestamp")):
            return False
        is_analysed = bool(self.analysis) or not (self.status == "ended" or self.awaits_analysis)
        return not (is_analysed and self.cost is not None)

    @property
    def says_no_credit(self) -> bool:
        """Whether it ended because the provider's account cannot pay, whatever was said before."""
        return self.reason in NO_CREDIT_ENDS

    @property
    def impersonal(self) -> Call:
        """The call without words, numbers, names, or the address of a recording."""
        return Call({name: self.raw[name] for name in IMPERSONAL if name in self.raw})

    def merge(self, news: Call) -> Call:
        """Everything two answers about one call say, in whichever order they came.

        The answer that is further on (ended over live, analysed over not) wins field by field; the other
        fills what it lacks. An end is never undone by a late, earlier answer.
        """
        ahead, behind = (self, news) if self._progress > news._progress else (news, self)
        merged = {**behind.raw, **{name: value for name, value in ahead.raw.items() if value is not None}}
        for name in ("call_analysis", "call_cost", "collected_dynamic_variables"):
            if not _mapping(ahead.raw.get(name)) and behind.raw.get(name):
                merged[name] = behind.raw[name]
        if ahead.is_terminal and ahead.status is None:
            merged.pop("call_status", None)  # the earlier answer's, from before the end
        return Call(merged)

    @property
    def _progress(self) -> tuple[bool, bool, int]:
        return self.is_terminal, bool(self.analysis), self.end_ms or 0

    @property
    def _variables(self) -> dict[str, Any]:
        return _mapping(_storable(self.raw.get("collected_dynamic_variables")))

    @property
    def _analysed(self) -> dict[str, Any]:
        return _mapping(_storable(self.analysis.get("custom_analysis_data")))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else dict(value) if isinstance(value, Mapping) else {}


def _storable(value: Any, depth: int = DEEPEST) -> Any:
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, dict | list) and not depth:
        return _storable_text(written(value) or "")
    if isinstance(value, dict):
        return {_storable_text(str(name)): _storable(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner, depth - 1) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return written(value)
    return value


def _storable_text(text: str) -> str:
    return text if text.isascii() and "\0" not in text else _whole(text)


def _whole(text: str) -> str:
    """Without halves of characters, which no encoding has, and without the character that ends a name."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{SYMBOL FOR NULL}")


def _name(value: Any) -> str | None:
    """A name or an enum's value; what is neither text nor a number is none."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64:
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def _word(value: Any) -> str | None:
    """A value of an enum; one of a kind that no enum has is not nothing, but one that nobody knows."""
    return _name(value) or (None if value in (None, "") else f"({type(value).__name__})")


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return round(number) if math.isfinite(number) else None


def _cents(value: Any) -> Decimal | None:
    """An exact amount of US cents, or None where the value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= MOST_CENTS:
        return None
    exponent = amount.as_tuple().exponent
    return amount.quantize(_FINEST_CENTS) if isinstance(exponent, int) and exponent < -12 else abs(amount)
