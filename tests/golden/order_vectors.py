"""Whole orders: the stories of section 13 and 14, and every pair of moves that cross.

A story is a function whose docstring says what must hold; a crossing is made for each pair of the two tables.
"""

from collections.abc import Callable
from itertools import product

from protocol.amounts.split import TaxTotal, policy_id
from protocol.lanes.charter.identity import LaneStatement
from protocol.lanes.charter.witnesses import Witness
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Reference
from protocol.lanes.trade.orders import LEGAL_MOVES, TAKEABLE
from protocol.log.merkle import leaf_hashes, subtree_root
from tests.golden.cuts import Cut, cut_of
from tests.golden.void_by_step import OFFER, Trade, total
from tests.village import MARKET, POLICY, Village, Villager, object_id

BUYER_KINDS = ("order.placed", "cancellation.requested", "order.received")


def completed() -> Cut:
    """Placed, accepted, fulfilled, received, completed and posted on both sides: the example of section 14.3."""
    trade = Trade()
    move = trade.complete()
    trade.shop.post(move, trade.home)
    trade.home.post(move, trade.shop)
    return trade.cut()


def refunded() -> Cut:
    """Two refunds after completion: the second brings every share of every account to zero."""
    trade = Trade()
    refunds = (trade.sell("order.refunded", totals=total(gross), code="damaged") for gross in (5_350, 0))
    for move in (trade.complete(), *refunds):
        trade.shop.post(move, trade.home)
        trade.home.post(move, trade.shop)
    return trade.cut()


def refunded_before_completion() -> Cut:
    """A refund before completion is not posted: completion splits the lower totals."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    trade.sell("order.refunded", totals=total(5_350), code="one_missing")
    trade.sell("order.fulfilled")
    move = trade.sell("order.completed", trade.buy("order.received"))
    trade.shop.post(move, trade.home)
    trade.home.post(move, trade.shop)
    return trade.cut()


def buyer_collects() -> Cut:
    """The buyer's community collects: it owes the seller's side all but its own share."""
    trade = Trade()
    trade.home.entries[TRADE].pop()
    trade.placed = trade.home.place(trade.shop, collector="buyer")
    move = trade.complete()
    trade.shop.post(move, trade.home)
    trade.home.post(move, trade.shop)
    return trade.cut()


def same_community() -> Cut:
    """Buyer and seller are one community: one lane, takes as ever, one posting, nothing due."""
    shop = Village("shop", lanes=(TRADE, LEDGER))
    shop.adopt()
    placed = shop.place(shop)
    shop.say(TRADE, "order.accepted", order=shop.key(), takes=[placed])
    shop.say(TRADE, "order.fulfilled", order=shop.key(), takes=[])
    received = shop.say(TRADE, "order.received", order_id=object_id("order"))
    shop.post(shop.say(TRADE, "order.completed", order=shop.key(), takes=[received]))
    return cut_of(shop)


def yen_and_dinar() -> Cut:
    """Orders in currencies of no and of three decimal digits, each posted in its own account."""
    shop, home = Village("shop", lanes=(TRADE, LEDGER)), Village("home", lanes=(TRADE, LEDGER))
    shop.adopt()
    home.adopt()
    for currency, gross_minor in (("JPY", 1_081), ("KWD", 10_703)):
        totals = [TaxTotal(tax_class="food", rate_bp=800, gross_minor=gross_minor)]
        placed = home.place(shop, currency, currency=currency, totals=totals)
        key = home.key(currency)
        shop.say(TRADE, "order.accepted", order=key, takes=[placed])
        shop.say(TRADE, "order.fulfilled", order=key, takes=[])
        received = home.say(TRADE, "order.received", order_id=key.order_id)
        move = shop.say(TRADE, "order.completed", order=key, takes=[received])
        shop.post(move, home)
        home.post(move, shop)
    return cut_of(shop, home)


def rejected() -> Cut:
    """A rejection takes the order and what crossed it, and gives its code."""
    trade = Trade()
    request = trade.buy("cancellation.requested")
    trade.sell("order.rejected", trade.placed, request, code="sold_out")
    return trade.cut()


def cancelled_on_request() -> Cut:
    """A cancellation that crosses the acceptance is a request, which the seller's cancellation takes."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    trade.sell("order.cancelled", trade.buy("cancellation.requested"), code="on_request")
    return trade.cut()


def cancellation_refused() -> Cut:
    """A refused request leaves the order under its terms; it is completed as ever."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    trade.sell("cancellation.refused", trade.buy("cancellation.requested"), code="packed_already")
    trade.sell("order.fulfilled")
    trade.sell("order.completed", trade.buy("order.received"))
    return trade.cut()


def seller_without_buyer() -> Cut:
    """Without the buyer's lanes every move waits, the later ones behind the first, and so does the posting."""
    trade = Trade()
    trade.shop.post(trade.complete(), trade.home)
    return cut_of(trade.shop)


