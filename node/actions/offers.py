"""What the page of one listing shows: the listing, its shop, and what one unit of it gives to whom."""

from dataclasses import dataclass

from node.actions.buying import LineDraft, OrderPreview, PreviewedOrder, previewed
from node.actions.listings import ListingAnswer, ListingPlace, listing_at
from node.actions.shapes import hash_of, id_of, market_of
from node.actions.shops import ShopAnswer, shop_at
from node.core import Node
from node.errors import NodeError
from protocol.errors import AmountError
from storage.views.reading import StateReader


@dataclass(frozen=True, slots=True)
class Offer:
    """A listing with its shop; `preview` is of one unit, or `refusal` says why it cannot be ordered."""

    listing: ListingAnswer
    shop: ShopAnswer
    preview: PreviewedOrder | None
    refusal: NodeError | AmountError | None


async def show_offer(node: Node, request: ListingPlace) -> Offer:
    """Show a listing of any community that this node follows as a buyer sees it, all of one moment."""
    community = hash_of(request.community) if request.community else node.community
    lane, listing_id = market_of(request.sector), id_of(request.listing_id)

    def question(read: StateReader) -> Offer:
        listing = listing_at(read, (community, lane, listing_id))
        shop = shop_at(read, (community, lane, id_of(listing.shop_id)))
        line = LineDraft(
            sector=request.sector, listing_id=request.listing_id, steps=10**listing.quantity_scale
        )
        preview, refusal = None, None
        try:
            order = OrderPreview(seller=listing.community, lines=[line])
            preview = previewed(read, node.community, order)
        except (NodeError, AmountError) as error:
            refusal = error
        return Offer(listing, shop, preview, refusal)

    return await node.look(question)
