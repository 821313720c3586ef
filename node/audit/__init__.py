"""The audit as a person starts it: sources, report, bundles, receipts (PROTOCOL.md sections 19 and 21).

It needs the standard library and `protocol`, nothing else: no store, no node, no event loop.

    with open_source("https://market.example:8470", token) as node, open_source("bundle.tar.gz") as file:
        report = audit_sources([node, file])
    print(render_report(report))
"""

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

from msgspec import to_builtins

from node.audit.archive import ArchiveSource
from node.audit.directory import DirectorySource
from node.audit.proof_files import write_proofs
from node.audit.state import ROWS_HELD, SpillingState
from node.audit.text import render_findings, render_report, render_verification, say_seen
from node.audit.verifying import KnownKeys, Verification, verify_file
from node.audit.writer import BundleSummary, write_bundle
from protocol.audit.bundle import Source
from protocol.audit.findings import Report
from protocol.audit.receipt import make_receipt
from protocol.audit.run import Audit, Progress, Stage
from protocol.errors import AuditError

_COLLECT_AFTER = 200_000  # new objects: an audit makes no cycles, and what it keeps is bounded


class OpenSource(Source, Protocol):
    """A source that holds a file or a connection; use it as a context manager."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(self, *_: object) -> None:
        """Let go of what it holds."""


def open_source(location: str, token: str | None = None) -> OpenSource:
    """Return the source at a path or an address: a bundle's directory, a tar of one, or a node.

    `token` is the auditor's token of a node and goes into the Authorization header only. Raises `AuditError`
    (`source_unreadable`, `archive_refused`, `path_refused`) where it cannot be opened.
    """
    if location.startswith(("http://", "https://")):
        from node.audit.http_source import (
            HttpSource,
        )  # a bundle needs no HTTP and TLS, which take time to load

        return HttpSource(location, token)
    path = Path(location)
    if path.is_dir():
        return DirectorySource(path)
    return ArchiveSource(path)


def audit_sources(
    sources: Sequence[Source], progress: Progress | None = None, *, rows_held: int = ROWS_HELD
) -> Report:
    """Audit everything that the sources hold, and return the report; `report.exit_code` is 0, 1 or 2.

    `progress(stage, done, total)` hears how many records went through "reading", "folding" and "summing".
    Blocks for as long as it takes: call it from a thread of its own. Raises `AuditError("source_changed")`
    where a source gives other bytes at its second reading; `OSError` where there is no room for the state.
    """
    with _few_collections(), SpillingState(rows_held) as state:
        return Audit(sources, state, progress or _no_progress).run()


def report_json(report: Report) -> str:
    """Return the report as one line of JSON; sums may be larger than 64 bits."""
    return json.dumps(to_builtins(report), ensure_ascii=False, separators=(",", ":"))


def _no_progress(stage: Stage, done: int, total: int) -> None:
    """Hear nothing."""


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let Python look for cycles seldom: on many small values that takes a fifth of the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


__all__ = [
    "AuditError",
    "BundleSummary",
    "KnownKeys",
    "OpenSource",
    "Progress",
    "Report",
    "Source",
    "Stage",
    "Verification",
    "audit_sources",
    "make_receipt",
    "open_source",
    "render_findings",
    "render_report",
    "render_verification",
    "report_json",
    "say_seen",
    "verify_file",
    "write_bundle",
    "write_proofs",
]
