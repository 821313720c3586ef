"""The fold over another community's epochs: in whatever order lanes and notes come, the auditor's state."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from node.epochs import learn_successor
from protocol.encoding import encode
from protocol.errors import ProtocolError
from protocol.identity.genesis import Genesis
from protocol.identity.keys import SigningKey
from protocol.identity.successor import SealedLane
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import CHARTER, Lane
from protocol.log.merkle import leaf_hashes
from protocol.log.origin import Origin
from protocol.log.record import decode_record
from storage.evidence import evidence_about
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.peers import Peer, save_peer
from storage.state import digest
from storage.views.reading import StateReader
from tests.exchange.memory_store import sign_head
from tests.successors import note_of, seals_of
from tests.village import MARKET, Village, fold_all, object_id
from tests.writer.test_backlog import Reader


class Follower(Reader):
    """Takes lanes of any epoch, and notes."""

    def __init__(self, folder: Path, own: Village, other: Village) -> None:
        super().__init__(folder, own, other)
        genesis = other.entries_in(0)[CHARTER][0]
        assert isinstance(decode_record(genesis, BODY_TYPES).body, Genesis)
        with self.store.write() as connection:
            save_peer(connection, Peer(other.community, "", (), "followed", genesis=genesis))

    def take(self, epoch: int, lane: str, entries: list[bytes], *, start: int = 0) -> None:
        self.backlog.begin_group()
        with self.store.write() as connection, self.state.within(connection):
            lanes = LaneStore(connection)
            key = lanes.open_lane(self.other.community, lane, epoch)
            lanes.append(key, start, entries)
            self.backlog.note_stored(Lane(self.other.community, lane), epoch, lanes.size(key))
        self.backlog.end_group()

    def learn(self, note: bytes) -> None:
        self.backlog.begin_group()
        with self.store.write() as connection, self.state.within(connection):
            learned = learn_successor(StateReader(connection), note)
            self.backlog.note_succession(learned.community)
        self.backlog.end_group()

    def digest(self) -> bytes:
        self.fold_all()
        with self.store.read() as connection:
            return digest(connection)


def expected(*villages: Village) -> bytes:
    state, _ = fold_all(*villages)
    return sha256(b"".join(encode(list(row)) for row in state.dump())).digest()


def shop(village: Village, name: str) -> None:
    village.say(MARKET, "shop.published", shop_id=object_id(name), name={"en": name})


def two_rotations() -> tuple[Village, list[bytes]]:
    """Three epochs of one community, and the notes between them; two shops of epoch 0 are beyond its seal."""
    other = Village("other", lanes=(MARKET,))
    notes = []
    shop(other, "first")
    shop(other, "lost")
    shop(other, "lost too")
    for name in ("second", "third"):
        beyond = {MARKET: 2} if other.epoch == 0 else {}
        other.close_epoch(beyond)
        seals = {lane: SealedLane(*sealed) for lane, sealed in other.seals[-1].items()}
        notes.append(note_of(other, epoch=other.epoch - 1, lanes=seals))
        other.continue_lane(CHARTER)
        other.continue_lane(MARKET)
        shop(other, name)
    return other, notes


@pytest.mark.parametrize("number", range(4))
def test_lanes_and_notes_in_any_order_come_to_the_state_of_the_auditor(tmp_path: Path, number: int) -> None:
    """Also where the seal comes after what it makes void, so that all of it is folded anew."""
    other, notes = two_rotations()
    follower = Follower(tmp_path, Village("own", lanes=()), other)
    arrivals: list[Callable[[], None]] = [
        lambda epoch=epoch, lane=lane: follower.take(epoch, lane, other.entries_in(epoch)[lane])  # type: ignore[misc]  # bound at once
        for epoch in range(3)
        for lane in (CHARTER, MARKET)
    ]
    arrivals.append(lambda: [follower.learn(note) for note in notes] and None)
    chance = Random(number)
    chance.shuffle(arrivals)
    for arrive in arrivals:
        arrive()
        for _ in range(chance.randrange(4)):
            follower.backlog.step()
    assert follower.digest() == expected(other)
    follower.backlog.load()  # a start finds the same
    assert follower.digest() == expected(other)
    follower.store.close()


def test_a_note_by_a_thief_is_refused_with_its_code_and_harms_nothing(tmp_path: Path) -> None:
    """The live keys of a stolen box sign no note that holds; what was known stays as it was."""
    other, notes = two_rotations()
    follower = Follower(tmp_path, Village("own", lanes=()), other)
    for epoch in range(3):
        for lane in (CHARTER, MARKET):
            follower.take(epoch, lane, other.entries_in(epoch)[lane])
    for note in notes:
        follower.learn(note)
    before = follower.digest()
    for by_thief in (
        note_of(other, by="thief"),
        note_of(other, log=other.log),
        note_of(other, log=other.witness),
    ):
        with pytest.raises(ProtocolError) as refused:
            follower.learn(by_thief)
        assert refused.value.code in ("successor_not_authorised", "key_repeated")
    assert follower.digest() == before == expected(other)
    follower.store.close()


def test_two_quorum_notes_stop_the_follower_where_they_part(tmp_path: Path) -> None:
    """What was folded of the later epoch is taken back: the epoch is open again, and contested."""
    other, notes = two_rotations()
    follower = Follower(tmp_path, Village("own", lanes=()), other)
    one, another = (
        note_of(other, by="recovery", lanes=seals, log=SigningKey(word * 32))
        for word, seals in ((b"1", seals_of(other)), (b"2", {}))
    )
    for epoch in range(2):
        for lane in (CHARTER, MARKET):
            follower.take(epoch, lane, other.entries_in(epoch)[lane])
    follower.learn(notes[0])
    assert follower.digest()
    assert follower.folded_size(CHARTER) == len(other.entries_in(1)[CHARTER])
    follower.learn(one)
    follower.learn(another)
    follower.fold_all()
    with follower.store.read() as connection, follower.state.within(connection):
        folded = follower.fold.folded_size(Lane(other.community, CHARTER))
    assert folded == (0, len(other.entries_in(0)[CHARTER]))
    follower.store.close()


def test_the_branch_that_was_not_sealed_is_dropped_and_its_head_kept(tmp_path: Path) -> None:
    """Fork recovery: this follower held the other story; it goes, and the sealed one is folded in its place."""
    other = Village("other", lanes=(MARKET,))
    shop(other, "first")
    honest = list(other.entries[MARKET])
    follower = Follower(tmp_path, Village("own", lanes=()), other)
    forged = Village("other", lanes=(MARKET,))
    shop(forged, "forged")
    follower.take(0, CHARTER, other.entries[CHARTER])
    follower.take(0, MARKET, forged.entries[MARKET])
    follower.fold_all()
    note = note_of(other, by="recovery", log=SigningKey(b"n" * 32))
    other.close_epoch()
    follower.learn(note)
    follower.fold_all()
    assert follower.folded_size(MARKET) == 0
    follower.take(0, MARKET, honest)
    assert follower.digest() == expected(other)
    with follower.store.read() as connection:
        assert [found.kind for found in evidence_about(connection, other.community)] == ["successor"]
    follower.store.close()


def test_what_a_thief_said_in_an_epoch_is_dropped_when_another_key_opens_it(tmp_path: Path) -> None:
    """The thief's note came first and its epoch was followed; the quorum's note opens the same number anew."""
    other, stolen = Village("other", lanes=(MARKET,)), Village("other", lanes=(MARKET,))
    follower = Follower(tmp_path, Village("own", lanes=()), other)
    follower.take(0, CHARTER, other.entries[CHARTER])
    follower.take(0, MARKET, other.entries[MARKET])
    follower.learn(note_of(stolen))
    stolen.close_epoch()
    stolen.continue_lane(CHARTER)
    thief = stolen.entries[CHARTER]
    follower.take(1, CHARTER, thief)
    with follower.store.write() as connection:
        lanes = LaneStore(connection)
        key = lanes.lane_key(other.community, CHARTER, 1)
        assert key is not None
        head = sign_head(Origin(other.community, CHARTER, 1), leaf_hashes(thief), other.next_log)
        HeadStore(connection).set_head(key, head.size, head.root, head.note)
    follower.fold_all()
    rightful = SigningKey(b"r" * 32)
    follower.learn(note_of(other, by="recovery", log=rightful))
    follower.fold_all()
    with follower.store.read() as connection:
        key = LaneStore(connection).lane_key(other.community, CHARTER, 1)
        assert key is None or not LaneStore(connection).size(key)
        kinds = [found.kind for found in evidence_about(connection, other.community)]
    assert sorted(kinds) == ["refused_branch", "successor", "successor"]
    other.close_epoch()
    other.continue_lane(CHARTER)
    other.continue_lane(MARKET)
    shop(other, "rightful")
    follower.take(1, CHARTER, other.entries[CHARTER])
    follower.take(1, MARKET, other.entries[MARKET])
    assert follower.digest() == expected(other)
    follower.store.close()
