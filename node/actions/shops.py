"""Shops: publish one, list those of a community."""

import secrets

from msgspec import UNSET

from node.actions.shapes import (
    Answer,
    HashText,
    IdText,
    Request,
    Said,
    Sector,
    hash_of,
    id_of,
    market_of,
    place_of,
)
from node.core import Node
from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.fields import Text, Title
from protocol.identity.keys import to_base32
from protocol.lanes.kind import MARKETS
from protocol.lanes.market.shops import ShopPublished
from storage.views.reading import StateReader

_SHOPS_MAX = 1_000


class ShopDraft(Request, frozen=True, kw_only=True):
    """A shop as it is to be published in one sector; without `shop_id` it is a new one."""

    sector: Sector
    name: Title
    about: Text | None = None
    pickup: Text | None = None
    delivery: Text | None = None
    shop_id: IdText | None = None


class PublishedShop(Said, frozen=True, kw_only=True):
    """The record, and the shop's id for listings and later changes."""

    shop_id: str


class ShopsQuery(Request, frozen=True, kw_only=True):
    """Whose shops; without a community, our own."""

    community: HashText | None = None


class ShopAnswer(Answer, frozen=True, kw_only=True):
    """One shop in one sector."""

    community: str
    sector: str
    shop_id: str
    name: Title
    about: Text | None = None
    pickup: Text | None = None
    delivery: Text | None = None


class ShopPlace(Request, frozen=True, kw_only=True):
    """One shop in one sector, of our own community unless another is named."""

    sector: Sector
    shop_id: IdText
    community: HashText | None = None


class ShopsAnswer(Answer, frozen=True, kw_only=True):
    """Shops by sector and id."""

    shops: list[ShopAnswer]


async def publish_shop(node: Node, request: ShopDraft) -> PublishedShop:
    """Publish a shop, or publish it anew with other words."""
    shop_id = id_of(request.shop_id) if request.shop_id else secrets.token_bytes(16)
    lane = market_of(request.sector)
    body = ShopPublished(
        shop_id=shop_id,
        name=request.name,
        about=request.about or UNSET,
        pickup=request.pickup or UNSET,
        delivery=request.delivery or UNSET,
    )

    def job(transaction: Transaction) -> PublishedShop:
        reference = transaction.say(lane, body)
        return PublishedShop(record=place_of(reference), shop_id=to_base32(shop_id))

    return await node.write(job)


async def show_shop(node: Node, request: ShopPlace) -> ShopAnswer:
    """Show one shop of any community that this node follows."""
    community = hash_of(request.community) if request.community else node.community
    key = (community, market_of(request.sector), id_of(request.shop_id))
    return await node.look(lambda read: shop_at(read, key))


async def list_shops(node: Node, request: ShopsQuery) -> ShopsAnswer:
    """List the shops of one community."""
    community = hash_of(request.community) if request.community else node.community

    return await node.look(lambda read: ShopsAnswer(shops=shops_of(read, community)))


def shop_at(read: StateReader, key: tuple[bytes, str, bytes]) -> ShopAnswer:
    """Return the shop at a key of the fold, or raise `NodeError`."""
    shop = read.get("shop", key)
    if shop is None:
        raise NodeError("not_found", "no such shop here")
    return _answer(key[0], key[1], shop.published)


def shops_of(read: StateReader, community: bytes) -> list[ShopAnswer]:
    """Return the shops of a community by sector and id."""
    return [
        _answer(community, lane, shop.published)
        for lane in MARKETS
        for _, shop in read.scan("shop", (community, lane), length=3, limit=_SHOPS_MAX)
    ]


def _answer(community: bytes, lane: str, shop: ShopPublished) -> ShopAnswer:
    return ShopAnswer(
        community=to_base32(community),
        sector=lane.removeprefix("market/"),
        shop_id=to_base32(shop.shop_id),
        name=shop.name,
        about=shop.about or None,
        pickup=shop.pickup or None,
        delivery=shop.delivery or None,
    )
