"""Orders as people look at them: a list by side and state, and one order with what is open to us."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from node.actions.peers import name_of
from node.actions.selling import OrderName
from node.actions.shapes import Answer, IdText, RecordPlace, Request, hash_of, id_of, place_of
from node.actions.witnesses import Seen, seen_of
from node.core import Node
from node.errors import NodeError
from node.marks import marks_of
from protocol.amounts.split import Allocation, TaxTotal, split
from protocol.errors import ProtocolError
from protocol.exchange.delivery import Delivered, delivery_of
from protocol.fields import Title
from protocol.identity.keys import to_base32
from protocol.lanes.market.listings import Fulfilment
from protocol.lanes.trade.lines import BuyerDetails, OrderLine
from protocol.lanes.trade.orders import BUYER_KINDS, OrderKey, Placement, Status
from protocol.marks import Mark
from storage.peers import peer_of
from storage.sent_parts import parts_of_order
from storage.views.orders import OrderRow
from storage.views.orders import list_orders as rows_of
from storage.views.reading import StateReader

PAGE_MAX = 500
BUYER_MOVES = tuple(kind.name for kind in BUYER_KINDS)


class OrdersQuery(Request, frozen=True, kw_only=True):
    """Our orders of one side, newest first.

    A further page begins with `before_ms`, when the last order of the page before was placed, and `behind`, its id.
    """

    side: Literal["buyer", "seller"]
    statuses: list[Status] = []
    before_ms: int | None = None
    behind: IdText | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class OrderSummary(Answer, frozen=True, kw_only=True):
    """One order in a list; `buyer_marks` and `seller_marks` say what is proven against the two communities."""

    buyer: str
    seller: str
    order_id: str
    status: Status
    cancellation: str
    currency: str
    total_minor: int
    placed_ms: int
    moved_ms: int
    respond_by_ms: int
    buyer_name: Title
    seller_name: Title
    buyer_marks: list[Mark] = []
    seller_marks: list[Mark] = []
    code: str | None = None
    group_id: str | None = None


class OrdersAnswer(Answer, frozen=True, kw_only=True):
    """A page of orders."""

    orders: list[OrderSummary]


class LineAnswer(Answer, frozen=True, kw_only=True):
    """One opened line; unit and scale are there where the listing is."""

    total_minor: int
    tax_class: str
    rate_bp: int
    title: Title | None = None
    sector: str | None = None
    listing_id: str | None = None
    steps: int | None = None
    unit_code: str | None = None
    quantity_scale: int | None = None
    shop_name: Title | None = None


class DetailsAnswer(Answer, frozen=True, kw_only=True):
    """The opened details of the buyer."""

    fulfilment: Fulfilment
    name: str | None = None
    contact: str | None = None
    address: str | None = None
    note: str | None = None
    member_id: str | None = None


class OrderAnswer(Answer, frozen=True, kw_only=True):
    """One order: its state, who gets what, the buyer's words that wait, and what is open to us.

    `opened` is "yes", "not_here" (sealed, and not with us) or the code of what is wrong with it. `moved_ms` and
    `code` are of the seller's newest move; `total_minor` is what is left after `refunded_minor`. `delivery` says,
    of an order of ours that waits for its seller, what became of its sealed parts, and `kept_by` at whose relay.
    `seen` counts the witnesses of the buyer's community that have seen the order; None where it names none.
    `buyer_marks` and `seller_marks` say what is proven against the two communities.
    """

    buyer: str
    seller: str
    buyer_name: Title
    seller_name: Title
    order_id: str
    status: Status
    cancellation: str
    currency: str
    totals: list[TaxTotal]
    total_minor: int
    placed: RecordPlace
    placed_ms: int
    moved_ms: int
    respond_by_ms: int
    policy_id: str
    allocations: list[Allocation]
    waiting: list[str]
    opened: str
    buyer_marks: list[Mark] = []
    seller_marks: list[Mark] = []
    code: str | None = None
    refunded_minor: int = 0
    group_id: str | None = None
    delivery: Delivered | None = None
    kept_by: Title | None = None
    seen: Seen | None = None
    lines: list[LineAnswer] = []
    details: DetailsAnswer | None = None


async def list_orders(node: Node, request: OrdersQuery) -> OrdersAnswer:
    """List the orders that our community sells or buys."""

    def question(read: StateReader) -> OrdersAnswer:
        rows = rows_of(
            read.connection,
            community=node.community,
            side=request.side,
            statuses=request.statuses,
            limit=request.limit,
            before_ms=request.before_ms,
            behind=id_of(request.behind) if request.behind else b"",
        )
        return OrdersAnswer(orders=[summary_of(read, row) for row in rows])

    return await node.look(question)


async def show_order(node: Node, request: OrderName) -> OrderAnswer:
    """Show one order that our community buys or sells."""
    order = OrderKey(hash_of(request.buyer), id_of(request.order_id))

    def question(read: StateReader) -> OrderAnswer:
        placement = read.get("placement", (order.buyer, order.order_id))
        if placement is None or node.community not in (order.buyer, placement.placed.seller):
            raise NodeError("not_found", "no such order of this community")
        return order_answer(read, node, order, placement)

    return await node.look(question)


def summary_of(read: StateReader, row: OrderRow) -> OrderSummary:
    """Return an order as lists show it."""
    return OrderSummary(
        buyer=to_base32(row.buyer),
        seller=to_base32(row.seller),
        order_id=to_base32(row.order_id),
        status=row.status,  # type: ignore[arg-type]  # written from the same literal
        cancellation=row.cancellation,
        currency=row.currency,
        total_minor=row.total_minor,
        placed_ms=row.placed_ms,
        moved_ms=row.moved_ms,
        respond_by_ms=row.respond_by_ms,
        buyer_name=_name(read, row.buyer),
        seller_name=_name(read, row.seller),
        buyer_marks=marks_of(read, row.buyer),
        seller_marks=marks_of(read, row.seller),
        code=row.code,
        group_id=to_base32(row.group_id) if row.group_id else None,
    )


def order_answer(read: StateReader, node: Node, order: OrderKey, placement: Placement) -> OrderAnswer:
    """Return an order as its page shows it, opened as far as it can be."""
    placed = placement.placed
    deal = read.get("deal", (placed.seller, order.buyer, order.order_id))
    totals = list(deal.totals) if deal else placed.totals
    allocations = split(
        read.get("policy", (placed.policy,)),
        totals,
        placed.currency,
        same_community=order.buyer == placed.seller,
        collector=placed.collector,
    )
    waiting = [
        kind
        for kind in BUYER_MOVES
        if read.has_any("untaken", (placed.seller, kind, order.buyer, order.order_id), length=6)
    ]
    opened, lines, details = _open(read, node, placement)
    delivery, kept_by = _delivery(read, node, placement)
    position = placement.reference.position
    return OrderAnswer(
        buyer=to_base32(order.buyer),
        seller=to_base32(placed.seller),
        buyer_name=_name(read, order.buyer),
        seller_name=_name(read, placed.seller),
        buyer_marks=marks_of(read, order.buyer),
        seller_marks=marks_of(read, placed.seller),
        order_id=to_base32(order.order_id),
        status=deal.status if deal else "placed",
        cancellation=deal.cancellation if deal else "none",
        currency=placed.currency,
        totals=totals,
        total_minor=_gross(totals),
        refunded_minor=_gross(placed.totals) - _gross(totals),
        placed=place_of(placement.reference),
        seen=seen_of(read, [position]).get(position),
        placed_ms=placement.time_ms,
        moved_ms=deal.time_ms if deal else placement.time_ms,
        respond_by_ms=placed.respond_by_ms,
        policy_id=to_base32(placed.policy),
        allocations=list(allocations),
        waiting=waiting,
        opened=opened,
        code=deal.code if deal else None,
        group_id=to_base32(placed.group_id) if placed.group_id else None,
        delivery=delivery,
        kept_by=kept_by,
        lines=lines,
        details=details,
    )


def _delivery(read: StateReader, node: Node, placement: Placement) -> tuple[Delivered | None, Title | None]:
    """What became of the sealed parts, and the name of a relay that keeps some of them; nothing once answered."""
    placed, buyer = placement.placed, placement.reference.community
    deal = read.get("deal", (placed.seller, buyer, placed.order_id))
    if buyer != node.community or (deal is not None and deal.status != "placed"):
        return None, None
    parts = parts_of_order(read.connection, placed.order_id)
    relay = next((part.relay for part in parts if part.state == "held" and part.relay), None)
    named = name_of(read, relay, peer_of(read.connection, relay)) if relay else None
    return delivery_of(parts), named


def _gross(totals: list[TaxTotal]) -> int:
    return sum(total.gross_minor for total in totals)


def _open(
    read: StateReader, node: Node, placement: Placement
) -> tuple[str, list[LineAnswer], DetailsAnswer | None]:
    try:
        opened = node.opened_orders.open(read.connection, placement)
    except ProtocolError as error:
        return error.code, [], None
    lines = [_line_answer(read, line) for line in opened.lines or ()]
    details = _details_answer(opened.details) if opened.details else None
    return "yes" if lines and details else "not_here", lines, details


def _line_answer(read: StateReader, line: OrderLine) -> LineAnswer:
    if line.listing is UNSET or line.listing_id is UNSET or line.steps is UNSET:
        return LineAnswer(
            total_minor=line.total_minor,
            tax_class=line.tax_class,
            rate_bp=line.rate_bp,
            title=line.label or None,
        )
    community, lane = line.listing.community, line.listing.lane
    listing = read.get("listing", (community, lane, line.listing_id))
    shop = listing and read.get("shop", (community, lane, listing.published.shop_id))
    return LineAnswer(
        total_minor=line.total_minor,
        tax_class=line.tax_class,
        rate_bp=line.rate_bp,
        title=listing.published.title if listing else None,
        sector=lane.removeprefix("market/"),
        listing_id=to_base32(line.listing_id),
        steps=line.steps,
        unit_code=listing.published.unit_code if listing else None,
        quantity_scale=listing.published.quantity_scale if listing else None,
        shop_name=shop.published.name if shop else None,
    )


def _details_answer(details: BuyerDetails) -> DetailsAnswer:
    return DetailsAnswer(
        fulfilment=details.fulfilment,
        name=details.name or None,
        contact=details.contact or None,
        address=details.address or None,
        note=details.note or None,
        member_id=to_base32(details.member_id) if details.member_id else None,
    )


def _name(read: StateReader, community: bytes) -> Title:
    name: Title = read.get("community", (community,)).genesis.name
    return name
