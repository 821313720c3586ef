"""The shop's desk: which orders need something from us first, opened, so that one look is enough.

An order stands in one group only: a wish to cancel is answered before anything else about the order.
"""

from typing import Annotated

from msgspec import Meta

from node.actions.order_book import OrderAnswer, order_answer
from node.actions.shapes import Answer, Request
from node.core import Node
from protocol.lanes.trade.orders import OrderKey
from storage.views.orders import list_orders as rows_of
from storage.views.reading import StateReader

GROUP_MAX = 50
_ENDED = frozenset({"rejected", "cancelled"})


class DeskQuery(Request, frozen=True, kw_only=True):
    """How many orders of each group to show."""

    limit: Annotated[int, Meta(ge=1, le=GROUP_MAX)] = 20


class DeskAnswer(Answer, frozen=True, kw_only=True):
    """Orders to answer, those that the buyer wants to end, those to hand over; the first due comes first.

    A count is at most one above the limit: so much as to say that there are more.
    """

    to_answer: list[OrderAnswer]
    to_release: list[OrderAnswer]
    to_fulfil: list[OrderAnswer]
    to_answer_count: int
    to_release_count: int
    to_fulfil_count: int


async def show_desk(node: Node, request: DeskQuery) -> DeskAnswer:
    """Show the orders that wait for a word of ours."""

    def question(read: StateReader) -> DeskAnswer:
        wishes = _waiting(read, node.community, "cancellation.requested")
        fresh = [order for order in _waiting(read, node.community, "order.placed") if order not in wishes]
        accepted = rows_of(
            read.connection,
            community=node.community,
            side="seller",
            statuses=["accepted"],
            limit=request.limit + 1 + len(wishes),
        )
        due = [order for row in accepted if (order := OrderKey(row.buyer, row.order_id)) not in wishes]
        to_release = _opened(read, node, wishes, request.limit)
        to_answer = _opened(read, node, fresh, request.limit)
        to_fulfil = _opened(read, node, due, request.limit)
        return DeskAnswer(
            to_answer=sorted(to_answer, key=lambda order: order.respond_by_ms),
            to_release=sorted(to_release, key=lambda order: order.placed_ms),
            to_fulfil=sorted(to_fulfil, key=lambda order: order.placed_ms),
            to_answer_count=min(len(fresh), request.limit + 1),
            to_release_count=min(len(wishes), request.limit + 1),
            to_fulfil_count=min(len(due), request.limit + 1),
        )

    return await node.read(question)


def _waiting(read: StateReader, community: bytes, kind: str) -> list[OrderKey]:
    """Return the orders about which the buyer said something that still waits, and that have not ended."""
    rows = read.scan("untaken", (community, kind), length=6, limit=GROUP_MAX * 4)
    orders = dict.fromkeys(OrderKey(key[2], key[3]) for key, _ in rows)  # type: ignore[arg-type]  # buyer and id
    return [order for order in orders if not _has_ended(read, community, order)]


def _has_ended(read: StateReader, community: bytes, order: OrderKey) -> bool:
    deal = read.get("deal", (community, order.buyer, order.order_id))
    return deal is not None and deal.status in _ENDED


def _opened(read: StateReader, node: Node, orders: list[OrderKey], limit: int) -> list[OrderAnswer]:
    return [
        order_answer(read, node, order, read.get("placement", (order.buyer, order.order_id)))
        for order in orders[:limit]
    ]
