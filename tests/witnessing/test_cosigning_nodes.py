"""Real nodes cosign each other's heads: what is shown, what is refused, and what a restored store does."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from node.actions.listings import ListingDraft, ListingPlace, publish_listing, show_listing
from node.actions.peers import PeerAddress, add_peer
from node.actions.shops import ShopDraft, publish_shop
from node.actions.witnesses import (
    Seen,
    WitnessesDraft,
    WitnessesQuery,
    adopt_witnesses,
    list_witnesses,
    safe_threshold,
    seen_of,
)
from node.core import Node
from node.errors import NodeError
from node.peering import NodePeering
from node.witnessing import keep_cosignatures
from node.writer.transaction import Transaction
from protocol.exchange.frames import Answer, CosignGet, Refused
from protocol.exchange.heads import state_head
from protocol.identity.keys import SigningKey
from protocol.lanes.kind import CHARTER, Position
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.cosignature import cosignature_times, make_cosignature
from protocol.log.note import COSIGNATURE_V1, VerifierKey, format_note, parse_note
from protocol.log.origin import Origin, witness_name
from storage.evidence import evidence_about
from storage.guard import SigningMarks
from storage.heads import Head, HeadStore
from storage.lanes import LaneStore
from storage.schema.facts import signing_marks
from storage.views.reading import StateReader
from tests.pages.neighbour_nodes import Community, opened_community


def charter_of(community: Community) -> Origin:
    return Origin(community.node.community, CHARTER, 0)


async def head_of(origin: Origin, at: Node) -> Head | None:
    def question(read: StateReader) -> Head | None:
        key = LaneStore(read.connection).lane_key(origin.community, origin.lane, origin.epoch)
        return None if key is None else HeadStore(read.connection).head(key)

    return await at.read(question)


async def lines_of(origin: Origin, at: Node) -> set[str]:
    head = await head_of(origin, at)
    return {line.name for line in parse_note(head.note).signatures[1:]} if head else set()


@asynccontextmanager
async def village(folder: Path, *names: str) -> AsyncIterator[Sequence[Community]]:
    """The first is followed by all others, which it has met, and names them as its witnesses."""
    async with AsyncExitStack() as stack:
        communities = [
            await stack.enter_async_context(opened_community(folder / name, name)) for name in names
        ]
        first, others = communities[0], communities[1:]
        for other in others:
            await add_peer(other.node, PeerAddress(address=first.address, community=first.id))

        async def have_met() -> bool:
            return len(first.node.federation_service.connected()) == len(others)

        await first.until(have_met)
        draft = WitnessesDraft(witnesses=[other.id for other in others])
        await adopt_witnesses(first.node, draft)

        names = {witness_name(other.node.community) for other in others}

        async def is_cosigned() -> bool:
            return all([await lines_of(charter_of(first), each.node) == names for each in communities])

        await first.until(is_cosigned)
        yield communities


async def test_heads_are_cosigned_stored_spread_and_labelled(tmp_path: Path) -> None:
    """Both witnesses sign; the owner and a witness show "seen by 2 of 2", and the bytes prove it."""
    async with village(tmp_path, "Orchard", "Mill", "Ferry") as (orchard, mill, ferry):
        origin = charter_of(orchard)
        head = await head_of(origin, ferry.node)
        assert head is not None
        keys = [
            VerifierKey(witness_name(each.node.community), COSIGNATURE_V1, each.node.genesis.witness_key)
            for each in (mill, ferry)
        ]
        assert set(cosignature_times(parse_note(head.note), keys)) == set(keys)
        place = Position(origin.community, CHARTER, 0, head.size - 1)
        beyond = place._replace(index=head.size)
        for each in (orchard, ferry):
            seen = await each.node.read(lambda read: seen_of(read, [place, beyond]))
            assert seen == {
                place: Seen(by=2, of=2, is_witnessed=True),
                beyond: Seen(by=0, of=2, is_witnessed=False),
            }
        listed = await list_witnesses(orchard.node, WitnessesQuery())
        assert (listed.threshold, listed.advice, set(listed.witnesses)) == (2, 2, {mill.id, ferry.id})
        assert {lane.lane: set(lane.seen.values()) for lane in listed.lanes} == {CHARTER: {head.size}}


def test_the_advised_threshold_keeps_two_histories_apart() -> None:
    """With one bad witness of n, two quorums share an honest one; a single witness is all there is."""
    for count in range(2, 9):
        assert 2 * safe_threshold(count) - count > 1
        assert 2 * (safe_threshold(count) - 1) - count <= 1
    assert (safe_threshold(0), safe_threshold(1)) == (0, 1)


@dataclass
class Asker:
    """Somebody with the log's key, who asks the witness for whatever it likes."""

    witness: Node
    origin: Origin
    key: SigningKey
    roots: dict[int, bytes]

    async def ask(
        self,
        size: int,
        *,
        old: int = 0,
        root: bytes | None = None,
        proof: Sequence[bytes] = (),
        key: SigningKey | None = None,
        origin: Origin | None = None,
    ) -> Answer:
        checkpoint = Checkpoint((origin or self.origin).text, size, root or self.roots[size])
        head = state_head(make_checkpoint_note(checkpoint, key or self.key))
        return await NodePeering(self.witness).cosign(CosignGet(3, head, old, tuple(proof)))


