"""An audit of a neighbour by one button: in the background, over the stored copy, its report in words."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from node.actions.audits import show_audit, start_audit
from node.actions.peers import PeerName
from node.actions.shops import ShopDraft, publish_shop
from node.audit import audit_sources, open_source, write_bundle
from node.auditing.audits import Audits
from node.auditing.store_source import NarrowedSource, StoreSource
from node.errors import NodeError
from protocol.audit.bundle import INDEX_PATH, parse_index
from protocol.errors import AuditError
from storage.engine import DATABASE_FILE
from storage.heads import HeadStore
from storage.views.reading import StateReader
from tests.pages.neighbour_nodes import Browser, Community, Shown, opened_community

SHOPS = 3


@pytest.fixture
async def spring(tmp_path: Path) -> AsyncIterator[Community]:
    async with opened_community(tmp_path / "spring", "Spring") as community:
        yield community


@pytest.fixture
async def brook(tmp_path: Path) -> AsyncIterator[Community]:
    async with opened_community(tmp_path / "brook", "Brook <i>") as community:
        for name in ("Mill", "Dairy", "Bakery"):
            await publish_shop(community.node, ShopDraft(sector="food", name={"en": name}))
        yield community


async def _copied(spring: Community, brook: Community, steward: Browser) -> None:
    """Follow, and wait until the shops are folded here under a signed head."""
    await steward.post("/neighbours", address=brook.address)

    def is_here(read: StateReader) -> bool:
        shops = read.count("shop", (brook.node.community,), length=3)
        heads = [
            head for head in HeadStore(read.connection).heads() if head.community == brook.node.community
        ]
        return shops == SHOPS and any(head.lane == "market/food" for head in heads)

    await spring.until(lambda: spring.node.read(is_here))


async def _report(browser: Browser, path: str) -> Shown:
    """Ask until the audit has ended, as the page does by itself; the node answers meanwhile."""
    while "data-refresh" in (shown := await browser.get(path)).html:
        assert '<noscript><meta http-equiv="refresh"' in shown.html
        assert "<progress" in shown.html
    return shown


def _damage(folder: Path, community: bytes) -> None:
    """Flip one byte of one stored entry behind the node's back."""
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as database:
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


async def test_a_whole_copy_adds_up(spring: Community, brook: Community) -> None:
    """One button, a page that refreshes itself, then a verdict with counts in words."""
    steward = await spring.browser("steward")
    await _copied(spring, brook, steward)
    path = f"/neighbours/{brook.id}/audit"
    assert "It was not audited since this node started." in (await steward.get(path)).words
    begun = await steward.post(path)
    assert (begun.status, begun.location) == (303, path)
    assert (await steward.post(path)).status == 303, "a double click leads to the same audit"
    page = await _report(steward, path)
    assert "Everything adds up." in page.words
    assert "3 shops" in page.words
    assert "Brook <i>" in page.words
    assert "<i>" not in page.html
    assert 'class="notice verdict "' in page.html
    assert "Findings" not in page.words
    assert "Audited: everything adds up" in (await steward.get("/neighbours")).words


async def test_one_flipped_byte_is_a_finding_in_words(
    spring: Community, brook: Community, tmp_path: Path
) -> None:
    """The verdict says no; the finding says what is wrong, where, and in which section."""
    steward = await spring.browser("steward")
    await _copied(spring, brook, steward)
    _damage(tmp_path / "spring", brook.node.community)
    path = f"/neighbours/{brook.id}/audit"
    await steward.post(path)
    page = await _report(steward, path)
    assert "Not everything adds up" in page.words
    assert 'class="notice verdict bad"' in page.html
    assert "market/food" in page.words
    assert "of PROTOCOL.md" in page.words
    assert "Everything adds up." not in page.words
    assert "Audited: there are findings" in (await steward.get("/neighbours")).words
    chinese = await steward.get(path, **{"Accept-Language": "zh"})
    assert "Not everything adds up" not in chinese.words


async def test_where_nothing_is_stored_an_audit_is_refused(spring: Community) -> None:
    """The sentence says what to do first."""
    steward = await spring.browser("steward")
    answer = await steward.post(f"/neighbours/{'a' * 52}/audit")
    assert answer.status == 409
    assert "Follow it" in answer.words


async def test_one_audit_at_a_time_and_none_outlives_the_node(spring: Community, brook: Community) -> None:
    """A second one is refused while the first runs; stopping ends it without a report."""
    steward = await spring.browser("steward")
    await _copied(spring, brook, steward)
    await start_audit(spring.node, PeerName(community=brook.id))
    with pytest.raises(NodeError) as refused:
        await start_audit(spring.node, PeerName(community=spring.id))
    assert refused.value.code == "audit_running"
    await spring.node.audits.stop()
    shown = await show_audit(spring.node, PeerName(community=brook.id))
    assert (shown.state, shown.failure_code) == ("broken_off", "audit_broken_off")
    page = await steward.get(f"/neighbours/{brook.id}/audit")
    assert "The audit ended before it had a report." in page.words
    assert "Audit again" in page.words


async def test_an_audit_of_a_store_that_is_gone_says_so(spring: Community) -> None:
    """What the process of the audit is refused, the page tells."""
    spring.node.audits = Audits("/nonexistent/folder")
    steward = await spring.browser("steward")
    path = f"/neighbours/{spring.id}/audit"
    await steward.post(path)
    page = await _report(steward, path)
    assert 'class="notice bad"' in page.html
    shown = await show_audit(spring.node, PeerName(community=spring.id))
    assert shown.state == "broken_off"


async def test_a_store_is_a_source_like_a_bundle_of_it(
    spring: Community, brook: Community, tmp_path: Path
) -> None:
    """A bundle written from the store is the same to an auditor, byte for byte."""
    steward = await spring.browser("steward")
    await _copied(spring, brook, steward)
    both = {spring.node.community, brook.node.community}
    source = StoreSource(spring.node.store, both)
    write_bundle(source, tmp_path / "bundle")
    with open_source(str(tmp_path / "bundle")) as bundle:
        report = audit_sources([source, bundle])
    assert report.verdict == "clean"
    assert {copy.is_whole for copy in report.copies} == {True}
    assert len(report.communities) == 2


async def test_a_store_gives_nothing_past_its_heads_and_nothing_under_other_names(spring: Community) -> None:
    """Paths that are none are absent, large answers are refused, other communities are not in it."""
    await publish_shop(spring.node, ShopDraft(sector="food", name={"en": "Mill"}))
    source = StoreSource(spring.node.store, {spring.node.community})
    folder = f"lanes/{spring.id}/0/charter"
    for path in (
        "",
        "lanes/x",
        f"{folder}/tile/0/000",
        f"{folder}/tile/entries/000",
        "../etc/passwd",
        folder,
    ):
        assert source.read(path, 1_000) is None, path
    with pytest.raises(AuditError) as refused:
        source.read(f"{folder}/checkpoint", 1)
    assert refused.value.code == "file_too_large"
    nobody = NarrowedSource(source, {b"x" * 32})
    assert parse_index(nobody.read(INDEX_PATH, 10_000) or b"") == {}
    assert nobody.read(f"{folder}/checkpoint", 1_000) is not None
