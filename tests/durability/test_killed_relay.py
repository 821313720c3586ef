"""A relay that is killed between the put and the fetch loses nothing that it has acknowledged."""

import os
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from node.actions.buying import PlacedOrder
from node.actions.policies import PolicyDraft, adopt_policy
from node.config.keys import PORT_MAX
from node.errors import NodeError
from protocol.identity.keys import from_base32
from tests.durability.running import RunningNode
from tests.federation.whole_nodes import (
    DIALS_OUT_ONLY,
    WholeNode,
    dial_relay,
    introduce,
    name_relay,
    offer_cider,
    order_cider,
    sees_offer,
    whole_node,
)
from tests.village import POLICY


def free_low_port() -> int:
    """A port below those that the system gives to outgoing connections: a node listens on no other by name."""
    for port in range(21_000 + os.getpid() % 5_000, PORT_MAX):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("every port is taken")


async def test_a_killed_relay_still_has_what_it_kept(tmp_path: Path) -> None:
    """Orchard is away while Ferry orders; the relay keeps the parts, is killed, starts again, and hands them out."""
    federation = f"127.0.0.1:{free_low_port()}"
    (tmp_path / "relay").mkdir()
    relay = RunningNode(tmp_path / "relay" / "data", federation=federation)
    running, relay_id = [relay], relay.running["community"]
    async with AsyncExitStack() as stack:
        stack.callback(lambda: [node.kill() for node in running])
        ferry = await stack.enter_async_context(whole_node(tmp_path / "b", "Ferry", **DIALS_OUT_ONLY))
        async with whole_node(tmp_path / "a", "Orchard", **DIALS_OUT_ONLY) as orchard:
            listing = await offer_cider(orchard)
            await adopt_policy(ferry.node, PolicyDraft(policy=POLICY))
            for shop, other in ((orchard, ferry), (ferry, orchard)):
                await dial_relay(shop, relay_id, federation)
                relay.post(f"/peers/{shop.id}/following", {})
                await introduce(shop, other)
            await name_relay(orchard, relay_id)
            await sees_offer(ferry, orchard, listing)
        placed = await order_cider(ferry, orchard, listing)

        async def is_kept() -> bool:
            return (await ferry.order(placed)).kept_by is not None

        await ferry.until(is_kept)
        running.pop().kill()
        running.append(RunningNode(tmp_path / "relay" / "data", federation=federation))
        orchard = await stack.enter_async_context(whole_node(tmp_path / "a", "Orchard", **DIALS_OUT_ONLY))
        await orchard.until(lambda: _is_open(orchard, placed))

        async def is_delivered() -> bool:
            return (await ferry.order(placed)).delivery == "delivered"

        await ferry.until(is_delivered)
        assert from_base32(relay_id, 32) in orchard.node.federation_service.connected()


async def _is_open(shop: WholeNode, placed: PlacedOrder) -> bool:
    try:
        return (await shop.order(placed)).opened == "yes"
    except NodeError:  # the order itself has not arrived yet
        return False
