"""The audits of a running node: one at a time, each in a process of its own, its result kept in memory.

audits = Audits(where)
audits.start(community, AuditJob(...), now)
audits.latest(community).report
"""

import asyncio
import json
import logging
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from node.errors import NodeError

if TYPE_CHECKING:
    from node.auditing.worker import AuditJob
    from protocol.audit.findings import Report

KEPT_MAX = 32
REPORT_BYTES_MAX = 64 * 1_048_576

log = logging.getLogger("wildgrass.audits")


@dataclass(slots=True)
class AuditRun:
    """One audit: how far it is, and then its report or why there is none. Times are milliseconds since 1970."""

    community: bytes
    begun_ms: int
    is_remote: bool
    stage: str = "reading"
    done: int = 0
    total: int = 0
    ended_ms: int | None = None
    report: "Report | None" = None
    failure: tuple[str, str] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.ended_ms is None


class Audits:
    """The audits of one node, asked from the event loop only."""

    def __init__(self, where: str | Path) -> None:
        """Take where the store is: a folder, or the URL of a database."""
        self.where = str(where)
        self._runs: OrderedDict[bytes, AuditRun] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> AuditRun | None:
        """The audit that runs now."""
        return next((run for run in self._runs.values() if run.is_running), None)

    def latest(self, community: bytes) -> AuditRun | None:
        """Return the audit of a community that was started last, None where none was since the node started."""
        return self._runs.get(community)

    def all_latest(self) -> list[AuditRun]:
        """Return the audits that are kept, the newest last."""
        return list(self._runs.values())

    def start(self, community: bytes, job: "AuditJob", now: Callable[[], int]) -> AuditRun:
        """Start an audit; raises `NodeError` `audit_running` while there is one."""
        if self.running is not None:
            raise NodeError("audit_running")
        run = AuditRun(community, now(), is_remote=bool(job.address))
        self._runs[community] = run
        self._runs.move_to_end(community)
        while len(self._runs) > KEPT_MAX:
            self._runs.popitem(last=False)
        self._task = asyncio.get_running_loop().create_task(self._run(run, job, now))
        return run

    async def stop(self) -> None:
        """End the audit that runs, and its process with it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, run: AuditRun, job: "AuditJob", now: Callable[[], int]) -> None:
        try:
            await _listen(run, job)
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            log.warning("an audit broke off: %s", error)
        finally:
            if run.report is None and run.failure is None:
                run.failure = ("audit_broken_off", "")
            run.ended_ms = now()


async def _listen(run: AuditRun, job: "AuditJob") -> None:
    """Start the process, hear it to its end, and leave nothing of it behind."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "node.auditing.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=REPORT_BYTES_MAX,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        process.stdin.close()
        while word := await process.stdout.readline():
            _hear(run, json.loads(word))
    except BaseException:  # cancelled as well: nobody would hear it any more
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    await process.wait()


def _hear(run: AuditRun, word: dict[str, Any]) -> None:
    if "report" in word:
        from protocol.audit.findings import Report  # a node that audits nobody never loads the auditor

        run.report = msgspec.convert(word["report"], Report)
    elif "failed" in word:
        run.failure = (word["failed"]["code"], word["failed"]["detail"])
    else:
        run.stage, run.done, run.total = word["stage"], word["done"], word["total"]
