"""The writer closes an epoch and opens the next: nothing is lost, nothing is said twice, killed at any step."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from node.epochs import learn_successor
from node.errors import NodeError
from node.writer.inbox import EpochEnd
from node.writer.own_lanes import Signer
from node.writer.transaction import Transaction
from protocol.dict_state import DictState
from protocol.fold import Fold
from protocol.identity.keys import SigningKey
from protocol.identity.succession import make_chain
from protocol.identity.successor import EpochKeys, SealedLane, parse_successor
from protocol.lanes.kind import CHARTER, Lane
from protocol.log.checkpoint import open_checkpoint
from protocol.log.note import parse_note
from protocol.log.origin import Origin
from storage.errors import StorageError
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.successors import successor_notes
from storage.views.reading import StateReader
from tests.successors import log_key_of, note_of
from tests.village import MARKET, Village, VillageEntries
from tests.writer.test_lane_writer import House

NoteMaker = Callable[[Mapping[str, SealedLane]], bytes]


def end_of(house: House, make: NoteMaker | None = None) -> EpochEnd:
    """Close the epoch by the next key; `make` gives another note for the lanes."""

    def succeed(signer: Signer, lanes: Mapping[str, SealedLane]) -> tuple[bytes, Signer]:
        key = log_key_of(house.village, signer.epoch + 1)
        note = make(lanes) if make else note_of(house.village, epoch=signer.epoch, lanes=lanes)
        return note, Signer(signer.community, signer.epoch + 1, key)

    return EpochEnd(succeed)


def reopened(folder: Path, village: Village, epoch: int, key: SigningKey | None) -> House:
    """The house again, with the key of an epoch."""
    house = House(folder, village)
    house.writer._signer = Signer(village.community, epoch, key)
    house.writer._own.begin_epoch(house.writer._signer)
    house.writer.start()
    return house


@pytest.fixture
def village() -> Village:
    return Village("shop", lanes=())


@pytest.fixture
def house(tmp_path: Path, village: Village) -> Iterator[House]:
    house = House(tmp_path, village).start()
    yield house
    house.stop()


def notes_in(house: House) -> dict[int, list[bytes]]:
    with house.store.read() as connection:
        return successor_notes(connection, house.village.community)


def heads_in(house: House) -> dict[tuple[str, int], int]:
    with house.store.read() as connection:
        return {(head.lane, head.epoch): head.size for head in HeadStore(connection).heads()}


async def test_every_lane_goes_on_in_the_next_epoch_under_the_next_key(house: House) -> None:
    """The old heads cover all that was said; each lane begins again with what it continues, signed anew."""
    await house.publish("bakery")
    signer = await house.writer.end_epoch(end_of(house))
    assert (signer.epoch, house.writer.epoch) == (1, 1)
    reference = await house.publish("butcher")
    assert (reference.epoch, reference.index) == (1, 1)
    house.writer.stop()
    assert heads_in(house) == {(CHARTER, 0): 2, (MARKET, 0): 2, (CHARTER, 1): 1, (MARKET, 1): 2}
    sealed = parse_successor(parse_note(notes_in(house)[0][0]).text).lanes
    with house.store.read() as connection:
        for head in HeadStore(connection).heads():
            key = house.village.log if head.epoch == 0 else house.village.next_log
            origin = Origin(head.community, head.lane, head.epoch)
            root = open_checkpoint(head.note, origin.text, key.public).root
            assert head.epoch or sealed[head.lane] == (head.size, root)


async def test_the_state_of_the_writer_is_that_of_whoever_folds_lanes_and_note(house: House) -> None:
    """Two epochs on: every row of the node's state is the one that an auditor computes."""
    for name in ("bakery", "butcher", "grocer"):
        await house.publish(name)
        await house.writer.end_epoch(end_of(house))
    await house.publish("tailor")
    house.writer.stop()
    village = house.village
    state = DictState()
    fold = Fold(state, VillageEntries([village]))
    with house.store.read() as connection:
        chain = make_chain(
            EpochKeys.of_genesis(
                village.community, StateReader(connection).get("community", (village.community,)).genesis
            ),
            notes_in(house),
        )
        assert chain.epoch == 3
        for closing in chain.closings:
            fold.seal(village.community, closing.epoch, closing.lanes)
        lanes = LaneStore(connection)
        for lane in sorted(
            lanes.lanes(village.community), key=lambda lane: (lane.lane != CHARTER, lane.epoch)
        ):
            entries = lanes.entries(lane.lane_key, 0, lanes.size(lane.lane_key))
            folded = fold.feed(Lane(village.community, lane.lane), epoch=lane.epoch, start=0, entries=entries)
            assert folded.outcomes == []
        found = StateReader(connection)
        for (table, key), value in state.rows.items():
            assert found.get(table, key) == value


