"""Small cuts in which one record of a market, trade or ledger lane is void by the step of its kind.

Named and described as in `void_by_form`.
"""

from typing import Any

from protocol.amounts.entries import AccountEntry
from protocol.amounts.split import TaxTotal
from protocol.encoding import decode, encode
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import LEDGER, TRADE, Reference
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.lanes.trade.orders import OrderKey
from protocol.limits import RECORD_BYTES_MAX
from protocol.log.merkle import leaf_hash
from protocol.log.record import decode_record
from tests.golden.cuts import Cut, cut_of
from tests.village import MARKET, Village, object_id, seed

OFFER: dict[str, Any] = {
    "listing_id": object_id("apples"),
    "shop_id": object_id("shop"),
    "title": {"en": "Apples"},
    "price": FixedPrice(currency="EUR", amount_minor=300),
    "unit_code": "KGM",
    "quantity_scale": 3,
    "tax": Tax(tax_class="food", rate_bp=700),
    "availability": "in_stock",
    "fulfilment": ["pickup"],
}


def market() -> Village:
    shop = Village("shop", lanes=(MARKET,))
    shop.say(MARKET, "shop.published", shop_id=object_id("shop"), name={"en": "Shop"})
    return shop


def traders(*names: str) -> list[Village]:
    villages = [Village(name, lanes=(TRADE, LEDGER)) for name in names]
    for village in villages:
        village.adopt()
    return villages


class Trade:
    """Two communities and one order between them; the seller's moves are said by name."""

    def __init__(self) -> None:
        self.shop, self.home = traders("shop", "home")
        self.placed = self.home.place(self.shop)

    def sell(self, kind: str, *takes: Reference, **fields: Any) -> Reference:
        return self.shop.say(TRADE, kind, order=self.home.key(), takes=list(takes), **fields)

    def buy(self, kind: str) -> Reference:
        return self.home.say(TRADE, kind, order_id=object_id("order"))

    def complete(self) -> Reference:
        self.sell("order.accepted", self.placed)
        self.sell("order.fulfilled")
        return self.sell("order.completed", self.buy("order.received"))

    def cut(self, *others: Village) -> Cut:
        return cut_of(self.shop, self.home, *others)


def total(gross_minor: int, tax_class: str = "food") -> list[TaxTotal]:
    return [TaxTotal(tax_class=tax_class, rate_bp=700, gross_minor=gross_minor)]


def shop_unknown() -> Cut:
    """A listing needs its shop in the same lane."""
    shop = market()
    shop.say(MARKET, "listing.published", **{**OFFER, "shop_id": object_id("another")})
    return cut_of(shop)


def listing_unknown() -> Cut:
    """A listing that the lane does not have cannot be withdrawn."""
    shop = market()
    shop.say(MARKET, "listing.withdrawn", listing_id=object_id("apples"))
    return cut_of(shop)


def listing_of_another_shop() -> Cut:
    """A listing stays with the shop that published it first."""
    shop = market()
    shop.say(MARKET, "shop.published", shop_id=object_id("another"), name={"en": "Another"})
    shop.say(MARKET, "listing.published", **OFFER)
    shop.say(MARKET, "listing.published", **{**OFFER, "shop_id": object_id("another")})
    return cut_of(shop)


def listing_withdrawn_already() -> Cut:
    """A listing is withdrawn once; published again it is offered again, and may be withdrawn again."""
    shop = market()
    shop.say(MARKET, "listing.published", **OFFER)
    shop.say(MARKET, "listing.withdrawn", listing_id=object_id("apples"))
    shop.say(MARKET, "listing.withdrawn", listing_id=object_id("apples"))
    shop.say(MARKET, "listing.published", **OFFER)
    return cut_of(shop)


def policy_not_adopted() -> Cut:
    """An order pins a policy that the buyer's community stands by when it is placed."""
    shop, home = Village("shop", lanes=(TRADE,)), Village("home", lanes=(TRADE,))
    home.place(shop)
    home.adopt()
    home.place(shop, "later")
    return cut_of(shop, home)


