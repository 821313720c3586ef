"""The shop's desk: which orders need something from us first, opened, so that one look is enough.

An order stands in one group only: a wish to cancel is answered before anything else about the order.
"""

from typing import Annotated

from msgspec import Meta

from node.actions.listings import PAGE_MAX, ListingAnswer, listings_of
from node.actions.order_book import OrderAnswer, order_answer
from node.actions.shapes import Answer, Request, market_of
from node.actions.shops import shops_of
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


class OverviewQuery(Request, frozen=True, kw_only=True):
    """How many orders of each group, and how many of our listings."""

    orders: Annotated[int, Meta(ge=1, le=GROUP_MAX)] = 6
    listings: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 12


class OverviewAnswer(Answer, frozen=True, kw_only=True):
    """The desk, the sectors in which we have shops, and our first listings, those of the first sector first."""

    desk: DeskAnswer
    sectors: list[str]
    listings: list[ListingAnswer]


async def show_desk(node: Node, request: DeskQuery) -> DeskAnswer:
    """Show the orders that wait for a word of ours."""
    return await node.look(lambda read: _desk(read, node, request.limit))


async def show_overview(node: Node, request: OverviewQuery) -> OverviewAnswer:
    """Show the desk and what we offer, all of one moment."""

    def question(read: StateReader) -> OverviewAnswer:
        sectors = list(dict.fromkeys(shop.sector for shop in shops_of(read, node.community)))
        listings: list[ListingAnswer] = []
        for sector in sectors:
            if room := request.listings - len(listings):
                listings += listings_of(read, node.community, market_of(sector), limit=room)
        return OverviewAnswer(
            desk=_desk(read, node, request.orders),
            sectors=sectors,
            listings=listings,
        )

    return await node.look(question)


def _desk(read: StateReader, node: Node, limit: int) -> DeskAnswer:
    wishes = _waiting(read, node.community, "cancellation.requested")
    fresh = [order for order in _waiting(read, node.community, "order.placed") if order not in wishes]
    accepted = rows_of(
        read.connection,
        community=node.community,
        side="seller",
        statuses=["accepted"],
        limit=limit + 1 + len(wishes),
    )
    due = [order for row in accepted if (order := OrderKey(row.buyer, row.order_id)) not in wishes]
    to_release = _opened(read, node, wishes, limit)
    to_answer = _opened(read, node, fresh, limit)
    to_fulfil = _opened(read, node, due, limit)
    return DeskAnswer(
        to_answer=sorted(to_answer, key=lambda order: order.respond_by_ms),
        to_release=sorted(to_release, key=lambda order: order.placed_ms),
        to_fulfil=sorted(to_fulfil, key=lambda order: order.placed_ms),
        to_answer_count=min(len(fresh), limit + 1),
        to_release_count=min(len(wishes), limit + 1),
        to_fulfil_count=min(len(due), limit + 1),
    )


def _waiting(read: StateReader, community: bytes, kind: str) -> list[OrderKey]:
    """Return the orders about which the buyer said something that still waits, and that have not ended."""
    rows = read.scan("untaken", (community, kind), length=6, limit=GROUP_MAX * 4)
    orders = list(dict.fromkeys(OrderKey(key[2], key[3]) for key, _ in rows))  # type: ignore[arg-type]  # buyer and id
    deals = read.get_all("deal", [(community, order.buyer, order.order_id) for order in orders])
    return [
        order for order, deal in zip(orders, deals, strict=True) if deal is None or deal.status not in _ENDED
    ]


def _opened(read: StateReader, node: Node, orders: list[OrderKey], limit: int) -> list[OrderAnswer]:
    return [
        order_answer(read, node, order, read.get("placement", (order.buyer, order.order_id)))
        for order in orders[:limit]
    ]
