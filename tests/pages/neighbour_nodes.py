"""Nodes with pages and federation on loopback, and browsers that have no script."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from node.actions.people import LoginLinkDraft, PersonDraft, admit_person, make_login_link
from node.actions.sessions import LinkVisit, redeem_login_link
from node.api.server import HttpServer
from node.config import Listen, read_sources
from node.core import Node
from node.federation import Federation
from node.opening import opened_node
from node.operations.lifecycle import listen
from node.pages.auditing import AUDITING_PAGES
from node.pages.keys import KEY_PAGES
from node.pages.language import LANGUAGE_PAGES
from node.pages.neighbours import NEIGHBOUR_PAGES
from node.pages.site import Site
from node.pages.trusting import TRUSTING_PAGES
from node.pages.visit import SESSION_COOKIE
from node.pages.welcome import welcome_pages
from node.peering import NodePeering
from node.vault import found_community, has_vault, open_vault
from node.vault.kit import Kit
from node.writer.clock import system_clock
from node.writer.lane_writer import Advance
from protocol.identity.keys import to_base32

PATIENCE_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.2
LOOPBACK = "127.0.0.1"


@dataclass
class Shown:
    """One answer as a browser got it."""

    status: int
    html: str
    location: str
    headers: Any

    @property
    def words(self) -> str:
        """What a person reads: without tags, heads and hidden fields."""
        body = self.html[self.html.index("<main") :]
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


class Browser:
    """Keeps cookies, follows nothing by itself, and finds the key of a form on the page it stands in."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self._url = url
        self._client = client

    async def get(self, path: str, **headers: str) -> Shown:
        return await self._ask("GET", path, headers=headers)

    async def post(self, path: str, *, form_key: str | None = None, **fields: str) -> Shown:
        if form_key is None:
            form_key = await self.form_key()
        return await self._ask("POST", path, data={"form_key": form_key, **fields})

    async def form_key(self) -> str:
        found = re.search(r'name="form_key" value="([^"]+)"', (await self.get("/neighbours")).html)
        return found[1] if found else "none"

    async def _ask(self, method: str, path: str, **more: Any) -> Shown:
        async with self._client.request(method, self._url + path, allow_redirects=False, **more) as answer:
            return Shown(
                answer.status, await answer.text(), answer.headers.get("Location", ""), answer.headers
            )


@dataclass
class Community:
    """A node, its pages, and how to look at them."""

    node: Node
    url: str
    address: str
    name: str
    _heard: asyncio.Event
    _clients: list[aiohttp.ClientSession] = field(default_factory=list)

    @property
    def id(self) -> str:
        return to_base32(self.node.community)

    async def browser(self, role: str | None = None) -> Browser:
        """A browser in which somebody of that role is logged in, or a visitor's."""
        cookies = {}
        if role is not None:
            person = await admit_person(self.node, PersonDraft(name=role, role=role))
            link = await make_login_link(self.node, LoginLinkDraft(person_id=person.person_id))
            opened = await redeem_login_link(self.node, LinkVisit(token=link.token))
            cookies[SESSION_COOKIE] = opened.token
        client = aiohttp.ClientSession(cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._clients.append(client)
        return Browser(self.url, client)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Look again whenever the writer has gone on; fail when it never holds."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self._heard.clear()
                if await holds():
                    return
                with suppress(TimeoutError):  # a session that stands now is no step of the writer
                    await asyncio.wait_for(self._heard.wait(), LOOK_AGAIN_SECONDS)


@asynccontextmanager
async def opened_community(
    folder: Path,
    name: str,
    *,
    mdns: bool = False,
    keep_kit: Callable[[Kit], None] = lambda kit: None,
    clock: Callable[[], int] = system_clock,
    **flags: str,
) -> AsyncIterator[Community]:
    """Found a community or find it, and run its node with federation, the neighbours' pages and the first run's."""
    if not has_vault(folder):
        found_community(
            folder,
            name={"en": name},
            currency="EUR",
            words_language="en",
            now_ms=system_clock(),
            keep_kit=keep_kit,
        )
    flags |= {"folder": str(folder), "mdns": str(mdns).lower()}
    settings = read_sources(flags=flags, environment={}).settings()
    vault = open_vault(folder)
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    federations: list[Federation] = []

    def deliver(advance: Advance) -> None:
        for federation in federations:
            federation.note(advance)
        heard.set()

    def tell(advance: Advance) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, advance)

    async with opened_node(settings, vault, on_advance=tell, clock=clock, has_federation=True) as node:
        http, peers = listen(Listen(LOOPBACK, 0)), listen(Listen(LOOPBACK, 0))
        app = web.Application()
        pages = (
            *AUDITING_PAGES,
            *TRUSTING_PAGES,
            *NEIGHBOUR_PAGES,
            *KEY_PAGES,
            *LANGUAGE_PAGES,
            *welcome_pages(None),
        )
        Site(node, pages, default_language="en").add_to(app)
        server = HttpServer(app, http.socket)
        await server.start()
        federation = Federation(
            store=NodePeering(node), vault=vault, settings=settings, listening=peers, http=http
        )
        async with federation:
            node.federation = federation
            federations.append(federation)
            community = Community(node, f"http://{http.bound}", str(peers.bound), name, heard)
            try:
                yield community
            finally:
                federations.clear()
                for client in community._clients:
                    await client.close()
                await server.stop()
