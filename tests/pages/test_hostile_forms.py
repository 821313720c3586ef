"""Every form there is, found in the routes themselves, with what people and machines type to break forms."""

import random
import re
from collections.abc import AsyncIterator
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest

from node.actions.people import LoginLinkDraft, PersonDraft, admit_person, make_login_link
from node.actions.sessions import LinkVisit, redeem_login_link
from node.actions.shapes import new_id
from node.pages import rendering
from node.pages.visit import Seals
from protocol.identity.keys import to_base32
from tests.pages.desk_site import Community, community, publish
from tests.pages.neighbour_nodes import opened_community

NAMES = re.compile(r'name="([a-z_0-9]+)"|parts\.(?:field|textarea|select)\("([a-z_0-9]+)"')
WORDS = re.compile(r'parts\.words_fields\("([a-z_]+)"')
MOVES = ("acceptance", "rejection", "fulfilment", "cancellation", "cancellation-refusal", "refund", "theft")
QUARTERS = 4
DEEDS = ("vouch", "unfollow", "dismiss", "block", "rob")


@pytest.fixture
async def spring(tmp_path: Path) -> AsyncIterator[Community]:
    async with community(tmp_path / "spring") as spring:
        yield spring


@pytest.fixture
def strings(shared_data) -> list[str]:
    """The list of naughty strings, without its comments."""
    lines = shared_data("hostile/blns.txt").read_text(encoding="utf-8").split("\n")
    return [line for line in lines if line and not line.startswith("#")]


def known_fields() -> list[str]:
    """The names of all fields of all forms, as the templates have them."""
    text = "".join(
        path.read_text("utf-8") for path in sorted((rendering.FOLDER / "templates").glob("*.html"))
    )
    names = {first or second for first, second in NAMES.findall(text)}
    names |= {f"{name}_{ending}" for name in WORDS.findall(text) for ending in ("zh", "en")}
    return sorted(names - {"form_key"})


async def steward_session(spring: Community) -> str:
    person = await admit_person(spring.node, PersonDraft(name=to_base32(new_id(0)), role="steward"))
    link = await make_login_link(spring.node, LoginLinkDraft(person_id=person.person_id))
    return (await redeem_login_link(spring.node, LinkVisit(token=link.token))).token


async def addresses(spring: Community) -> list[list[str]]:
    """For every route that takes a form its addresses, with a listing, an order and a link that exist in them."""
    keeper = await spring.person(to_base32(new_id(0)))
    listing = (await publish(keeper)).path
    sale = await spring.order(listing)
    _, _desk, _listings, sector, listing_id = listing.split("/")
    order_id = sale.rsplit("/", maxsplit=1)[-1]
    own = to_base32(spring.node.community)
    known = {
        "community": [own, "a" * 52],
        "sector": [sector],
        "listing_id": [listing_id],
        "buyer": [own],
        "order_id": [order_id],
        "link": [f"{order_id}.{Seals(spring.node.vault.transport_seed).mark('order', order_id)}"],
        "token": ["a" * 52],
        "invite": ["a" * 52],
        "rule": ["1", "9999999999"],
        "move": MOVES,
        "deed": DEEDS,
    }
    found = []
    for route in spring.client.server.app.router.routes():
        if route.method != "POST" or route.resource is None:
            continue
        paths = [route.resource.canonical]
        for name in re.findall(r"\{(\w+)\}", route.resource.canonical):
            paths = [path.replace(f"{{{name}}}", value) for path in paths for value in known[name]]
        found.append(paths)
    return sorted(found, key=lambda paths: paths == ["/logout"])  # whoever is out meets no form any more


async def send(spring: Community, session: str, path: str, fields: dict[str, str]) -> tuple[int, str]:
    """Post a form of ours; return the status and the page."""
    key = Seals(spring.node.vault.transport_seed).mark("form", session)
    headers = {"Cookie": f"wildgrass_session={session}"}
    response = await spring.client.post(
        path, data={**fields, "form_key": key}, headers=headers, allow_redirects=False
    )
    return response.status, await response.text()


def check(status: int, page: str, typed: list[str], where: str) -> None:
    """A page with a sentence or the way to one; nothing that was typed stands in it as markup."""
    is_away = status == 503 and "/neighbours" in where  # this community runs without its network
    assert status in (200, 303) or 400 <= status < 500 or is_away, (where, status, page, typed)
    assert status == 303 or "<h1" in page, (where, status)
    for text in typed:
        is_plain = escape(text) == text or len(text) < 4
        assert is_plain or text not in page, (where, text)


async def test_every_form_answers_every_string_with_a_page(spring: Community, strings: list[str]) -> None:
    """Each form gets a quarter of all strings in each field, its neighbour the next quarter: no status of a bug,
    a heading in each answer, markup only as text.
    """
    session, names = await steward_session(spring), known_fields()
    routes = await addresses(spring)
    assert len({paths[0].split("/")[1] for paths in routes}) >= 9
    for number, paths in enumerate(routes):
        for at in range(number % QUARTERS, len(strings), QUARTERS):
            path = paths[at % len(paths)]
            fields = {name: strings[(at + place) % len(strings)] for place, name in enumerate(names)}
            status, page = await send(spring, session, path, fields)
            check(status, page, list(fields.values()), path)


