"""The filters of list-calls: v3's typed conditions, and v2's bare arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

HIDDEN_IN_LISTS = frozenset({"transcript", "transcript_object", "transcript_with_tool_calls"})
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda have, want: have == want,
    "ne": lambda have, want: have != want,
    "sw": lambda have, want: str(have or "").startswith(str(want)),
    "ew": lambda have, want: str(have or "").endswith(str(want)),
    "co": lambda have, want: str(want) in str(have or ""),
    "gt": lambda have, want: have is not None and have > want,
    "ge": lambda have, want: have is not None and have >= want,
    "lt": lambda have, want: have is not None and have < want,
    "le": lambda have, want: have is not None and have <= want,
    "in": lambda have, want: have in want,
    "bt": lambda have, want: have is not None and want[0] <= have <= want[1],
    "pr": lambda have, want: have is not None,
    "np": lambda have, want: have is None,
}
_KEYED = {
    "metadata": "metadata",
    "dynamic_variables": "retell_llm_dynamic_variables",
    "custom_attributes": "custom_attributes",
}


class BadFilterError(ValueError):
    """A filter that the API does not know; the message names it."""


def matches_v3(call: dict[str, Any], criteria: dict[str, Any]) -> bool:
    """Whether a call fits every condition. Raises BadFilterError."""
    return all(_matches_key(call, key, wanted) for key, wanted in criteria.items())


def _matches_key(call: dict[str, Any], key: str, wanted: Any) -> bool:
    if key == "agent":
        return any(entry.get("agent_id") == call.get("agent_id") for entry in wanted)
    if key in _KEYED or key == "custom_analysis_data":
        held = call.get(_KEYED.get(key, "")) or {}
        if key == "custom_analysis_data":
            held = (call.get("call_analysis") or {}).get(key) or {}
        return all(_condition(held.get(entry.get("key")), entry, key) for entry in wanted)
    return _condition(_value(call, key), wanted, key)


def _value(call: dict[str, Any], key: str) -> Any:
    analysis = call.get("call_analysis") or {}
    if key in ("call_successful", "in_voicemail", "user_sentiment"):
        return analysis.get(key)
    if key == "combined_cost":
        return (call.get("call_cost") or {}).get(key)
    return call.get(key)


def _condition(have: Any, condition: Any, key: str) -> bool:
    if not isinstance(condition, dict) or condition.get("op") not in _OPERATORS:
        raise BadFilterError(f"request/body/filter_criteria/{key} is not a known condition")
    return _OPERATORS[condition["op"]](have, condition.get("value"))


def matches_v2(call: dict[str, Any], criteria: dict[str, Any]) -> bool:
    """Whether a call fits the legacy filters: arrays of values, and thresholds of times."""
    for key, wanted in criteria.items():
        have = call.get(key)
        if "." in key:
            outer, inner = key.split(".", 1)
            have = (call.get(outer) or {}).get(inner)
        if isinstance(wanted, dict):
            lower, upper = wanted.get("lower_threshold"), wanted.get("upper_threshold")
            if have is None or (lower is not None and have < lower) or (upper is not None and have > upper):
                return False
        elif isinstance(wanted, list) and have not in wanted:
            return False
    return True


def as_listed(call: dict[str, Any]) -> dict[str, Any]:
    """A call as lists show it: without what was said."""
    return {name: value for name, value in call.items() if name not in HIDDEN_IN_LISTS}
