"""Every page of the node, room by room."""

from aiohttp import web

from node.core import Node
from node.pages.accounts import ACCOUNT_PAGES
from node.pages.auditing import AUDITING_PAGES
from node.pages.desk_listings import DESK_LISTING_PAGES
from node.pages.desk_orders import DESK_ORDER_PAGES
from node.pages.founding import Founder
from node.pages.keys import KEY_PAGES
from node.pages.language import LANGUAGE_PAGES
from node.pages.live import LiveUpdates
from node.pages.neighbours import NEIGHBOUR_PAGES
from node.pages.ordering import ORDERING_PAGES
from node.pages.people import PEOPLE_PAGES
from node.pages.photos import PHOTO_PAGES
from node.pages.site import Asked, PageRoute, Site
from node.pages.storefront import STOREFRONT_PAGES
from node.pages.trusting import TRUSTING_PAGES
from node.pages.welcome import welcome_pages


def build_site(
    node: Node, live: LiveUpdates, *, default_language: str, founder: Founder | None = None
) -> Site:
    """Return all pages of a node that has been founded; by `founder`, where that was just now in the pages."""

    async def listen(asked: Asked) -> web.StreamResponse:
        return await live.stream(asked.http, is_member=asked.visit.may("member"))

    routes = (
        *STOREFRONT_PAGES,
        *ORDERING_PAGES,
        *DESK_ORDER_PAGES,
        *DESK_LISTING_PAGES,
        *PHOTO_PAGES,
        *AUDITING_PAGES,
        *TRUSTING_PAGES,
        *NEIGHBOUR_PAGES,
        *LANGUAGE_PAGES,
        *ACCOUNT_PAGES,
        *PEOPLE_PAGES,
        *KEY_PAGES,
        *welcome_pages(founder),
        PageRoute(method="GET", path="/live", show=listen),
    )
    return Site(node, routes, default_language=default_language)