async def test_every_address_answers_every_string_in_its_parts(spring: Community, strings: list[str]) -> None:
    """What stands between the slashes of an address is as foreign as what stands in a field."""
    session = await steward_session(spring)
    for place, text in enumerate(strings):
        part = quote(text, safe="")
        for path in (
            f"/o/{part}/receipt",
            f"/listings/{part}/pets/{part}/order",
            f"/login/{part}",
            f"/people/{part}",
        ):
            status, page = await send(spring, session, path, {"name": strings[place - 1]})
            assert status < 500, (path, status)
            assert escape(text) == text or len(text) < 4 or text not in page, path


async def test_every_string_is_refused_as_a_neighbours_address(tmp_path: Path, strings: list[str]) -> None:
    """With the network running, too: nobody is looked for under it, and the sentence stands at the field."""
    async with opened_community(tmp_path, "North") as north:
        steward = await north.browser("steward")
        key = await steward.form_key()
        for text in strings:
            shown = await steward.post("/neighbours", form_key=key, address=text, community=text)
            assert shown.status in (303, 422), (text, shown.status)
            is_plain = escape(text) == text or len(text) < 4
            assert is_plain or text not in shown.html, text


@pytest.mark.parametrize("field", ["shop", "person"])
async def test_every_name_is_taken_as_text_or_refused_at_its_field(
    spring: Community, strings: list[str], field: str
) -> None:
    """With all other fields in order, the name alone decides; what was taken is shown as text afterwards."""
    session = await steward_session(spring)
    for text in strings:
        if field == "person":
            path, typed, after = "/people", {"name": text, "role": "member"}, "/people"
        else:
            shop = {"shop_id": to_base32(new_id(0)), "sector": "family"}
            path, after = "/welcome/shop", "/welcome/shop"
            typed = {**shop, "name_zh": text, "name_en": text, "pickup": text}
        status, page = await send(spring, session, path, typed)
        check(status, page, [text], path)
        assert status in (200, 303, 422), text
    headers = {"Cookie": f"wildgrass_session={session}"}
    page = await (await spring.client.get(after, headers=headers)).text()
    check(200, page, strings, after)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"name=%ff%fe&password=%00", "application/x-www-form-urlencoded", 403),
        (b"name=+2AA-", "application/x-www-form-urlencoded; charset=utf-7", 400),
        (b"name=x", "application/x-www-form-urlencoded; charset=nonsense", 400),
        (b"name=\xff", "application/x-www-form-urlencoded", 400),
        (b"name=x", "text/plain", 400),
        (b"{}", "application/json", 400),
        (b"", "multipart/form-data", 400),
        (b"--x\r\n\r\nno name\r\n--x--\r\n", "multipart/form-data; boundary=x", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            400,
        ),
        (b"--x\r\nContent-Disposition", "multipart/form-data; boundary=x", 400),
        (b"&".join(b"a%d=1" % number for number in range(99)), "application/x-www-form-urlencoded", 400),
        (b"name=" + b"x" * 300_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_a_body_that_is_no_form_is_refused_with_a_page(
    spring: Community, body: bytes, kind: str, status: int
) -> None:
    """Other encodings, other kinds, broken parts, too many fields, too many bytes."""
    response = await spring.client.post("/login", data=body, headers={"Content-Type": kind})
    page = await response.text()
    assert (response.status, "<h1" in page) == (status, True), page


async def test_a_body_without_a_length_is_bounded_too(spring: Community) -> None:
    """Whoever does not say how much comes is stopped where it is too much."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"name="
        for _ in range(40):
            yield b"x" * 65_536

    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await spring.client.post("/login", data=pieces(), headers=kind)
    assert (response.status, "<h1" in await response.text()) == (413, True)


@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionParam")
async def test_a_form_in_shreds_is_refused_or_read_and_never_a_bug(spring: Community) -> None:
    """Bytes of a form with a file are dropped, doubled, swapped and changed anywhere."""
    chance = random.Random(11)
    whole = (
        b'--edge\r\nContent-Disposition: form-data; name="name"\r\n\r\nMei\r\n'
        b'--edge\r\nContent-Disposition: form-data; name="photo_file"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\xd8\xff\r\n--edge--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    statuses = set()
    for _ in range(400):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            start = chance.randrange(len(body))
            end = min(start + chance.choice((1, 2, 9, 60)), len(body))
            piece = bytes(body[start:end])
            body[start:end] = chance.choice((b"", piece * 2, piece[::-1], chance.randbytes(len(piece))))
        response = await spring.client.post("/login", data=bytes(body), headers=kind)
        statuses.add(response.status)
        assert "<h1" in await response.text(), bytes(body)
    assert statuses <= {400, 403, 413}
    assert 400 in statuses