async def asker_for(log: Community, witness: Community) -> Asker:
    """The roots of the log's charter at each size, which the asker may grow as it likes."""
    origin = charter_of(log)

    def question(read: StateReader) -> dict[int, bytes]:
        store = LaneStore(read.connection)
        key = store.lane_key(origin.community, origin.lane, origin.epoch)
        assert key is not None
        return {size: store.compact_range(key, size).root() for size in range(1, store.size(key) + 1)}

    roots = await log.node.read(question)
    return Asker(witness.node, origin, log.node.vault.log_keys[0], roots)


def code(answer: Answer) -> str:
    return answer.code if isinstance(answer, Refused) else type(answer).__name__


async def test_a_witness_cosigns_growth_and_nothing_else(tmp_path: Path) -> None:
    """By the words of the witness protocol: unknown logs, wrong keys, wrong sizes, other histories."""
    async with village(tmp_path, "Orchard", "Mill") as (orchard, mill):
        asker = await asker_for(orchard, mill)
        size = max(asker.roots)

        assert code(await asker.ask(size, old=size)) == "Cosigned", "the time is refreshed"
        assert code(await asker.ask(size, old=size - 1)) == "witness_size_mismatch"
        told = await asker.ask(size + 1, old=0, root=b"\1" * 32)
        assert isinstance(told, Refused)
        assert (told.code, told.about) == ("witness_size_mismatch", str(size))
        assert code(await asker.ask(size - 1, old=size)) == "witness_size_beyond"
        assert code(await asker.ask(size + 1, old=size, root=b"\1" * 32)) == "witness_proof_refused"
        stranger = SigningKey(b"\x03" * 32)
        assert code(await asker.ask(size, old=size, key=stranger)) == "note_signature_invalid"
        other = Origin(mill.node.community, CHARTER, 0)
        assert code(await asker.ask(size, old=size, origin=other)) == "witness_log_unknown"
        epoch = Origin(orchard.node.community, CHARTER, 1)
        assert code(await asker.ask(size, origin=epoch)) == "witness_log_unknown"


async def test_two_heads_of_one_size_are_evidence(tmp_path: Path) -> None:
    """The witness answers no, and keeps both signed heads for whoever asks."""
    async with village(tmp_path, "Orchard", "Mill") as (orchard, mill):
        asker = await asker_for(orchard, mill)
        size = max(asker.roots)
        assert code(await asker.ask(size, old=size, root=b"\1" * 32)) == "witness_proof_refused"
        kept = await mill.node.read(lambda read: evidence_about(read.connection, orchard.node.community))
        assert len(kept) == 1