def cut_short() -> Cut:
    """The cut ends before the receipt: completion waits for it, and the buyer's posting for completion."""
    trade = Trade()
    move = trade.complete()
    trade.home.post(move, trade.shop)
    trade.home.entries[TRADE].pop()
    return trade.cut()


def citing_in_a_circle() -> Cut:
    """Two records that cite each other's place wait for each other, and have no effect in any order of arrival."""
    trade = Trade()
    ahead = Reference(trade.home.community, TRADE, 0, len(trade.home.entries[TRADE]), bytes(32))
    answer = trade.sell("order.taken", trade.placed, ahead)
    trade.home.say(TRADE, "order.taken", order=trade.home.key(), takes=[answer])
    return trade.cut()


def two_epochs() -> Cut:
    """Both communities change their log keys in the middle of an order, which goes on as if nothing had been."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    for village in (trade.shop, trade.home):
        village.close_epoch()
        for lane in (CHARTER, TRADE, LEDGER):
            village.continue_lane(lane)
    trade.sell("order.fulfilled")
    move = trade.sell("order.completed", trade.buy("order.received"))
    trade.shop.post(move, trade.home)
    trade.home.post(move, trade.shop)
    return trade.cut()


def sealed_away() -> Cut:
    """An order beyond the seal of the buyer's lane is no part of any cut; the answer to it waits for ever."""
    trade = Trade()
    trade.sell("order.accepted", trade.placed)
    trade.home.close_epoch(beyond={TRADE: 1})
    trade.home.continue_lane(CHARTER)
    trade.home.continue_lane(TRADE)
    return trade.cut()


def charter_and_market() -> Cut:
    """Members, peers, policies, a shop with a keeper, listings and a statement of all lanes."""
    keeper = Villager("keeper")
    shop = Village("shop", lanes=(MARKET, "market/pets"))
    shop.admit(keeper)
    shop.say(CHARTER, "peer.vouched", community=Village("peer").community)
    shop.say(CHARTER, "lane.declared", lane="market/pets", visibility="peers")
    peer = Village("peer")
    witness = Witness(community=peer.community, witness_key=peer.witness.public)
    shop.say(CHARTER, "witnesses.adopted", witnesses=[witness], threshold=1)
    shop.say(CHARTER, "relays.named", relays=[Village("relay").community, Village("peer").community])
    shop.adopt()
    shop.say(
        MARKET,
        "shop.published",
        shop_id=object_id("shop"),
        name={"en": "Shop", "zh": "小店"},
        about={"en": "Fruit of this valley."},
        keepers=[keeper.member_id],
    )
    shop.say_as(keeper, MARKET, "listing.published", **OFFER, attributes={"gs1_gtin": "09506000134352"})
    shop.say_as(keeper, MARKET, "listing.withdrawn", listing_id=object_id("apples"))
    shop.say_as(keeper, MARKET, "listing.published", **{**OFFER, "availability": "limited"})
    shop.say(CHARTER, "member.admitted", member_id=object_id("guest"), roles=["member"])
    shop.say(CHARTER, "member.left", member_id=keeper.member_id)
    shop.say(CHARTER, "policy.retired", policy_id=policy_id(POLICY))
    entries = shop.entries[MARKET]
    statement = LaneStatement(lane=MARKET, size=len(entries), root=subtree_root(leaf_hashes(entries)))
    shop.say(CHARTER, "lanes.stated", lanes=[statement])
    return cut_of(shop)


STORIES: tuple[Callable[[], Cut], ...] = (
    completed,
    refunded,
    refunded_before_completion,
    buyer_collects,
    same_community,
    yen_and_dinar,
    rejected,
    cancelled_on_request,
    cancellation_refused,
    seller_without_buyer,
    cut_short,
    citing_in_a_circle,
    two_epochs,
    sealed_away,
    charter_and_market,
)
PAIRS = tuple(product(BUYER_KINDS, TAKEABLE))


def crossing(said: str, move: str) -> Cut:
    """The order up to the seller's `move`, and the buyer's `said`, neither of which knows of the other."""
    trade = Trade()
    if said == "order.placed":
        _say(trade, move)
    else:
        _lead_to(trade, move)
        trade.buy(said)
    return trade.cut()


def _lead_to(trade: Trade, move: str) -> None:
    if ("placed", move) in LEGAL_MOVES and move != "order.cancelled":
        _say(trade, move, trade.placed)
        return
    trade.sell("order.accepted", trade.placed)
    if move == "cancellation.refused":
        _say(trade, move, trade.buy("cancellation.requested"))
    elif move == "order.completed":
        trade.sell("order.fulfilled")
        _say(trade, move, trade.buy("order.received"))
    else:
        _say(trade, move)


def _say(trade: Trade, move: str, *takes: Reference) -> None:
    if move == "order.refunded":
        trade.sell(move, *takes, totals=total(5_350), code="damaged")
    elif move in ("order.rejected", "order.cancelled", "cancellation.refused"):
        trade.sell(move, *takes, code="sold_out")
    else:
        trade.sell(move, *takes)
