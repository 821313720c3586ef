"""Whole nodes on loopback, federation and automation included: two shops that only dial out, and a relay.

Nobody is ever told the address of a shop, which is how a router without a forwarded port looks from outside.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from node.actions.buying import (
    DetailsDraft,
    LineDraft,
    OrderDraft,
    PlacedOrder,
    place_order,
)
from node.actions.listings import ListingDraft, publish_listing
from node.actions.order_book import OrderAnswer, show_order
from node.actions.peers import PeerAddress, PeerName, add_peer, follow_peer, vouch_peer
from node.actions.policies import PolicyDraft, adopt_policy
from node.actions.relays import RelaysDraft, name_relays
from node.actions.selling import OrderName
from node.actions.shops import ShopDraft, publish_shop
from node.automation import Automation
from node.config import Listen, read_sources
from node.core import Node
from node.federation import Federation
from node.opening import opened_node
from node.operations.lifecycle import listen
from node.peering import NodePeering
from node.vault import found_community, has_vault, open_vault
from node.writer.clock import system_clock
from node.writer.lane_writer import Advance
from protocol.amounts.split import policy_id
from protocol.exchange.frames import RelayTerms
from protocol.identity.keys import from_base32, to_base32
from protocol.lanes.market.listings import FixedPrice, Tax
from storage.peers import Peer, save_peer
from tests.village import POLICY

PATIENCE_SECONDS = 60.0
DIALS_OUT_ONLY = {"reached_at": "none"}
DETAILS = DetailsDraft(fulfilment="pickup", name="Ann", contact="ann", note="ring twice")


@dataclass
class WholeNode:
    """One community's node, and how to wait for something there."""

    node: Node
    address: str
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> str:
        return to_base32(self.node.community)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Look again whenever the writer has gone on or a while has passed; fail when it never holds."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await holds():
                self._heard.clear()
                try:
                    await asyncio.wait_for(self._heard.wait(), 0.2)
                except TimeoutError:
                    continue  # a session that stands, or a list that came, is no step of the writer

    async def knows(self, table: str, key: tuple[bytes | str | int, ...]) -> bool:
        return await self.node.read(lambda read: read.get(table, key)) is not None

    async def order(self, placed: PlacedOrder) -> OrderAnswer:
        return await show_order(self.node, OrderName(buyer=placed.buyer, order_id=placed.order_id))


@asynccontextmanager
async def whole_node(
    folder: Path, name: str, *, peering: Callable[[Node], NodePeering] = NodePeering, **settings: str
) -> AsyncIterator[WholeNode]:
    """Found the community where there is none, and run its node until the block ends."""
    if not has_vault(folder):
        found_community(
            folder,
            name={"en": name},
            currency="EUR",
            words_language="en",
            now_ms=system_clock(),
            keep_kit=lambda kit: None,
        )
    flags = {"folder": str(folder), "mdns": "false", **settings}
    read = read_sources(flags=flags, environment={}).settings()
    loop, listeners = asyncio.get_running_loop(), []
    heard = asyncio.Event()

    def deliver(advance: Advance) -> None:
        for listener in listeners:
            listener(advance)
        heard.set()

    def tell(advance: Advance) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, advance)

    async with opened_node(read, open_vault(folder), on_advance=tell) as node:
        http, peers = listen(Listen("127.0.0.1", 0)), listen(Listen("127.0.0.1", 0))
        http.socket.close()
        federation = Federation(
            store=peering(node), vault=node.vault, settings=read, listening=peers, http=http
        )
        async with federation:
            node.federation = federation
            async with Automation(node) as automation:
                listeners += [federation.note, automation.note]
                yield WholeNode(node, str(peers.bound), heard)
                listeners.clear()


async def befriend(shop: WholeNode, relay: WholeNode, other: WholeNode) -> None:
    """A shop dials the relay, which follows it; it knows the other one, and lets both read its trade."""
    await dial_relay(shop, relay.id, relay.address)

    async def is_met() -> bool:
        return shop.node.community in relay.node.federation_service.connected()

    await shop.until(is_met)
    await follow_peer(relay.node, PeerName(community=shop.id))
    await introduce(shop, other)


async def dial_relay(shop: WholeNode, relay_id: str, address: str) -> None:
    """Follow a relay by its address, vouch for it, and wait for the session."""
    await add_peer(shop.node, PeerAddress(address=address, community=relay_id))
    relay = from_base32(relay_id, 32)

    async def is_connected() -> bool:
        return relay in shop.node.federation_service.connected()

    await shop.until(is_connected)
    await vouch_peer(shop.node, PeerName(community=relay_id))


async def introduce(shop: WholeNode, other: WholeNode) -> None:
    """A shop learns who another one is, follows it without an address, and lets it read its trade."""
    known = Peer(other.node.community, "", (), "found", genesis=other.node.vault.genesis_record)
    await shop.node.write(lambda transaction: save_peer(transaction.connection, known))
    await follow_peer(shop.node, PeerName(community=other.id))
    await vouch_peer(shop.node, PeerName(community=other.id))


async def sees_offer(buyer: WholeNode, seller: WholeNode, listing_id: str) -> None:
    """Wait until the buyer's node has the listing, the policy and the relays of the seller."""
    of = seller.node.community

    async def has_all() -> bool:
        return (
            await buyer.knows("listing", (of, "market/food", from_base32(listing_id, 16)))
            and await buyer.knows("adopted_policy", (of, policy_id(POLICY)))
            and await buyer.knows("relays", (of,))
        )

    await buyer.until(has_all)


async def offer_cider(shop: WholeNode) -> str:
    """Adopt the policy and publish one listing; return its id."""
    await adopt_policy(shop.node, PolicyDraft(policy=POLICY))
    press = await publish_shop(shop.node, ShopDraft(sector="food", name={"en": "Press"}))
    listing = await publish_listing(
        shop.node,
        ListingDraft(
            sector="food",
            shop_id=press.shop_id,
            title={"en": "Cider"},
            price=FixedPrice(currency="EUR", amount_minor=450),
            unit_code="LTR",
            tax=Tax(tax_class="rate_700", rate_bp=700),
            fulfilment=["pickup"],
        ),
    )
    return listing.listing_id


async def order_cider(buyer: WholeNode, seller: WholeNode, listing_id: str) -> PlacedOrder:
    line = LineDraft(sector="food", listing_id=listing_id, steps=2)
    return await place_order(buyer.node, OrderDraft(seller=seller.id, lines=[line], details=DETAILS))


async def name_relay(shop: WholeNode, relay_id: str) -> None:
    """Name a relay, and wait until it keeps something for the shop."""
    await name_relays(shop.node, RelaysDraft(relays=[relay_id]))
    relay = from_base32(relay_id, 32)

    async def is_kept() -> bool:
        return isinstance(shop.node.deliveries.terms.get(relay), RelayTerms)

    await shop.until(is_kept)
