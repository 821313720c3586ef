"""Who lacks records of ours is known whether it is connected or not, over restarts too, and since when."""

from contextlib import AsyncExitStack
from pathlib import Path

from node.actions.peers import PeerAddress, PeerName, PeersQuery, add_peer, follow_peer, list_peers, show_peer
from node.actions.shops import ShopDraft, publish_shop
from node.actions.status import StatusQuery, show_status
from node.writer.clock import system_clock
from storage.acknowledgements import shown_by_peers
from storage.peers import Peer, save_peer
from tests.pages.neighbour_nodes import opened_community

HOUR_MS = 3_600_000


async def test_a_follower_that_has_gone_is_behind_since_the_first_record_that_it_lacks(
    tmp_path: Path,
) -> None:
    """What it showed last outlives its session and our restart; of whom we have never heard, all is missed."""
    async with AsyncExitStack() as stack:
        orchard = await stack.enter_async_context(opened_community(tmp_path / "orchard", "Orchard"))
        mill_stack = await stack.enter_async_context(AsyncExitStack())
        mill = await mill_stack.enter_async_context(opened_community(tmp_path / "mill", "Mill"))
        await add_peer(mill.node, PeerAddress(address=orchard.address, community=orchard.id))

        async def has_shown() -> bool:
            found = (await list_peers(orchard.node, PeersQuery())).peers
            return any(peer.shown_ms is not None for peer in found)

        await orchard.until(has_shown)
        await follow_peer(orchard.node, PeerName(community=mill.id))
        in_step = await show_peer(orchard.node, PeerName(community=mill.id))
        assert (in_step.is_connected, in_step.is_behind) == (True, False)
        await mill_stack.aclose()

        async def is_written_down() -> bool:
            return mill.node.community in await orchard.node.read(
                lambda read: shown_by_peers(read.connection)
            )

        await orchard.until(is_written_down)
        before_ms = system_clock()
        await publish_shop(orchard.node, ShopDraft(sector="food", name={"en": "Press"}))

        async def is_signed() -> bool:
            found = await show_peer(orchard.node, PeerName(community=mill.id))
            return (
                found.unseen >= in_step.unseen + 3
            )  # the lane is declared and opened, the shop is published

        await orchard.until(is_signed)
        away = await show_peer(orchard.node, PeerName(community=mill.id))
        assert (away.is_connected, away.is_behind) == (False, False), "it has had no time yet"
        assert away.unseen_since_ms is not None
        assert in_step.unseen or before_ms <= away.unseen_since_ms
        assert away.unseen_since_ms <= system_clock()
        assert away.shown_ms is not None
        assert away.shown_ms <= before_ms
        mill_id = mill.id

    def later_ms() -> int:
        return system_clock() + HOUR_MS

    async with opened_community(tmp_path / "orchard", "Orchard", clock=later_ms) as orchard:
        later = orchard.node
        stranger = Peer(b"\x05" * 32, "", (), "followed")
        await later.write(lambda transaction: save_peer(transaction.connection, stranger))
        status = await show_status(later, StatusQuery())
        assert [each.community == mill_id for each in status.behind] == [False, True]
        unheard, mill_behind = status.behind
        assert (mill_behind.unseen, mill_behind.unseen_since_ms) == (away.unseen, away.unseen_since_ms)
        assert (mill_behind.shown_ms, mill_behind.is_connected) == (away.shown_ms, False)
        assert (unheard.shown_ms, unheard.name) == (None, None)
        assert unheard.unseen > 3
        page = await (await orchard.browser("steward")).get("/neighbours")
        assert "Behind with our records" in page.html
        assert f"{away.unseen} records, since" in page.html
        assert "never heard to hold any" in page.html