async def test_a_witness_restored_from_an_old_copy_cosigns_no_second_history(tmp_path: Path) -> None:
    """Its store forgets what it cosigned; the guard does not, and a head with its own line reminds it."""
    async with village(tmp_path, "Orchard", "Mill") as (orchard, mill):
        asker = await asker_for(orchard, mill)
        size = max(asker.roots)

        await mill.node.write(
            lambda transaction: transaction.connection.execute(
                signing_marks.delete().where(signing_marks.c.community == orchard.node.community)
            )
        )
        assert code(await asker.ask(1, old=0)) == "witness_size_mismatch"
        head = await head_of(asker.origin, orchard.node)
        assert head is not None

        def remind(transaction: Transaction) -> int:
            keep_cosignatures(transaction, asker.origin, head.note)
            mark = SigningMarks(transaction.connection).mark(*place)
            return mark.size if mark else 0

        place = (orchard.node.community, CHARTER, 0)
        assert await mill.node.write(remind) == size
        assert code(await asker.ask(size, old=size)) == "Cosigned"


async def test_a_cosignature_that_does_not_hold_is_not_kept(tmp_path: Path) -> None:
    """By an unknown key, under another's name, of another root, or for another lane."""
    async with village(tmp_path, "Orchard", "Mill") as (orchard, mill):
        origin = charter_of(orchard)
        asker = await asker_for(orchard, mill)

        stranger, witness = SigningKey(b"\x03" * 32), mill.node.vault.witness

        async def keeps(note: bytes, name: str, key: SigningKey, *, text: str | None = None) -> bool:
            parsed = parse_note(note)
            line = make_cosignature(text or parsed.text, name=name, key=key, time_seconds=2**40)
            raw = format_note(parsed.with_signatures(line))
            return await orchard.node.write(lambda transaction: keep_cosignatures(transaction, origin, raw))

        size, mills = max(asker.roots), witness_name(mill.node.community)
        good = make_checkpoint_note(Checkpoint(origin.text, size, asker.roots[size]), asker.key)
        other_root = make_checkpoint_note(Checkpoint(origin.text, size, b"\1" * 32), asker.key)
        other_lane = Checkpoint(Origin(origin.community, "trade", 0).text, size, asker.roots[size]).text
        assert not await keeps(good, "other.example/witness", stranger)
        assert not await keeps(good, mills, stranger)
        assert not await keeps(good, mills, witness, text=other_lane)
        assert not await keeps(other_root, mills, witness)
        assert await keeps(good, mills, witness)
        assert not await keeps(good, mills, witness), "the same again is nothing new"


async def sell_cider(node: Node) -> str:
    shop = await publish_shop(node, ShopDraft(sector="food", name={"en": "Press"}))
    draft = ListingDraft(
        sector="food",
        shop_id=shop.shop_id,
        title={"en": "Cider"},
        price=FixedPrice(currency="EUR", amount_minor=450),
        unit_code="LTR",
        tax=Tax(tax_class="rate_700", rate_bp=700),
        fulfilment=["pickup"],
    )
    listing = await publish_listing(node, draft)
    origin = Origin(node.community, "market/food", 0)
    node.federation_service.ask_witnesses(origin, listing.record.index + 1)
    return listing.listing_id


async def test_a_listing_says_who_has_seen_it(tmp_path: Path) -> None:
    """With the first head of the market, here and at a neighbour; both answers count in one question."""
    async with village(tmp_path, "Orchard", "Mill") as (orchard, mill):
        listing = await sell_cider(orchard.node)
        place = ListingPlace(community=orchard.id, sector="food", listing_id=listing)

        async def is_seen() -> bool:
            try:
                shown = [await show_listing(each.node, place) for each in (orchard, mill)]
            except NodeError:
                return False
            return all(each.seen == Seen(by=1, of=1, is_witnessed=True) for each in shown)

        await orchard.until(is_seen)
