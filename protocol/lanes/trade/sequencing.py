"""The seller's line of moves: what each takes, where it leads, what is to be posted (section 13.3 to 13.5)."""

from collections.abc import Sequence

import msgspec

from protocol.amounts.entries import account_entries
from protocol.amounts.split import Allocation, Side, TaxTotal, difference, split
from protocol.errors import RecordVoid
from protocol.lanes.charter.policies import require_policy
from protocol.lanes.kind import TRADE, Change, Entry, Put, Reader, RecordKind, Remove, charter_size_of
from protocol.lanes.trade.orders import (
    BUYER_KINDS,
    LEGAL_MOVES,
    TAKEABLE,
    Awaited,
    Cancellation,
    CancellationRefused,
    Deal,
    Move,
    OrderAccepted,
    OrderCancelled,
    OrderCompleted,
    OrderFulfilled,
    OrderKey,
    OrderPlaced,
    OrderRefunded,
    OrderRejected,
    OrderTaken,
    Placement,
    cited_move,
    deal_key,
    order_subject,
    sides_of,
    untaken_key,
)


def step_seller_move(read: Reader, entry: Entry) -> list[Change]:
    """One move of the seller: take what it takes, go where the table leads, say what is to be posted."""
    record, seller = entry.record, entry.position.community
    order: OrderKey = record.body.order
    taken = [(reference, cited_move(read, reference)) for reference in record.body.takes]
    kinds = _verify_takes(record.kind, order, seller, [move for _, move in taken])
    before = _deal_before(read, entry, kinds)
    placement: Placement = read.get("placement", (order.buyer, order.order_id))
    if record.kind == "order.accepted":
        require_policy(read, seller, placement.placed.policy, charter_size_of(entry))
    after = _deal_after(before, entry, kinds)
    allocations = _allocations(read, entry, placement.placed, before, after)
    move = Move(record.record_id, record.kind, order, seller, allocations=allocations)
    return [
        *(
            Put("move", reference.position, msgspec.structs.replace(cited, is_taken=True))
            for reference, cited in taken
        ),
        *(Remove("untaken", untaken_key(seller, cited.kind, order, reference)) for reference, cited in taken),
        Put("deal", deal_key(seller, order), after),
        Put("move", entry.position, move),
        *_awaited(entry, move, placement.placed.collector),
    ]


def _verify_takes(kind: str, order: OrderKey, seller: bytes, moves: Sequence[Move]) -> frozenset[str]:
    kinds = frozenset(move.kind for move in moves)
    if not kinds <= TAKEABLE[kind]:
        raise RecordVoid("takes_refused", f"{kind} does not take {', '.join(sorted(kinds - TAKEABLE[kind]))}")
    if any(move.order != order for move in moves):
        raise RecordVoid("takes_refused", "a record about another order")
    if any(move.seller != seller for move in moves):
        raise RecordVoid("order_not_seller")  # before `is_taken`, which is the business of that seller's lane
    if any(move.is_taken for move in moves) or len({move.record_id for move in moves}) != len(moves):
        raise RecordVoid("taken_already")
    return kinds


def _deal_before(read: Reader, entry: Entry, kinds: frozenset[str]) -> Deal:
    """The first move takes `order.placed`; later ones find the deal that the first one made."""
    order, seller = entry.record.body.order, entry.position.community
    deal: Deal | None = read.get("deal", deal_key(seller, order))
    if deal is not None:
        return deal
    if "order.placed" not in kinds:
        raise RecordVoid("order_not_taken")
    placement: Placement = read.get("placement", (order.buyer, order.order_id))
    totals = tuple(placement.placed.totals)
    return Deal("placed", totals, "none", is_received=False, time_ms=placement.time_ms, code=None)


def _deal_after(before: Deal, entry: Entry, kinds: frozenset[str]) -> Deal:
    body, kind = entry.record.body, entry.record.kind
    status = LEGAL_MOVES.get((before.status, kind))
    if status is None:
        raise RecordVoid("move_not_legal", f"{kind} in an order that is {before.status}")
    is_requested = "cancellation.requested" in kinds or before.cancellation == "requested"
    is_received = "order.received" in kinds or before.is_received
    if kind == "order.completed" and not is_received:
        raise RecordVoid("receipt_missing")
    if kind == "cancellation.refused" and not is_requested:
        raise RecordVoid("cancellation_not_requested")
    return Deal(
        status,
        _totals_after(before.totals, body),
        _cancellation_after(kind, is_requested=is_requested, before=before),
        is_received,
        entry.record.time_ms,
        getattr(body, "code", before.code),
    )


def _cancellation_after(kind: str, *, is_requested: bool, before: Deal) -> Cancellation:
    if kind == "cancellation.refused":
        return "refused"
    return "requested" if is_requested else before.cancellation


def _totals_after(before: tuple[TaxTotal, ...], body: object) -> tuple[TaxTotal, ...]:
    if not isinstance(body, OrderRefunded):
        return before
    after = tuple(body.totals)
    if [(t.tax_class, t.rate_bp) for t in after] != [(t.tax_class, t.rate_bp) for t in before]:
        raise RecordVoid("refund_refused", "the tax classes are not those of the order")
    if after == before or any(
        new.gross_minor > old.gross_minor for new, old in zip(after, before, strict=True)
    ):
        raise RecordVoid("refund_refused", "the new totals are not below those before")
    return after


def _allocations(
    read: Reader, entry: Entry, placed: OrderPlaced, before: Deal, after: Deal
) -> tuple[Allocation, ...]:
    """What is posted by this move: the split on completion, a difference of splits on a later refund."""
    if after.status != "completed" or (before.status == "completed" and before.totals == after.totals):
        return ()
    policy = read.get("policy", (placed.policy,))

    def divide(totals: tuple[TaxTotal, ...]) -> tuple[Allocation, ...]:
        return split(
            policy,
            totals,
            placed.currency,
            same_community=entry.record.body.order.buyer == entry.position.community,
            collector=placed.collector,
        )

    shares = divide(after.totals)
    if before.status == "completed":
        shares = difference(shares, divide(before.totals))
    return tuple(share for share in shares if share.amount_minor)


def _awaited(entry: Entry, move: Move, collector: Side) -> list[Change]:
    """Each side that has something to post by this move owes its ledger that posting."""
    if not move.allocations:
        return []
    return [
        Put("awaited", (party, *entry.position), Awaited(move.order))
        for party in sorted({move.seller, move.order.buyer})
        if account_entries(
            move.allocations, sides=sides_of(party, move.seller, move.order.buyer), collector=collector
        )
    ]


KINDS = (
    *BUYER_KINDS,
    RecordKind("order.accepted", TRADE, OrderAccepted, step_seller_move, subject=order_subject),
    RecordKind("order.rejected", TRADE, OrderRejected, step_seller_move, subject=order_subject),
    RecordKind("order.taken", TRADE, OrderTaken, step_seller_move, subject=order_subject),
    RecordKind("order.cancelled", TRADE, OrderCancelled, step_seller_move, subject=order_subject),
    RecordKind("cancellation.refused", TRADE, CancellationRefused, step_seller_move, subject=order_subject),
    RecordKind("order.fulfilled", TRADE, OrderFulfilled, step_seller_move, subject=order_subject),
    RecordKind("order.completed", TRADE, OrderCompleted, step_seller_move, subject=order_subject),
    RecordKind("order.refunded", TRADE, OrderRefunded, step_seller_move, subject=order_subject),
)
