"""Listings: publish, withdraw, show, list, search."""

from typing import Annotated, Any

from msgspec import UNSET, Meta

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
    new_id,
    place_of,
    said,
)
from node.core import Node
from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.fields import Text, Title
from protocol.identity.keys import to_base32
from protocol.lanes.market.listings import (
    Availability,
    FixedPrice,
    Fulfilment,
    Listing,
    ListingPublished,
    ListingWithdrawn,
    Tax,
)
from protocol.limits import QUANTITY_STEPS_MAX
from storage.search import search
from storage.stock import set_on_hand, stock_of
from storage.views.indexing import listing_text_key, parse_listing_text_key
from storage.views.reading import StateReader

PAGE_MAX = 200


class ListingDraft(Request, frozen=True, kw_only=True):
    """A listing as it is to be published; without `listing_id` it is a new one.

    `stock_steps` is how many steps are on hand; it stays private to this node. Left out, nothing is counted.
    """

    sector: Sector
    shop_id: IdText
    title: Title
    price: FixedPrice
    unit_code: str
    tax: Tax
    fulfilment: list[Fulfilment]
    availability: Availability = "in_stock"
    quantity_scale: int = 0
    text: Text | None = None
    profile: str | None = None
    attributes: dict[str, Any] | None = None
    listing_id: IdText | None = None
    stock_steps: Annotated[int, Meta(ge=0, le=QUANTITY_STEPS_MAX)] | None = None


class PublishedListing(Said, frozen=True, kw_only=True):
    """The record, and the listing's id for orders and later changes."""

    listing_id: str


class ListingPlace(Request, frozen=True, kw_only=True):
    """One listing: sector and id, in our own community unless another is named."""

    sector: Sector
    listing_id: IdText
    community: HashText | None = None


class ListingsQuery(Request, frozen=True, kw_only=True):
    """Whose listings; `after` is the id behind which a further page begins."""

    sector: Sector
    community: HashText | None = None
    after: IdText | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class SearchQuery(Request, frozen=True, kw_only=True):
    """Words in any language, over all communities that this node follows."""

    words: Annotated[str, Meta(min_length=1, max_length=200)]
    sector: Sector | None = None
    offset: Annotated[int, Meta(ge=0, le=10_000)] = 0
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20


class ListingAnswer(Answer, frozen=True, kw_only=True):
    """One listing with the names of its shop and community."""

    community: str
    community_name: Title
    sector: str
    listing_id: str
    shop_id: str
    shop_name: Title
    title: Title
    price: FixedPrice
    unit_code: str
    quantity_scale: int
    tax: Tax
    availability: Availability
    fulfilment: list[Fulfilment]
    is_withdrawn: bool
    published_ms: int
    text: Text | None = None
    profile: str | None = None
    attributes: dict[str, Any] | None = None
    stock_available_steps: int | None = None


class ListingsAnswer(Answer, frozen=True, kw_only=True):
    """A page of listings."""

    listings: list[ListingAnswer]


async def publish_listing(node: Node, request: ListingDraft) -> PublishedListing:
    """Publish a listing, or publish it anew with another price or text."""
    listing_id = id_of(request.listing_id) if request.listing_id else new_id(node.clock.now())
    lane = market_of(request.sector)
    body = ListingPublished(
        listing_id=listing_id,
        shop_id=id_of(request.shop_id),
        title=request.title,
        price=request.price,
        unit_code=request.unit_code,
        quantity_scale=request.quantity_scale,
        tax=request.tax,
        availability=request.availability,
        fulfilment=sorted(set(request.fulfilment)),
        text=request.text or UNSET,
        profile=request.profile or UNSET,
        attributes=request.attributes or UNSET,
    )

    def job(transaction: Transaction) -> PublishedListing:
        reference = transaction.say(lane, body)
        if request.stock_steps is not None:
            key = listing_text_key(transaction.community, lane, listing_id)
            set_on_hand(transaction.connection, key, request.stock_steps)
        return PublishedListing(record=place_of(reference), listing_id=to_base32(listing_id))

    return await node.write(job)


async def withdraw_listing(node: Node, request: ListingPlace) -> Said:
    """Withdraw one of our own listings."""
    if request.community not in (None, to_base32(node.community)):
        raise NodeError("not_ours", "a listing is withdrawn by its own community")
    lane, body = market_of(request.sector), ListingWithdrawn(listing_id=id_of(request.listing_id))
    return await node.write(lambda transaction: said(transaction.say(lane, body)))


async def show_listing(node: Node, request: ListingPlace) -> ListingAnswer:
    """Show one listing of any community that this node follows."""
    community = hash_of(request.community) if request.community else node.community
    key = (community, market_of(request.sector), id_of(request.listing_id))

    def question(read: StateReader) -> ListingAnswer:
        listing = read.get("listing", key)
        if listing is None:
            raise NodeError("not_found", "no such listing here")
        return listing_answer(read, community, key[1], listing)

    return await node.read(question)


async def list_listings(node: Node, request: ListingsQuery) -> ListingsAnswer:
    """List the offered listings of one sector of one community, by id."""
    community = hash_of(request.community) if request.community else node.community
    lane = market_of(request.sector)
    after = (community, lane, id_of(request.after)) if request.after else None

    def question(read: StateReader) -> ListingsAnswer:
        rows = read.scan("listing", (community, lane), length=3, limit=request.limit, after=after)
        return ListingsAnswer(
            listings=[listing_answer(read, community, lane, listing) for _, listing in rows]
        )

    return await node.read(question)


async def search_listings(node: Node, request: SearchQuery) -> ListingsAnswer:
    """Search titles and texts of all listings that are offered; 猫粮 is found inside 幼猫粮."""
    lane = market_of(request.sector) if request.sector else None

    def question(read: StateReader) -> ListingsAnswer:
        found = search(read.connection, request.words, lane, limit=request.limit, offset=request.offset)
        keys = [parse_listing_text_key(key) for key in found]
        rows = [(key, read.get("listing", key)) for key in keys]
        return ListingsAnswer(
            listings=[listing_answer(read, key[0], key[1], row) for key, row in rows if row is not None]
        )

    return await node.read(question)


def listing_answer(read: StateReader, community: bytes, lane: str, listing: Listing) -> ListingAnswer:
    """Return a listing as people see it: with the names of shop and community."""
    body = listing.published
    shop = read.get("shop", (community, lane, body.shop_id))
    genesis = read.get("community", (community,)).genesis
    stock = stock_of(read.connection, listing_text_key(community, lane, body.listing_id))
    return ListingAnswer(
        community=to_base32(community),
        community_name=genesis.name,
        sector=lane.removeprefix("market/"),
        listing_id=to_base32(body.listing_id),
        shop_id=to_base32(body.shop_id),
        shop_name=shop.published.name,
        title=body.title,
        price=body.price,
        unit_code=body.unit_code,
        quantity_scale=body.quantity_scale,
        tax=body.tax,
        availability=body.availability,
        fulfilment=body.fulfilment,
        is_withdrawn=listing.is_withdrawn,
        published_ms=listing.time_ms,
        text=body.text or None,
        profile=body.profile or None,
        attributes=body.attributes or None,
        stock_available_steps=stock.available if stock else None,
    )
