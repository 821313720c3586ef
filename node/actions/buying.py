"""The buyer's side of an order: place it, ask to cancel it, confirm its receipt."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from node.actions.sealed_parts import seal_part
from node.actions.shapes import (
    Answer,
    HashText,
    IdText,
    Request,
    Said,
    Sector,
    hash_of,
    id_of,
    market_of,
    new_id,
    place_of,
    said,
)
from node.core import Node
from node.errors import NodeError
from node.witnessing import witnessed
from node.writer.transaction import Transaction
from protocol.amounts.split import Allocation, split
from protocol.exchange.delivery import Part
from protocol.fields import Title
from protocol.identity.keys import to_base32
from protocol.lanes.kind import TRADE, Reference
from protocol.lanes.market.listings import Fulfilment
from protocol.lanes.trade.lines import BuyerDetails, OrderLine, line_of, totals_of
from protocol.lanes.trade.orders import CancellationRequested, OrderPlaced, OrderReceived
from protocol.limits import CONTACT_CHARACTERS_MAX, NOTE_CHARACTERS_MAX, ORDER_LINES_MAX, QUANTITY_STEPS_MAX
from protocol.log.origin import Origin
from storage.sent_parts import add_parts
from storage.views.reading import StateReader

HOUR_MS = 3_600_000
_POLICIES_MAX = 200


class LineDraft(Request, frozen=True, kw_only=True):
    """So many steps of a listing of the seller's."""

    sector: Sector
    listing_id: IdText
    steps: Annotated[int, Meta(ge=1, le=QUANTITY_STEPS_MAX)]


class ChargeDraft(Request, frozen=True, kw_only=True):
    """A charge that belongs to no listing, delivery for instance; tax included."""

    label: Title
    amount_minor: Annotated[int, Meta(ge=0)]
    tax_class: str
    rate_bp: Annotated[int, Meta(ge=0, le=10_000)]


class DetailsDraft(Request, frozen=True, kw_only=True):
    """Who buys and how it reaches them: sealed, for the two communities alone."""

    fulfilment: Fulfilment
    member_id: IdText | None = None
    name: Annotated[str, Meta(max_length=CONTACT_CHARACTERS_MAX)] | None = None
    contact: Annotated[str, Meta(max_length=CONTACT_CHARACTERS_MAX)] | None = None
    address: Annotated[str, Meta(max_length=CONTACT_CHARACTERS_MAX)] | None = None
    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS_MAX)] | None = None


