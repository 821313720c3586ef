"""From a sample community to the requests that publish it, and from an order's plan to the one that places it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from node.operations.demo.orders import OrderPlan
from node.operations.samples import SampleCommunity, SampleListing, SampleText
from protocol.amounts.money import parse_amount

ListingIds = Mapping[tuple[str, str], str]
"""(community's key, English title) -> the id under which its node published the listing."""


def shop_drafts(sample: SampleCommunity) -> list[dict[str, Any]]:
    """Return the shops for POST /shops, each in its first sector, in the order of the sample."""
    return [
        {"sector": shop.sectors[0], "name": texts(shop.name), "about": texts(shop.about)}
        for shop in sample.shops
    ]


def further_sectors(sample: SampleCommunity, shop_ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the same shops for their other sectors, under the ids that the first ones got."""
    return [
        {**draft, "sector": sector, "shop_id": shop_ids[shop.key]}
        for shop, draft in zip(sample.shops, shop_drafts(sample), strict=True)
        for sector in shop.sectors[1:]
    ]


def listing_draft(listing: SampleListing, shop_id: str, currency: str) -> dict[str, Any]:
    """Return a listing for POST /listings."""
    return {
        "sector": listing.sector,
        "shop_id": shop_id,
        "title": texts(listing.title),
        "text": texts(listing.text),
        "price": {"currency": currency, "amount_minor": parse_amount(listing.price, currency)},
        "unit_code": listing.unit,
        "tax": {"tax_class": listing.tax_class, "rate_bp": listing.rate_bp},
        "fulfilment": list(listing.fulfilment),
        "profile": listing.profile,
        "attributes": listing.attributes or None,
        "stock_steps": listing.stock,
    }


def order_draft(
    plan: OrderPlan,
    seller: str,
    listings: Mapping[tuple[str, str], SampleListing],
    listing_ids: ListingIds,
) -> dict[str, Any]:
    """Return an order for POST /orders; `seller` is the id of the seller's community."""
    return {
        "seller": seller,
        "lines": [
            {
                "sector": listings[plan.seller, title].sector,
                "listing_id": listing_ids[plan.seller, title],
                "steps": steps,
            }
            for title, steps in plan.items.items()
        ],
        "details": {"fulfilment": plan.way, "name": plan.member, "note": plan.note or None},
        "collector": plan.collector,
    }


def texts(text: SampleText) -> dict[str, str]:
    """Return a text as the map from language to text that records have."""
    found: dict[str, str] = msgspec.to_builtins(text)
    return found
