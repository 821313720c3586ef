"""Which records of other communities a node has folded, as its `/status` says, and who waits for which.

One question a round answers everybody who waits. The more wait, the longer the round: what they say next then
comes in one burst, which a node syncs, signs and passes on as one.

    async with watched_arrivals(village.communities) as arrivals:
        await arrivals[seller.id].of(placed["record"])
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from typing import Any

from node.operations.demo.village import Community

ROUND_SECONDS_MIN = 0.1
ROUND_SECONDS_MAX = 1.0
ROUND_SECONDS_PER_WAITER = 0.01

Lane = tuple[str, str, int]
"""Community, lane and epoch."""

_Waiter = tuple[int, int, "asyncio.Future[None]"]  # index of the record, order of asking


class Arrivals:
    """What has arrived at one node."""

    def __init__(self, community: Community) -> None:
        """Take the community whose node is asked; nothing is asked before somebody waits."""
        self._community = community
        self._folded_sizes: dict[Lane, int] = {}
        self._waiters: dict[Lane, list[_Waiter]] = defaultdict(list)
        self._is_awaited = asyncio.Event()
        self._asked = count()

    async def of(self, record: Mapping[str, Any]) -> None:
        """Wait until the node has folded a record, named by the place in the answer that it was written by."""
        lane: Lane = (record["community"], record["lane"], record["epoch"])
        index: int = record["index"]
        if lane[0] == self._community.id or self._folded_sizes.get(lane, 0) > index:
            return
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiters[lane], (index, next(self._asked), arrived))
        self._is_awaited.set()
        await arrived

    async def watch(self) -> None:
        """Ask as long as somebody waits. Runs until it is cancelled; a refusal goes to all who wait."""
        while True:
            await self._is_awaited.wait()
            try:
                status = await self._community.api.call("GET", "/status")
            except Exception as error:
                self._fail(error)
                raise
            for lane in status["lanes"]:
                self._note((lane["community"], lane["lane"], lane["epoch"]), lane["folded_size"])
            waiting = sum(map(len, self._waiters.values()))
            if not waiting:
                self._is_awaited.clear()
            round_seconds = ROUND_SECONDS_MIN + waiting * ROUND_SECONDS_PER_WAITER
            await asyncio.sleep(min(round_seconds, ROUND_SECONDS_MAX))

    def _note(self, lane: Lane, folded_size: int) -> None:
        self._folded_sizes[lane] = folded_size
        waiters = self._waiters[lane]
        while waiters and waiters[0][0] < folded_size:
            arrived = heappop(waiters)[2]
            if not arrived.done():
                arrived.set_result(None)

    def _fail(self, error: Exception) -> None:
        for waiters in self._waiters.values():
            for _index, _asked, arrived in waiters:
                if not arrived.done():
                    arrived.set_exception(error)


@asynccontextmanager
async def watched_arrivals(communities: Sequence[Community]) -> AsyncIterator[Mapping[str, Arrivals]]:
    """Yield what arrives at each community, by its id, and watch until the end of the context."""
    arrivals = {community.id: Arrivals(community) for community in communities}
    watching = [asyncio.create_task(watched.watch()) for watched in arrivals.values()]
    try:
        yield arrivals
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
