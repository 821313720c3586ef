"""Invites, comparison words, rules and block lists by forms alone; roles, and no secret where it is not due."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from node.actions.peers import PeersQuery, list_peers
from protocol.exchange.addresses import parse_address
from protocol.exchange.discovery_events import AddressNamed
from protocol.identity.keys import from_base32
from tests.pages.neighbour_nodes import Community, opened_community


@pytest.fixture
async def orchard(tmp_path: Path) -> AsyncIterator[Community]:
    async with opened_community(tmp_path / "orchard", "Orchard <i>") as community:
        yield community


@pytest.fixture
async def ferry(tmp_path: Path) -> AsyncIterator[Community]:
    async with opened_community(tmp_path / "ferry", "Ferry") as community:
        yield community


async def vouches(one: Community, other: Community) -> bool:
    known = (await list_peers(one.node, PeersQuery())).peers
    return any(peer.community == other.id and peer.is_vouched and peer.vouches_for_us for peer in known)


async def test_an_invite_is_made_pasted_and_used_up_by_forms(orchard: Community, ferry: Community) -> None:
    """The link and its code are shown once; the other steward pastes it; both pages say what came of it."""
    host, guest = await orchard.browser("steward"), await ferry.browser("steward")
    made = await host.post("/neighbours/invites", label="the ferry", days="3")
    assert made.status == 200
    (link,) = re.findall(r"wildgrass:invite/[a-z2-7]+", made.html)
    assert f'href="data:text/plain,{quote(link)}"' in made.html
    assert 'class="qr"' in made.html
    page = await host.get("/neighbours/invites")
    assert "the ferry" in page.words
    assert link not in page.html
    wrong = await guest.post("/neighbours/invites/accepted", text=link[:-2])
    assert (wrong.status, "Copy the whole link again" in wrong.words) == (422, True)
    accepted = await guest.post("/neighbours/invites/accepted", text=f"Come in!\r\n{link}\r\n")
    assert (accepted.status, accepted.location) == (303, "/neighbours/invites#accepted")

    async def is_mutual() -> bool:
        return await vouches(orchard, ferry) and await vouches(ferry, orchard)

    await ferry.until(is_mutual)
    assert "Both follow and vouch for each other." in (await guest.get("/neighbours/invites")).words
    used = await host.get("/neighbours/invites")
    assert "Used" in used.words
    assert "Take it back" not in used.words
    assert "Found by an invite" in (await guest.get("/neighbours")).words


async def test_an_invite_is_taken_back_by_its_button(orchard: Community) -> None:
    """The form names the invite, and it holds no more."""
    steward = await orchard.browser("steward")
    refused = await steward.post("/neighbours/invites", label="x", days="31")
    assert refused.status == 422
    await steward.post("/neighbours/invites", label="x", days="1")
    (invite,) = re.findall(
        r"/neighbours/invites/([a-z2-7]{52})/revoke", (await steward.get("/neighbours/invites")).html
    )
    assert (await steward.post(f"/neighbours/invites/{invite}/revoke")).status == 303
    assert "Taken back" in (await steward.get("/neighbours/invites")).words


async def test_two_stewards_compare_words_by_their_pages(orchard: Community, ferry: Community) -> None:
    """One click a side, the same four words on both pages, one more click a side."""
    near = AddressNamed(parse_address(orchard.address), "nearby", from_base32(orchard.id, 32))
    ferry.node.federation_service.hear(near)
    here, there = await orchard.browser("steward"), await ferry.browser("steward")
    to_ferry, to_orchard = f"/neighbours/{ferry.id}/pair", f"/neighbours/{orchard.id}/pair"

    async def is_offered() -> bool:
        page = await there.get("/neighbours")
        return to_orchard in page.html and to_ferry in (await here.get("/neighbours")).html

    await ferry.until(is_offered)
    assert "Found on the local network" in (await there.get("/neighbours")).words
    assert (await here.post(to_ferry, deed="start")).location == to_ferry
    assert "The other steward has to click as well" in (await here.get(to_ferry)).words

    async def is_asked() -> bool:
        return "asks to compare words" in (await there.get(to_orchard)).words

    await ferry.until(is_asked)
    await there.post(to_orchard, deed="start")

    async def words_of(browser_page: str) -> list[str]:
        return re.findall(r"<strong>([^<]+)</strong>", browser_page)

    async def both_see() -> bool:
        pages = [(await here.get(to_ferry)).html, (await there.get(to_orchard)).html]
        return all("They differ" in page for page in pages)

    await ferry.until(both_see)
    seen = await words_of((await here.get(to_ferry)).html)
    assert seen == await words_of((await there.get(to_orchard)).html)
    assert len(seen) == 8
    await here.post(to_ferry, deed="confirm")
    await there.post(to_orchard, deed="confirm")

    async def is_mutual() -> bool:
        return await vouches(orchard, ferry) and await vouches(ferry, orchard)

    await ferry.until(is_mutual)
    assert "Paired" in (await here.get(to_ferry)).words
    assert (await here.post(to_ferry, deed="trust me")).status == 404


async def test_rules_are_added_and_removed_by_forms(orchard: Community) -> None:
    """What cannot hold is said beside its field."""
    steward = await orchard.browser("steward")
    empty = await steward.post("/neighbours/rules", effect="follow", sector="", region="")
    assert empty.status == 422
    assert (
        await steward.post("/neighbours/rules", effect="follow", sector="food", region="cn-33")
    ).status == 303
    page = await steward.get("/neighbours/rules")
    assert "CN-33" in page.words
    (rule,) = re.findall(r"/neighbours/rules/(\d+)/remove", page.html)
    assert (await steward.post(f"/neighbours/rules/{rule}/remove")).status == 303
    wrong = await steward.post("/neighbours/rules", effect="follow", sector="", region="", community="brook")
    assert (wrong.status, "not the id of a community" in wrong.words) == (422, True)
    about_one = {"effect": "follow", "sector": "", "region": "", "community": "a" * 51 + "q"}
    assert (await steward.post("/neighbours/rules", **about_one)).status == 303
    page = await steward.get("/neighbours/rules")
    assert about_one["community"] in page.html
    (rule,) = re.findall(r"/neighbours/rules/(\d+)/remove", page.html)
    assert (await steward.post(f"/neighbours/rules/{rule}/remove")).status == 303
    assert "No rules yet." in (await steward.get("/neighbours/rules")).words
    listed = await steward.get("/neighbours/rules/blocked.csv")
    assert listed.html.splitlines() == ["community,note"]
    assert (await steward.post("/neighbours/rules/blocked", dry_run="yes")).status == 422


async def test_none_of_it_is_for_others(orchard: Community) -> None:
    """A member is refused, a visitor is sent to log in."""
    member, visitor = await orchard.browser("member"), await orchard.browser()
    for path in ("/neighbours/invites", "/neighbours/rules", "/neighbours/rules/blocked.csv"):
        assert (await member.get(path)).status == 403
        assert (await visitor.get(path)).status in (303, 401, 403)
