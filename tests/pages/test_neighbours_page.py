"""The neighbours' page: two real nodes follow and vouch for each other by its forms; roles, keys, no addresses."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.actions.peers import PeerAnswer, PeerName, PeersQuery, block_peer, list_peers
from node.actions.relays import admit_recipient
from node.actions.shops import ShopDraft, publish_shop
from node.errors import NodeError
from node.pages.neighbours import state_of
from tests.pages.neighbour_nodes import Community, opened_community

STRANGER = "a" * 52


@pytest.fixture
async def spring(tmp_path: Path) -> AsyncIterator[Community]:
    async with opened_community(tmp_path / "spring", "Spring") as community:
        yield community


@pytest.fixture
async def brook(tmp_path: Path) -> AsyncIterator[Community]:
    async with opened_community(tmp_path / "brook", "Brook <b>&</b>") as community:
        yield community


async def _peer(community: Community, other: Community) -> PeerAnswer | None:
    found = await list_peers(community.node, PeersQuery())
    return next((peer for peer in found.peers if peer.community == other.id), None)


async def _met(community: Community, other: Community, *, records: int = 1) -> None:
    async def holds() -> bool:
        peer = await _peer(community, other)
        return peer is not None and peer.is_connected and peer.records >= records and not peer.unfolded

    await community.until(holds)


async def test_two_nodes_become_partners_by_forms_alone(spring: Community, brook: Community) -> None:
    """Added by address, followed, vouched for on both sides: each card says what it means and what to do next."""
    await publish_shop(brook.node, ShopDraft(sector="food", name={"en": "Mill"}))
    steward, other = await spring.browser("steward"), await brook.browser("steward")
    added = await steward.post("/neighbours", address=brook.address)
    assert (added.status, added.location) == (303, "/neighbours?said=added")
    assert "The address is dialled from now on." in (await steward.get(added.location)).words
    await _met(spring, brook, records=4)
    page = await steward.get("/neighbours")
    assert "Brook <b>&</b>" in page.words
    assert "<b>&</b>" not in page.html
    assert "Connected and in step" in page.words
    assert "Neither vouches for the other" in page.words
    assert brook.address in page.html
    vouched = await steward.post(f"/neighbours/{brook.id}/vouch")
    assert "Our charter says now" in (await steward.get(vouched.location)).words
    assert "It does not vouch for us yet" in (await steward.get("/neighbours")).words
    assert (await other.post(f"/neighbours/{spring.id}/follow")).status == 303
    await _met(brook, spring)
    assert "Vouch for it as well" in (await other.get("/neighbours")).words
    assert (await other.post(f"/neighbours/{spring.id}/vouch")).status == 303

    async def holds() -> bool:
        peer = await _peer(spring, brook)
        return peer is not None and peer.vouches_for_us

    await spring.until(holds)
    page = await steward.get("/neighbours")
    assert "Each vouches for the other" in page.words
    assert "Vouched for by Brook <b>&</b>" in page.words


async def test_what_was_done_can_be_undone(spring: Community, brook: Community) -> None:
    """Stop vouching, stop following, block, unblock: each has a button, and each leaves its mark."""
    steward = await spring.browser("steward")
    await steward.post("/neighbours", address=brook.address)
    await _met(spring, brook)
    await steward.post(f"/neighbours/{brook.id}/vouch")
    expected = {
        "dismiss": ("followed", False, "may no longer read"),
        "unfollow": ("found", False, "Nothing new of it is fetched"),
        "block": ("blocked", False, "does not talk to it any more"),
    }
    for deed, (trust, is_vouched, words) in expected.items():
        answer = await steward.post(f"/neighbours/{brook.id}/{deed}")
        assert (answer.status, answer.location.endswith(f"#c-{brook.id}")) == (303, True)
        assert words in (await steward.get(answer.location)).words
        peer = await _peer(spring, brook)
        assert peer is not None
        assert (peer.trust, peer.is_vouched) == (trust, is_vouched)
    page = await steward.get("/neighbours")
    assert "Unblock it to change that." in page.words
    assert f"/neighbours/{brook.id}/block" not in page.html
    await steward.post(f"/neighbours/{brook.id}/unfollow")
    assert "Follow it to see them." in (await steward.get("/neighbours")).words


async def test_a_visitor_reads_names_and_trust_and_nothing_else(spring: Community, brook: Community) -> None:
    """No address, no form, no health, nobody who is blocked; a member has the health as well."""
    steward, visitor, member = [await spring.browser(role) for role in ("steward", None, "member")]
    await steward.post("/neighbours", address=brook.address)
    await _met(spring, brook)
    page = await visitor.get("/neighbours")
    assert page.status == 200
    assert "Brook <b>&</b>" in page.words
    assert "Followed" in page.words
    for hidden in ("<form", "127.0.0.1", brook.address, "reads and writes", "record", "onnected", "<code>"):
        assert hidden not in page.html[page.html.index("<main") :], hidden
    shown = await member.get("/neighbours")
    assert "The node reads and writes." in shown.words
    assert "127.0.0.1" not in shown.html
    assert "<form" not in shown.html
    await steward.post(f"/neighbours/{brook.id}/block")
    assert "Brook" not in (await visitor.get("/neighbours")).html


@pytest.mark.parametrize("role", [None, "member", "shopkeeper"])
async def test_only_a_steward_changes_anything(spring: Community, role: str | None) -> None:
    """Every form is refused to all others, before it is read."""
    browser = await spring.browser(role)
    wanted = 303 if role is None else 403
    for path in ("", f"/{STRANGER}/follow", f"/{STRANGER}/vouch", f"/{STRANGER}/block", f"/{STRANGER}/audit"):
        answer = await browser.post(f"/neighbours{path}", address="127.0.0.1:1")
        assert answer.status == wanted, path
        assert role is not None or answer.location.startswith("/login")
    assert (await browser.get(f"/neighbours/{STRANGER}/audit")).status == wanted
    assert (await list_peers(spring.node, PeersQuery())).peers == []


async def test_a_form_from_elsewhere_is_refused(spring: Community, brook: Community) -> None:
    """Without this browser's key nothing happens, whoever is logged in."""
    steward = await spring.browser("steward")
    for key in ("", "a" * 26, "ключ"):
        answer = await steward.post("/neighbours", form_key=key, address=brook.address)
        assert answer.status == 403
        assert (await steward.post(f"/neighbours/{brook.id}/block", form_key=key)).status == 403
    assert (await list_peers(spring.node, PeersQuery())).peers == []