class OrderDraft(Request, frozen=True, kw_only=True):
    """An order as it is to be placed.

    `order_id` makes it safe to send again: the same id gives the same answer. `policy_id` left out takes a
    policy that both communities stand by.
    """

    seller: HashText
    lines: Annotated[list[LineDraft], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    details: DetailsDraft
    charges: Annotated[list[ChargeDraft], Meta(max_length=16)] = []
    policy_id: HashText | None = None
    collector: Literal["buyer", "seller"] = "seller"
    respond_within_hours: Annotated[int, Meta(ge=1, le=720)] = 24
    order_id: IdText | None = None
    group_id: IdText | None = None
    attributes: dict[str, Any] | None = None


class PlacedOrder(Said, frozen=True, kw_only=True):
    """The record, the order's name, and what it comes to and gives to whom."""

    buyer: str
    order_id: str
    currency: str
    total_minor: int
    respond_by_ms: int
    allocations: list[Allocation]


class OrderPreview(Request, frozen=True, kw_only=True):
    """An order as it would be placed; nothing is."""

    seller: HashText
    lines: Annotated[list[LineDraft], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    collector: Literal["buyer", "seller"] = "seller"


class PreviewedOrder(Answer, frozen=True, kw_only=True):
    """What it would come to and give to whom, by the policy that it would pin."""

    policy_id: str
    currency: str
    total_minor: int
    allocations: list[Allocation]


class OwnOrderName(Request, frozen=True, kw_only=True):
    """One of the orders that our community placed."""

    order_id: IdText


class CancellationDraft(OwnOrderName, frozen=True, kw_only=True):
    """A wish to be released from an order."""


class _Prepared(Answer, frozen=True, kw_only=True):
    lines: list[OrderLine]
    currency: str
    policy_id: bytes
    seller_key: bytes
    witnesses: list[bytes]
    threshold: int


async def place_order(node: Node, request: OrderDraft) -> PlacedOrder:
    """Place an order with a community that this node follows, our own included."""
    prepared = await node.read(lambda read: _prepare(read, node.community, request))
    readers = (prepared.seller_key, node.vault.sealing.public)
    details = BuyerDetails(
        fulfilment=request.details.fulfilment,
        member_id=id_of(request.details.member_id) if request.details.member_id else UNSET,
        name=request.details.name or UNSET,
        contact=request.details.contact or UNSET,
        address=request.details.address or UNSET,
        note=request.details.note or UNSET,
    )
    parts = [seal_part(body, readers) for body in (*prepared.lines, details)]
    placed = OrderPlaced(
        order_id=id_of(request.order_id) if request.order_id else new_id(node.clock.now()),
        seller=hash_of(request.seller),
        currency=prepared.currency,
        totals=totals_of(prepared.lines),
        policy=prepared.policy_id,
        lines=[part.commitment for part in parts[:-1]],
        details=parts[-1].commitment,
        collector=request.collector,
        respond_by_ms=node.clock.now() + request.respond_within_hours * HOUR_MS,
        witnesses=prepared.witnesses,
        threshold=prepared.threshold,
        mediators=[],
        group_id=id_of(request.group_id) if request.group_id else UNSET,
        attributes=request.attributes or UNSET,
    )

    def job(transaction: Transaction) -> PlacedOrder:
        known = transaction.get("placement", (node.community, placed.order_id))
        if known is not None:
            if (known.placed.seller, known.placed.totals) != (placed.seller, placed.totals):
                raise NodeError("conflict", "another order has this id")
            return _answer(transaction, known.reference, known.placed)
        reference = transaction.say(TRADE, placed)
        for part in parts:
            part.store(transaction.connection)
        if placed.seller != node.community:
            sent = [Part(part.commitment, placed.seller, placed.order_id) for part in parts]
            add_parts(transaction.connection, sent)
        return _answer(transaction, reference, placed)

    answer = await node.write(job)
    if placed.witnesses and node.federation is not None:  # from then on its deadlines can be proven
        origin = Origin(node.community, answer.record.lane, answer.record.epoch)
        node.federation.ask_witnesses(origin, answer.record.index + 1)
    return answer


async def preview_order(node: Node, request: OrderPreview) -> PreviewedOrder:
    """Compute what an order would come to and who would get what, without placing it."""
    return await node.read(lambda read: previewed(read, node.community, request))


async def request_cancellation(node: Node, request: CancellationDraft) -> Said:
    """Ask the seller to release us from an order; the seller's next word answers it."""
    body = CancellationRequested(order_id=id_of(request.order_id))

    def job(transaction: Transaction) -> Said:
        placement = transaction.get("placement", (node.community, body.order_id))
        deal = placement and transaction.get("deal", (placement.placed.seller, node.community, body.order_id))
        if deal is not None and deal.status not in ("placed", "accepted", "fulfilled"):
            raise NodeError("order_ended", deal.status)
        return said(transaction.say(TRADE, body))

    return await node.write(job)


async def confirm_receipt(node: Node, request: OwnOrderName) -> Said:
    """Say that the goods or the service have arrived; the seller's node completes the order by it."""
    body = OrderReceived(order_id=id_of(request.order_id))

    def job(transaction: Transaction) -> Said:
        placement = transaction.get("placement", (node.community, body.order_id))
        deal = placement and transaction.get("deal", (placement.placed.seller, node.community, body.order_id))
        if deal is None or deal.status != "fulfilled":
            raise NodeError("order_not_fulfilled", deal.status if deal else "placed")
        return said(transaction.say(TRADE, body))

    return await node.write(job)


def previewed(read: StateReader, buyer: bytes, request: OrderPreview) -> PreviewedOrder:
    """Return what an order of `buyer` would come to; raises as placing it would."""
    seller = hash_of(request.seller)
    lines, currency = _lines(read, request.seller, request.lines)
    policy = _common_policy(read, buyer, seller)
    totals = totals_of(lines)
    allocations = split(
        read.get("policy", (policy,)),
        totals,
        currency,
        same_community=seller == buyer,
        collector=request.collector,
    )
    return PreviewedOrder(
        policy_id=to_base32(policy),
        currency=currency,
        total_minor=sum(total.gross_minor for total in totals),
        allocations=list(allocations),
    )


def _prepare(read: StateReader, buyer: bytes, request: OrderDraft) -> _Prepared:
    """Look up listings and policy, and compute the lines."""
    seller = hash_of(request.seller)
    community = read.get("community", (seller,))
    if community is None:
        raise NodeError("community_unknown", request.seller)
    lines, currency = _lines(read, request.seller, request.lines)
    lines += [
        OrderLine(
            total_minor=charge.amount_minor,
            tax_class=charge.tax_class,
            rate_bp=charge.rate_bp,
            label=charge.label,
        )
        for charge in request.charges
    ]
    policy = hash_of(request.policy_id) if request.policy_id else _common_policy(read, buyer, seller)
    rule = witnessed(read, buyer)
    # neither side proves lateness to the other by its own word
    third = [witness for witness in rule.keys if witness != seller]
    return _Prepared(
        lines=lines,
        currency=currency,
        policy_id=policy,
        seller_key=community.genesis.sealing_key,
        witnesses=third,
        threshold=min(rule.threshold, len(third)),
    )


def _lines(read: StateReader, seller_text: str, drafts: list[LineDraft]) -> tuple[list[OrderLine], str]:
    """Return the lines at today's prices, and their one currency."""
    seller = hash_of(seller_text)
    lines: list[OrderLine] = []
    currencies = set()
    for draft in drafts:
        lane, listing_id = market_of(draft.sector), id_of(draft.listing_id)
        listing = read.get("listing", (seller, lane, listing_id))
        if listing is None:
            raise NodeError("not_found", f"listing {draft.listing_id}")
        if listing.is_withdrawn or listing.published.availability == "out_of_stock":
            raise NodeError("listing_unavailable", draft.listing_id)
        reference = Reference(seller, lane, listing.epoch, listing.index, listing.record_id)
        lines.append(line_of(listing.published, reference, draft.steps))
        currencies.add(listing.published.price.currency)
    if len(currencies) != 1:
        raise NodeError("currencies_mixed", ", ".join(sorted(currencies)))
    return lines, currencies.pop()


def _common_policy(read: StateReader, buyer: bytes, seller: bytes) -> bytes:
    """Return a policy that both stand by now: the smallest id, so that both sides would choose the same."""
    for key, adopted in read.scan("adopted_policy", (buyer,), length=2, limit=_POLICIES_MAX):
        theirs = read.get("adopted_policy", (seller, key[1]))
        if adopted.is_in_force and theirs is not None and theirs.is_in_force:
            return bytes(key[1])  # type: ignore[arg-type]  # the key's second part is the hash
    raise NodeError("policy_not_common")


def _answer(transaction: Transaction, reference: Reference, placed: OrderPlaced) -> PlacedOrder:
    policy = transaction.get("policy", (placed.policy,))
    allocations = split(
        policy,
        placed.totals,
        placed.currency,
        same_community=placed.seller == transaction.community,
        collector=placed.collector,
    )
    return PlacedOrder(
        record=place_of(reference),
        buyer=to_base32(transaction.community),
        order_id=to_base32(placed.order_id),
        currency=placed.currency,
        total_minor=sum(total.gross_minor for total in placed.totals),
        respond_by_ms=placed.respond_by_ms,
        allocations=list(allocations),
    )
