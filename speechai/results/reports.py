"""What a batch came to: sums over its jobs and attempts, for the terminal, the API and the demo's check."""

from __future__ import annotations

from typing import Any

from speechai.core.states import JobState
from speechai.operation.campaigns import batches
from speechai.operation.services import Services


def batch_report(services: Services, batch_id: str) -> dict[str, Any]:
    """The batch's sums. Raises BatchNotFoundError."""
    shown = batches.view(services, batch_id)
    counts = shown["counts"]
    final = sum(counts[state.value] for state in JobState if state.is_final)
    return {
        "batch_id": batch_id,
        "name": shown["name"],
        "status": shown["status"],
        "rows": shown.get("rows"),
        "merged": shown.get("merged"),
        "rejected": shown.get("rejected"),
        "jobs": shown["jobs"],
        "final": final,
        "counts": counts,
        "reasons": shown["reasons"],
        "outcomes": shown["outcomes"],
        "dials": shown["dials"],
        "rings": shown["rings"],
        "talk_seconds": shown["talk_seconds"],
        "cost_cents": shown["cost_cents"],
        "promises": shown["promises"],
        "promised": shown["promised"],
    }


def as_text(report: dict[str, Any]) -> str:
    """The report for a terminal."""
    lines = [
        f"Batch {report['name']} ({report['batch_id']}): {report['status']}",
        f"  rows     {report['rows']}: {report['merged']} merged, {report['rejected']} rejected",
        f"  jobs     {_pairs(report['counts'])}",
        f"  reasons  {_pairs(report['reasons'])}",
        f"  outcomes {_pairs(report['outcomes'])}",
        f"  dials    {report['dials']}, of which {report['rings']} rang",
        f"  talked   {report['talk_seconds']:.0f} s, for US$ {report['cost_cents'] / 100:.2f}",
    ]
    promised = ", ".join(f"{amount:,} {currency}" for currency, amount in report["promised"].items())
    lines.append(f"  promises {report['promises']}" + (f": {promised}" if promised else ""))
    return "\n".join(lines)


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count) or "none"