@pytest.mark.parametrize(
    "address", ["", "nowhere", "host:99999", "x" * 300, "<script>", "http://a:1", "a\x00:1"]
)
async def test_an_address_that_cannot_be_one_is_shown_again_with_its_fault(
    spring: Community, address: str
) -> None:
    """What was typed stands there still, escaped, and the fault is tied to its field."""
    steward = await spring.browser("steward")
    answer = await steward.post("/neighbours", address=address)
    assert answer.status == 422
    assert 'aria-invalid="true" aria-describedby="fault-address hint-address"' in answer.html
    assert "<script>" not in answer.html


async def test_deeds_towards_nobody_are_refused_in_words(spring: Community) -> None:
    """An unknown community, an unknown deed, ourselves: each has its page."""
    steward = await spring.browser("steward")
    assert (await steward.post(f"/neighbours/{STRANGER}/follow")).status == 404
    assert (await steward.post(f"/neighbours/{STRANGER}/greet")).status == 404
    assert (await steward.post("/neighbours/short/follow")).status in (404, 405)
    own = await steward.post(f"/neighbours/{spring.id}/vouch")
    assert own.status == 422
    assert "<h1>" in own.html
    with pytest.raises(NodeError):
        await block_peer(spring.node, PeerName(community="a" * 51 + "b"))


async def test_the_health_says_what_a_steward_needs(spring: Community) -> None:
    """Room, version, own lanes by name; why it does not write, and what to do."""
    await publish_shop(spring.node, ShopDraft(sector="food", name={"en": "Mill"}))
    steward = await spring.browser("steward")

    async def is_signed() -> bool:
        return "Market: Fresh food" in (await steward.get("/neighbours")).words

    await spring.until(is_signed)
    words = (await steward.get("/neighbours")).words
    for said in ("kB", "Version 0.", "Charter", "Vouched for by nobody yet", "none yet"):
        assert said in words, said
    spring.node.writer.stop_signing(NodeError("store_restored", "trade"))
    words = (await steward.get("/neighbours")).words
    assert "The node reads, but does not write." in words
    assert "Connect the neighbours" in words


async def test_the_page_speaks_chinese(spring: Community) -> None:
    """All of it, in the language of the browser."""
    steward = await spring.browser("steward")
    page = await steward.get("/neighbours", **{"Accept-Language": "zh-CN"})
    assert '<html lang="zh-Hans">' in page.html
    assert "节点可读可写" in page.words
    assert "How this node is" not in page.words


def test_each_state_of_a_card_follows_from_what_is_known() -> None:
    """Trust first, then the session, then what is folded."""

    def peer(trust: str, **more: object) -> PeerAnswer:
        whole = {"is_connected": False, "is_vouched": False, "vouches_for_us": False, "kept_bytes": 0}
        whole |= {"quota_bytes": 1, "paused": [], **more}
        return PeerAnswer(community=STRANGER, trust=trust, addresses=[], **whole)

    assert state_of(None) == "heard"
    assert state_of(peer("found", is_connected=True)) == "found"
    assert state_of(peer("blocked", is_connected=True)) == "blocked"
    assert state_of(peer("followed")) == "silent"
    assert state_of(peer("followed", last_seen_ms=1)) == "away"
    assert state_of(peer("followed", is_connected=True, unfolded=1)) == "catching_up"
    assert state_of(peer("followed", is_connected=True)) == "in_step"


async def test_a_node_that_only_dials_out_is_told_so_and_names_its_relay(
    spring: Community, brook: Community
) -> None:
    """Brook dials Spring and nobody dials Brook: its page says what that means, before and after a relay keeps."""
    steward, keeper = await brook.browser("steward"), await spring.browser("steward")
    await steward.post("/neighbours", address=spring.address)
    await _met(brook, spring)
    page = await steward.get("/neighbours")
    assert "Dials out only" in page.words
    assert "until it names a relay" in page.words
    assert "Other nodes dial this one" in (await keeper.get("/neighbours")).words

    async def keeps(word: str) -> bool:
        return word in (await steward.get("/neighbours")).words

    named = await steward.post(f"/neighbours/{spring.id}/relay")
    assert named.location == f"/neighbours?said=relay#c-{spring.id}"
    await brook.until(lambda: keeps("it keeps nothing for us"))
    assert "ask their stewards to follow" in (await steward.get("/neighbours")).words
    await keeper.post(f"/neighbours/{brook.id}/follow")
    await admit_recipient(spring.node, PeerName(community=brook.id))
    brook.node.federation_service.tell_relays_changed()
    await steward.post(f"/neighbours/{spring.id}/unrelay")
    assert "Our relay" not in (await steward.get("/neighbours")).words
    await steward.post(f"/neighbours/{spring.id}/relay")
    await brook.until(lambda: keeps("it keeps sealed parts of orders for us for 14 days"))
    assert "That is no trouble" in (await steward.get("/neighbours")).words
    assert "We are its relay: 0 sealed parts wait here for it." in (await keeper.get("/neighbours")).words
