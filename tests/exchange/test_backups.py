"""What peers keep for us: each is asked once what it holds, and given what it lacks, whatever comes in between."""

from hashlib import sha256
from itertools import product
from typing import Any

import pytest

from protocol.exchange.backups import BackupGrown, BackupLoaded, Backups, LoadBackup, State
from protocol.exchange.frames import (
    BackupGive,
    BackupHeld,
    BackupKept,
    BackupState,
    Refused,
    SealedObject,
    WrappedKey,
)
from protocol.exchange.machine import AskPeer, PeerAnswered
from protocol.exchange.replication_events import PeerClosed, PeerOpened, WakeAt, Woken
from protocol.limits import BACKUP_MS, BACKUP_WAIT_MS

P = b"P" * 32
BOX = b"the key box"
PARTS = tuple(SealedObject(bytes([n]) * 32, b"sealed", (WrappedKey(b"r" * 32, b"w" * 80),)) for n in range(3))
NOTHING = BackupLoaded(P, is_keeper=True)
HELD = PeerAnswered(P, "state", BackupHeld(1, b"", 0))


def kept(*parts: SealedObject) -> PeerAnswered:
    return PeerAnswered(P, "give", BackupKept(2, tuple(part.commitment for part in parts)))


def run(*events: Any, now_ms: int = 0) -> tuple[Backups, list[Any]]:
    machine = Backups()
    return machine, [effect for event in events for effect in machine.handle(event, now_ms)]


def test_a_keeper_is_asked_what_it_holds_and_given_what_it_lacks() -> None:
    """Box and parts go over, what it acknowledges is told to the store, and it rests when nothing is left."""
    machine, effects = run(
        PeerOpened(P, 8), NOTHING, HELD, BackupLoaded(P, True, BOX, PARTS), kept(*PARTS), NOTHING
    )
    assert effects == [
        LoadBackup(P),
        AskPeer(P, BackupState(0), "state"),
        LoadBackup(P, b"", 0),
        AskPeer(P, BackupGive(0, BOX, PARTS), "give"),
        LoadBackup(P, sha256(BOX).digest(), None, tuple(part.commitment for part in PARTS)),
        WakeAt(BACKUP_MS),
    ]
    assert machine.states == {P: State.RESTING}


def test_a_stranger_is_asked_nothing() -> None:
    """Whoever is no keeper hears nothing of all this."""
    _, effects = run(PeerOpened(P, 8), BackupLoaded(P, is_keeper=False))
    assert effects == [LoadBackup(P), WakeAt(BACKUP_MS)]


def test_a_full_keeper_is_left_in_peace_for_an_hour() -> None:
    """It acknowledges none of what it was given: the machine does not try again at once."""
    machine, effects = run(PeerOpened(P, 8), NOTHING, HELD, BackupLoaded(P, True, b"", PARTS), kept())
    assert effects[-1] == WakeAt(BACKUP_MS)
    assert machine.states == {P: State.RESTING}


def test_a_keeper_cannot_acknowledge_what_it_was_not_given() -> None:
    """Only what was in the frame counts as kept."""
    _, effects = run(PeerOpened(P, 8), NOTHING, HELD, BackupLoaded(P, True, b"", PARTS[:1]), kept(*PARTS))
    assert effects[-1] == LoadBackup(P, b"", None, (PARTS[0].commitment,))


def test_what_is_new_gathers_for_a_moment() -> None:
    """Twenty orders in a second are one question to the store."""
    machine, _ = run(PeerOpened(P, 8), NOTHING, HELD, NOTHING)
    for _ in range(20):
        assert machine.handle(BackupGrown(), 1_000) == [WakeAt(1_000 + BACKUP_WAIT_MS)]
    assert machine.handle(Woken(), 1_000) == [WakeAt(1_000 + BACKUP_WAIT_MS)]
    assert machine.handle(Woken(), 1_000 + BACKUP_WAIT_MS) == [LoadBackup(P)]


WAYS: dict[State, tuple[Any, ...]] = {
    State.LOADING: (),
    State.ASKING: (NOTHING,),
    State.GIVING: (NOTHING, HELD, BackupLoaded(P, True, BOX, PARTS)),
    State.RESTING: (NOTHING, HELD, NOTHING),
}
EVENTS: dict[str, Any] = {
    "nothing left": NOTHING,
    "no keeper": BackupLoaded(P, is_keeper=False),
    "something": BackupLoaded(P, True, BOX, PARTS),
    "held": HELD,
    "kept": kept(*PARTS),
    "refused": PeerAnswered(P, "give", Refused(2, "backup_not_kept", "")),
    "unanswered": PeerAnswered(P, "give", None, "session_lost"),
    "grown": BackupGrown(),
    "woken": Woken(),
}
NEXT: dict[tuple[State, str], State] = {
    **{(state, name): state for state, name in product(State, EVENTS)},
    (State.LOADING, "nothing left"): State.ASKING,
    (State.LOADING, "no keeper"): State.RESTING,
    (State.LOADING, "something"): State.ASKING,
    (State.ASKING, "held"): State.LOADING,
    (State.ASKING, "kept"): State.RESTING,
    (State.ASKING, "refused"): State.RESTING,
    (State.ASKING, "unanswered"): State.RESTING,
    (State.GIVING, "kept"): State.LOADING,
    (State.GIVING, "held"): State.RESTING,
    (State.GIVING, "refused"): State.RESTING,
    (State.GIVING, "unanswered"): State.RESTING,
    (State.RESTING, "woken"): State.LOADING,
}


@pytest.mark.parametrize(("state", "name"), list(product(State, EVENTS)))
def test_every_state_of_a_peer_meets_every_event(state: State, name: str) -> None:
    """Each pair ends where the table says; a closed session ends them all."""
    machine, _ = run(PeerOpened(P, 8), *WAYS[state])
    assert machine.states[P] is state
    machine.handle(EVENTS[name], BACKUP_MS)
    assert machine.states[P] is NEXT[state, name]
    machine.handle(PeerClosed(P), BACKUP_MS)
    assert machine.states == {}
    assert machine.handle(EVENTS[name], BACKUP_MS) == []
