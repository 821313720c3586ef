"""The daily statement: once a day the charter states size and root of all lanes (PROTOCOL.md section 10.1).

Everybody follows the charter, so whoever shows two histories of a lane has to show two charters.
"""

from node.core import Node
from node.writer.transaction import Transaction
from protocol.lanes.charter.identity import LanesStated, StatedLane
from protocol.lanes.kind import CHARTER, LANE_NAMES
from storage.views.reading import StateReader

DAY_MS = 86_400_000


class DailyStatement:
    """Knows when the next one is due, so that the store is not asked at every turn."""

    def __init__(self, node: Node) -> None:
        """Take the node; what it stated before is found in the store."""
        self._node = node
        self._due_ms = 0

    async def state(self) -> None:
        """State all lanes where the newest statement is a day old, or missing, and some lane has grown since."""
        node = self._node
        now_ms = node.clock.now()
        if now_ms < self._due_ms:
            return
        newest_ms, has_grown = await node.read(lambda read: _newest(read, node.community, node.epoch))
        self._due_ms = newest_ms + DAY_MS
        if now_ms >= self._due_ms and has_grown:
            await node.write(_state_lanes)


def _state_lanes(transaction: Transaction) -> None:
    statements = transaction.statements()
    if statements:
        transaction.say(CHARTER, LanesStated(lanes=statements))


def _newest(read: StateReader, community: bytes, epoch: int) -> tuple[int, bool]:
    """Return the time of the newest statement, 0 without one, and whether a lane has grown since."""
    stated = {lane: read.get("lanes_stated", (community, epoch, lane)) for lane in LANE_NAMES}
    newest_ms = max((known.time_ms for known in stated.values() if known is not None), default=0)
    return newest_ms, any(
        _has_grown(read, community, lane, known) for lane, known in stated.items() if lane != CHARTER
    )


def _has_grown(read: StateReader, community: bytes, lane: str, known: StatedLane | None) -> bool:
    clock = read.get("lane_clock", (community, lane))
    return clock is not None and clock.size > (known.size if known else 0)
