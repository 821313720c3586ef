"""A node whose answers say how long it worked on them, and the pages to ask it for.

`furnish` puts into a folder what the pages are about: people with sessions, orders in some states.
`python -m benchmarks.page_node FOLDER` serves the API's frame and all pages on a free port, and prints the port.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from benchmarks.houses import opened
from node.actions.buying import DetailsDraft, LineDraft, OrderDraft, place_order
from node.actions.listings import ListingsQuery, list_listings
from node.actions.people import (
    LoginLinkDraft,
    PersonDraft,
    PersonOrderName,
    admit_person,
    make_login_link,
    note_order_of_person,
)
from node.actions.selling import OrderName, accept_order
from node.actions.sessions import LinkVisit, redeem_login_link
from node.api.frame import Gate, build_app
from node.api.server import HttpServer
from node.config import Listen, read_sources
from node.core import Node
from node.federation import Federation
from node.operations.collecting import collect_seldom
from node.operations.lifecycle import listen
from node.pages.live import LiveUpdates
from node.pages.routes import build_site
from node.pages.visit import SESSION_COOKIE, Seals
from node.peering import NodePeering
from protocol.identity.keys import to_base32

SECONDS_HEADER = "X-Bench-Seconds"
MANY_WORDS = "second-hand"
CHINESE_WORDS = "二手"
ORDERS = 60

_PAGES_FILE = "bench-pages.json"


class BenchPage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page is, and the cookies of somebody who may see it."""

    path: str
    cookies: dict[str, str]


@dataclass(frozen=True, slots=True)
class PageNode:
    """The running process."""

    url: str
    pid: int
    pages: dict[str, BenchPage]


async def furnish(folder: Path) -> None:
    """Admit people, place orders, and note which pages there are to see."""
    async with opened(folder) as node:
        sessions = {role: await _session(node, role) for role in ("member", "steward")}
        own = to_base32(node.community)
        listings = (await list_listings(node, ListingsQuery(sector="food", limit=ORDERS))).listings
        orders = []
        for number, listing in enumerate(listings):
            details = DetailsDraft(fulfilment="pickup", name="Li Lei", contact="138 0000 0000")
            line = LineDraft(sector="food", listing_id=listing.listing_id, steps=1_000)
            placed = await place_order(node, OrderDraft(seller=own, lines=[line], details=details))
            orders.append(placed.order_id)
            noted = PersonOrderName(person_id=sessions["member"][1], order_id=placed.order_id)
            await note_order_of_person(node, noted)
            if number % 2:
                await accept_order(node, OrderName(buyer=own, order_id=placed.order_id))
        mark = Seals(node.vault.transport_seed).mark("order", orders[-1])
        listing_id = listings[-1].listing_id
    paths = {
        "search_form": ("", "/"),
        "search_many": ("", f"/?words={MANY_WORDS}"),
        "search_page_10": ("", f"/?words={MANY_WORDS}&page=10"),
        "search_chinese": ("", f"/?words={quote(CHINESE_WORDS)}"),
        "search_sector": ("", f"/?words={MANY_WORDS}&sector=food"),
        "listing": ("", f"/listings/{own}/food/{listing_id}"),
        "order": ("", f"/o/{orders[-1]}.{mark}"),
        "login": ("", "/login"),
        "neighbours_of_visitor": ("", "/neighbours"),
        "my_orders": ("member", "/orders"),
        "account": ("member", "/account"),
        "desk": ("steward", "/desk"),
        "desk_orders": ("steward", "/desk/orders"),
        "desk_order": ("steward", f"/desk/orders/{own}/{orders[-1]}"),
        "desk_listings": ("steward", "/desk/listings?sector=food"),
        "desk_listing": ("steward", f"/desk/listings/food/{listing_id}"),
        "desk_new": ("steward", "/desk/listings/new"),
        "neighbours_and_health": ("steward", "/neighbours"),
        "audit": ("steward", f"/neighbours/{own}/audit"),
        "people": ("steward", "/people"),
    }
    pages = {
        name: BenchPage(path=path, cookies={SESSION_COOKIE: sessions[role][0]} if role else {})
        for name, (role, path) in paths.items()
    }
    await asyncio.to_thread((folder / _PAGES_FILE).write_bytes, msgspec.json.encode(pages))


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[PageNode]:
    """Run the node of a furnished folder in a process of its own, until the block ends."""
    command = (sys.executable, "-m", "benchmarks.page_node", str(folder))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        place = (await process.stdout.readline()).decode().strip()
        raw = await asyncio.to_thread((folder / _PAGES_FILE).read_bytes)
        yield PageNode(f"http://{place}", process.pid, msgspec.json.decode(raw, type=dict[str, BenchPage]))
    finally:
        process.stdin.close()
        await process.wait()


async def _session(node: Node, role: str) -> tuple[str, str]:
    """Session token and id of somebody new."""
    person = await admit_person(node, PersonDraft(name=role, role=role))  # type: ignore[arg-type]  # one of three
    link = await make_login_link(node, LoginLinkDraft(person_id=person.person_id))
    opened_session = await redeem_login_link(node, LinkVisit(token=link.token))
    return opened_session.token, person.person_id


async def _serve(folder: Path) -> None:
    """Answer until standard input ends."""
    listening, peers = listen(Listen("127.0.0.1", 0)), listen(Listen("127.0.0.1", 0))
    settings = read_sources(flags={"folder": str(folder), "mdns": "false"}, environment={}).settings()
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(opened(folder))
        store = NodePeering(node)
        federation = Federation(
            store=store, vault=node.vault, settings=settings, listening=peers, http=listening
        )
        node.federation = await stack.enter_async_context(federation)
        gate = Gate(api_token=node.vault.api_token, may_read=_nobody, is_open=lambda: False)
        app = build_app((), node, gate=gate)
        app.middlewares.insert(0, _timed)
        build_site(node, LiveUpdates(), default_language="en").add_to(app)
        server = HttpServer(app, listening.socket)
        await server.start()
        print(listening.bound, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await server.stop()


@web.middleware
async def _timed(request: web.Request, handler: Handler) -> web.StreamResponse:
    began = time.perf_counter()
    answer = await handler(request)
    answer.headers[SECONDS_HEADER] = f"{time.perf_counter() - began:.6f}"
    return answer


async def _nobody(_token: str, _community: bytes, _lane: str) -> bool:
    return False


if __name__ == "__main__":
    collect_seldom()
    asyncio.run(_serve(Path(sys.argv[1])))
