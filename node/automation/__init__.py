"""What a node does by itself: completions and postings, sealed parts of orders, the daily statement of lanes.

All of it is found again in the store after any restart; nothing is remembered here but what need not be.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from node.automation.chores import do_chores, find_chores
from node.automation.desk import Desk
from node.automation.statements import DailyStatement
from node.core import Node
from node.errors import NodeError
from node.writer.lane_writer import Advance
from storage.errors import StorageError

STATEMENT_CHECK_SECONDS = 3_600.0
BURST_SECONDS = 0.03  # what comes shortly after each other is worked off, signed and passed on as one
log = logging.getLogger("wildgrass.automation")


class Automation:
    """Two tasks that look for work whenever the folded state has gone on. An async context."""

    def __init__(self, node: Node) -> None:
        """Take the node; nothing happens before the context is entered."""
        self._node = node
        self._desk = Desk(node)
        self._statement = DailyStatement(node)
        self._has_chores = asyncio.Event()
        self._has_orders = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def note(self, advance: Advance) -> None:
        """Say that the writer has done something."""
        if advance.folded:
            self._has_chores.set()
            self._has_orders.set()

    async def __aenter__(self) -> Self:
        """Begin, with what an earlier run left undone."""
        self._node.deliveries.listen(self._has_orders.set)
        self._has_chores.set()
        self._has_orders.set()
        self._tasks = [
            asyncio.create_task(self._repeat(self._has_chores, self._do_chores), name="chores"),
            asyncio.create_task(self._repeat(self._has_orders, self._desk.fetch_missing), name="desk"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what is undone is found again at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, has_work: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            with suppress(TimeoutError):
                # Not wait_for: that of Python 3.11 loses a cancellation that comes together with the event.
                async with asyncio.timeout(STATEMENT_CHECK_SECONDS):
                    await has_work.wait()
            await asyncio.sleep(BURST_SECONDS)
            has_work.clear()
            try:
                await work()
            except (NodeError, StorageError) as error:
                log.warning("put off: %s", error.code)
            except (
                Exception
            ):  # the outermost loop of a task: one bug of ours must not end all that is left to do
                log.exception("work was given up")

    async def _do_chores(self) -> None:
        chores = await self._node.read(lambda read: find_chores(read, self._node.community))
        if chores:
            await self._node.write(lambda transaction: do_chores(transaction, chores))
        await self._statement.state()
