"""A second history that reaches one real node is proven to all of them, and the file is worth the same offline."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from node.actions.peers import PeerAddress, add_peer
from node.actions.shops import ShopDraft, publish_shop
from node.audit import KnownKeys, audit_sources, render_verification, verify_file, write_bundle
from node.audit.archive import ArchiveSource
from node.auditing.store_source import StoreSource
from node.forks import FORK, forked_lanes
from node.lane_exchange import answer_request
from node.peering import NodePeering
from node.statements import keep_statement
from node.writer.transaction import Transaction
from protocol.errors import AuditError
from protocol.exchange.frames import Heads, HeadsSince, Refused, TilesGet, TileWanted
from protocol.exchange.heads import read_offer
from protocol.exchange.holding import ReportFork, SignedHead
from protocol.limits import FORK_BYTES_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.fork import make_fork
from protocol.log.merkle import leaf_hashes, subtree_root
from protocol.log.note import ED25519, VerifierKey
from protocol.log.origin import Origin
from storage.evidence import evidence_about
from storage.heads import Head, HeadStore
from storage.lanes import LaneStore
from tests.golden.fork_vectors import LOG, TRADE, fork, head
from tests.pages.neighbour_nodes import Community, opened_community

MARKET = "market/food"


async def proofs_at(at: Community, about: Community) -> list[bytes]:
    return await at.node.read(
        lambda read: [found.note for found in evidence_about(read.connection, about.node.community, FORK)]
    )


async def head_at(at: Community, origin: Origin) -> Head | None:
    def question(read) -> Head | None:
        key = LaneStore(read.connection).lane_key(origin.community, origin.lane, origin.epoch)
        return None if key is None else HeadStore(read.connection).head(key)

    return await at.node.read(question)


def signed(by: Community, origin: Origin, size: int, root: bytes) -> SignedHead:
    checkpoint = Checkpoint(origin.text, size, root)
    return SignedHead(make_checkpoint_note(checkpoint, by.node.vault.log_keys[0]), checkpoint)


@pytest.mark.parametrize("is_smaller", [True, False])
async def test_a_second_history_is_proven_to_all(tmp_path: Path, *, is_smaller: bool) -> None:
    """The middle meets another root of the size that it holds, or of a smaller one; the last follows nobody."""
    async with AsyncExitStack() as stack:
        orchard, middle, last = [
            await stack.enter_async_context(opened_community(tmp_path / name, name))
            for name in ("Orchard", "Mill", "Ferry")
        ]
        await publish_shop(orchard.node, ShopDraft(sector="food", name={"en": "Press"}))
        await add_peer(middle.node, PeerAddress(address=orchard.address, community=orchard.id))
        origin = Origin(orchard.node.community, MARKET, 0)

        async def follows() -> bool:
            found = await head_at(middle, origin)
            return found is not None and found.size == 2

        await middle.until(follows)
        await add_peer(last.node, PeerAddress(address=middle.address, community=middle.id))
        await add_peer(last.node, PeerAddress(address=orchard.address, community=orchard.id))
        peering, adopted = NodePeering(middle.node), await head_at(middle, origin)
        assert adopted is not None
        held = signed(orchard, origin, adopted.size, adopted.root)
        honest = await middle.node.read(
            lambda read: LaneStore(read.connection).compact_range(adopted.lane_key, 1).root()
        )
        await peering.compare_head(origin, held)
        await peering.compare_head(origin, signed(orchard, origin, 1, honest))
        assert await proofs_at(middle, orchard) == []
        if is_smaller:
            await peering.compare_head(origin, signed(orchard, origin, 1, b"\x01" * 32))
        else:
            await peering.report(ReportFork(origin, held, signed(orchard, origin, 2, b"\x02" * 32)))

        async def everybody_knows() -> bool:
            found = [await proofs_at(each, orchard) for each in (orchard, middle, last)]
            return found[0] == found[1] == found[2] != []

        await last.until(everybody_knows)
        (proof,) = await proofs_at(last, orchard)
        assert len(proof) <= FORK_BYTES_MAX
        assert await last.node.read(lambda read: forked_lanes(read, orchard.node.community)) == {origin}
        bundle = tmp_path / "bundle.tar"
        write_bundle(StoreSource(middle.node.store, {orchard.node.community}), bundle)
        with ArchiveSource(bundle) as source:
            report = audit_sources([source])
        assert report.by_code == {"lane_forked": 1}
        assert [found.proof.encode() for found in report.forks] == [proof]
        assert report.communities[0].marks == ("FORKED",)


def keep_branch(by: Community, origin: Origin, stories: list[bytes]) -> Callable[[Transaction], None]:
    """The write that holds a lane which its community's charter has never declared, as a node that was given it."""
    root = subtree_root(leaf_hashes(stories))
    head = signed(by, origin, len(stories), root)

    def write(transaction: Transaction) -> None:
        lanes = LaneStore(transaction.connection)
        key = lanes.open_lane(origin.community, origin.lane, origin.epoch)
        lanes.append(key, 0, stories)
        HeadStore(transaction.connection).set_head(key, len(stories), root, head.note)

    return write


