"""A statement about a community reaches nodes that know it only by name, over real sessions and stores."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from node.actions.peers import PeerAddress, add_peer
from node.statements import Verdict, keep_statement
from node.vault.kit import Kit, entropy_of_words
from node.writer.transaction import Transaction
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.identity.recovery import derive_recovery_seeds
from protocol.identity.successor import Successor, make_successor
from protocol.limits import STATEMENTS_OF_COMMUNITY_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.fork import make_fork
from protocol.log.origin import Origin
from storage.evidence import add_evidence, evidence_about
from storage.successors import SUCCESSOR
from tests.pages.neighbour_nodes import Community, opened_community


def next_keys(kit: Kit, epoch: int) -> SigningKey:
    seeds = derive_recovery_seeds(entropy_of_words(kit.words), next_epoch=epoch)
    return SigningKey(seeds.next_log)


def successor_note(kit: Kit, *, time_ms: int = 1_800_000_000_000, key: SigningKey | None = None) -> bytes:
    log = key or next_keys(kit, 1)
    successor = Successor(
        community=kit.community,
        epoch=0,
        time_ms=time_ms,
        log_key=log.public,
        next_log_key_hash=log_key_hash(next_keys(kit, 2).public),
        lanes={},
    )
    return make_successor(successor, log=log)


def keep(text: bytes) -> Callable[[Transaction], Verdict]:
    return lambda transaction: keep_statement(transaction, text)


async def kept(at: Community, about: bytes) -> list[bytes]:
    return await at.node.read(
        lambda read: [found.note for found in evidence_about(read.connection, about, SUCCESSOR)]
    )


async def test_a_successor_note_reaches_whoever_knows_the_community(tmp_path: Path) -> None:
    """The community publishes it, the middle passes it on, and the last one has only met the first."""
    kits: list[Kit] = []
    async with AsyncExitStack() as stack:
        first, middle, last = [
            await stack.enter_async_context(opened_community(tmp_path / name, name, keep_kit=kits.append))
            for name in ("Orchard", "Mill", "Ferry")
        ]
        for other in (first, middle):
            await add_peer(last.node, PeerAddress(address=other.address, community=other.id))
        await add_peer(middle.node, PeerAddress(address=first.address, community=first.id))
        note = successor_note(kits[0])

        async def have_met() -> bool:
            return all(len(each.node.federation_service.connected()) == 2 for each in (first, middle, last))

        await last.until(have_met)
        assert await first.node.write(keep(note)) == Verdict()

        async def has_it() -> bool:
            return (
                await kept(last, first.node.community) == [note] == await kept(middle, first.node.community)
            )

        await last.until(has_it)


async def test_what_does_not_hold_is_blamed_and_what_is_not_known_is_not(tmp_path: Path) -> None:
    """By the rules of section 23.2, in their order."""
    kits: list[Kit] = []
    async with (
        opened_community(tmp_path / "a", "Orchard", keep_kit=kits.append) as orchard,
        opened_community(tmp_path / "b", "Ferry", keep_kit=kits.append) as ferry,
    ):
        stolen = successor_note(kits[0], key=SigningKey(b"\x07" * 32))
        verdicts = {
            b"wildgrass/v1/later\n": Verdict("statement_unknown"),
            b"wildgrass/v1/successor\nand more\n": Verdict("note_malformed", is_blamed=True),
            stolen: Verdict("successor_not_authorised", is_blamed=True),
            successor_note(kits[1]): Verdict("statement_undecided"),
        }
        for text, verdict in verdicts.items():
            assert await orchard.node.write(keep(text)) == verdict
        note = successor_note(kits[0])
        twice = await orchard.node.write(
            lambda transaction: [keep(note)(transaction), keep(note)(transaction)]
        )
        assert twice == [Verdict(), Verdict()], "again is no harm"
        assert len(await kept(orchard, kits[0].community)) == 1
        assert await kept(orchard, ferry.node.community) == []


async def test_one_community_fills_no_store(tmp_path: Path) -> None:
    """The holder of the log key could fork lanes without end; the note that ends it has room all the same."""
    kits: list[Kit] = []
    async with opened_community(tmp_path / "a", "Orchard", keep_kit=kits.append) as orchard:

        def fill(transaction: Transaction) -> None:
            for number in range(STATEMENTS_OF_COMMUNITY_MAX):
                add_evidence(transaction.connection, kits[0].community, 7, "other", b"%d" % number)

        await orchard.node.write(fill)
        log = orchard.node.vault.log_keys[0]
        notes = [
            make_checkpoint_note(Checkpoint(Origin(kits[0].community, "pets", 0).text, 1, root), log)
            for root in (b"a" * 32, b"b" * 32)
        ]
        assert await orchard.node.write(keep(make_fork(*notes, log.public))) == Verdict("statements_full")
        assert await orchard.node.write(keep(successor_note(kits[0]))) == Verdict()
