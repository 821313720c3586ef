"""Listings at a fixed price, and their withdrawal (PROTOCOL.md section 11.2)."""

from itertools import combinations
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.amounts.money import CURRENCY_EXPONENTS
from protocol.amounts.quantity import UNIT_CODES
from protocol.errors import RecordVoid
from protocol.fields import (
    AmountMinor,
    Attributes,
    Hash,
    ObjectId,
    TextOfListing,
    TitleOfListing,
    check_language_tags,
)
from protocol.lanes.kind import Change, Entry, Put, Reader, RecordKind, Tables, require
from protocol.lanes.market.shops import verify_keeper
from protocol.limits import BASIS_POINTS, IMAGES_MAX, QUANTITY_SCALE_MAX
from protocol.log.record import Body

Availability = Literal["in_stock", "limited", "on_demand", "out_of_stock"]
Fulfilment = Literal["delivery", "onsite", "pickup", "ship"]

_FULFILMENTS = get_args(Fulfilment)
_SORTED_FULFILMENTS = frozenset(
    chosen for count in range(1, len(_FULFILMENTS) + 1) for chosen in combinations(_FULFILMENTS, count)
)


class FixedPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What one whole unit costs, tax included, in minor units."""

    currency: str
    amount_minor: AmountMinor

    def __post_init__(self) -> None:
        """The currency stands in the pinned table."""
        if self.currency not in CURRENCY_EXPONENTS:
            raise ValueError(f"currency {self.currency} is not in the table")


class Tax(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The tax class of the listing, and its rate in basis points of the net."""

    tax_class: Annotated[str, Meta(pattern=r"\A[a-z0-9_]{1,32}\Z")]
    rate_bp: Annotated[int, Meta(ge=0, le=BASIS_POINTS)]


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A picture by the hash of its bytes; the bytes are fetched from peers on demand."""

    sha256: Hash
    media_type: Literal["image/jpeg", "image/png", "image/webp"]


class ListingPublished(Body, frozen=True, kw_only=True):
    """`listing.published`: an offer as it now is; the newest in lane order counts.

    The price is for one whole unit of `unit_code`; orders count steps of 10^-`quantity_scale` units.
    """

    listing_id: ObjectId
    shop_id: ObjectId
    title: TitleOfListing
    price: FixedPrice
    unit_code: str
    quantity_scale: Annotated[int, Meta(ge=0, le=QUANTITY_SCALE_MAX)]
    tax: Tax
    availability: Availability
    fulfilment: Annotated[list[Fulfilment], Meta(min_length=1, max_length=4)]
    text: TextOfListing | UnsetType = UNSET
    images: Annotated[list[Image], Meta(min_length=1, max_length=IMAGES_MAX)] | UnsetType = UNSET
    profile: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9-]{0,47}/[1-9][0-9]{0,3}\Z")] | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Languages are language tags; the unit is one of ours; ways of fulfilment are sorted, each once."""
        check_language_tags(self.title)
        if self.text is not UNSET:
            check_language_tags(self.text)
        if self.unit_code not in UNIT_CODES:
            raise ValueError(f"unit code {self.unit_code} is not in the table")
        if tuple(self.fulfilment) not in _SORTED_FULFILMENTS:
            raise ValueError("fulfilment must be sorted, each once")


class ListingWithdrawn(Body, frozen=True, kw_only=True):
    """`listing.withdrawn`: the offer ends; a later publication offers it anew."""

    listing_id: ObjectId


class Listing(msgspec.Struct, frozen=True, gc=False):
    """The newest words of a listing, where they stand and when they were said."""

    published: ListingPublished
    epoch: int
    index: int
    record_id: bytes
    time_ms: int
    is_withdrawn: bool


TABLES: Tables = {"listing": Listing}


def step_published(read: Reader, entry: Entry) -> list[Change]:
    """The shop stands in the same lane; the newest publication replaces the one before."""
    position, record = entry.position, entry.record
    shop = require(read.get("shop", (position.community, position.lane, record.body.shop_id)), "shop_unknown")
    verify_keeper(shop.published, entry)
    key = (position.community, position.lane, record.body.listing_id)
    before = read.get("listing", key)
    if before and before.published.shop_id != record.body.shop_id:
        raise RecordVoid("listing_of_another_shop")
    listing = Listing(record.body, position.epoch, position.index, record.record_id, record.time_ms, False)
    return [Put("listing", key, listing)]


def step_withdrawn(read: Reader, entry: Entry) -> list[Change]:
    """The listing keeps its words, and is no longer offered."""
    position, record = entry.position, entry.record
    key = (position.community, position.lane, record.body.listing_id)
    listing = require(read.get("listing", key), "listing_unknown")
    shop = read.get("shop", (position.community, position.lane, listing.published.shop_id))
    verify_keeper(shop.published, entry)
    if listing.is_withdrawn:
        raise RecordVoid("listing_withdrawn_already")
    return [Put("listing", key, msgspec.structs.replace(listing, is_withdrawn=True, time_ms=record.time_ms))]


KINDS = (
    RecordKind("listing.published", "market", ListingPublished, step_published, member_role="shopkeeper"),
    RecordKind("listing.withdrawn", "market", ListingWithdrawn, step_withdrawn, member_role="shopkeeper"),
)
