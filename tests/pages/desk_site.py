"""A community's pages in this process, and a shopkeeper at their desk: gets pages, fills in forms, sends them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from node.actions.buying import DetailsDraft, LineDraft, OrderDraft, place_order
from node.actions.people import LoginLinkDraft, PersonDraft, admit_person, make_login_link
from node.actions.policies import PolicyDraft, adopt_policy
from node.actions.sessions import LinkVisit, redeem_login_link
from node.actions.shops import ShopsQuery, list_shops
from node.automation.chores import do_chores, find_chores
from node.config import read_sources
from node.core import Node
from node.opening import opened_node
from node.pages.live import LiveUpdates
from node.pages.routes import build_site
from node.vault import found_community, open_vault
from node.writer.clock import system_clock
from protocol.identity.keys import to_base32
from tests.village import POLICY

TYPED = {
    "title_zh": "幼猫粮 2 公斤",
    "title_en": "Kitten food 2 kg",
    "text_en": "Chicken and rice",
    "sector": "pets",
    "price": "53,50",
    "tax": "7",
    "unit": "C62",
    "scale": "0",
    "stock": "5",
    "shop_name_zh": "毛孩子",
    "shop_name_en": "Paws",
    "shop_pickup": "Saturdays at the pier",
}
DETAILS = DetailsDraft(fulfilment="pickup", name="李雷", contact="138 0000 0000", note="周六来取")

Fields = dict[str, list[str]]


class _Forms(HTMLParser):
    """The forms of a page with what a browser would send: no box that is not ticked."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Fields] = {}
        self._fields: Fields = {}
        self._textarea = ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = self.forms[given["action"]] = {}
        elif tag == "input" and given["type"] in ("checkbox", "radio"):
            if "checked" in given:
                self._fields.setdefault(given["name"], []).append(given["value"])
        elif tag == "input" and given["type"] != "file":
            self._fields.setdefault(given["name"], []).append(given["value"])
        elif tag == "textarea":
            self._textarea = given["name"]
            self._fields[self._textarea] = [""]
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and (self._select not in self._fields or "selected" in given):
            self._fields[self._select] = [given["value"]]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = ""

    def handle_data(self, text: str) -> None:
        if self._textarea:
            self._fields[self._textarea][0] += text.removeprefix("\n")


@dataclass
class Shown:
    """A page as it came."""

    status: int
    path: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def forms(self) -> dict[str, Fields]:
        """Its forms by the address that they post to."""
        parser = _Forms()
        parser.feed(self.text)
        return parser.forms


class Visitor:
    """Somebody with one browser."""

    def __init__(self, client: TestClient, token: str | None, language: str = "en") -> None:
        self.client = client
        self.language = language
        self._token = token

    async def get(self, path: str) -> Shown:
        return await self._shown(await self.client.get(path, headers=self._headers()))

    async def send(
        self, page: Shown, action: str, *, file: bytes | None = None, **typed: str | list[str]
    ) -> Shown:
        """Fill in a form of a page and send it, as multipart like the form says, or where a photo goes along."""
        fields = {**page.forms[action], **{name: _listed(value) for name, value in typed.items()}}
        return await self.post(action, fields, file)

    async def post(self, path: str, fields: Fields, file: bytes | None = None) -> Shown:
        if file is None:
            pairs = [(name, value) for name, values in fields.items() for value in values]
            return await self._shown(
                await self.client.post(path, data=FormData(pairs), headers=self._headers())
            )
        form = FormData(default_to_multipart=True)
        for name, values in fields.items():
            for value in values:
                form.add_field(name, value)
        form.add_field("photo_file", file, filename="photo.jpg", content_type="image/jpeg")
        return await self._shown(await self.client.post(path, data=form, headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        cookie = {"Cookie": f"wildgrass_session={self._token}"} if self._token else {}
        return {"Accept-Language": self.language, **cookie}

    async def _shown(self, response) -> Shown:
        text = (await response.read()).decode(errors="replace")
        return Shown(response.status, response.url.path, text, dict(response.headers))


@dataclass
class Community:
    """One node with its pages."""

    node: Node
    client: TestClient

    async def person(self, name: str, role: str = "shopkeeper") -> Visitor:
        """Admit somebody, and let them in by a link."""
        person = await admit_person(self.node, PersonDraft(name=name, role=role))  # type: ignore[arg-type]  # one of three
        link = await make_login_link(self.node, LoginLinkDraft(person_id=person.person_id))
        opened = await redeem_login_link(self.node, LinkVisit(token=link.token))
        return Visitor(self.client, opened.token)

    async def order(self, listing: str, steps: int = 2) -> str:
        """Order from a listing by its address at the desk; return the order's address there."""
        _, _desk, _listings, sector, listing_id = listing.split("/")
        own = to_base32(self.node.community)
        line = LineDraft(sector=sector, listing_id=listing_id, steps=steps)
        placed = await place_order(self.node, OrderDraft(seller=own, lines=[line], details=DETAILS))
        return f"/desk/orders/{placed.buyer}/{placed.order_id}"

    async def do_chores(self) -> None:
        """Do what the running node does by itself, until nothing is left."""
        while chores := await self.node.read(lambda read: find_chores(read, self.node.community)):
            await self.node.write(lambda transaction, chores=chores: do_chores(transaction, chores))

    async def shops(self) -> int:
        return len((await list_shops(self.node, ShopsQuery())).shops)


@asynccontextmanager
async def community(folder: Path) -> AsyncIterator[Community]:
    """A new community that has adopted a policy, with its pages on a port of its own."""
    found_community(
        folder,
        name={"en": "Spring", "zh-Hans": "春草"},
        currency="EUR",
        words_language="en",
        now_ms=system_clock(),
        keep_kit=lambda kit: None,
    )
    settings = read_sources(flags={"folder": str(folder)}, environment={}).settings()
    async with opened_node(settings, open_vault(folder), on_advance=lambda advance: None) as node:
        await adopt_policy(node, PolicyDraft(policy=POLICY))
        app = web.Application()
        build_site(node, LiveUpdates(), default_language="en").add_to(app)
        async with TestClient(TestServer(app)) as client:
            yield Community(node, client)


async def publish(keeper: Visitor, *, file: bytes | None = None, **typed: str | list[str]) -> Shown:
    """Fill in the form of a new listing and send it."""
    page = await keeper.get("/desk/listings/new")
    chosen = {name: value for name, value in TYPED.items() if name in page.forms["/desk/listings/new"]}
    return await keeper.send(page, "/desk/listings/new", file=file, **{**chosen, **typed})


def picture(kind: str = "JPEG", size: tuple[int, int] = (640, 480), **saved: object) -> bytes:
    """A photo of these dimensions."""
    out = BytesIO()
    Image.new("RGB", size, (47, 93, 53)).save(out, kind, **saved)
    return out.getvalue()


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
