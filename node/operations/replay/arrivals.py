"""Which records of other communities a node has folded, as its `/status` says, and who waits for which.

Rounds are common to all nodes. The more wait, the longer a round: what they say next then comes in one burst,
which a node syncs, signs and passes on as one.

    async with watched_arrivals(village.communities) as arrivals:
        await arrivals[seller.id].of(placed["record"])
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from typing import Any

from node.operations.demo.api_client import together
from node.operations.demo.village import Community

ROUND_SECONDS_MIN = 0.1
ROUND_SECONDS_MAX = 3.0
ROUND_SECONDS_PER_WAITER = 0.003

Lane = tuple[str, str, int]
"""Community, lane and epoch."""

_Waiter = tuple[int, int, "asyncio.Future[None]"]  # index of the record, order of asking


class Arrivals:
    """What has arrived at one node."""

    def __init__(self, community: Community) -> None:
        """Take the community whose node is asked."""
        self._community = community
        self._folded_sizes: dict[Lane, int] = {}
        self._waiters: dict[Lane, list[_Waiter]] = defaultdict(list)
        self._asked = count()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiters.values()))

    async def of(self, record: Mapping[str, Any]) -> None:
        """Wait until the node has folded a record, named by the place in the answer that it was written by."""
        lane: Lane = (record["community"], record["lane"], record["epoch"])
        index: int = record["index"]
        if lane[0] == self._community.id or self._folded_sizes.get(lane, 0) > index:
            return
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiters[lane], (index, next(self._asked), arrived))
        await arrived

    async def look(self) -> None:
        """Ask the node, and tell those whose record has arrived."""
        status = await self._community.api.call("GET", "/status")
        for lane in status["lanes"]:
            self._note((lane["community"], lane["lane"], lane["epoch"]), lane["folded_size"])

    def _note(self, lane: Lane, folded_size: int) -> None:
        self._folded_sizes[lane] = folded_size
        waiters = self._waiters[lane]
        while waiters and waiters[0][0] < folded_size:
            arrived = heappop(waiters)[2]
            if not arrived.done():
                arrived.set_result(None)


@asynccontextmanager
async def watched_arrivals(communities: Sequence[Community]) -> AsyncIterator[Mapping[str, Arrivals]]:
    """Yield what arrives at each community, by its id, and watch until the end of the context.

    Where a node refuses to be asked, the context is cancelled and the refusal raised.
    """
    arrivals = {community.id: Arrivals(community) for community in communities}
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(arrivals.values()))
            yield arrivals
            watching.cancel()
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


async def _watch(arrivals: Collection[Arrivals]) -> None:
    while True:
        awaited = [watched for watched in arrivals if watched.waiting]
        await together(watched.look() for watched in awaited)
        waiting = sum(watched.waiting for watched in awaited)
        await asyncio.sleep(min(ROUND_SECONDS_MIN + waiting * ROUND_SECONDS_PER_WAITER, ROUND_SECONDS_MAX))
