"""A new log key by the words, a quorum of sheets by a prepared note: nothing by a thief, nothing half done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from node.actions.buying import OrderDraft, place_order
from node.actions.keys import (
    CancellationQuery,
    KeysQuery,
    NoteChoice,
    PreparationDraft,
    RotationDraft,
    SignedNote,
    cancel_note,
    choose_note,
    combine_note,
    prepare_note,
    rotate_keys,
    show_keys,
)
from node.actions.order_book import show_order
from node.actions.selling import OrderName, accept_order
from node.actions.shops import ShopDraft, publish_shop
from node.config import read_sources
from node.core import Node
from node.epochs import epoch_chain, learn_successor
from node.errors import NodeError
from node.opening import opened_node
from node.recovery.succession import make_note
from node.vault import Kit, entropy_of_words, found_community, has_vault, open_vault
from node.vault.kit import words_of_entropy
from node.writer.clock import system_clock
from node.writer.transaction import Transaction
from protocol.errors import ProtocolError
from protocol.identity.keys import SigningKey, to_base32
from protocol.identity.recovery import derive_recovery_seeds
from protocol.identity.succession import EpochChain
from protocol.identity.successor import Successor, add_recovery_signature, make_successor
from protocol.lanes.kind import Key
from tests.actions.test_one_community import DETAILS, open_shop

SECOND, THIRD = bytes(16), b"third sheet's 16"


async def learn_of(node: Node, *notes: bytes) -> None:
    """Have successor notes of the node's own community come from elsewhere."""

    def learn(transaction: Transaction) -> None:
        for note in notes:
            learn_successor(transaction, note)
        transaction.note_succession(node.community)

    await node.write(learn)


def sheet_key(entropy: bytes) -> SigningKey:
    return SigningKey(derive_recovery_seeds(entropy, next_epoch=1).recovery)


def key_text(entropy: bytes) -> str:
    return to_base32(sheet_key(entropy).public)


