"""How the node is: what it holds, whether it writes, what waits."""

from node.actions.shapes import Answer, Request
from node.core import Node
from protocol.fields import Title
from protocol.identity.keys import to_base32
from protocol.limits import LANES_MAX
from storage.heads import HeadStore
from storage.views.orders import order_counts
from storage.views.reading import StateReader
from storage.views.search_queue import queued_count


class StatusQuery(Request, frozen=True, kw_only=True):
    """Nothing to say."""


class LaneStatus(Answer, frozen=True, kw_only=True):
    """One lane: how many entries its newest head covers, and how many of them are folded."""

    community: str
    lane: str
    epoch: int
    size: int
    folded_size: int


class StatusAnswer(Answer, frozen=True, kw_only=True):
    """The node in figures. `writing` is "yes" or the code of why it is not.

    `unsigned` counts own records that no signed head covers yet: nobody else sees them before.
    """

    community: str
    name: Title
    writing: str
    lanes: list[LaneStatus]
    orders: dict[str, int]
    listings: int
    unsigned: int
    pending: int
    awaited: int
    void: int
    search_waiting: int


async def show_status(node: Node, request: StatusQuery) -> StatusAnswer:
    """Show how the node is."""
    refusal = node.writer.refuses_because

    def question(read: StateReader) -> StatusAnswer:
        orders: dict[str, int] = {}
        for (seller, status), count in order_counts(read.connection).items():
            if seller == node.community:
                orders[status] = count
        return StatusAnswer(
            community=to_base32(node.community),
            name=node.genesis.name,
            writing="yes" if refusal is None else refusal.code,
            lanes=_lanes(read),
            orders=orders,
            listings=read.count("listing", length=3),
            unsigned=_unsigned(read, node.community),
            pending=read.count("pending", length=4),
            awaited=read.count("awaited", (node.community,), length=5),
            void=read.count("void", length=4),
            search_waiting=queued_count(read.connection),
        )

    return await node.read(question)


def _lanes(read: StateReader) -> list[LaneStatus]:
    lanes = []
    for head in HeadStore(read.connection).heads():
        clock = read.get("lane_clock", (head.community, head.lane))
        is_folded = clock is not None and clock.epoch == head.epoch
        lanes.append(
            LaneStatus(
                community=to_base32(head.community),
                lane=head.lane,
                epoch=head.epoch,
                size=head.size,
                folded_size=min(head.size, clock.size) if is_folded else 0,
            )
        )
    return lanes


def _unsigned(read: StateReader, community: bytes) -> int:
    """Own records are folded as they are written, so what is folded past the heads is not signed yet."""
    heads = HeadStore(read.connection).heads()
    signed = {(head.lane, head.epoch): head.size for head in heads if head.community == community}
    clocks = read.scan("lane_clock", (community,), length=2, limit=LANES_MAX)
    return sum(clock.size - signed.get((str(key[1]), clock.epoch), 0) for key, clock in clocks)
