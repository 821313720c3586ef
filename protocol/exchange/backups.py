"""What a community gives its peers to keep: its key box and its sealed payloads (PROTOCOL.md section 25.4).

One peer after the other is asked what it holds, and given what it lacks, a frame at a time. Which peers are
asked to keep anything, and what there is to give, is the store's to say.

    exchange = Exchange(Backups())
    exchange.handle(BackupGrown(), now_ms)       # there is something new to give
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any, ClassVar

from protocol.exchange.frames import BackupGive, BackupHeld, BackupKept, BackupState, SealedObject
from protocol.exchange.machine import AskPeer, PeerAnswered
from protocol.exchange.replication_events import PeerClosed, PeerOpened, WakeAt, Woken
from protocol.limits import BACKUP_MS, BACKUP_WAIT_MS, POLL_MS


@dataclass(frozen=True, slots=True)
class BackupGrown:
    """There may be something that peers were not given yet: a sealed payload, or another key box."""


@dataclass(frozen=True, slots=True)
class BackupLoaded:
    """What a peer is to be given next; `is_keeper` says whether it is asked to keep anything of ours at all.

    `key_box` is empty where the peer has it; without `objects` nothing is left to give.
    """

    peer: bytes
    is_keeper: bool
    key_box: bytes = b""
    objects: tuple[SealedObject, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadBackup:
    """Ask the store what a peer lacks; it answers with `BackupLoaded`.

    `box_hash` is of the key box that the peer has, as far as it said; `copies` is how many copies it says it
    holds, None where it was not asked just now. `kept` are copies that it has just acknowledged.
    """

    peer: bytes
    box_hash: bytes = b""
    copies: int | None = None
    kept: tuple[bytes, ...] = ()


class State(Enum):
    """Where a peer stands."""

    LOADING = "asking the store"
    ASKING = "asking the peer what it holds"
    GIVING = "handing over"
    RESTING = "has all that it keeps"


@dataclass(slots=True)
class _Peer:
    state: State = State.LOADING
    is_asked: bool = False
    box_hash: bytes = b""
    given: BackupGive | None = None
    due_ms: int = 0


class Backups:
    """The machine of everything that peers keep for us."""

    HEARS: ClassVar[frozenset[type]] = frozenset({PeerOpened, PeerClosed, BackupGrown, BackupLoaded})
    FRAMES: ClassVar[frozenset[type]] = frozenset()

    def __init__(self) -> None:
        """Start without peers."""
        self._peers: dict[bytes, _Peer] = {}

    @property
    def states(self) -> Mapping[bytes, State]:
        """Where each open peer stands."""
        return {name: peer.state for name, peer in self._peers.items()}

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order."""
        if isinstance(event, PeerOpened):
            self._peers[event.peer] = _Peer()
            return [LoadBackup(event.peer)]
        if isinstance(event, BackupGrown | Woken):
            effects = [effect for name in self._peers for effect in self._move(name, event, now_ms)]
            return [*effects, *self._wake()]
        if event.peer not in self._peers:
            return []
        if isinstance(event, PeerClosed):
            del self._peers[event.peer]
            return []
        return [*self._move(event.peer, event, now_ms), *self._wake()]

    def _move(self, name: bytes, event: Any, now_ms: int) -> list[Any]:
        peer = self._peers[name]
        move = self._MOVES.get((peer.state, type(event)))
        return move(self, name, peer, event, now_ms) if move else []

    def _loaded(self, name: bytes, peer: _Peer, event: BackupLoaded, now_ms: int) -> list[Any]:
        if not event.is_keeper:
            return self._rest(peer, now_ms)
        if not peer.is_asked:
            peer.state = State.ASKING
            return [AskPeer(name, BackupState(0), "state")]
        if not event.key_box and not event.objects:
            return self._rest(peer, now_ms)
        peer.state = State.GIVING
        peer.given = BackupGive(0, event.key_box, event.objects)
        return [AskPeer(name, peer.given, "give")]

    def _told(self, name: bytes, peer: _Peer, event: PeerAnswered, now_ms: int) -> list[Any]:
        if not isinstance(event.answer, BackupHeld):
            return self._rest(peer, now_ms, POLL_MS)
        peer.is_asked, peer.state = True, State.LOADING
        peer.box_hash = event.answer.box_hash
        return [LoadBackup(name, peer.box_hash, event.answer.copies)]

    def _given(self, name: bytes, peer: _Peer, event: PeerAnswered, now_ms: int) -> list[Any]:
        """Go on as long as the peer takes something; one that is full is asked again much later."""
        given, peer.given = peer.given, None
        assert given is not None, "an answer comes to what was given"
        if not isinstance(event.answer, BackupKept):
            return self._rest(peer, now_ms, POLL_MS)
        if given.key_box:
            peer.box_hash = sha256(given.key_box).digest()
        handed = {item.commitment for item in given.objects}
        kept = tuple(commitment for commitment in event.answer.kept if commitment in handed)
        if given.objects and not kept:
            return self._rest(peer, now_ms)
        peer.state = State.LOADING
        return [LoadBackup(name, peer.box_hash, None, kept)]

    def _grown(self, _name: bytes, peer: _Peer, _event: BackupGrown, now_ms: int) -> list[Any]:
        peer.due_ms = min(peer.due_ms, now_ms + BACKUP_WAIT_MS)
        return []

    def _woken(self, name: bytes, peer: _Peer, _event: Woken, now_ms: int) -> list[Any]:
        if now_ms < peer.due_ms:
            return []
        peer.state = State.LOADING
        return [LoadBackup(name, peer.box_hash)]

    def _rest(self, peer: _Peer, now_ms: int, rest_ms: int = BACKUP_MS) -> list[Any]:
        peer.state, peer.due_ms = State.RESTING, now_ms + rest_ms
        return []

    def _wake(self) -> list[Any]:
        due = [peer.due_ms for peer in self._peers.values() if peer.state is State.RESTING]
        return [WakeAt(min(due))] if due else []

    # The legal moves. What is not listed is late and changes nothing; what is new is met by the next question.
    _MOVES: ClassVar[Mapping[tuple[State, type], Callable[..., list[Any]]]] = {
        (State.LOADING, BackupLoaded): _loaded,
        (State.ASKING, PeerAnswered): _told,
        (State.GIVING, PeerAnswered): _given,
        (State.RESTING, BackupGrown): _grown,
        (State.RESTING, Woken): _woken,
    }
