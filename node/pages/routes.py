"""Every page of the node, room by room."""

from aiohttp import web

from node.core import Node
from node.pages.language import LANGUAGE_PAGES
from node.pages.live import LiveUpdates
from node.pages.ordering import ORDERING_PAGES
from node.pages.site import Asked, PageRoute, Site
from node.pages.storefront import STOREFRONT_PAGES


def build_site(node: Node, live: LiveUpdates, *, default_language: str) -> Site:
    """Return all pages of a node that has been founded."""

    async def listen(asked: Asked) -> web.StreamResponse:
        return await live.stream(asked.http)

    routes = (
        *STOREFRONT_PAGES,
        *ORDERING_PAGES,
        *LANGUAGE_PAGES,
        PageRoute(method="GET", path="/live", show=listen, needs="member"),
    )
    return Site(node, routes, default_language=default_language)
