"""Who asks for a key box proves a recovery key of now, here, once; nobody else learns that there is one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.backups import RecoveryDesk
from node.epochs import learn_successor
from protocol.exchange.frames import (
    Answer,
    Recovered,
    Recovery,
    RecoveryAsk,
    RecoveryChallenge,
    RecoveryProve,
    Refused,
)
from protocol.identity.keys import SigningKey
from protocol.identity.recovery import recovery_message
from protocol.identity.successor import RecoverySet, Successor, make_successor
from protocol.lanes.kind import CHARTER
from storage.backups import keep_box
from storage.engine import Store, open_store
from storage.peers import Peer, save_peer
from storage.views.reading import StateReader
from tests.village import Village

KEEPER, ASKER, OTHER = b"K" * 32, b"A" * 32, b"O" * 32
NONCE, BOX = b"n" * 32, b"the key box"


class Desk:
    """A keeper that holds the box of a village."""

    def __init__(self, folder: Path) -> None:
        self.village = Village("home")
        self.genesis = self.village.entries[CHARTER][0]
        self.store: Store = open_store(folder)
        self.desk = RecoveryDesk(KEEPER)
        with self.store.write() as connection:
            save_peer(connection, Peer(self.village.community, "", (), "followed", genesis=self.genesis))
            keep_box(connection, self.village.community, BOX, [self.village.recovery.public])

    def ask(self, key: SigningKey, *, asker: bytes = ASKER, nonce: bytes = NONCE) -> None:
        given = self.desk.challenge(asker, RecoveryAsk(1, key.public), nonce)
        assert given == RecoveryChallenge(1, nonce)

    def prove(
        self, key: SigningKey, *, asker: bytes = ASKER, keeper: bytes = KEEPER, nonce: bytes = NONCE
    ) -> Answer:
        message = recovery_message(keeper=keeper, asker=asker, nonce=nonce)
        with self.store.read() as connection:
            proof = RecoveryProve(2, key.public, key.sign(message))
            return self.desk.answer(StateReader(connection), asker, proof)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


def test_the_holder_of_the_recovery_key_is_given_the_box(desk: Desk) -> None:
    """With the genesis, so that a burnt machine learns its own community from it."""
    desk.ask(desk.village.recovery)
    assert desk.prove(desk.village.recovery) == Recovery(2, (Recovered(desk.genesis, BOX),))


def test_a_proof_is_good_once_and_only_for_this_keeper_asker_and_challenge(desk: Desk) -> None:
    """Nobody passes another keeper's challenge on as its own, or plays a proof again."""
    key = desk.village.recovery
    refused = Refused(2, "recovery_refused", "")
    assert desk.prove(key) == refused
    for wrong in ({"keeper": OTHER}, {"nonce": b"m" * 32}):
        desk.ask(key)
        assert desk.prove(key, **wrong) == refused
        assert desk.prove(key) == refused
    desk.ask(key)
    assert desk.prove(key, asker=OTHER) == refused
    assert isinstance(desk.prove(key), Recovery)
    assert desk.prove(key) == refused


def test_a_thief_with_all_live_keys_and_a_stranger_are_given_nothing(desk: Desk) -> None:
    """What lies on the stolen machine is no recovery key; that something is kept here is not said."""
    village = desk.village
    for key in (village.log, village.transport, village.witness, SigningKey(b"s" * 32)):
        desk.ask(key)
        assert desk.prove(key) == Recovery(2, ())


def test_a_sheet_that_was_replaced_is_given_nothing_more(desk: Desk) -> None:
    """A quorum note put another sheet in its place; the box waits for the new one."""
    village, sheet = desk.village, SigningKey(b"2" * 32)
    successor = Successor(
        community=village.community,
        epoch=0,
        time_ms=village.now_ms,
        log_key=SigningKey(b"l" * 32).public,
        next_log_key_hash=bytes(32),
        lanes={},
        recovery=RecoverySet(threshold=1, keys=(sheet.public,)),
    )
    note = make_successor(successor, log=SigningKey(b"l" * 32), recovery=[village.recovery, sheet])
    with desk.store.write() as connection:
        learn_successor(StateReader(connection), note)
    desk.ask(village.recovery)
    assert desk.prove(village.recovery) == Recovery(2, ())


def test_challenges_that_nobody_answers_are_bounded(desk: Desk) -> None:
    """The oldest gives way; memory does not grow with strangers."""
    for number in range(400):
        desk.ask(desk.village.recovery, asker=number.to_bytes(32, "big"))
    first, last = (number.to_bytes(32, "big") for number in (0, 399))
    assert isinstance(desk.prove(desk.village.recovery, asker=first), Refused)
    assert isinstance(desk.prove(desk.village.recovery, asker=last), Recovery)
