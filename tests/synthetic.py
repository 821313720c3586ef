"""A bundle of any number of records, streamed to disk: two communities that trade day after day.

The mix is that of a modelled year: 10 listings for each order, and every order goes from placing to both
postings in seven records. So 59 of 100 records are listings and 41 belong to orders.

    write_synthetic(folder, records=100_000)
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protocol.amounts.split import TaxTotal, policy_id, split
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Reference
from protocol.lanes.ledger.postings import posting_for
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.lanes.trade.orders import Move, OrderKey, OrderPlaced, Placement
from protocol.log.merkle import leaf_hash
from protocol.log.origin import Origin
from protocol.log.record import encode_record
from tests.bundles import LaneFiles, write_index
from tests.village import MARKET, POLICY, Village, object_id, seed

LISTINGS_AN_ORDER = 10
RECORDS_A_ROUND = LISTINGS_AN_ORDER + 7
_TEXT = "Grown without sprays on the slope above the ferry; picked in the morning, brought down by noon. " * 2


class StreamedVillage(Village):
    """A village that remembers only its charter: every other record goes to disk at once."""

    files: dict[str, LaneFiles] | None = None

    def append(self, lane: str, raw: bytes) -> Reference:
        if self.files is None:
            return super().append(lane, raw)
        files = self.files[lane]
        files.append(raw)
        return Reference(self.community, lane, 0, files.size - 1, leaf_hash(raw))

    def stream_to(self, root: Path) -> list[LaneFiles]:
        """Begin to write below `root`; what was said so far goes first."""
        self.files = {
            name: LaneFiles(root, Origin(self.community, name, 0), self.log) for name in self.entries
        }
        for name, entries in self.entries.items():
            for raw in entries:
                self.files[name].append(raw)
        return list(self.files.values())


def write_synthetic(root: Path, *, records: int) -> Path:
    """Write a bundle of `records` records, at least 50, below `root`."""
    shop, home = StreamedVillage("shop"), StreamedVillage("home")
    for village in (shop, home):
        village.adopt()
        village.say(MARKET, "shop.published", shop_id=object_id(village.name), name={"en": village.name})
    lanes = [*shop.stream_to(root), *home.stream_to(root)]
    said = sum(lane.size for lane in lanes)
    rounds = _rounds(shop, home)
    while said < records:
        next(rounds)
        said += 1
    for lane in lanes:
        lane.close()
    write_index(root, lanes)
    return root


def _rounds(shop: StreamedVillage, home: StreamedVillage) -> Iterator[None]:
    """Say one record at a time: a round of listings, then an order of one side from the other."""
    number = 0
    while True:
        for _ in range(LISTINGS_AN_ORDER):
            _publish(shop if number % 2 else home, number)
            number += 1
            yield
        seller, buyer = (shop, home) if number % 20 else (home, shop)
        for _ in _order(seller, buyer, number):
            shop.now_ms = home.now_ms = max(shop.now_ms, home.now_ms) + 1_000
            yield


def _publish(village: StreamedVillage, number: int) -> None:
    village.say(
        MARKET,
        "listing.published",
        listing_id=object_id(f"{village.name} {number}"),
        shop_id=object_id(village.name),
        title={"en": f"Apples, basket {number}", "zh": f"苹果 {number}"},
        price=FixedPrice(currency="EUR", amount_minor=300 + number % 1_000),
        unit_code="KGM",
        quantity_scale=3,
        tax=Tax(tax_class="food", rate_bp=700),
        availability="in_stock",
        fulfilment=["delivery", "pickup"],
        text={"en": _TEXT},
    )


def _order(seller: StreamedVillage, buyer: StreamedVillage, number: int) -> Iterator[None]:
    key = OrderKey(buyer.community, object_id(f"order {number}"))
    totals = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=5_000 + number % 5_000)]
    fields: dict[str, Any] = {"order_id": key.order_id, "totals": totals}
    placed = buyer.place(seller, f"order {number}", **fields)
    yield
    seller.say(TRADE, "order.accepted", order=key, takes=[placed])
    yield
    seller.say(TRADE, "order.fulfilled", order=key, takes=[])
    yield
    received = buyer.say(TRADE, "order.received", order_id=key.order_id)
    yield
    completed = seller.say(TRADE, "order.completed", order=key, takes=[received])
    yield
    shares = split(POLICY, totals, "EUR", same_community=False, collector="seller")
    allocations = tuple(share for share in shares if share.amount_minor)
    move = Move(completed.record_id, "order.completed", key, seller.community, allocations=allocations)
    for village in (seller, buyer):
        posting = posting_for(move, _placement(placed, seller, key, totals), village.community, completed)
        village.append(
            LEDGER,
            encode_record(
                "posting.made", posting, time_ms=village.now_ms, charter_size=len(village.entries[CHARTER])
            ),
        )
        yield


def _placement(placed: Reference, seller: Village, key: OrderKey, totals: list[TaxTotal]) -> Placement:
    order = OrderPlaced(
        order_id=key.order_id,
        seller=seller.community,
        currency="EUR",
        totals=totals,
        policy=policy_id(POLICY),
        lines=[seed("line")],
        details=seed("details"),
        collector="seller",
        respond_by_ms=0,
        witnesses=[],
        threshold=0,
        mediators=[],
    )
    return Placement(placed, 0, order)
