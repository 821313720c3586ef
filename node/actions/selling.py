"""The seller's side of an order: accept, reject, cancel, refuse a cancellation, fulfil, refund.

The acceptance promises stock in the transaction that writes it, so nothing is sold twice. Every answer takes
the buyer's words that wait for it, and no others.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Annotated

import sqlalchemy as sa
from msgspec import UNSET, Meta

from node.actions.sealed_parts import open_order
from node.actions.shapes import HashText, IdText, Request, Said, hash_of, id_of, said
from node.core import Node
from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.amounts.split import TaxTotal
from protocol.errors import ProtocolError
from protocol.fields import Code
from protocol.lanes.kind import LEDGER, TRADE, Reference
from protocol.lanes.ledger.postings import posting_for
from protocol.lanes.trade.lines import OrderLine, verify_line_price
from protocol.lanes.trade.orders import (
    CancellationRefused,
    OrderAccepted,
    OrderCancelled,
    OrderFulfilled,
    OrderKey,
    OrderRefunded,
    OrderRejected,
    Placement,
)
from protocol.limits import TAKES_MAX
from storage.errors import StorageError
from storage.stock import commit_stock, is_stock_counted, release_stock, ship_stock, stock_of
from storage.views.indexing import listing_text_key


class OrderName(Request, frozen=True, kw_only=True):
    """An order by the buyer's community and its id."""

    buyer: HashText
    order_id: IdText


class CodedAnswer(OrderName, frozen=True, kw_only=True):
    """An answer with its reason, as a stable code."""

    code: Code = "by_seller"


class RefundDraft(OrderName, frozen=True, kw_only=True):
    """A refund: the new absolute totals per tax class, none above the ones before."""

    totals: Annotated[list[TaxTotal], Meta(min_length=1, max_length=16)]
    code: Code = "by_seller"


async def accept_order(node: Node, request: OrderName) -> Said:
    """Accept an order: its lines open, match and are in stock, and the stock is promised by the same write."""
    order = _key(request)

    def job(transaction: Transaction) -> Said:
        placement = _placement(transaction, order)
        lines = _opened_lines(node, transaction, placement)
        amounts = _counted_steps(transaction, lines)
        for key, steps in amounts.items():
            stock = stock_of(transaction.connection, key)
            if stock is not None and stock.available < steps:
                raise StorageError("stock_short", f"{stock.available} of {steps}")
        reference = transaction.say(
            TRADE, OrderAccepted(order=order, takes=_waiting(transaction, placement, "order.placed"))
        )
        for key, steps in amounts.items():
            commit_stock(transaction.connection, key, steps)
        return said(reference)

    return await node.write(job)


async def reject_order(node: Node, request: CodedAnswer) -> Said:
    """Decline an order that is not accepted yet."""
    order = _key(request)

    def job(transaction: Transaction) -> Said:
        placement = _placement(transaction, order)
        takes = _waiting(transaction, placement, "order.placed", "cancellation.requested")
        return said(transaction.say(TRADE, OrderRejected(order=order, takes=takes, code=request.code)))

    return await node.write(job)


async def cancel_order(node: Node, request: CodedAnswer) -> Said:
    """End an order before fulfilment, at the buyer's request or by our own word; promised stock comes back."""
    order = _key(request)

    def job(transaction: Transaction) -> Said:
        placement = _placement(transaction, order)
        before = transaction.get("deal", (node.community, order.buyer, order.order_id))
        takes = _waiting(transaction, placement, "order.placed", "cancellation.requested")
        reference = transaction.say(TRADE, OrderCancelled(order=order, takes=takes, code=request.code))
        if before is not None and before.status == "accepted":
            _move_stock(node, transaction, placement, release_stock)
        return said(reference)

    return await node.write(job)


async def refuse_cancellation(node: Node, request: CodedAnswer) -> Said:
    """Let an order stand although the buyer asked to cancel it."""
    order = _key(request)

    def job(transaction: Transaction) -> Said:
        placement = _placement(transaction, order)
        takes = _waiting(transaction, placement, "cancellation.requested")
        return said(transaction.say(TRADE, CancellationRefused(order=order, takes=takes, code=request.code)))

    return await node.write(job)


