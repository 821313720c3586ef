"""Orders: what the buyer says, what the seller says, and what follows (PROTOCOL.md section 13).

The seller sequences. An order's state is the fold of the seller's trade lane; what the buyer says takes
effect where a seller's record names it in `takes`. The buyer's `order.placed` only makes the order known.
So no arrival order and no crossing of two moves can give two states: the seller's lane is one line.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.amounts.money import CURRENCY_EXPONENTS
from protocol.amounts.split import Allocation, Side, TaxTotal, check_totals
from protocol.errors import RecordVoid
from protocol.fields import (
    Attributes,
    Code,
    CommunityId,
    Currency,
    Hash,
    Milliseconds,
    ObjectId,
)
from protocol.lanes.charter.policies import require_policy
from protocol.lanes.kind import (
    TRADE,
    Change,
    Entry,
    Key,
    Put,
    Reader,
    RecordKind,
    Reference,
    Tables,
    Waiting,
    charter_size_of,
)
from protocol.limits import MEDIATORS_MAX, ORDER_LINES_MAX, TAKES_MAX, TAX_CLASSES_MAX, WITNESSES_MAX
from protocol.log.record import Body

Status = Literal["accepted", "cancelled", "completed", "fulfilled", "placed", "rejected"]
Cancellation = Literal["none", "refused", "requested"]
Totals = Annotated[list[TaxTotal], Meta(min_length=1, max_length=TAX_CLASSES_MAX)]
Takes = Annotated[list[Reference], Meta(max_length=TAKES_MAX)]


class OrderKey(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """The name of an order: the buyer's community and the 16 random bytes that it chose."""

    buyer: CommunityId
    order_id: ObjectId


