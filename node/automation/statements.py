"""The daily statement: once a day the charter states size and root of all lanes (PROTOCOL.md section 10.1).

Everybody follows the charter, so whoever shows two histories of a lane has to show two charters.
"""

from node.core import Node
from node.writer.transaction import Transaction
from protocol.lanes.charter.identity import LanesStated, StatedLane
from protocol.lanes.kind import CHARTER, LANE_NAMES
from storage.views.reading import StateReader

DAY_MS = 86_400_000


async def state_lanes_daily(node: Node) -> None:
    """State all lanes where the newest statement is a day old, or missing, and some lane has grown since."""
    now_ms = node.clock.now()
    if await node.read(lambda read: _is_due(read, node.community, node.vault.epoch, now_ms)):
        await node.write(_state_lanes)


def _state_lanes(transaction: Transaction) -> None:
    statements = transaction.statements()
    if statements:
        transaction.say(CHARTER, LanesStated(lanes=statements))


def _is_due(read: StateReader, community: bytes, epoch: int, now_ms: int) -> bool:
    stated = {lane: read.get("lanes_stated", (community, epoch, lane)) for lane in LANE_NAMES}
    newest_ms = max((known.time_ms for known in stated.values() if known is not None), default=0)
    return now_ms - newest_ms >= DAY_MS and any(
        _has_grown(read, community, lane, known) for lane, known in stated.items() if lane != CHARTER
    )


def _has_grown(read: StateReader, community: bytes, lane: str, known: StatedLane | None) -> bool:
    clock = read.get("lane_clock", (community, lane))
    return clock is not None and clock.size > (known.size if known else 0)
