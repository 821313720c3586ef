"""Photos as files: their address is the hash of their bytes, so a browser keeps them for good.

/photos/{sha256}                                               one that is here
/photos/{sha256}?community=...&sector=...&listing_id=...       one that a neighbour's listing names
"""

from aiohttp import hdrs, web

from node.actions.listings import ListingPlace
from node.actions.photos import PhotoName, show_photo
from node.pages.site import Asked, PageRoute

PHOTO_SECONDS = 365 * 86_400


async def serve_photo(asked: Asked) -> web.Response:
    """Serve a photo that is here, or that its community hands over."""
    listing = None
    if asked.query("listing_id"):
        listing = ListingPlace(
            community=asked.query("community"),
            sector=asked.query("sector"),
            listing_id=asked.query("listing_id"),
        )
    found = await show_photo(asked.node, PhotoName(sha256=asked.path["sha256"], listing=listing))
    response = web.Response(body=found.content, content_type=found.media_type)
    response.headers[hdrs.CACHE_CONTROL] = f"private, max-age={PHOTO_SECONDS}, immutable"
    return response


PHOTO_PAGES = (PageRoute(method="GET", path="/photos/{sha256}", show=serve_photo),)
