"""A community whose machine burnt is brought back by its words and two peers, and the lost keys are dead."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.actions.order_book import OrdersQuery, list_orders
from node.actions.peers import PeerAddress, PeerName, add_peer, vouch_peer
from node.actions.shops import ShopDraft, publish_shop
from node.config import Settings, read_sources
from node.core import Node
from node.errors import NodeError
from node.recovery import recovering
from node.recovery.marker import read_marker
from node.recovery.recovering import Recovered, recover
from node.vault import Kit, entropy_of_words
from protocol.errors import ProtocolError
from protocol.exchange.addresses import parse_address
from protocol.exchange.invite import Invite
from protocol.identity.keys import from_base32
from storage.backups import kept_box, kept_for
from storage.engine import open_store
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.successors import successor_notes
from tests.federation.test_vouching_shows_lanes import _sell_to_itself
from tests.pages.neighbour_nodes import Community, opened_community

Lanes = dict[tuple[str, int], list[bytes]]


@dataclass
class Burnt:
    """What is left of a community whose machine is gone: the words, two peers, and what it had said."""

    words: str
    peers: list[Community]
    lanes: Lanes
    folder: Path

    @property
    def addresses(self) -> list[str]:
        return [peer.address for peer in self.peers]

    def settings(self) -> Settings:
        return read_sources(flags={"folder": str(self.folder), "mdns": "false"}, environment={}).settings()

    async def recover(self, words: str | None = None, addresses: list[str] | None = None) -> Recovered:
        entropy = entropy_of_words(words or self.words)
        return await recover(
            self.settings(), entropy, addresses or self.addresses, tell=lambda progress: None
        )


async def lanes_of(node: Node) -> Lanes:
    def question(read: object) -> Lanes:
        connection = read.connection  # type: ignore[attr-defined]  # a reader
        store = LaneStore(connection)
        return {
            (head.lane, head.epoch): store.entries(head.lane_key, 0, head.size)
            for head in HeadStore(connection).heads()
            if head.community == node.community
        }

    return await node.read(question)


@asynccontextmanager
async def burnt(tmp_path: Path) -> AsyncIterator[Burnt]:
    """A community trades, two others follow it and are vouched for; then its folder is gone."""
    kits: list[Kit] = []
    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(opened_community(tmp_path / name, name))
            for name in ("Ferry", "Mill")
        ]
        async with opened_community(tmp_path / "home", "Orchard", keep_kit=kits.append) as orchard:
            await _sell_to_itself(orchard.node)
            for peer in peers:
                await vouch_peer(orchard.node, PeerName(community=peer.id))
                await add_peer(peer.node, PeerAddress(address=orchard.address, community=orchard.id))

            async def is_safe() -> bool:
                return all([await _has_all(orchard.node, peer.node) for peer in peers])

            await orchard.until(is_safe)
            lanes = await lanes_of(orchard.node)
        shutil.rmtree(tmp_path / "home")
        yield Burnt(kits[0].words, peers, lanes, tmp_path / "new")


async def _has_all(owner: Node, peer: Node) -> bool:
    mine = await lanes_of(owner)

    def question(read: object) -> bool:
        connection = read.connection  # type: ignore[attr-defined]  # a reader
        sizes = {
            (head.lane, head.epoch): head.size
            for head in HeadStore(connection).heads()
            if head.community == owner.community
        }
        is_box_here = kept_box(connection, owner.community) is not None
        has_lanes = sizes == {place: len(entries) for place, entries in mine.items()}
        return is_box_here and has_lanes and kept_for(connection, owner.community).copies == 2

    return await peer.read(question)


async def test_words_and_two_peers_bring_everything_back_and_the_shop_sells_again(tmp_path: Path) -> None:
    """Lanes byte for byte, the private parts of the order, the next epoch; and the peers follow into it."""
    async with burnt(tmp_path) as left:
        invite = Invite(left.peers[1].node.community, bytes(16), 0, (parse_address(left.addresses[1]),))
        done = await left.recover(addresses=[left.addresses[0], invite.link.upper()])
        assert (done.epoch, done.missing_parts) == (1, 0)
        assert done.records == sum(len(entries) for entries in left.lanes.values())
        assert read_marker(left.folder) is None
        async with opened_community(left.folder, "Orchard") as orchard:

            async def may_sign() -> bool:
                return orchard.node.writer.refuses_because is None

            await orchard.until(may_sign)  # both peers have said what they hold
            now = await lanes_of(orchard.node)
            assert {place: now[place] for place in left.lanes} == left.lanes
            assert (await list_orders(orchard.node, OrdersQuery(side="seller"))).orders
            await publish_shop(orchard.node, ShopDraft(sector="food", name={"en": "Again"}))
            for peer in left.peers:
                await add_peer(peer.node, PeerAddress(address=orchard.address, community=orchard.id))

            async def is_followed() -> bool:
                mine = await lanes_of(orchard.node)
                theirs = [await _sizes_of(peer.node, orchard.node.community) for peer in left.peers]
                return all(sizes == {place: len(said) for place, said in mine.items()} for sizes in theirs)

            await orchard.until(is_followed)


async def _sizes_of(node: Node, community: bytes) -> dict[tuple[str, int], int]:
    def question(read: object) -> dict[tuple[str, int], int]:
        heads = HeadStore(read.connection).heads()  # type: ignore[attr-defined]  # a reader
        return {(head.lane, head.epoch): head.size for head in heads if head.community == community}

    return await node.read(question)


async def test_other_words_open_nothing(tmp_path: Path) -> None:
    """A stranger collects no key box, and nothing is left in the folder."""
    async with burnt(tmp_path) as left:
        others = (
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
        )
        with pytest.raises(NodeError) as refused:
            await left.recover(words=others)
        assert refused.value.code == "key_box_missing"
        assert not left.folder.exists() or not list(left.folder.iterdir())


async def test_one_peer_is_not_enough(tmp_path: Path) -> None:
    """Neither one address, nor one and a silent one."""
    async with burnt(tmp_path) as left:
        for addresses, code in (
            (left.addresses[:1], "peers_few"),
            ([left.addresses[0], "wildgrass:invite/aaaa"], "invite_malformed"),
            ([left.addresses[0], "127.0.0.1:1"], "peers_unreachable"),
        ):
            with pytest.raises((NodeError, ProtocolError)) as refused:
                await left.recover(addresses=addresses)
            assert refused.value.code == code


STEPS = ["fetch_sealed", "learn_successor", "remove_marker"]


async def test_killed_before_any_step_it_goes_on_and_closes_one_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tries are one recovery: the same lanes, one note, epoch 1."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    async with burnt(tmp_path) as left:
        for step in STEPS:
            left.folder = tmp_path / step
            with monkeypatch.context() as patched:
                patched.setattr(recovering, step, killed)
                with pytest.raises(KeyboardInterrupt):
                    await left.recover()
            done = await left.recover()
            assert done.epoch == 1
            community = from_base32(done.community, 32)
            with open_store(left.folder, writer=False) as store, store.read() as connection:
                assert {
                    epoch: len(some) for epoch, some in successor_notes(connection, community).items()
                } == {0: 1}
                lanes = LaneStore(connection)
                found = {
                    (head.lane, head.epoch): lanes.entries(head.lane_key, 0, head.size)
                    for head in HeadStore(connection).heads()
                    if head.community == community
                }
            assert found == left.lanes