async def test_what_cannot_be_signed_does_not_close_an_epoch(house: House) -> None:
    """A node that may not sign keeps its epoch, and says why."""
    await house.publish("bakery")
    house.writer.stop_signing(NodeError("store_restored"))
    with pytest.raises(NodeError) as refused:
        await house.writer.end_epoch(end_of(house))
    assert refused.value.code == "store_restored"
    assert notes_in(house) == {}


async def test_a_rotation_that_is_given_up_changes_nothing(house: House) -> None:
    """The note could not be made: the epoch goes on with its key."""

    def fail(lanes: Mapping[str, SealedLane]) -> bytes:
        raise NodeError("words_refused")

    await house.publish("bakery")
    with pytest.raises(NodeError):
        await house.writer.end_epoch(end_of(house, fail))
    assert (await house.publish("butcher")).epoch == 0


async def test_a_full_disk_while_the_note_is_kept_leaves_the_epoch_open(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction with the note fails: the old key goes on, and another try succeeds."""
    import node.writer.lane_writer as module

    def full(*_: object) -> None:
        raise StorageError("storage_full", "")

    await house.publish("bakery")
    with monkeypatch.context() as patched:
        patched.setattr(module, "keep_successor", full)
        with pytest.raises(StorageError):
            await house.writer.end_epoch(end_of(house))
    assert (await house.publish("butcher")).epoch == 0
    await house.writer.end_epoch(end_of(house))
    assert (await house.publish("grocer")).epoch == 1


async def test_killed_between_note_and_openings_the_start_opens_the_epoch(
    tmp_path: Path, village: Village
) -> None:
    """The note is on the disk and no lane of the new epoch is: the next start goes on under the new key."""
    house = House(tmp_path, village).start()
    await house.publish("bakery")
    house.writer.stop()
    with house.store.write() as connection:
        sealed = {
            lane.lane: SealedLane(
                LaneStore(connection).size(lane.lane_key),
                LaneStore(connection).compact_range(lane.lane_key).root(),
            )
            for lane in LaneStore(connection).lanes()
        }
        learn_successor(StateReader(connection), note_of(village, lanes=sealed))
    house.store.close()
    house.guard.close()
    house = reopened(tmp_path, village, 1, village.next_log)
    assert (await house.publish("butcher")).epoch == 1
    house.stop()


async def test_the_stolen_box_is_dead_once_it_hears_of_the_note(house: House) -> None:
    """Recovery sheets moved the community on elsewhere: this machine says so, and signs nothing more."""
    await house.publish("bakery")
    elsewhere = note_of(house.village, by="recovery", log=SigningKey(b"e" * 32), lanes=sealed_now(house))

    def learn(transaction: Transaction) -> None:
        learned = learn_successor(transaction, elsewhere)
        transaction.note_succession(learned.community)

    await house.writer.run(learn)
    with pytest.raises(NodeError) as refused:
        await house.publish("butcher")
    assert refused.value.code == "epoch_closed"
    assert house.writer.refuses_because is not None


async def test_a_start_without_the_key_of_the_epoch_reads_and_does_not_sign(
    tmp_path: Path, village: Village
) -> None:
    """An epoch is open whose key is elsewhere."""
    house = House(tmp_path, village).start()
    await house.publish("bakery")
    sealed = sealed_now(house)
    house.stop()
    house = House(tmp_path, village)
    with house.store.write() as connection:
        learn_successor(StateReader(connection), note_of(village, lanes=sealed))
    house.stop()
    house = reopened(tmp_path, village, 1, None)
    with pytest.raises(NodeError) as refused:
        await house.publish("butcher")
    assert refused.value.code == "epoch_closed"
    house.stop()


def sealed_now(house: House) -> dict[str, SealedLane]:
    with house.store.read() as connection:
        store = LaneStore(connection)
        return {
            lane.lane: SealedLane(store.size(lane.lane_key), store.compact_range(lane.lane_key).root())
            for lane in store.lanes()
        }
