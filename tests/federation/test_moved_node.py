"""A node that moved is found by its id, over real sessions."""

from tests.exchange.villages import entries
from tests.federation.loopback import LoopbackNode, until


async def test_a_node_that_moved_is_found_through_a_neighbour() -> None:
    """A comes back on another port and dials only B; C, which knew the old port, hears of the new one from B."""
    async with LoopbackNode("b") as b:
        a = LoopbackNode("a", b)
        async with LoopbackNode("c", b, a.address) as c:
            async with a:
                a.append(entries(3))
                await until(lambda: c.holds(a.lane()) == entries(3))
                await until(lambda: a.community in c.store.kept and bool(c.store.kept[a.community].record))
            await until(lambda: a.community not in c.federation.connected())
            back = LoopbackNode("a", b)
            back.store = a.store
            back.store.own_record = a.store.kept[a.community].record
            assert back.address != a.address
            async with back:
                back.append(entries(2, 3))
                await until(lambda: c.holds(a.lane()) == entries(5))
                await until(lambda: c.community in back.federation.connected())
                assert back.store.met_at[-1] is None, "C has dialled, not A"


async def test_a_bootstrap_node_is_asked_and_left() -> None:
    """It tells of those that it follows; the newcomer shows them and trusts nobody."""
    async with LoopbackNode("known") as known, LoopbackNode("guide", known) as guide:
        await until(lambda: known.community in guide.store.kept)
        await until(lambda: bool(guide.store.kept[known.community].record))
        async with LoopbackNode("new", bootstrap=guide.address) as new:
            await until(lambda: known.community in new.store.kept)
            await until(lambda: guide.community not in new.federation.connected())
            found = new.store.kept
            assert (found[known.community].found, found[known.community].told_by) == ("told", guide.community)
            assert found[guide.community].found == "bootstrap"
            assert "followed" not in new.store.trusts.values()
