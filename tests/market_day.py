"""Two communities after one market day, for tests of the audit: shops, listings, orders in every state.

shop, home = market_day()
"""

from protocol.amounts.entries import AccountEntry
from protocol.amounts.split import TaxTotal
from protocol.lanes.charter.identity import LaneStatement
from protocol.lanes.kind import CHARTER, TRADE, Reference
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.log.merkle import leaf_hashes, subtree_root
from tests.village import MARKET, Village, object_id


def publish(village: Village, listing: str, amount_minor: int = 300) -> Reference:
    return village.say(
        MARKET,
        "listing.published",
        listing_id=object_id(listing),
        shop_id=object_id(village.name),
        title={"en": listing, "zh": "苹果"},
        price=FixedPrice(currency="EUR", amount_minor=amount_minor),
        unit_code="KGM",
        quantity_scale=3,
        tax=Tax(tax_class="food", rate_bp=700),
        availability="in_stock",
        fulfilment=["pickup"],
    )


def state_lanes(village: Village) -> Reference:
    """The charter states all its other lanes as they are now."""
    lanes = [
        LaneStatement(lane, len(entries), subtree_root(leaf_hashes(entries)))
        for lane, entries in sorted(village.entries.items())
        if lane != CHARTER
    ]
    return village.say(CHARTER, "lanes.stated", lanes=lanes)


def sell(shop: Village, home: Village, order: str, gross_minor: int = 10_700) -> Reference:
    """An order from placing to completion; returns the reference of the completion."""
    totals = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=gross_minor)]
    placed = home.place(shop, order, totals=totals)
    key = home.key(order)
    shop.say(TRADE, "order.accepted", order=key, takes=[placed])
    shop.say(TRADE, "order.fulfilled", order=key, takes=[])
    received = home.say(TRADE, "order.received", order_id=key.order_id)
    return shop.say(TRADE, "order.completed", order=key, takes=[received])


def market_day() -> tuple[Village, Village]:
    """Eight listings, one withdrawn; a completed, a refunded, a rejected, a cancelled and an open order."""
    shop, home = Village("shop"), Village("home")
    for village in (shop, home):
        village.adopt()
        village.say(MARKET, "shop.published", shop_id=object_id(village.name), name={"en": village.name})
        for number in range(4):
            publish(village, f"{village.name} apples {number}", 300 + number)
    shop.say(MARKET, "listing.withdrawn", listing_id=object_id("shop apples 0"))
    completed = sell(shop, home, "first")
    shop.post(completed, home)
    home.post(completed, shop)
    refunded = sell(shop, home, "second", 5_003)
    shop.post(refunded, home)
    home.post(refunded, shop)
    totals = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=3_001)]
    refund = shop.say(
        TRADE, "order.refunded", order=home.key("second"), takes=[], totals=totals, code="damaged"
    )
    shop.post(refund, home)
    home.post(refund, shop)
    rejected = home.place(shop, "third")
    shop.say(TRADE, "order.rejected", order=home.key("third"), takes=[rejected], code="out_of_stock")
    cancelled = home.place(shop, "fourth")
    shop.say(TRADE, "order.accepted", order=home.key("fourth"), takes=[cancelled])
    asked = home.say(TRADE, "cancellation.requested", order_id=home.key("fourth").order_id)
    shop.say(TRADE, "order.cancelled", order=home.key("fourth"), takes=[asked], code="on_request")
    home.place(shop, "fifth")
    for village in (shop, home):
        state_lanes(village)
    return shop, home


def false_posting(shop: Village, home: Village, order: str = "false") -> Reference:
    """The shop posts 1.00 EUR less for the buyer's community than the policy says, under its own good name."""
    completed = sell(shop, home, order)
    entries = [
        AccountEntry("collected", 10_700),
        AccountEntry("due", -150),
        AccountEntry("share/commons", -50),
        AccountEntry("share/seller", -9_500),
        AccountEntry("share/seller_community", -300),
        AccountEntry("share/tax", -700),
    ]
    return shop.post(completed, home, entries=entries)
