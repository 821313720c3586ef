"""One audit in a process of its own, so that the node's pages and its writer do not wait for it.

Asked by one line of JSON on the standard input, which keeps a database's password out of the list of processes;
answers by lines of JSON: how far it is, then the report or why there is none.

    python -m node.auditing.worker
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from node.audit import audit_sources, open_source, report_json
from node.auditing.store_source import NarrowedSource, StoreSource
from node.errors import REFUSALS, report
from node.locale import ENGLISH
from protocol.audit.bundle import Source
from protocol.audit.run import Stage
from protocol.identity.keys import HASH_BYTES, from_base32
from storage.engine import open_store

NICENESS = 10
_SECONDS_BETWEEN_WORDS = 0.25


class AuditJob(msgspec.Struct, frozen=True, kw_only=True):
    """What to audit: `communities` by id in the store at `where`, or at an address where nothing is stored."""

    communities: list[str]
    where: str = ""
    address: str = ""


def main() -> int:
    """Do what the first line asks; 0 where there is a report."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=AuditJob)
    os.nice(NICENESS)
    try:
        with _opened(job) as source:
            found = audit_sources([source], _Progress())
    except REFUSALS as error:
        said = report(error, language=ENGLISH)
        _say({"failed": {"code": said.code, "detail": said.detail}})
        return 1
    sys.stdout.write(f'{{"report":{report_json(found)}}}\n')
    sys.stdout.flush()
    return 0


@contextmanager
def _opened(job: AuditJob) -> Iterator[Source]:
    communities = {from_base32(text, HASH_BYTES) for text in job.communities}
    if job.address:
        with open_source(job.address) as node:
            yield NarrowedSource(node, communities)
        return
    with open_store(job.where, writer=False) as store:
        yield StoreSource(store, communities)


class _Progress:
    """Says how far the audit is, a few times a second."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _SECONDS_BETWEEN_WORDS
            _say({"stage": stage, "done": done, "total": total})


def _say(word: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(word).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