class OrderPlaced(Body, frozen=True, kw_only=True):
    """`order.placed`: the buyer's community asks; lines and details are sealed beside the lane.

    `lines` and `details` are commitments (section 15), `totals` the gross sums per tax class and rate,
    `respond_by_ms` the time until which the buyer waits for an answer.
    """

    order_id: ObjectId
    seller: CommunityId
    currency: Currency
    totals: Totals
    policy: Hash
    lines: Annotated[list[Hash], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    details: Hash
    collector: Literal["buyer", "seller"]
    respond_by_ms: Milliseconds
    witnesses: Annotated[list[CommunityId], Meta(max_length=WITNESSES_MAX)]
    threshold: Annotated[int, Meta(ge=0, le=WITNESSES_MAX)]
    mediators: Annotated[list[CommunityId], Meta(max_length=MEDIATORS_MAX)]
    group_id: ObjectId | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Totals are sorted, each tax class once; the threshold is within the witnesses."""
        if self.currency not in CURRENCY_EXPONENTS:
            raise ValueError(f"currency {self.currency} is not in the table")
        _check_totals(self.totals)
        if self.threshold > len(self.witnesses) or len(set(self.witnesses)) != len(self.witnesses):
            raise ValueError("witnesses must each stand once, and the threshold be within their number")
        if len(set(self.lines)) != len(self.lines):
            raise ValueError("two lines share one commitment")


class BuyerMove(Body, frozen=True, kw_only=True):
    """A buyer's later word about its own order; it takes effect where the seller takes it."""

    order_id: ObjectId
    attributes: Attributes | UnsetType = UNSET


class CancellationRequested(BuyerMove, frozen=True, kw_only=True):
    """`cancellation.requested`: the buyer would like to be released."""


class OrderReceived(BuyerMove, frozen=True, kw_only=True):
    """`order.received`: the buyer has the goods or the service."""


class SellerMove(Body, frozen=True, kw_only=True):
    """A seller's word about an order; `takes` lists the buyer's records that take effect by it."""

    order: OrderKey
    takes: Takes
    attributes: Attributes | UnsetType = UNSET


class OrderAccepted(SellerMove, frozen=True, kw_only=True):
    """`order.accepted`: the seller commits itself and its stock."""


class OrderRejected(SellerMove, frozen=True, kw_only=True):
    """`order.rejected`: the seller declines; `code` says why."""

    code: Code


class OrderTaken(SellerMove, frozen=True, kw_only=True):
    """`order.taken`: the seller has seen what the buyer said, and has not answered it yet."""


class OrderCancelled(SellerMove, frozen=True, kw_only=True):
    """`order.cancelled`: the order ends before fulfilment, on request or by the seller's own word."""

    code: Code


class CancellationRefused(SellerMove, frozen=True, kw_only=True):
    """`cancellation.refused`: the order stands under its terms."""

    code: Code


class OrderFulfilled(SellerMove, frozen=True, kw_only=True):
    """`order.fulfilled`: handed over, shipped, or rendered."""


class OrderCompleted(SellerMove, frozen=True, kw_only=True):
    """`order.completed`: the receipt is taken; the split of the totals is due to be posted."""


class OrderRefunded(SellerMove, frozen=True, kw_only=True):
    """`order.refunded`: the new absolute totals, never above the ones before."""

    totals: Totals
    code: Code

    def __post_init__(self) -> None:
        """Totals are sorted, each tax class once."""
        _check_totals(self.totals)


class Placement(msgspec.Struct, frozen=True, gc=False):
    """An order as the buyer's lane knows it, with the reference by which the seller takes it."""

    reference: Reference
    time_ms: int
    placed: OrderPlaced


class Move(msgspec.Struct, frozen=True, gc=False):
    """A trade record that other records may cite. `allocations` is what is to be posted by it."""

    record_id: bytes
    kind: str
    order: OrderKey
    seller: bytes
    is_taken: bool = False
    allocations: tuple[Allocation, ...] = ()


class Deal(msgspec.Struct, frozen=True, gc=False):
    """An order as the seller's lane has it."""

    status: Status
    totals: tuple[TaxTotal, ...]
    cancellation: Cancellation
    is_received: bool
    time_ms: int
    code: str | None


class Untaken(msgspec.Struct, frozen=True, gc=False):
    """A buyer's record that the seller has not taken yet: what waits on the seller's desk."""

    reference: Reference


class Awaited(msgspec.Struct, frozen=True, gc=False):
    """A posting that one side still owes its ledger."""

    order: OrderKey


TABLES: Tables = {"placement": Placement, "move": Move, "deal": Deal, "untaken": Untaken, "awaited": Awaited}

# The seller's moves: from which status to which (section 13.3). What is absent is void.
LEGAL_MOVES: Mapping[tuple[Status, str], Status] = {
    ("placed", "order.accepted"): "accepted",
    ("placed", "order.rejected"): "rejected",
    ("placed", "order.cancelled"): "cancelled",
    ("placed", "order.taken"): "placed",
    ("accepted", "order.fulfilled"): "fulfilled",
    ("accepted", "order.cancelled"): "cancelled",
    ("accepted", "order.refunded"): "accepted",
    ("accepted", "order.taken"): "accepted",
    ("accepted", "cancellation.refused"): "accepted",
    ("fulfilled", "order.completed"): "completed",
    ("fulfilled", "order.refunded"): "fulfilled",
    ("fulfilled", "order.taken"): "fulfilled",
    ("fulfilled", "cancellation.refused"): "fulfilled",
    ("completed", "order.refunded"): "completed",
    ("completed", "order.taken"): "completed",
    ("completed", "cancellation.refused"): "completed",
    ("rejected", "order.taken"): "rejected",
    ("cancelled", "order.taken"): "cancelled",
}

# Which of the buyer's records each seller's move may take (section 13.3).
TAKEABLE: Mapping[str, frozenset[str]] = {
    "order.accepted": frozenset({"order.placed"}),
    "order.rejected": frozenset({"order.placed", "cancellation.requested"}),
    "order.cancelled": frozenset({"order.placed", "cancellation.requested"}),
    "order.taken": frozenset({"order.placed", "cancellation.requested", "order.received"}),
    "order.fulfilled": frozenset(),
    "order.refunded": frozenset(),
    "order.completed": frozenset({"order.received"}),
    "cancellation.refused": frozenset({"cancellation.requested"}),
}


def step_placed(read: Reader, entry: Entry) -> list[Change]:
    """The order becomes known: the buyer's community stands by the policy it pins."""
    body, position = entry.record.body, entry.position
    key = OrderKey(position.community, body.order_id)
    if read.get("placement", (key.buyer, key.order_id)):
        raise RecordVoid("order_placed_already")
    require_policy(read, position.community, body.policy, charter_size_of(entry))
    return [
        Put(
            "placement",
            (key.buyer, key.order_id),
            Placement(entry.reference, entry.record.time_ms, body),
        ),
        *_said_by_buyer(entry, key, body.seller),
    ]


def step_buyer_move(read: Reader, entry: Entry) -> list[Change]:
    """A later word of the buyer about an order of its own lane; kept until the seller takes it."""
    key = OrderKey(entry.position.community, entry.record.body.order_id)
    placement = read.get("placement", (key.buyer, key.order_id))
    if placement is None:
        raise RecordVoid("order_unknown")
    return _said_by_buyer(entry, key, placement.placed.seller)


def _said_by_buyer(entry: Entry, order: OrderKey, seller: bytes) -> list[Change]:
    record, position = entry.record, entry.position
    return [
        Put("move", position, Move(record.record_id, record.kind, order, seller)),
        Put("untaken", untaken_key(seller, record.kind, order, entry.reference), Untaken(entry.reference)),
    ]


def cited_move(read: Reader, reference: Reference) -> Move:
    """Return the trade record that `reference` cites, wait for it, or void the record that cites it.

    The id of a record that is pending is not looked at: whoever cited it before it came has to wait as well.
    """
    position = reference.position
    if reference.lane != TRADE:
        raise RecordVoid("reference_unknown")  # whatever stands there: other lanes are not waited for
    move = read.get("move", position)
    if move is None and not read.is_settled(position):
        raise Waiting(position)
    found = move or read.get("void", position)
    if found is not None and found.record_id != reference.record_id:
        raise RecordVoid("reference_mismatch")
    if move is None:
        raise RecordVoid("reference_unknown")
    return move  # type: ignore[no-any-return]  # the table says which struct stands there


def order_subject(body: SellerMove) -> Key:
    """Return the order's name: seller's records about one order take effect in lane order."""
    return (body.order.buyer, body.order.order_id)


def deal_key(seller: bytes, order: OrderKey) -> Key:
    """Return the key of the seller's side of an order."""
    return (seller, order.buyer, order.order_id)


def untaken_key(seller: bytes, kind: str, order: OrderKey, reference: Reference) -> Key:
    """Return the key of a buyer's record on the seller's desk, where records of one kind lie side by side."""
    return (seller, kind, order.buyer, order.order_id, reference.epoch, reference.index)


def sides_of(community: bytes, seller: bytes, buyer: bytes) -> frozenset[Side]:
    """Return on which sides of an order `community` stands: none, one or both."""
    parties: tuple[tuple[Side, bytes], ...] = (("seller", seller), ("buyer", buyer))
    return frozenset(side for side, party in parties if party == community)


def _check_totals(totals: list[TaxTotal]) -> None:
    classes = [total.tax_class for total in totals]
    if classes != sorted(set(classes)):
        raise ValueError("totals must be sorted by tax class, each once")
    check_totals(totals)


BUYER_KINDS = (
    RecordKind("order.placed", TRADE, OrderPlaced, step_placed),
    RecordKind("cancellation.requested", TRADE, CancellationRequested, step_buyer_move),
    RecordKind("order.received", TRADE, OrderReceived, step_buyer_move),
)
