"""Jobs on their way from the event loop to the writer's thread, and their answers on the way back.

Many clients ask in one turn of the loop, so the thread is woken when that turn is over, once: it then finds
all of them, and they share one transaction. Their answers go back in one step as well.

    future = inbox.put(job)           # in the event loop
    for job, future in inbox.take(timeout_seconds):   # on the thread
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.errors import NodeError
from node.writer.own_lanes import Signer
from node.writer.transaction import Transaction
from protocol.identity.successor import SealedLane

Job = Callable[[Transaction], Any]


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """Close the epoch. `succeed` makes the successor note over the sealed lanes, and what signs the next epoch.

    It is called on the writer's thread when every head is signed. Whatever it has to keep for the next epoch
    is on the disk when it returns. `is_prepared` is for a note that was prepared, while nothing else is written.
    """

    succeed: Callable[[Signer, Mapping[str, SealedLane]], tuple[bytes, Signer]]
    is_prepared: bool = False


AskedJob = tuple[Job, "asyncio.Future[Any]"]
Asked = tuple[Job | EpochEnd, "asyncio.Future[Any]"]
Answered = tuple["asyncio.Future[Any]", Any, BaseException | None]

GROUP_JOBS_MAX = 256
INBOX_JOBS_MAX = 4_096


class Inbox:
    """A bounded queue: `put` is for the event loop, `take` for the one thread that works."""

    def __init__(self, jobs_max: int = INBOX_JOBS_MAX) -> None:
        """Begin empty and open."""
        self._jobs: deque[Asked] = deque()
        self._jobs_max = jobs_max
        self._has_some = threading.Event()
        self._is_closed = False

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return len(self._jobs)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits, and something may still come."""
        return not self._jobs and not self._is_closed

    @property
    def is_drained(self) -> bool:
        """Whether nothing waits and nothing will come."""
        return self._is_closed and not self._jobs

    def put(self, job: Job | EpochEnd) -> "asyncio.Future[Any]":
        """Queue a job and return where its answer will be. Raises `NodeError`: `inbox_full`, `node_stopping`."""
        if self._is_closed:
            raise NodeError("node_stopping")
        if len(self._jobs) >= self._jobs_max:
            raise NodeError("inbox_full")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._jobs.append((job, future))
        if len(self._jobs) == 1:  # where others wait, the thread was woken for them or is about to look again
            loop.call_soon(self._has_some.set)
        return future

    def take(self, timeout_seconds: float | None) -> list[Asked]:
        """Wait for jobs, None for ever; return up to `GROUP_JOBS_MAX` of them, or none after the timeout."""
        self._has_some.wait(timeout_seconds)
        self._has_some.clear()
        jobs = [self._jobs.popleft() for _ in range(min(len(self._jobs), GROUP_JOBS_MAX))]
        if self._jobs or self._is_closed:
            self._has_some.set()
        return jobs

    def wake(self) -> None:
        """Let the thread look at once whether there is something else to do."""
        self._has_some.set()

    def close(self) -> None:
        """Take no more; what waits is still handed out."""
        self._is_closed = True
        self._has_some.set()

    def abandon(self) -> list[Asked]:
        """Take no more, and return what waits: nobody will do it."""
        self.close()
        left = list(self._jobs)
        self._jobs.clear()
        return left


def answer(answers: Sequence[Answered]) -> None:
    """Hand all answers of a group to the event loop in one step; a caller that has gone hears nothing."""
    if answers:
        loop = answers[0][0].get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: Sequence[Answered]) -> None:
    for future, result, failure in answers:
        if future.done():
            continue
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)
