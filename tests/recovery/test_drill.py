"""A recovery drill says beforehand whether the words would do, and harms nothing."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from node.actions.keys import RehearsalDraft, RehearsedAnswer, rehearse_recovery
from node.actions.peers import PeerAddress, PeerName, add_peer, vouch_peer
from node.actions.shops import ShopDraft, publish_shop
from node.errors import NodeError
from node.vault import Kit
from tests.federation.test_vouching_shows_lanes import _sell_to_itself
from tests.pages.neighbour_nodes import Community, opened_community
from tests.recovery.test_bringing_back import _has_all, lanes_of


async def test_a_drill_brings_back_what_is_at_two_peers_and_counts_what_is_not(tmp_path: Path) -> None:
    """All of it while both are there; with one gone it says that two are needed; other words are refused."""
    kits: list[Kit] = []
    async with AsyncExitStack() as stack:
        ferry = await stack.enter_async_context(opened_community(tmp_path / "ferry", "Ferry"))
        mill_stack = await stack.enter_async_context(AsyncExitStack())
        mill = await mill_stack.enter_async_context(opened_community(tmp_path / "mill", "Mill"))
        home = opened_community(tmp_path / "home", "Orchard", keep_kit=kits.append)
        orchard = await stack.enter_async_context(home)
        await _sell_to_itself(orchard.node)
        for peer in (ferry, mill):
            await vouch_peer(orchard.node, PeerName(community=peer.id))
            await add_peer(peer.node, PeerAddress(address=orchard.address, community=orchard.id))
            await add_peer(orchard.node, PeerAddress(address=peer.address, community=peer.id))

        async def is_safe() -> bool:
            return all([await _has_all(orchard.node, peer.node) for peer in (ferry, mill)])

        await orchard.until(is_safe)
        before = await lanes_of(orchard.node)
        draft = RehearsalDraft(words=kits[0].words)
        done = await rehearse_recovery(orchard.node, draft)
        assert _figures(done) == (True, True, sum(map(len, before.values())), 0, 0)
        assert [(peer.has_box, peer.is_box_current) for peer in done.peers] == [(True, True)] * 2
        assert await lanes_of(orchard.node) == before
        assert orchard.node.epoch == 0
        await mill_stack.aclose()
        alone = await rehearse_recovery(orchard.node, draft)
        assert not alone.would_succeed
        assert sorted(peer.code for peer in alone.peers) == ["", "session_lost"]
        others = (
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
        )
        with pytest.raises(NodeError) as refused:
            await rehearse_recovery(orchard.node, RehearsalDraft(words=others))
        assert refused.value.code == "words_of_another"
        await _say_where_nobody_hears(orchard, ferry)
        lost = await rehearse_recovery(orchard.node, draft)
        assert lost.unsaved_records > 0


async def _say_where_nobody_hears(orchard: Community, ferry: Community) -> None:
    """The last peer goes too; what is said then is nowhere else."""
    from node.actions.peers import block_peer

    await block_peer(orchard.node, PeerName(community=ferry.id))
    await publish_shop(orchard.node, ShopDraft(sector="food", name={"en": "Unheard"}))

    async def is_signed() -> bool:
        return len((await lanes_of(orchard.node))["market/food", 0]) == 4

    await orchard.until(is_signed)


def _figures(done: RehearsedAnswer) -> tuple[bool, bool, int, int, int]:
    return (
        done.would_succeed,
        done.is_identical,
        done.fetched_records,
        done.unsaved_records,
        done.uncopied_parts,
    )
