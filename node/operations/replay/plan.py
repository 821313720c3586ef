"""What the communities are to publish and to order, worked out from the source before any node is started.

plan = make_plan(read_source(folder), communities=8)
plan.orders[0].ending, plan.not_replayed
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from node.operations.replay.sectors import Shelf, shelf_of
from node.operations.replay.source import Source, SourceItem, SourceOrder
from protocol.limits import AMOUNT_MINOR_MAX, ORDER_LINES_MAX

Ending = Literal["accepted", "cancelled", "completed", "fulfilled", "placed", "refunded", "rejected"]

# Where an order of each status in the source ends here. One that was cancelled after its delivery went through
# and gets all of its money back (`refunded`); any other cancellation ends it before fulfilment.
ENDINGS: Mapping[str, Ending] = {
    "created": "placed",
    "approved": "accepted",
    "processing": "accepted",
    "invoiced": "accepted",
    "shipped": "fulfilled",
    "delivered": "completed",
    "canceled": "cancelled",
    "unavailable": "rejected",
}

ACCEPTED: frozenset[Ending] = frozenset({"accepted", "cancelled", "completed", "fulfilled", "refunded"})
RECEIVED: frozenset[Ending] = frozenset({"completed", "refunded"})

States = tuple[tuple[str, ...], ...]
"""The states of the sellers of each community, those with most sellers first."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a product cost, from the day on which it was first ordered at that."""

    amount_minor: int
    day: str


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop of one seller of the source: its community from 0, and where its products stand."""

    community: int
    sectors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A product of one shop; `prices` follow each other in the order of purchases."""

    shop: int
    shelf: Shelf
    prices: tuple[Price, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """So many pieces of a product at one of its prices."""

    product: int
    price: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """One order of one community with one community, both from 0.

    `group` is the same for the parts of one order of the source that several communities deliver.
    """

    buyer: int
    seller: int
    lines: tuple[Line, ...]
    freight_minor: int
    total_minor: int
    ending: Ending
    days: Mapping[str, str]
    group: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it. Numbers in shops, products and orders are places in these sequences."""

    states: States
    shops: Sequence[Shop]
    products: Sequence[Product]
    orders: Sequence[PlannedOrder]
    not_replayed: Mapping[str, int]


def make_plan(source: Source, *, communities: int) -> Plan:
    """Plan a replay; `not_replayed` counts, by reason, the orders of the source that are left out."""
    planner = _Planner(source, communities)
    not_replayed = Counter(source.not_read)
    for order in sorted(source.orders, key=lambda order: order.purchased):
        reason = _reason_against(order, source)
        if reason is None:
            planner.add(order)
        else:
            not_replayed[reason] += 1
    return planner.plan(dict(sorted(not_replayed.items())))


def states_of_communities(seller_states: Mapping[str, str], communities: int) -> States:
    """Give each state with many sellers a community of its own, and the last community all others."""
    sellers = Counter(seller_states.values())
    ranked = sorted(sellers, key=lambda state: (-sellers[state], state))
    alone = communities - 1
    own = [(state,) for state in ranked[:alone]] + [()] * (alone - len(ranked))
    return (*own, tuple(ranked[alone:]))


def _reason_against(order: SourceOrder, source: Source) -> str | None:
    """Why an order cannot be replayed, or None."""
    items = source.items.get(order.order_id, ())
    if order.customer_id not in source.customer_states:
        return "customer_missing"
    if order.order_id in source.faulty_items:
        return "item_malformed"
    if not items:
        return "items_missing"
    if any(item.seller_id not in source.seller_states for item in items):
        return "seller_missing"
    if order.status not in ENDINGS:
        return "status_unknown"
    if len(items) >= ORDER_LINES_MAX or _total_minor(items) > AMOUNT_MINOR_MAX:
        return "order_too_large"
    return None


def _total_minor(items: Sequence[SourceItem]) -> int:
    return sum(item.price_minor + item.freight_minor for item in items)


@dataclass(slots=True)
class _Draft:
    """A product while its prices are found."""

    number: int
    seller_id: str
    shelf: Shelf
    prices: list[Price] = field(default_factory=list)


class _Planner:
    """Takes the orders in the order of purchases."""

    def __init__(self, source: Source, communities: int) -> None:
        self._source = source
        self._states = states_of_communities(source.seller_states, communities)
        self._community_of = {
            state: community for community, states in enumerate(self._states) for state in states
        }
        self._drafts: dict[tuple[str, str, int], _Draft] = {}
        self._orders: list[PlannedOrder] = []
        self._groups = 0

    def add(self, order: SourceOrder) -> None:
        """Plan one order: a part for each community that sells some of it."""
        parts: dict[int, list[SourceItem]] = defaultdict(list)
        for item in self._source.items[order.order_id]:
            parts[self._community(self._source.seller_states[item.seller_id])].append(item)
        self._groups += len(parts) > 1
        for seller, items in parts.items():
            total_minor = _total_minor(items)
            self._orders.append(
                PlannedOrder(
                    buyer=self._community(self._source.customer_states[order.customer_id]),
                    seller=seller,
                    lines=tuple(self._lines(items, order.days["source_purchased"])),
                    freight_minor=sum(item.freight_minor for item in items),
                    total_minor=total_minor,
                    ending=_ending(order, total_minor),
                    days=order.days,
                    group=self._groups if len(parts) > 1 else None,
                )
            )

    def plan(self, not_replayed: Mapping[str, int]) -> Plan:
        """Return all that was planned."""
        sectors: dict[str, set[str]] = defaultdict(set)
        for draft in self._drafts.values():
            sectors[draft.seller_id].add(draft.shelf.sector)
        shops = {seller_id: number for number, seller_id in enumerate(sectors)}
        return Plan(
            states=self._states,
            shops=[
                Shop(self._community(self._source.seller_states[seller_id]), tuple(sorted(chosen)))
                for seller_id, chosen in sectors.items()
            ],
            products=[
                Product(shops[draft.seller_id], draft.shelf, tuple(draft.prices))
                for draft in self._drafts.values()
            ],
            orders=self._orders,
            not_replayed=not_replayed,
        )

    def _community(self, state: str) -> int:
        """The community of a state; one without sellers belongs to the last."""
        return self._community_of.get(state, len(self._states) - 1)

    def _lines(self, items: Sequence[SourceItem], day: str) -> Iterator[Line]:
        """Yield a line for each product and price; a listing has one price, so a second one is a second listing."""
        found = Counter((item.seller_id, item.product_id, item.price_minor) for item in items)
        met: Counter[tuple[str, str]] = Counter()
        for (seller_id, product_id, price_minor), steps in found.items():
            draft = self._draft(seller_id, product_id, met[seller_id, product_id])
            met[seller_id, product_id] += 1
            if not draft.prices or draft.prices[-1].amount_minor != price_minor:
                draft.prices.append(Price(price_minor, day))
            yield Line(draft.number, len(draft.prices) - 1, steps)

    def _draft(self, seller_id: str, product_id: str, variant: int) -> _Draft:
        key = (seller_id, product_id, variant)
        if key not in self._drafts:
            shelf = shelf_of(self._source.categories.get(product_id, ""))
            self._drafts[key] = _Draft(len(self._drafts), seller_id, shelf)
        return self._drafts[key]


def _ending(order: SourceOrder, total_minor: int) -> Ending:
    """What comes of it; where nothing was paid there is nothing to refund."""
    ending = ENDINGS[order.status]
    return "refunded" if ending == "cancelled" and order.is_delivered and total_minor else ending
