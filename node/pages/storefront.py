"""What anybody may see: the search over all followed communities, and one listing with who gets what from it."""

from collections.abc import Mapping

from node.actions.listings import ListingAnswer, ListingPlace, SearchQuery, search_listings, show_listing
from node.actions.offers import show_offer
from node.actions.peers import is_lane_paused
from node.actions.shapes import new_id
from node.errors import NodeError, report
from node.pages.answering import Page
from node.pages.site import Asked, PageRoute
from protocol.identity.keys import to_base32
from protocol.lanes.kind import SECTORS

PAGE_LISTINGS = 24
PAGES_MAX = 400
WORDS_CHARACTERS_MAX = 200


async def show_search(asked: Asked) -> Page:
    """Show what is found, or a word on how to search."""
    words = asked.query("words").strip()[:WORDS_CHARACTERS_MAX]
    sector = asked.query("sector")
    if sector and sector not in SECTORS:
        raise NodeError("sector_unknown", sector[:20])
    page = min(max(asked.query_number("page") or 1, 1), PAGES_MAX)
    found: list[ListingAnswer] = []
    if words:
        query = SearchQuery(
            words=words,
            sector=sector or None,
            offset=(page - 1) * PAGE_LISTINGS,
            limit=PAGE_LISTINGS + 1,
        )
        found = (await search_listings(asked.node, query)).listings
    return Page(
        "search.html",
        {
            "section": "search",
            "searched": words,
            "chosen_sector": sector,
            "sectors": SECTORS,
            "page": page,
            "listings": found[:PAGE_LISTINGS],
            "has_more": len(found) > PAGE_LISTINGS,
            "own": to_base32(asked.node.community),
        },
    )


async def show_one_listing(asked: Asked) -> Page:
    """Show a listing, what its price gives to whom, and the way to order it."""
    return await listing_page(asked)


async def listing_asked_for(asked: Asked) -> ListingAnswer:
    """Return the listing of the address."""
    return await show_listing(asked.node, _place(asked))


async def listing_page(
    asked: Asked,
    *,
    faults: Mapping[str, str] | None = None,
    refused: BaseException | None = None,
) -> Page:
    """Return the page of the listing; with `faults` or `refused`, an order that was not placed is shown again."""
    language = asked.visit.language
    offer = await show_offer(asked.node, _place(asked))
    listing = offer.listing
    status = 422 if faults else report(refused, language=language).status if refused else 200
    values = {
        "section": "search",
        "listing": listing,
        "shop": offer.shop,
        "preview": offer.preview,
        "refusal": report(offer.refusal, language=language) if offer.refusal else None,
        "refused": report(refused, language=language) if refused else None,
        "faults": faults or {},
        "typed": asked.form,
        "order_id": asked.form["order_id"] or to_base32(new_id(asked.node.clock.now())),
        "own": to_base32(asked.node.community),
        "is_paused": is_lane_paused(asked.node, listing.community, f"market/{listing.sector}"),
        "may_order": offer.preview is not None
        and not listing.is_withdrawn
        and listing.availability != "out_of_stock",
    }
    return Page("listing.html", values, status=410 if listing.is_withdrawn and not refused else status)


def _place(asked: Asked) -> ListingPlace:
    return ListingPlace(
        community=asked.path["community"], sector=asked.path["sector"], listing_id=asked.path["listing_id"]
    )


STOREFRONT_PAGES = (
    PageRoute(method="GET", path="/", show=show_search),
    PageRoute(method="GET", path="/listings/{community}/{sector}/{listing_id}", show=show_one_listing),
)
