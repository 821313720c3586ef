"""Listings: publish, withdraw, show, list, search."""

from collections.abc import Sequence
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
from node.actions.witnesses import Seen, seen_of
from node.core import Node
from node.errors import NodeError
from node.marks import marks_of
from node.writer.transaction import Transaction
from protocol.fields import Text, Title
from protocol.identity.keys import to_base32
from protocol.lanes.kind import Key, Position, Reference
from protocol.lanes.market.listings import (
    Availability,
    FixedPrice,
    Fulfilment,
    Image,
    Listing,
    ListingPublished,
    ListingWithdrawn,
    Tax,
)
from protocol.limits import IMAGES_MAX, QUANTITY_STEPS_MAX
from protocol.marks import Mark
from storage.blobs import media_type_of
from storage.search import search
from storage.stock import Stock, set_on_hand, stock_of, stocks_of
from storage.views.indexing import listing_text_key, parse_listing_text_key
from storage.views.reading import StateReader

PAGE_MAX = 200


class ListingDraft(Request, frozen=True, kw_only=True):
    """A listing as it is to be published; without `listing_id` it is a new one.

    `stock_steps` is how many steps are on hand; it stays private to this node. Left out, nothing is counted.
    `images` are photos that are here. `seen_published_ms` and `seen_stock_steps` are what the draft was made
    from, 0 where there was nothing yet: if something else stands there by now, it is refused. Left out,
    whatever stands there is replaced. Publishing what stands there already writes nothing.
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
    images: Annotated[list[HashText], Meta(max_length=IMAGES_MAX)] = []
    seen_published_ms: Annotated[int, Meta(ge=0)] | None = None
    seen_stock_steps: Annotated[int, Meta(ge=0)] | None = None


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


class ImageAnswer(Answer, frozen=True, kw_only=True):
    """A photo of a listing; `GET /photos/{sha256}` shows it."""

    sha256: str
    media_type: str


class ListingAnswer(Answer, frozen=True, kw_only=True):
    """One listing with the names of its shop and community.

    `seen` counts the witnesses of the community that have seen it; None where it names none. `marks` say what
    is proven against the community.
    """

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
    images: list[ImageAnswer] = []
    marks: list[Mark] = []
    seen: Seen | None = None
    stock_available_steps: int | None = None
    stock_on_hand_steps: int | None = None


class ListingsAnswer(Answer, frozen=True, kw_only=True):
    """A page of listings."""

    listings: list[ListingAnswer]


async def publish_listing(node: Node, request: ListingDraft) -> PublishedListing:
    """Publish a listing, or publish it anew with another price or text."""
    listing_id = id_of(request.listing_id) if request.listing_id else new_id(node.clock.now())
    lane = market_of(request.sector)
    images = await node.read(lambda read: _images(read, request.images)) if request.images else []
    body = _body(request, listing_id, images)
    is_counted = request.stock_steps is not None or request.seen_stock_steps is not None

    def job(transaction: Transaction) -> PublishedListing:
        known: Listing | None = None  # of an id that was drawn just now nothing is
        if request.listing_id is not None:
            known = transaction.get("listing", (transaction.community, lane, listing_id))
        stock_key = listing_text_key(transaction.community, lane, listing_id) if is_counted else None
        stock = stock_of(transaction.connection, stock_key) if stock_key else None
        is_said = known is not None and not known.is_withdrawn and known.published == body
        has_stock = request.stock_steps is None or (
            stock is not None and stock.on_hand == request.stock_steps
        )
        _verify_unchanged(request, known, stock, is_said=is_said, has_stock=has_stock)
        if known is not None and is_said:
            reference = Reference(transaction.community, lane, known.epoch, known.index, known.record_id)
        else:
            reference = transaction.say(lane, body)
        if stock_key and request.stock_steps is not None:
            set_on_hand(transaction.connection, stock_key, request.stock_steps)
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
    return await node.look(lambda read: listing_at(read, key))


async def list_listings(node: Node, request: ListingsQuery) -> ListingsAnswer:
    """List the offered listings of one sector of one community, by id."""
    community = hash_of(request.community) if request.community else node.community
    lane = market_of(request.sector)
    after = (community, lane, id_of(request.after)) if request.after else None

    def question(read: StateReader) -> ListingsAnswer:
        return ListingsAnswer(listings=listings_of(read, community, lane, limit=request.limit, after=after))

    return await node.look(question)


async def search_listings(node: Node, request: SearchQuery) -> ListingsAnswer:
    """Search titles and texts of all listings that are offered; 猫粮 is found inside 幼猫粮."""
    lane = market_of(request.sector) if request.sector else None

    def question(read: StateReader) -> ListingsAnswer:
        found = search(read.connection, request.words, lane, limit=request.limit, offset=request.offset)
        keys = [parse_listing_text_key(key) for key in found]
        rows = zip(keys, read.get_all("listing", keys), strict=True)
        return ListingsAnswer(listings=_answers(read, [row for row in rows if row[1] is not None]))

    return await node.look(question)


def listing_at(read: StateReader, key: tuple[bytes, str, bytes]) -> ListingAnswer:
    """Return the listing at a key of the fold, or raise `NodeError`."""
    listing = read.get("listing", key)
    if listing is None:
        raise NodeError("not_found", "no such listing here")
    return _answers(read, [(key, listing)])[0]


def listings_of(
    read: StateReader, community: bytes, lane: str, *, limit: int, after: Key | None = None
) -> list[ListingAnswer]:
    """Return listings of one lane by id, those behind the key `after`; withdrawn ones too."""
    rows = read.scan("listing", (community, lane), length=3, limit=limit, after=after)
    return _answers(read, list(rows))


def _body(request: ListingDraft, listing_id: bytes, images: list[Image]) -> ListingPublished:
    return ListingPublished(
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
        images=images or UNSET,
        profile=request.profile or UNSET,
        attributes=request.attributes or UNSET,
    )


def _images(read: StateReader, names: list[str]) -> list[Image]:
    """Return the photos as a listing names them; each has to be here."""
    found = [(hash_of(name), media_type_of(read.connection, hash_of(name))) for name in names]
    if any(media_type is None for _, media_type in found):
        raise NodeError("photo_unknown")
    return [Image(digest, media_type) for digest, media_type in found]  # type: ignore[arg-type]  # of a photo


def _verify_unchanged(
    request: ListingDraft, known: Listing | None, stock: Stock | None, *, is_said: bool, has_stock: bool
) -> None:
    """Refuse to write over what another desk has said since; to say the same once more is no conflict."""
    now_ms, on_hand = known.time_ms if known else 0, stock.on_hand if stock else 0
    is_newer = request.seen_published_ms not in (None, now_ms) and not is_said
    is_recounted = request.seen_stock_steps not in (None, on_hand) and not has_stock
    if is_newer or is_recounted:
        raise NodeError("listing_changed")


def _answers(read: StateReader, rows: Sequence[tuple[Key, Listing]]) -> list[ListingAnswer]:
    """Return listings as people see them; the key of each begins with community and lane."""
    keys = [listing_text_key(key[0], key[1], listing.published.listing_id) for key, listing in rows]  # type: ignore[arg-type]  # as put
    stocks = stocks_of(read.connection, keys)
    places = [Position(key[0], key[1], listing.epoch, listing.index) for key, listing in rows]  # type: ignore[arg-type]  # as put
    seen = seen_of(read, places)
    return [
        _answer(read, place, listing, stocks.get(text_key), seen.get(place))
        for text_key, place, (_, listing) in zip(keys, places, rows, strict=True)
    ]


def _answer(
    read: StateReader, place: Position, listing: Listing, stock: Stock | None, seen: Seen | None
) -> ListingAnswer:
    """Return a listing with the names of shop and community."""
    community, lane = place.community, place.lane
    body = listing.published
    shop = read.get("shop", (community, lane, body.shop_id))
    genesis = read.get("community", (community,)).genesis
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
        images=[
            ImageAnswer(sha256=to_base32(image.sha256), media_type=image.media_type)
            for image in body.images or ()
        ],
        marks=marks_of(read, community),
        seen=seen,
        stock_available_steps=stock.available if stock else None,
        stock_on_hand_steps=stock.on_hand if stock else None,
    )
