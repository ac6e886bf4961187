"""Negotiation flows, one data file each, beside this module."""

from __future__ import annotations

import functools
import json
from typing import Any

from speechai.catalog.accounts import Account
from speechai.catalog.flows.flow import Bucket, Flow, FlowFileError, read_flow
from speechai.catalog.presets import files_of, override


class FlowNotFoundError(LookupError):
    """No flow has this id."""


@functools.cache
def _files() -> dict[str, dict[str, Any]]:
    return files_of(__name__)


@functools.cache
def flows() -> dict[str, Flow]:
    """Every flow by its id. Raises FlowFileError where a file is not valid."""
    return {name: read_flow(name, data) for name, data in _files().items()}


def flow_of(account: Account | None, flow_id: str) -> Flow:
    """The account's own flow of that id, else ours. Raises FlowNotFoundError, OverrideError."""
    if account is not None and flow_id in account.flows:
        return _own(flow_id, json.dumps(account.flows[flow_id], sort_keys=True, default=str))
    try:
        return flows()[flow_id]
    except KeyError:
        raise FlowNotFoundError(flow_id) from None


@functools.lru_cache(maxsize=256)
def _own(flow_id: str, changes: str) -> Flow:
    return override(flow_id, json.loads(changes), lambda base: _files()[base], read_flow)


__all__ = ["Bucket", "Flow", "FlowFileError", "FlowNotFoundError", "flow_of", "flows"]
