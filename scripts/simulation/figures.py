"""Runs as lines for people and as JSON for programs.

print(as_line(run)); print(as_json(report(runs)))
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from simulation.world import Run

_DIGEST_CHARACTERS = 16


def as_line(run: Run, *, is_long: bool = False) -> str:
    """Return what came of one run, its violations on lines of their own."""
    healed = "not healed" if run.healed_seconds is None else f"healed in {run.healed_seconds:g} s"
    verdict = "FAILED" if run.violations else "held"
    line = (
        f"{verdict:6} {run.scenario}, {run.nodes} nodes, seed {run.seed}: {run.node_hours:.1f} node-hours "
        f"({run.stepped_node_hours:.1f} stepped), {run.steps} steps, {run.entries} entries held, {healed}, "
        f"trace {run.digest[:_DIGEST_CHARACTERS]}"
    )
    counts = ", ".join(f"{count} {what}" for what, count in sorted(run.counts.items())) if is_long else ""
    return "\n  ".join([line, *([counts] if counts else []), *run.violations])


def report(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the figures of some runs, by scenario and in all."""
    names = dict.fromkeys(run.scenario for run in runs)
    return {
        "scenarios": {name: _sum([run for run in runs if run.scenario == name]) for name in names},
        "in_all": _sum(runs),
        "failed": [{"command": run.command, "violations": run.violations} for run in runs if run.violations],
    }


def as_json(figures: dict[str, Any]) -> str:
    """Return figures as JSON."""
    return json.dumps(figures, indent=2)


def _sum(runs: Sequence[Run]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run.counts)
    delivery_ms = sorted(wait for run in runs for wait in run.delivery_ms)
    spread_ms = sorted(wait for run in runs for wait in run.spread_ms)
    healed = [run.healed_seconds for run in runs if run.healed_seconds is not None]
    return {
        "runs": len(runs),
        "violations": sum(len(run.violations) for run in runs),
        "node_hours": round(sum(run.node_hours for run in runs), 1),
        "node_hours_stepped": round(sum(run.stepped_node_hours for run in runs), 1),
        "steps": sum(run.steps for run in runs),
        "megabytes_sent": round(sum(run.bytes_sent for run in runs) / 1e6, 3),
        "healed_seconds_longest": max(healed, default=None),
        "delivery_ms": _ranked(delivery_ms),
        "spread_ms": _ranked(spread_ms),
        "proof_bytes_max": max((run.proof_bytes_max for run in runs), default=0),
        "counts": dict(sorted(counts.items())),
    }


def _ranked(waits: Sequence[int]) -> dict[str, int]:
    """The middle, the 99th of a hundred and the longest of some sorted waits; nothing where there were none."""
    if not waits:
        return {}
    return {"50th": waits[len(waits) // 2], "99th": waits[len(waits) * 99 // 100], "longest": waits[-1]}
