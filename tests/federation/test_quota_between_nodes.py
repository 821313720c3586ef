"""A community says more than another keeps of it: paused at a verified size, shown so, and on when there is room."""

from pathlib import Path

import pytest

from node.actions.listings import ListingDraft, publish_listing
from node.actions.peers import (
    PeerAddress,
    PeerName,
    PeerQuota,
    PeersQuery,
    add_peer,
    is_lane_paused,
    keep_more,
    list_peers,
    set_peer_quota,
)
from node.actions.shops import ShopDraft, publish_shop
from node.core import Node
from node.errors import NodeError
from node.quotas import usage_of
from protocol.identity.keys import to_base32
from protocol.lanes.market.listings import FixedPrice, Tax
from tests.federation.test_vouching_shows_lanes import _adopted_size
from tests.pages.neighbour_nodes import Community, opened_community

LANE = "market/food"


async def publish(node: Node, count: int) -> None:
    shop = await publish_shop(node, ShopDraft(sector="food", name={"en": "Press"}))
    for number in range(count):
        await publish_listing(
            node,
            ListingDraft(
                sector="food",
                shop_id=shop.shop_id,
                title={"en": f"Cider {number}"},
                price=FixedPrice(currency="EUR", amount_minor=450),
                unit_code="LTR",
                tax=Tax(tax_class="rate_700", rate_bp=700),
                fulfilment=["pickup"],
            ),
        )


async def test_a_lane_at_its_quota_is_paused_shown_and_goes_on_when_it_is_raised(tmp_path: Path) -> None:
    """What is kept is a prefix under an adopted head; the cards say so; one click and the rest comes by itself."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry", quota_lane_bytes="5000") as ferry,
    ):
        await add_peer(ferry.node, PeerAddress(address=orchard.address, community=orchard.id))

        async def is_paused() -> bool:
            return is_lane_paused(ferry.node, orchard.id, LANE)

        await publish(orchard.node, 30)
        await ferry.until(is_paused)
        peer = await only_peer(ferry)
        [lane] = peer.paused
        assert lane.lane == LANE
        assert lane.size == await _adopted_size(orchard, LANE, ferry) < lane.offered_size <= 32
        assert 0 < peer.kept_bytes < 2 * 5_000
        steward = await ferry.browser("steward")
        words = (await steward.get("/neighbours")).words
        assert "Paused at its quota" in words
        assert f"{lane.size} of {lane.offered_size} records" in words
        assert (await only_peer(ferry)).paused == peer.paused, "and nothing more is fetched meanwhile"

        await keep_more(ferry.node, PeerName(community=orchard.id))
        whole = await _adopted_size(orchard, LANE, orchard)

        async def has_all() -> bool:
            return await _adopted_size(orchard, LANE, ferry) == whole

        await ferry.until(has_all)
        assert (await only_peer(ferry)).paused == []
        counted = ferry.node.quotas._counted
        assert counted is not None
        assert (
            counted.lanes[orchard.node.community]
            == (await ferry.node.read(lambda read: usage_of(read.connection))).lanes[orchard.node.community]
        ), "what is counted along is what is there"


async def test_a_quota_can_be_lowered_and_what_is_there_stays(tmp_path: Path) -> None:
    """Nothing is thrown away; the next record is not fetched; without a number the settings hold again."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        await add_peer(ferry.node, PeerAddress(address=orchard.address, community=orchard.id))
        await publish(orchard.node, 2)
        whole = await _adopted_size(orchard, LANE, orchard)

        async def has_all() -> bool:
            return await _adopted_size(orchard, LANE, ferry) >= whole > 0

        await ferry.until(has_all)
        before = await _adopted_size(orchard, LANE, ferry)
        lowered = await set_peer_quota(ferry.node, PeerQuota(community=orchard.id, bytes_max=10))
        assert (lowered.quota_bytes, lowered.paused) == (10, [])
        await publish(orchard.node, 1)

        async def is_paused() -> bool:
            return is_lane_paused(ferry.node, orchard.id, LANE)

        await ferry.until(is_paused)
        assert await _adopted_size(orchard, LANE, ferry) == before
        await set_peer_quota(ferry.node, PeerQuota(community=orchard.id))
        whole = await _adopted_size(orchard, LANE, orchard)
        await ferry.until(has_all)
        with pytest.raises(NodeError) as refusal:
            await set_peer_quota(ferry.node, PeerQuota(community=to_base32(b"?" * 32), bytes_max=1))
        assert refusal.value.code == "community_unknown"


async def only_peer(of: Community):  # type: ignore[no-untyped-def]  # the one answer of `list_peers`
    [peer] = (await list_peers(of.node, PeersQuery())).peers
    return peer