def policy_not_adopted_2() -> Cut:
    """Who accepts an order stands by its policy at that moment; who rejects it need not."""
    shop, home = Village("shop", lanes=(TRADE,)), Village("home", lanes=(TRADE,))
    home.adopt()
    placed = home.place(shop)
    shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    shop.say(TRADE, "order.rejected", order=home.key(), takes=[placed], code="policy_unknown")
    return cut_of(shop, home)


def order_placed_already() -> Cut:
    """An order id is used once in a lane, whatever else the second order says."""
    trade = Trade()
    trade.home.place(trade.shop, totals=total(5_000))
    return trade.cut()


def order_unknown() -> Cut:
    """Nobody receives an order that was not placed in its own lane."""
    trade = Trade()
    trade.shop.say(TRADE, "order.received", order_id=object_id("order"))
    return trade.cut()


def order_not_taken() -> Cut:
    """The seller's first move takes the order; without it the order has no deal."""
    trade = Trade()
    trade.sell("order.accepted")
    trade.sell("order.taken", trade.buy("cancellation.requested"))
    return trade.cut()


def order_not_seller() -> Cut:
    """Only the community with which an order was placed can take it, whether or not it did already."""
    trade = Trade()
    (stranger,) = traders("stranger")
    trade.sell("order.accepted", trade.placed)
    stranger.say(TRADE, "order.accepted", order=trade.home.key(), takes=[trade.placed])
    return trade.cut(stranger)


def takes_refused() -> Cut:
    """A move takes only kinds that the table allows it, and nothing of the seller's own."""
    trade = Trade()
    accepted = trade.sell("order.accepted", trade.placed)
    trade.sell("order.fulfilled", trade.buy("order.received"))
    trade.sell("order.taken", accepted)
    return trade.cut()


def takes_refused_2() -> Cut:
    """A move takes records about its own order only."""
    trade = Trade()
    other = trade.home.place(trade.shop, "other")
    trade.sell("order.accepted", trade.placed, other)
    return trade.cut()


def taken_already() -> Cut:
    """Each record is taken once, in one move and over all moves."""
    trade = Trade()
    trade.sell("order.taken", trade.placed, trade.placed)
    trade.sell("order.taken", trade.placed)
    trade.sell("order.accepted", trade.placed)
    return trade.cut()


def move_not_legal() -> Cut:
    """What the table of moves does not have is void; the order goes on from where it was."""
    trade = Trade()
    trade.sell("order.rejected", trade.placed, code="sold_out")
    trade.sell("order.accepted")
    trade.sell("order.taken", trade.buy("cancellation.requested"))
    return trade.cut()


def receipt_missing() -> Cut:
    """An order is completed by a receipt that is taken there, or was taken before."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    trade.sell("order.fulfilled")
    trade.sell("order.completed")
    trade.sell("order.taken", trade.buy("order.received"))
    trade.sell("order.completed")
    return trade.cut()


def cancellation_not_requested() -> Cut:
    """A refusal answers a request, and only one that was not refused before."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    trade.sell("cancellation.refused", code="too_late")
    trade.sell("cancellation.refused", trade.buy("cancellation.requested"), code="too_late")
    trade.sell("cancellation.refused", code="too_late")
    return trade.cut()


def refund_refused() -> Cut:
    """A refund lowers the totals: the same are refused, and higher ones."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    for gross_minor in (10_700, 10_701, 10_699, 10_699, 0):
        trade.sell("order.refunded", totals=total(gross_minor), code="damaged")
    return trade.cut()


def refund_refused_2() -> Cut:
    """A refund keeps the tax classes of the order."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    trade.sell("order.refunded", totals=total(5_000, "other"), code="damaged")
    return trade.cut()


def reference_unknown() -> Cut:
    """Who cites a record without effect, an opening, or another lane than trade, cites nothing."""
    trade = Trade()
    again = trade.home.place(trade.shop, totals=total(5_000))
    opening = Reference(*trade.placed.position._replace(index=0), trade.placed.record_id)
    elsewhere = Reference(*trade.placed.position._replace(lane=LEDGER), trade.placed.record_id)
    for cited in (again, opening, elsewhere):
        trade.sell("order.accepted", cited)
    return trade.cut()