async def shown_at(at: Community, reader: Community) -> set[str]:
    """The lanes whose heads `at` shows to a reader."""
    question = HeadsSince(1, bytes(16), 0)
    page = await at.node.read(lambda read: answer_request(read, reader.node.community, question))
    assert isinstance(page, Heads)
    return {read_offer(stated).origin.lane for stated in page.heads}


async def test_two_histories_of_a_lane_under_a_forked_charter_meet(tmp_path: Path) -> None:
    """Its entries are shown to nobody; when the charter is proven forked its heads are, and convict each other."""
    async with AsyncExitStack() as stack:
        orchard, mill, ferry = [
            await stack.enter_async_context(opened_community(tmp_path / name, name))
            for name in ("Orchard", "Mill", "Ferry")
        ]
        ledger, charter = (
            Origin(orchard.node.community, "ledger", 0),
            Origin(orchard.node.community, "charter", 0),
        )
        for at in (mill, ferry):
            await add_peer(at.node, PeerAddress(address=orchard.address, community=orchard.id))
        await add_peer(ferry.node, PeerAddress(address=mill.address, community=mill.id))

        async def have_met() -> bool:
            return all([await head_at(at, charter) is not None for at in (mill, ferry)])

        await ferry.until(have_met)
        await mill.node.write(keep_branch(orchard, ledger, [b"one", b"two"]))
        await ferry.node.write(keep_branch(orchard, ledger, [b"one", b"three", b"four"]))
        assert "ledger" not in await shown_at(mill, ferry)
        real = await head_at(mill, charter)
        assert real is not None
        log = orchard.node.vault.log_keys[0]
        two = [signed(orchard, charter, real.size, root).note for root in (real.root, b"\x03" * 32)]
        await mill.node.write(lambda transaction: keep_statement(transaction, make_fork(*two, log.public)))

        async def are_proven() -> bool:
            found = [
                await at.node.read(lambda read: forked_lanes(read, ledger.community)) for at in (mill, ferry)
            ]
            return found[0] == found[1] == {charter, ledger}

        await ferry.until(are_proven)
        assert "ledger" in await shown_at(mill, ferry)
        asked = TilesGet(1, ledger, (TileWanted(0, 0, 2),))
        refused = await mill.node.read(lambda read: answer_request(read, ferry.node.community, asked))
        assert isinstance(refused, Refused)
        assert refused.code == "lane_not_served"


def verified(tmp_path: Path, raw: bytes, *keys: str):
    path = tmp_path / "proof.txt"
    path.write_bytes(raw)
    return verify_file(path, KnownKeys(vkeys=keys))


def test_a_fork_proof_is_judged_offline_with_the_log_key_alone(tmp_path: Path) -> None:
    """It holds, fails, or cannot be judged; and it says in words what it means, in both languages."""
    key = VerifierKey(TRADE.text, ED25519, LOG.public).vkey
    found = verified(tmp_path, fork(5, 9), key)
    assert (found.kind, found.verdict, found.size, found.other_size) == ("fork", "holds", 9, 5)
    assert (found.lane, found.epoch) == ("trade", 0)
    assert "two histories" in render_verification(found)
    assert "两份历史" in render_verification(found, "zh-Hans")
    unknown = verified(tmp_path, fork(5, 9))
    assert (unknown.verdict, unknown.size) == ("not_opened", 9)
    same = make_fork(head([b"x" * 32] * 4, 4), head([b"x" * 32] * 4, 4), LOG.public)
    fails = verified(tmp_path, same, key)
    assert (fails.verdict, fails.code) == ("fails", "fork_not_shown")
    assert "two histories" not in render_verification(fails)
    assert verified(tmp_path, b"wildgrass/v1/fork\n", key).code == "fork_malformed"
    with pytest.raises(AuditError):
        verified(tmp_path, b"wildgrass/v1/forks\n", key)


def test_every_byte_of_a_fork_proof_counts(tmp_path: Path) -> None:
    """Changed anywhere, it accuses nobody: neither the form nor a signature nor a hash has room for it."""
    key = VerifierKey(TRADE.text, ED25519, LOG.public).vkey
    good = fork(5, 9)
    for index in range(len(good)):
        changed = bytearray(good)
        changed[index] ^= 1
        if index < len(b"wildgrass/v1/fork\n"):
            with pytest.raises(AuditError):
                verified(tmp_path, bytes(changed), key)
        else:
            assert verified(tmp_path, bytes(changed), key).verdict != "holds", index
