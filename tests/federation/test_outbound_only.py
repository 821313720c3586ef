"""Two shops that only dial out trade by way of a relay, which reads nothing of what they seal."""

from pathlib import Path

from node.actions.buying import OwnOrderName, confirm_receipt
from node.actions.policies import PolicyDraft, adopt_policy
from node.actions.selling import OrderName, accept_order, fulfil_order
from protocol.amounts.split import policy_id
from protocol.identity.keys import from_base32
from storage.relay_shelf import all_recipients, shelf
from tests.federation.whole_nodes import (
    DIALS_OUT_ONLY,
    WholeNode,
    befriend,
    name_relay,
    offer_cider,
    order_cider,
    whole_node,
)
from tests.village import POLICY


async def meet(orchard: WholeNode, ferry: WholeNode, relay: WholeNode) -> str:
    """Orchard sells, Ferry buys; both dial the relay and nobody dials them. Return the id of the listing."""
    listing = await offer_cider(orchard)
    await adopt_policy(ferry.node, PolicyDraft(policy=POLICY))
    await befriend(orchard, relay, ferry)
    await befriend(ferry, relay, orchard)

    async def has_listing() -> bool:
        place = (orchard.node.community, "market/food", from_base32(listing, 16))
        return await ferry.knows("listing", place) and await ferry.knows(
            "adopted_policy", (orchard.node.community, policy_id(POLICY))
        )

    await ferry.until(has_listing)
    return listing


async def owes(shop: WholeNode) -> bool:
    """Whether a posting of this community is still to be made."""
    return await shop.node.read(lambda read: read.has_any("awaited", (shop.node.community,), length=5))


async def test_a_whole_order_goes_through_a_relay(tmp_path: Path) -> None:
    """From the listing to mirrored postings, with no session between the two."""
    async with (
        whole_node(tmp_path / "r", "Relay") as relay,
        whole_node(tmp_path / "a", "Orchard", **DIALS_OUT_ONLY) as orchard,
        whole_node(tmp_path / "b", "Ferry", **DIALS_OUT_ONLY) as ferry,
    ):
        listing = await meet(orchard, ferry, relay)
        await name_relay(orchard, relay)

        async def knows_relays() -> bool:
            return await ferry.knows("relays", (orchard.node.community,))

        await ferry.until(knows_relays)
        placed = await order_cider(ferry, orchard, listing)
        assert (await ferry.order(placed)).delivery == "waiting"

        async def is_delivered() -> bool:
            return (await ferry.order(placed)).delivery == "delivered"

        await ferry.until(is_delivered)
        assert (await orchard.order(placed)).opened == "yes"
        assert await relay.node.read(lambda read: shelf(read.connection)) == (0, 0)
        assert [
            known.community for known in await relay.node.read(lambda read: all_recipients(read.connection))
        ] == [orchard.node.community]
        name = OrderName(buyer=placed.buyer, order_id=placed.order_id)
        await accept_order(orchard.node, name)
        await fulfil_order(orchard.node, name)

        async def is_fulfilled() -> bool:
            return (await ferry.order(placed)).status == "fulfilled"

        await ferry.until(is_fulfilled)
        await confirm_receipt(ferry.node, OwnOrderName(order_id=placed.order_id))

        async def are_mirrored() -> bool:
            shown = await ferry.order(placed)
            owed = [await owes(shop) for shop in (orchard, ferry)]
            return shown.status == "completed" and not any(owed)

        await ferry.until(are_mirrored)
        assert ferry.node.community not in orchard.node.federation_service.connected()
        assert orchard.node.community not in ferry.node.federation_service.connected()