def reference_mismatch() -> Cut:
    """Who cites a place under another id than that of the record there, with effect or without, is void."""
    trade = Trade()
    again = trade.home.place(trade.shop, totals=total(5_000))
    for place in (trade.placed, again):
        trade.sell("order.accepted", Reference(*place.position, seed("another record")))
    return trade.cut()


def posting_move_refused() -> Cut:
    """A move that shares nothing out is not posted."""
    trade = Trade()
    completed = trade.complete()
    trade.shop.post(completed, trade.home)
    said = trade.shop.entries[LEDGER].pop()
    accepted = Reference(*completed.position._replace(index=1), record_at(trade.shop, 1))
    trade.shop.say(LEDGER, "posting.made", **fields_of(said, move=accepted))
    trade.shop.say(
        LEDGER, "posting.made", **fields_of(said, order=OrderKey(seed("nobody"), object_id("order")))
    )
    return trade.cut()


def posting_not_party() -> Cut:
    """A community on neither side of an order has nothing to post."""
    trade = Trade()
    (stranger,) = traders("stranger")
    trade.shop.post(trade.complete(), trade.home)
    stranger.say(LEDGER, "posting.made", **fields_of(trade.shop.entries[LEDGER][-1]))
    return trade.cut(stranger)


def posting_made_already() -> Cut:
    """Each side posts a move once; the second posting changes no balance."""
    trade = Trade()
    completed = trade.complete()
    trade.shop.post(completed, trade.home)
    trade.shop.post(completed, trade.home)
    return trade.cut()


def posting_unbalanced() -> Cut:
    """Entries that do not sum to 0 are void."""
    trade = Trade()
    entries = [AccountEntry("due", 250), AccountEntry("share/buyer_community", -249)]
    trade.home.post(trade.complete(), trade.shop, entries=entries)
    return trade.cut()


def posting_mismatch() -> Cut:
    """A false share is void although it sums to 0; the true posting counts after it."""
    trade = Trade()
    completed = trade.complete()
    entries = [AccountEntry("due", 150), AccountEntry("share/buyer_community", -150)]
    trade.home.post(completed, trade.shop, entries=entries)
    trade.home.post(completed, trade.shop)
    return trade.cut()


def posting_mismatch_2() -> Cut:
    """The entries stand in their order, under the currency and counterparty of the order."""
    trade = Trade()
    completed = trade.complete()
    entries = [AccountEntry("share/buyer_community", -250), AccountEntry("due", 250)]
    trade.home.post(completed, trade.shop, entries=entries)
    trade.home.post(completed, trade.shop, currency="USD")
    trade.home.post(completed, trade.shop, counterparty=seed("nobody"))
    return trade.cut()


def body_refused_2() -> Cut:
    """A posting in a currency that is not in the table is void by its form; the true posting counts after it."""
    trade = Trade()
    completed = trade.complete()
    trade.home.post(completed, trade.shop)
    parts = decode(trade.home.entries[LEDGER].pop(), bytes_max=RECORD_BYTES_MAX)
    parts[5]["currency"] = "XXX"
    trade.home.append(LEDGER, encode(parts))
    trade.home.post(completed, trade.shop)
    return trade.cut()


def record_at(village: Village, index: int) -> bytes:
    return leaf_hash(village.entries[TRADE][index])


def fields_of(raw: bytes, **changes: Any) -> dict[str, Any]:
    body = decode_record(raw, BODY_TYPES).body
    return {name: getattr(body, name) for name in body.__struct_fields__} | changes


BY_STEP = (
    shop_unknown,
    listing_unknown,
    listing_of_another_shop,
    listing_withdrawn_already,
    policy_not_adopted,
    policy_not_adopted_2,
    order_placed_already,
    order_unknown,
    order_not_taken,
    order_not_seller,
    takes_refused,
    takes_refused_2,
    taken_already,
    move_not_legal,
    receipt_missing,
    cancellation_not_requested,
    refund_refused,
    refund_refused_2,
    reference_unknown,
    reference_mismatch,
    posting_move_refused,
    posting_not_party,
    posting_made_already,
    posting_unbalanced,
    posting_mismatch,
    posting_mismatch_2,
    body_refused_2,
)