class House:
    """A folder with a community, and its words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kits: list[Kit] = []

    @property
    def words(self) -> str:
        return self.kits[0].words

    @property
    def entropy(self) -> bytes:
        return entropy_of_words(self.words)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Node]:
        if not has_vault(self.folder):
            found_community(
                self.folder,
                name={"en": "Orchard"},
                currency="EUR",
                words_language="en",
                now_ms=system_clock(),
                keep_kit=self.kits.append,
            )
        settings = read_sources(flags={"folder": str(self.folder)}, environment={}).settings()
        async with opened_node(settings, open_vault(self.folder), on_advance=lambda advance: None) as node:
            yield node


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home")


async def publish(node: Node, name: str) -> int:
    return (await publish_shop(node, ShopDraft(sector="food", name={"en": name}))).record.epoch


async def test_the_words_open_the_next_epoch_and_orders_on_their_way_go_on(house: House) -> None:
    """An order that was placed before is accepted after; the same sheet rotates again, after a restart too."""
    async with house.open() as node:
        line = await open_shop(node)
        draft = OrderDraft(seller=to_base32(node.community), lines=[line], details=DETAILS)
        placed = await place_order(node, draft)
        assert (await rotate_keys(node, RotationDraft(words=house.words))).epoch == 1
        name = OrderName(buyer=to_base32(node.community), order_id=placed.order_id)
        await accept_order(node, name)
        assert (await show_order(node, name)).status == "accepted"
    async with house.open() as node:
        assert node.epoch == 1
        assert (await rotate_keys(node, RotationDraft(words=house.words))).epoch == 2
        assert await publish(node, "after") == 2
        assert (await show_keys(node, KeysQuery())).epoch == 2


async def test_two_stewards_at_once_open_one_epoch(house: House) -> None:
    """Both click: one note closes the epoch, the other is told that it came too late, and all goes on."""
    async with house.open() as node:
        await publish(node, "before")
        draft = RotationDraft(words=house.words)
        done = await asyncio.gather(
            rotate_keys(node, draft), rotate_keys(node, draft), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in done) == ["NodeError", "RotatedAnswer"]
        assert await publish(node, "after") == 1
    async with house.open() as node:
        assert await publish(node, "after the restart") == 1


async def test_a_thief_with_the_box_cannot_rotate(house: House) -> None:
    """All live keys lie on the machine, and none of them opens an epoch; other words do not either."""
    async with house.open() as node:
        with pytest.raises(NodeError) as refused:
            await rotate_keys(node, RotationDraft(words=words_of_entropy(SECOND, "en")))
        assert refused.value.code == "words_of_another"
        assert await publish(node, "still here") == 0


async def shared_out(house: House, node: Node) -> None:
    """Two of three sheets are enough from here on."""
    keys = tuple(map(key_text, (house.entropy, SECOND, THIRD)))
    prepared = await prepare_note(node, PreparationDraft(words=house.words, recovery_keys=keys, threshold=2))
    raw = prepared.note.encode()
    for entropy in (SECOND, THIRD):
        raw = add_recovery_signature(raw, sheet_key(entropy))
    await combine_note(node, SignedNote(note=raw.decode()))


async def test_a_quorum_of_sheets_takes_the_place_of_one(house: House) -> None:
    """Prepared, carried, signed, combined; then one sheet alone cannot put another set in its place."""
    async with house.open() as node:
        await publish(node, "before")
        await shared_out(house, node)
        assert await publish(node, "after") == 1
        keys = await show_keys(node, KeysQuery())
        assert (keys.recovery_threshold, len(keys.recovery_keys), keys.is_prepared) == (2, 3, False)
        alone = PreparationDraft(words=house.words, recovery_keys=(key_text(house.entropy),), threshold=1)
        prepared = await prepare_note(node, alone)
        with pytest.raises(ProtocolError) as refused:
            await combine_note(node, SignedNote(note=prepared.note))
        assert refused.value.code == "successor_not_authorised"


async def test_a_prepared_note_stops_writing_also_over_a_restart_until_it_is_given_up(house: House) -> None:
    """It seals what stands now; another file than the one that was made is refused."""
    async with house.open() as node:
        await publish(node, "before")
        keys = (key_text(house.entropy), key_text(SECOND))
        draft = PreparationDraft(words=house.words, recovery_keys=keys, threshold=2)
        prepared = await prepare_note(node, draft)
        with pytest.raises(NodeError, match="waits for signatures"):
            await publish(node, "meanwhile")
    async with house.open() as node:
        with pytest.raises(NodeError, match="waits for signatures"):
            await publish(node, "meanwhile")
        with pytest.raises(ProtocolError):
            await combine_note(node, SignedNote(note=prepared.note))
        with pytest.raises(NodeError, match="waits for signatures"):
            await publish(node, "meanwhile")
        await cancel_note(node, CancellationQuery())
        assert await publish(node, "after") == 0
        with pytest.raises(NodeError, match="not the successor note"):
            await combine_note(node, SignedNote(note=prepared.note))


async def test_stewards_choose_between_two_notes_that_contradict_each_other(house: House) -> None:
    """Both hold: the node writes nothing until one is chosen, and then follows that one."""
    async with house.open() as node:
        await publish(node, "before")
        chain = await node.read(lambda read: epoch_chain(read, node.community))
        assert chain is not None
        notes = [make_note(chain, house.entropy, lanes={}, now_ms=now_ms).note for now_ms in (1, 2)]

        await learn_of(node, *notes)
        keys = await show_keys(node, KeysQuery())
        assert (keys.epoch, len(keys.contested)) == (0, 2)
        assert [(each.time_ms, each.authority, each.lanes) for each in keys.contested] == [
            (1, "quorum", {}),
            (2, "quorum", {}),
        ]
        chosen = await choose_note(
            node, NoteChoice(community=to_base32(node.community), note=keys.contested[1].note)
        )
        assert (chosen.epoch, chosen.contested) == (1, [])


class EmptyState:
    """What a reader sees of a community in the moment in which it is folded anew."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def get(self, table: str, key: Key) -> Any:
        return None


