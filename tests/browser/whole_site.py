"""A community with something on every page: photos, orders in all states, an audited neighbour, a first run.

    async with whole_site(folder) as site:
        site.url, site.sessions["steward"], site.orders["accepted"], site.addresses_answered

Its node runs in the test's own process, so that the test can tell which addresses of the route table were shown.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image, ImageDraw

from node.actions.audits import show_audit, start_audit
from node.actions.buying import (
    CancellationDraft,
    DetailsDraft,
    LineDraft,
    OrderDraft,
    OwnOrderName,
    confirm_receipt,
    place_order,
    request_cancellation,
)
from node.actions.listings import ListingDraft, ListingPlace, publish_listing, withdraw_listing
from node.actions.order_book import OrderAnswer, show_order
from node.actions.peers import PeerAddress, PeerName, add_peer
from node.actions.people import (
    LoginLinkDraft,
    PersonDraft,
    PersonOrderName,
    admit_person,
    make_login_link,
    note_order_of_person,
)
from node.actions.photos import PhotoDraft, add_photo
from node.actions.policies import DEFAULT_POLICY, PolicyDraft, adopt_policy
from node.actions.selling import (
    CodedAnswer,
    OrderName,
    RefundDraft,
    accept_order,
    fulfil_order,
    refund_order,
    refuse_cancellation,
    reject_order,
)
from node.actions.sessions import LinkVisit, redeem_login_link
from node.actions.shops import ShopDraft, publish_shop
from node.app import Advances
from node.auditing.audits import Audits
from node.automation.chores import do_chores, find_chores
from node.config import Listen, read_sources
from node.core import Node
from node.federation import Federation
from node.files import KIT_FILE, write_private
from node.opening import opened_node
from node.operations.lifecycle import listen
from node.pages.desk_orders import refunded_totals
from node.pages.founding import Founder, FoundingPages
from node.pages.live import LiveUpdates
from node.pages.routes import build_site
from node.pages.visit import Seals
from node.peering import NodePeering
from node.vault import found_community, open_vault
from node.vault.kit import kit_text
from node.writer.clock import system_clock
from protocol.identity.keys import to_base32
from storage.engine import DATABASE_FILE
from storage.heads import HeadStore
from storage.views.reading import StateReader
from storage.views.search_queue import queued_count
from tests.pages.neighbour_nodes import Community, opened_community

PATIENCE_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.05
GOODS = 26  # more than one page of the search
LONG_TITLE = "Kitten food with chicken, rice and a name that is rather long so that it breaks over lines"
TEXTS = {
    "en": "Made by hand in the village, without anything that you could not find in your own kitchen.",
    "zh-Hans": "村里手工制作，用料都是您自家厨房里有的，不添加任何别的东西。",
}


@dataclass
class WholeSite:
    """What the pages are about, by the words that the table of looks uses."""

    node: Node
    url: str
    founding_url: str
    routes: set[str]
    addresses_answered: set[str] = field(default_factory=set)
    sessions: dict[str, str] = field(default_factory=dict)
    listings: dict[str, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    neighbour: str = ""

    @property
    def own(self) -> str:
        """The community's id."""
        return to_base32(self.node.community)

    def order_link(self, state: str) -> str:
        """Where the buyer sees an order."""
        order_id = self.orders[state].rpartition("/")[2]
        return f"/o/{order_id}.{Seals(self.node.vault.transport_seed).mark('order', order_id)}"

    def desk_listing(self, which: str) -> str:
        """Where the shop edits a listing."""
        return f"/desk/listings/pets/{self.listings[which]}"

    def listing(self, which: str) -> str:
        """Where everybody sees a listing."""
        return f"/listings/{self.own}/pets/{self.listings[which]}"


@asynccontextmanager
async def whole_site(folder: Path) -> AsyncIterator[WholeSite]:
    """Found, open and fill the community; its neighbour and a node that is not founded yet run beside it."""
    for name in ("spring", "empty"):
        await asyncio.to_thread((folder / name).mkdir)
    async with AsyncExitStack() as stack:
        neighbour = await stack.enter_async_context(opened_community(folder / "brook", "Brook"))
        node = await stack.enter_async_context(_opened(folder / "spring"))
        founding = await _founding(folder / "empty", stack)
        site = WholeSite(node=node, url="", founding_url=founding, routes=set())
        app = web.Application(middlewares=[_noting(site.addresses_answered)])
        founder = Founder()
        build_site(node, LiveUpdates(), default_language="en", founder=founder).add_to(app)
        site.routes |= {
            route.resource.canonical
            for route in app.router.routes()
            if route.method == "GET" and route.resource is not None
        }
        server = await stack.enter_async_context(TestServer(app))
        site.url = str(server.make_url("/"))
        site.links["first run"] = f"/welcome/{founder.link_token}"
        await _admit(site)
        await _fill_shop(site)
        await _place_orders(site)
        await _meet(site, neighbour, folder / "spring")
        yield site


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[Node]:
    """A node with federation, whose emergency kit waits in its folder."""
    found_community(
        folder,
        name={"en": "Spring Meadow Co-op", "zh-Hans": "春草合作社"},
        currency="EUR",
        words_language="en",
        now_ms=system_clock(),
        keep_kit=lambda kit: write_private(folder / KIT_FILE, kit_text(kit, "en").encode()),
    )
    settings = read_sources(flags={"folder": str(folder), "mdns": "false"}, environment={}).settings()
    vault = open_vault(folder)
    http, peers = listen(Listen("127.0.0.1", 0)), listen(Listen("127.0.0.1", 0))
    advances = Advances()
    with closing(http.socket):
        async with opened_node(settings, vault, on_advance=advances.tell) as node:
            store = NodePeering(node)
            node.federation = Federation(
                store=store, vault=vault, settings=settings, listening=peers, http=http
            )
            advances.listen(node.federation.note)
            async with node.federation:
                yield node


