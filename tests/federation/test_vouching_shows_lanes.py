"""Vouching opens trade and ledger to another community, which hears of it at once and not at its next question."""

from pathlib import Path

from node.actions.buying import DetailsDraft, LineDraft, OrderDraft, place_order
from node.actions.listings import ListingDraft, publish_listing
from node.actions.peers import PeerAddress, PeerName, add_peer, vouch_peer
from node.actions.policies import PolicyDraft, adopt_policy
from node.actions.shops import ShopDraft, publish_shop
from node.core import Node
from protocol.identity.keys import to_base32
from protocol.lanes.kind import TRADE
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.log.origin import Origin
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.views.reading import StateReader
from tests.pages.neighbour_nodes import Community, opened_community
from tests.village import POLICY

DETAILS = DetailsDraft(fulfilment="pickup", name="Ann", contact="ann", note="")


async def _sell_to_itself(node: Node) -> None:
    await adopt_policy(node, PolicyDraft(policy=POLICY))
    shop = await publish_shop(node, ShopDraft(sector="food", name={"en": "Press"}))
    listing = await publish_listing(
        node,
        ListingDraft(
            sector="food",
            shop_id=shop.shop_id,
            title={"en": "Cider"},
            price=FixedPrice(currency="EUR", amount_minor=450),
            unit_code="LTR",
            tax=Tax(tax_class="rate_700", rate_bp=700),
            fulfilment=["pickup"],
        ),
    )
    line = LineDraft(sector="food", listing_id=listing.listing_id, steps=2)
    await place_order(node, OrderDraft(seller=to_base32(node.community), lines=[line], details=DETAILS))


async def _adopted_size(of: Community, lane: str, at: Community) -> int:
    """How far the head of a lane of one community is adopted at another."""

    def question(read: StateReader) -> int:
        origin = Origin(of.node.community, lane, 0)
        key = LaneStore(read.connection).lane_key(origin.community, origin.lane, origin.epoch)
        head = None if key is None else HeadStore(read.connection).head(key)
        return head.size if head else 0

    return await at.node.read(question)


async def test_a_community_that_is_vouched_for_has_the_trade_at_once(tmp_path: Path) -> None:
    """The trade did not grow, so that its head was no news: to whom it is opened it is."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        await _sell_to_itself(orchard.node)
        await add_peer(ferry.node, PeerAddress(address=orchard.address, community=orchard.id))

        async def has_market() -> bool:
            return await _adopted_size(orchard, "market/food", ferry) > 0

        await ferry.until(has_market)
        assert await _adopted_size(orchard, TRADE, ferry) == 0
        await vouch_peer(orchard.node, PeerName(community=ferry.id))

        async def has_trade() -> bool:
            return await _adopted_size(orchard, TRADE, ferry) == await _adopted_size(orchard, TRADE, orchard)

        await ferry.until(has_trade)