async def test_a_community_has_its_keys_also_while_it_is_folded_anew(house: House) -> None:
    """The first record of its charter says who it is; a community whose charter is not here is unknown."""
    async with house.open() as node:
        await rotate_keys(node, RotationDraft(words=house.words))
        known = await node.read(lambda read: epoch_chain(read, node.community))
        again = await node.read(lambda read: epoch_chain(EmptyState(read.connection), node.community))
        assert again == known
        assert await node.read(lambda read: epoch_chain(EmptyState(read.connection), bytes(32))) is None


async def test_a_note_that_contests_our_own_stops_writing_until_it_is_chosen_against(house: House) -> None:
    """Somebody with the sheet closed the same epoch elsewhere; the stewards hold to theirs, and it goes on."""
    async with house.open() as node:
        await publish(node, "before")
        chain = await node.read(lambda read: epoch_chain(read, node.community))
        assert chain is not None
        other = make_note(chain, house.entropy, lanes={}, now_ms=1).note
        await rotate_keys(node, RotationDraft(words=house.words))
        await publish(node, "in the new epoch")

        await learn_of(node, other)
        with pytest.raises(NodeError, match="contradict each other"):
            await publish(node, "while it is contested")
        names = [each.note for each in (await show_keys(node, KeysQuery())).contested]
        ours = await node.read(lambda read: epoch_chain(read, node.community))
        assert ours is not None
        mine = next(each for each in ours.contested if each.raw != other)
        assert to_base32(mine.name) in names
        await choose_note(node, NoteChoice(community=to_base32(node.community), note=to_base32(mine.name)))
        async with asyncio.timeout(60):
            while node.writer.refuses_because is not None:  # the state is folded anew first
                await node.write(lambda _transaction: None)
        assert await publish(node, "after") == 1


def of_another_key(chain: EpochChain, house: House) -> bytes:
    """A note by the same sheet that brings a key into force which is not on this machine."""
    closing, log = chain.newest, SigningKey(b"l" * 32)
    successor = Successor(
        community=closing.community,
        epoch=closing.epoch,
        time_ms=1,
        log_key=log.public,
        next_log_key_hash=bytes(32),
        lanes={},
    )
    return make_successor(successor, log=log, recovery=[sheet_key(house.entropy)])


async def contest(node: Node, house: House) -> tuple[str, str]:
    """Rotate, and learn of another's note about the same epoch; return the names of ours and of theirs."""
    await publish(node, "before")
    chain = await node.read(lambda read: epoch_chain(read, node.community))
    assert chain is not None
    other = of_another_key(chain, house)
    await rotate_keys(node, RotationDraft(words=house.words))
    await publish(node, "in the new epoch")

    await learn_of(node, other)
    found = await node.read(lambda read: epoch_chain(read, node.community))
    assert found is not None
    names = {each.raw == other: to_base32(each.name) for each in found.contested}
    return names[False], names[True]


async def settled_refusal(node: Node) -> str:
    """Why nothing is written once the state is folded anew; empty where it is."""
    async with asyncio.timeout(60):
        while not node.writer.backlog.is_folded:
            await node.write(lambda _transaction: None)
    await node.write(lambda _transaction: None)
    refusal = node.writer.refuses_because
    return refusal.code if refusal else ""


async def test_who_chooses_the_note_of_another_key_signs_nothing_with_their_own(house: House) -> None:
    """The epoch has the same number and another key: this machine's is not the one that counts."""
    async with house.open() as node:
        _ours, theirs = await contest(node, house)
        await choose_note(node, NoteChoice(community=to_base32(node.community), note=theirs))
        assert await settled_refusal(node) == "epoch_closed"
        with pytest.raises(NodeError, match="key"):
            await publish(node, "with a dead key")


async def test_a_contested_epoch_stays_so_over_a_restart_and_the_choice_needs_none(house: House) -> None:
    """Nothing is said in the epoch that both notes close; with our note chosen the writer takes its key at once."""
    async with house.open() as node:
        ours, _theirs = await contest(node, house)
    async with house.open() as node:
        assert await settled_refusal(node) == "epoch_contested"
        with pytest.raises(NodeError, match="contradict each other"):
            await publish(node, "while it is contested")
        await choose_note(node, NoteChoice(community=to_base32(node.community), note=ours))
        assert await settled_refusal(node) == ""
        assert node.epoch == 1
        assert await publish(node, "after") == 1
