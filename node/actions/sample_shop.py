"""A sample shop for a community that wants to look before it writes: real listings, at prices of the right size.

It comes from the catalogs of the demo and is written in the community's own currency; the steward withdraws it
when the first own shop is open.
"""

import asyncio
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256

import msgspec

from node.actions.listings import ListingDraft, publish_listing
from node.actions.shapes import Answer, Request
from node.actions.shops import ShopDraft, ShopsQuery, list_shops, publish_shop
from node.core import Node
from node.operations.samples import SampleListing, SampleShop, SampleText, load_samples
from protocol.amounts.money import CURRENCY_EXPONENTS
from protocol.identity.keys import to_base32
from protocol.lanes.market.listings import FixedPrice, Tax

_SHOP = "autumn-garden"
_LISTINGS_MAX = 6
_ID_BYTES = 16
_DIGITS = 2  # a price tag has two digits that matter

# What a sum of 1 in the samples' currency becomes on a price tag. No exchange rates: sizes, for a sample.
_SIZES = {
    "AUD": "0.2",
    "BRL": "0.8",
    "CAD": "0.2",
    "CHF": "0.15",
    "CNY": "1",
    "EUR": "0.15",
    "GBP": "0.12",
    "HKD": "1.2",
    "IDR": "2200",
    "INR": "12",
    "JPY": "20",
    "KRW": "200",
    "MXN": "3",
    "MYR": "0.7",
    "SGD": "0.2",
    "THB": "5",
    "TWD": "4.5",
    "USD": "0.15",
    "VND": "3600",
    "ZAR": "2.5",
}


class SampleShopDraft(Request, frozen=True, kw_only=True):
    """Nothing to say."""


class SampleShopAnswer(Answer, frozen=True, kw_only=True):
    """The sample shop; `is_new` says that it was not there before."""

    shop_id: str
    is_new: bool


async def publish_sample_shop(node: Node, request: SampleShopDraft) -> SampleShopAnswer:
    """Publish the sample shop with a few listings; asked twice, it publishes nothing twice."""
    sample = load_samples()[0]
    shop = next(shop for shop in sample.shops if shop.key == _SHOP)
    shop_id = _sample_id(node, "shop", shop.key)
    known = {(found.sector, found.shop_id) for found in (await list_shops(node, ShopsQuery())).shops}
    if all((sector, shop_id) in known for sector in shop.sectors):
        return SampleShopAnswer(shop_id=shop_id, is_new=False)
    await asyncio.gather(*(publish_shop(node, _shop_draft(shop, sector, shop_id)) for sector in shop.sectors))
    listings = [listing for listing in sample.listings if listing.shop == _SHOP][:_LISTINGS_MAX]
    await asyncio.gather(*(publish_listing(node, _listing_draft(node, one, shop_id)) for one in listings))
    return SampleShopAnswer(shop_id=shop_id, is_new=True)


def sample_price_minor(price: str, currency: str) -> int:
    """Return what a sample costs in a currency, in minor units: of a believable size, and never nothing."""
    amount = Decimal(price) * Decimal(_SIZES.get(currency, "1"))
    if currency != "CNY":
        amount = amount.quantize(Decimal(1).scaleb(amount.adjusted() - _DIGITS + 1), ROUND_HALF_EVEN)
    minor = amount.scaleb(CURRENCY_EXPONENTS[currency]).to_integral_value(ROUND_HALF_EVEN)
    return max(int(minor), 1)


def _shop_draft(shop: SampleShop, sector: str, shop_id: str) -> ShopDraft:
    return ShopDraft(sector=sector, shop_id=shop_id, name=_texts(shop.name), about=_texts(shop.about))


def _listing_draft(node: Node, listing: SampleListing, shop_id: str) -> ListingDraft:
    currency = node.genesis.currency
    return ListingDraft(
        sector=listing.sector,
        shop_id=shop_id,
        listing_id=_sample_id(node, "listing", listing.title.en),
        title=_texts(listing.title),
        text=_texts(listing.text),
        price=FixedPrice(currency=currency, amount_minor=sample_price_minor(listing.price, currency)),
        unit_code=listing.unit,
        tax=Tax(tax_class=listing.tax_class, rate_bp=listing.rate_bp),
        fulfilment=list(listing.fulfilment),
        profile=listing.profile,
        attributes=listing.attributes or None,
        stock_steps=listing.stock,
    )


def _sample_id(node: Node, kind: str, name: str) -> str:
    """The same for the same community, so that a second click changes nothing."""
    return to_base32(sha256(node.community + f"sample {kind} {name}".encode()).digest()[:_ID_BYTES])


def _texts(text: SampleText) -> dict[str, str]:
    found: dict[str, str] = msgspec.to_builtins(text)
    return found