async def _founding(folder: Path, stack: AsyncExitStack) -> str:
    """The first pages of a node without a community; return the link that opens them."""
    settings = read_sources(flags={"folder": str(folder)}, environment={}).settings()
    listening = listen(Listen("127.0.0.1", 0))
    stack.callback(listening.socket.close)
    pages = FoundingPages(settings, listening)
    await pages.server.start()
    stack.push_async_callback(pages.server.stop)
    return f"http://{listening.bound}/welcome/{pages.founder.link_token}"


def _noting(seen: set[str]) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def note(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        answer = await handler(request)
        resource = request.match_info.route.resource
        if resource is not None and request.method == "GET" and answer.content_type == "text/html":
            seen.add(resource.canonical)
        return answer

    return note


async def _admit(site: WholeSite) -> None:
    """Somebody of each role, logged in; and a link that nobody has used."""
    for role, name in (("steward", "Wang Mei"), ("shopkeeper", "Tom"), ("member", "李雷")):
        person = await admit_person(site.node, PersonDraft(name=name, role=role))  # type: ignore[arg-type]  # of three
        link = await make_login_link(site.node, LoginLinkDraft(person_id=person.person_id))
        agent = "Mozilla/5.0 (Linux; Android 14) Chrome/120.0"
        opened = await redeem_login_link(site.node, LinkVisit(token=link.token, user_agent=agent))
        site.sessions[role] = opened.token
        site.links[role] = person.person_id
    unused = await make_login_link(site.node, LoginLinkDraft(person_id=site.links["member"]))
    site.links["login"] = f"/login/{unused.token}"


async def _fill_shop(site: WholeSite) -> None:
    """A shop with a photo, with what is limited, sold out, withdrawn, and more than fits on a page."""
    await adopt_policy(site.node, PolicyDraft(policy=DEFAULT_POLICY))
    shop = ShopDraft(
        sector="pets",
        name={"en": "Paws at the Ferry", "zh-Hans": "渡口毛孩子"},
        about={"en": "Open since the first spring.", "zh-Hans": "开店至今，又是一春。"},
        pickup={"en": "Saturdays 9 to 12 at the pier", "zh-Hans": "周六九点到十二点，码头自取"},
        delivery={"en": "By cargo bike within the village", "zh-Hans": "村内货运自行车送货"},
    )
    shop_id = (await publish_shop(site.node, shop)).shop_id
    photo = (await add_photo(site.node, PhotoDraft(content=_photo()))).sha256

    async def publish(key: str, title: dict[str, str], **changed: object) -> None:
        draft = ListingDraft(
            sector="pets",
            shop_id=shop_id,
            title=title,
            text=TEXTS,
            **{  # type: ignore[arg-type]  # fields of a draft
                "price": {"currency": "EUR", "amount_minor": 5_350},
                "tax": {"tax_class": "food", "rate_bp": 700},
                "unit_code": "C62",
                "fulfilment": ["delivery", "pickup"],
                **changed,
            },
        )
        site.listings[key] = (await publish_listing(site.node, draft)).listing_id

    for number in range(GOODS):
        title = {"en": f"Kitten food no. {number + 1}", "zh-Hans": f"幼猫粮 {number + 1} 号"}
        await publish(f"good {number}", title)
    await publish("limited", {"en": LONG_TITLE}, availability="limited", stock_steps=5)
    await publish("sold out", {"zh-Hans": "手工逗猫棒"}, availability="out_of_stock")
    await publish("withdrawn", {"en": "Last year's hay", "zh-Hans": "去年的干草"})
    await withdraw_listing(site.node, ListingPlace(sector="pets", listing_id=site.listings["withdrawn"]))
    weighed = {"unit_code": "KGM", "quantity_scale": 1, "images": [photo], "stock_steps": 900}
    await publish("photo", {"en": "Kitten food by weight", "zh-Hans": "散装幼猫粮"}, **weighed)
    await _until(site.node, lambda read: not queued_count(read.connection))


async def _place_orders(site: WholeSite) -> None:
    """One order in each state that a page tells apart."""
    states: dict[str, tuple[_Deed, ...]] = {
        "placed": (),
        "rejected": (_reject,),
        "accepted": (_accept,),
        "wished": (_accept, _wish),
        "refused wish": (_accept, _wish, _refuse_wish),
        "cancelled": (_wish,),
        "fulfilled": (_accept, _fulfil),
        "completed": (_accept, _fulfil, _receive),
        "refunded": (_accept, _fulfil, _receive, _refund),
        "received": (_accept, _fulfil, _confirm),
    }
    for state, deeds in states.items():
        details = DetailsDraft(
            fulfilment="delivery",
            member_id=site.links["member"],
            name="李雷",
            contact="138 0000 0000",
            address="渡口路 1 号 2 单元",
            note="Please ring twice.\n谢谢！",
        )
        line = LineDraft(sector="pets", listing_id=site.listings["photo"], steps=25)
        placed = await place_order(site.node, OrderDraft(seller=site.own, lines=[line], details=details))
        name = OrderName(buyer=placed.buyer, order_id=placed.order_id)
        noted = PersonOrderName(person_id=site.links["member"], order_id=placed.order_id)
        await note_order_of_person(site.node, noted)
        for deed in deeds:
            await deed(site.node, name)
        site.orders[state] = f"/desk/orders/{placed.buyer}/{placed.order_id}"


_Deed = Callable[[Node, OrderName], Awaitable[object]]


async def _accept(node: Node, name: OrderName) -> None:
    await accept_order(node, name)


async def _reject(node: Node, name: OrderName) -> None:
    await reject_order(node, CodedAnswer(buyer=name.buyer, order_id=name.order_id, code="sold_out"))


async def _fulfil(node: Node, name: OrderName) -> None:
    await fulfil_order(node, name)


async def _wish(node: Node, name: OrderName) -> None:
    await request_cancellation(node, CancellationDraft(order_id=name.order_id))


async def _refuse_wish(node: Node, name: OrderName) -> None:
    await refuse_cancellation(node, CodedAnswer(buyer=name.buyer, order_id=name.order_id))


async def _confirm(node: Node, name: OrderName) -> None:
    await confirm_receipt(node, OwnOrderName(order_id=name.order_id))


async def _receive(node: Node, name: OrderName) -> None:
    """The receipt, and what the node does by itself when it has it."""
    await _confirm(node, name)
    await _do_chores(node)


async def _refund(node: Node, name: OrderName) -> None:
    order: OrderAnswer = await show_order(node, name)
    totals = refunded_totals(order.totals, 1_000)
    draft = RefundDraft(buyer=name.buyer, order_id=name.order_id, totals=totals, code="damaged")
    await refund_order(node, draft)
    await _do_chores(node)


async def _do_chores(node: Node) -> None:
    while chores := await node.read(lambda read: find_chores(read, node.community)):
        await node.write(lambda transaction, chores=chores: do_chores(transaction, chores))


async def _meet(site: WholeSite, neighbour: Community, folder: Path) -> None:
    """Follow a neighbour with a shop, audit ourselves, and audit it after one byte of the copy was damaged."""
    await publish_shop(neighbour.node, ShopDraft(sector="food", name={"en": "The Mill"}))
    await add_peer(site.node, PeerAddress(address=neighbour.address))
    community = neighbour.node.community
    site.neighbour = to_base32(community)

    def is_here(read: StateReader) -> bool:
        heads = [head.lane for head in HeadStore(read.connection).heads() if head.community == community]
        return read.count("shop", (community,), length=3) == 1 and "market/food" in heads

    await _until(site.node, is_here)
    _damage(folder, community)
    for audited in (site.own, site.neighbour):
        await audit(site.node, audited)


async def _until(node: Node, holds: Callable[[StateReader], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await node.read(holds):  # noqa: ASYNC110  the writer's thread and the neighbour's node
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def audit(node: Node, community: str) -> None:
    """Audit what is stored of a community, to the end."""
    await start_audit(node, PeerName(community=community))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await show_audit(node, PeerName(community=community))).state == "running":  # noqa: ASYNC110  a process
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


def break_audits(node: Node) -> None:
    """From now on every audit breaks off."""
    node.audits = Audits("/nonexistent/folder")


def _damage(folder: Path, community: bytes) -> None:
    """Flip one byte of one stored entry behind the node's back."""
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None, timeout=20)) as database:
        lane_key, index, entry = database.execute(
            "SELECT tail.lane_key, entry_index, entry FROM tail JOIN lanes USING (lane_key)"
            " WHERE community = ? AND lane = 'market/food' ORDER BY entry_index DESC LIMIT 1",
            (community,),
        ).fetchone()
        broken = bytearray(entry)
        broken[len(broken) // 2] ^= 1
        database.execute(
            "UPDATE tail SET entry = ? WHERE lane_key = ? AND entry_index = ?",
            (bytes(broken), lane_key, index),
        )


def _photo() -> bytes:
    """A meadow."""
    picture = Image.new("RGB", (800, 600), (196, 221, 232))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 380, 800, 600), fill=(108, 148, 84))
    draw.ellipse((560, 60, 700, 200), fill=(247, 222, 130))
    out = BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()