async def fulfil_order(node: Node, request: OrderName) -> Said:
    """Say that an order was handed over, shipped or rendered; its stock leaves the house."""
    order = _key(request)

    def job(transaction: Transaction) -> Said:
        placement = _placement(transaction, order)
        reference = transaction.say(TRADE, OrderFulfilled(order=order, takes=[]))
        _move_stock(node, transaction, placement, ship_stock)
        return said(reference)

    return await node.write(job)


async def refund_order(node: Node, request: RefundDraft) -> Said:
    """Refund in part or in full by stating the new totals; shares posted already are corrected by it."""
    order = _key(request)

    def job(transaction: Transaction) -> Said:
        body = OrderRefunded(order=order, takes=[], totals=request.totals, code=request.code)
        reference = transaction.say(TRADE, body)
        post_own(transaction, order, reference)
        return said(reference)

    return await node.write(job)


def post_own(transaction: Transaction, order: OrderKey, reference: Reference) -> None:
    """Post our side of a move where it gives us something to post."""
    if transaction.get("awaited", (transaction.community, *reference.position)) is None:
        return
    move = transaction.get("move", reference.position)
    placement = transaction.get("placement", (order.buyer, order.order_id))
    posting = posting_for(move, placement, transaction.community, reference)
    if posting is not None:
        transaction.say(LEDGER, posting)


def _key(request: OrderName) -> OrderKey:
    return OrderKey(hash_of(request.buyer), id_of(request.order_id))


def _placement(transaction: Transaction, order: OrderKey) -> Placement:
    placement: Placement | None = transaction.get("placement", (order.buyer, order.order_id))
    if placement is None or placement.placed.seller != transaction.community:
        raise NodeError("not_found", "no such order was placed with this community")
    return placement


def _waiting(transaction: Transaction, placement: Placement, *kinds: str) -> list[Reference]:
    """Return the buyer's records about this order that wait to be taken, of these kinds, in lane order."""
    buyer, order_id = placement.reference.community, placement.placed.order_id
    return [
        untaken.reference
        for kind in kinds
        for _, untaken in transaction.scan(
            "untaken", (transaction.community, kind, buyer, order_id), length=6, limit=TAKES_MAX
        )
    ][:TAKES_MAX]


def _opened_lines(node: Node, transaction: Transaction, placement: Placement) -> tuple[OrderLine, ...]:
    """Open the lines and hold them against the listings they cite, or raise `details_missing`."""
    try:
        opened = open_order(transaction.connection, placement.placed, node.vault.sealing)
        if opened.lines is None or opened.details is None:
            raise NodeError("details_missing")
        for line in opened.lines:
            _verify_line(transaction, line)
    except ProtocolError as error:
        raise NodeError("details_mismatch", error.code) from error
    return opened.lines


def _verify_line(transaction: Transaction, line: OrderLine) -> None:
    """A line cites the listing as it stands; a price that changed meanwhile is the buyer's to see first."""
    if line.listing is UNSET or line.listing_id is UNSET:
        return
    listing = transaction.get("listing", (line.listing.community, line.listing.lane, line.listing_id))
    if listing is None or listing.is_withdrawn:
        raise NodeError("listing_unavailable")
    if line.listing.community != transaction.community:
        raise NodeError("details_mismatch", "a line cites another community's listing")
    verify_line_price(line, listing.published)


def _counted_steps(transaction: Transaction, lines: tuple[OrderLine, ...]) -> dict[str, int]:
    """Return the steps per listing whose stock is counted."""
    steps: dict[str, int] = defaultdict(int)
    for line in lines:
        if line.listing is not UNSET and line.listing_id is not UNSET and line.steps is not UNSET:
            key = listing_text_key(line.listing.community, line.listing.lane, line.listing_id)
            if stock_of(transaction.connection, key) is not None:
                steps[key] += line.steps
    return steps


def _move_stock(
    node: Node,
    transaction: Transaction,
    placement: Placement,
    move: Callable[[sa.Connection, str, int], None],
) -> None:
    """Move the promised stock of an order; lines that were erased say nothing of stock any more."""
    if not is_stock_counted(transaction.connection):
        return
    opened = open_order(transaction.connection, placement.placed, node.vault.sealing)
    for key, steps in _counted_steps(transaction, opened.lines or ()).items():
        move(transaction.connection, key, steps)
