"""Two stewards compare four words, and their communities trust each other (PROTOCOL.md section 26.5).

A session proves which community is at the other end, but not that it is the one next door: its name is what it
says itself. Both sides commit to a nonce before either shows one, so that somebody in between, who has a session
with each, cannot choose nonces until the words are the same: it has one try in 2^44.

    pairing = Pairing(own_community)
    effects = pairing.handle(PairingStarted(peer, nonce), now_ms)
    pairing.with_peer(peer).numbers
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import sha256
from typing import Any, ClassVar

from protocol.encoding import encode
from protocol.exchange.frames import Frame, PairCancel, PairCommit, PairConfirm, PairReveal
from protocol.exchange.replication_events import (
    FrameReceived,
    PeerClosed,
    PeerOpened,
    Send,
    WakeAt,
    Woken,
)
from protocol.exchange.trust_events import (
    PairingCancelled,
    PairingConfirmed,
    PairingStarted,
    SettlingFailed,
    TrustPeer,
)
from protocol.limits import PAIRING_MS, PAIRINGS_MAX

COMMIT_DOMAIN = b"wildgrass/v1/pairing-commitment\n"
WORDS_DOMAIN = b"wildgrass/v1/pairing-words\n"
WORDS = 4
_WORD_BITS = 11


class Step(Enum):
    """Where the two stand, as this side sees it."""

    STARTED = "started"  # here somebody clicked, there nobody yet
    OFFERED = "offered"  # there somebody clicked, here nobody yet
    REVEALING = "revealing"  # both committed: the nonces are on their way
    COMPARING = "comparing"  # the words are shown
    CONFIRMED = "confirmed"  # here they were said to be equal, there not yet
    AGREED = "agreed"  # there they were said to be equal, here not yet
    TRUSTED = "trusted"  # both said so
    ENDED = "ended"  # broken off, for the reason `code`


_OPEN = (Step.STARTED, Step.OFFERED, Step.REVEALING, Step.COMPARING, Step.CONFIRMED, Step.AGREED)


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """One pairing: `numbers` are the four words, each 0 to 2047, once both nonces are known."""

    step: Step
    until_ms: int
    nonce: bytes = b""
    commitment: bytes = b""
    numbers: tuple[int, ...] = ()
    code: str = ""


def commitment_of(community: bytes, nonce: bytes) -> bytes:
    """Return what a community says first: a nonce of 32 random bytes that it cannot change any more."""
    return sha256(COMMIT_DOMAIN + community + nonce).digest()


def numbers_of(nonces: Mapping[bytes, bytes]) -> tuple[int, ...]:
    """Return the numbers of the words of two communities, from the nonce of each."""
    said = [part for community in sorted(nonces) for part in (community, nonces[community])]
    digest = int.from_bytes(sha256(WORDS_DOMAIN + encode(said)).digest(), "big")
    return tuple(digest >> 256 - _WORD_BITS * (place + 1) & 2**_WORD_BITS - 1 for place in range(WORDS))


class Pairing:
    """The machine of one node's pairings, at most one with each peer in session."""

    HEARS: ClassVar[frozenset[type]] = frozenset(
        {PairingStarted, PairingConfirmed, PairingCancelled, SettlingFailed, PeerOpened, PeerClosed}
    )
    FRAMES: ClassVar[frozenset[type]] = frozenset({PairCommit, PairReveal, PairConfirm, PairCancel})

    def __init__(self, own: bytes) -> None:
        """Take the own community."""
        self._own = own
        self._open: set[bytes] = set()
        self._pairs: dict[bytes, Pair] = {}

    def with_peer(self, peer: bytes) -> Pair | None:
        """Return where the pairing with a peer stands, None where there is none."""
        return self._pairs.get(peer)

    @property
    def pairs(self) -> Mapping[bytes, Pair]:
        """All pairings."""
        return self._pairs

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order; what is not legal in a step changes nothing."""
        if isinstance(event, Woken):
            effects = self._expire(now_ms)
        elif isinstance(event, SettlingFailed):
            effects = self._not_settled(event)
        elif isinstance(event, PeerOpened):
            self._open.add(event.peer)
            self._pairs.pop(event.peer, None)
            effects = []
        elif event.peer not in self._open:
            effects = []
        elif isinstance(event, FrameReceived):
            effects = self._move(event.peer, type(event.frame), event.frame, now_ms)
        elif isinstance(event, PeerClosed):
            self._open.discard(event.peer)
            effects = self._move(event.peer, PeerClosed, event, now_ms)
        else:
            effects = self._move(event.peer, type(event), event, now_ms)
        return [*effects, *self._wake()]

    def _move(self, peer: bytes, kind: type, said: Any, now_ms: int) -> list[Any]:
        pair = self._pairs.get(peer)
        step = pair.step if pair else None
        move = self._MOVES.get((step, kind))
        if move is not None:
            return move(self, peer, pair, said, now_ms)
        if kind in self.FRAMES and pair is not None and step in _OPEN:
            return self._break_off(peer, pair, "pairing_mismatch")
        return []

    # A steward here.

    def _start(self, peer: bytes, _pair: Pair | None, said: PairingStarted, now_ms: int) -> list[Any]:
        self._pairs[peer] = Pair(Step.STARTED, now_ms + PAIRING_MS, nonce=said.nonce)
        return [Send(peer, PairCommit(commitment_of(self._own, said.nonce)))]

    def _answer(self, peer: bytes, pair: Pair, said: PairingStarted, now_ms: int) -> list[Any]:
        self._pairs[peer] = replace(pair, step=Step.REVEALING, nonce=said.nonce, until_ms=now_ms + PAIRING_MS)
        commit = PairCommit(commitment_of(self._own, said.nonce))
        return [Send(peer, commit), Send(peer, PairReveal(said.nonce))]

    def _confirm(self, peer: bytes, pair: Pair, _said: Any, _now_ms: int) -> list[Any]:
        self._pairs[peer] = replace(pair, step=Step.CONFIRMED)
        return [Send(peer, PairConfirm())]

    def _confirm_last(self, peer: bytes, pair: Pair, _said: Any, _now_ms: int) -> list[Any]:
        self._pairs[peer] = replace(pair, step=Step.TRUSTED)
        return [Send(peer, PairConfirm()), TrustPeer(peer)]

    def _cancel(self, peer: bytes, pair: Pair, _said: Any, _now_ms: int) -> list[Any]:
        return self._break_off(peer, pair, "pairing_cancelled")

    def _forget(self, peer: bytes, _pair: Pair, _said: Any, _now_ms: int) -> list[Any]:
        del self._pairs[peer]
        return []

    # The peer.

    def _offered(self, peer: bytes, _pair: Pair | None, said: PairCommit, now_ms: int) -> list[Any]:
        if sum(pair.step is Step.OFFERED for pair in self._pairs.values()) >= PAIRINGS_MAX:
            return [Send(peer, PairCancel("pairings_too_many"))]
        self._pairs[peer] = Pair(Step.OFFERED, now_ms + PAIRING_MS, commitment=said.commitment)
        return []

    def _committed(self, peer: bytes, pair: Pair, said: PairCommit, _now_ms: int) -> list[Any]:
        self._pairs[peer] = replace(pair, step=Step.REVEALING, commitment=said.commitment)
        return [Send(peer, PairReveal(pair.nonce))]

    def _revealed(self, peer: bytes, pair: Pair, said: PairReveal, _now_ms: int) -> list[Any]:
        if commitment_of(peer, said.nonce) != pair.commitment:
            return self._break_off(peer, pair, "pairing_mismatch")
        numbers = numbers_of({self._own: pair.nonce, peer: said.nonce})
        self._pairs[peer] = replace(pair, step=Step.COMPARING, numbers=numbers)
        return []

    def _peer_confirmed(self, peer: bytes, pair: Pair, _said: Frame, _now_ms: int) -> list[Any]:
        self._pairs[peer] = replace(pair, step=Step.AGREED)
        return []

    def _peer_confirmed_last(self, peer: bytes, pair: Pair, _said: Frame, _now_ms: int) -> list[Any]:
        self._pairs[peer] = replace(pair, step=Step.TRUSTED)
        return [TrustPeer(peer)]

    def _peer_cancelled(self, peer: bytes, pair: Pair, said: PairCancel, _now_ms: int) -> list[Any]:
        code = said.code if said.code in _CANCEL_CODES else "pairing_cancelled"
        self._end(peer, pair, code)
        return []

    # The end.

    def _closed(self, peer: bytes, pair: Pair, _said: Any, _now_ms: int) -> list[Any]:
        self._end(peer, pair, "session_lost")
        return []

    def _break_off(self, peer: bytes, pair: Pair, code: str) -> list[Any]:
        self._end(peer, pair, code)
        return [Send(peer, PairCancel(code))]

    def _end(self, peer: bytes, pair: Pair, code: str) -> None:
        if pair.step is Step.OFFERED:
            del self._pairs[peer]  # nobody here has done anything that would have to be explained
        else:
            self._pairs[peer] = Pair(Step.ENDED, pair.until_ms, code=code)

    def _not_settled(self, event: SettlingFailed) -> list[Any]:
        """The words were equal, and the charter cannot be written just now: the stewards begin again."""
        pair = self._pairs.get(event.effect.peer) if isinstance(event.effect, TrustPeer) else None
        if pair is not None and isinstance(event.effect, TrustPeer):
            self._end(event.effect.peer, pair, "store_unavailable")
        return []

    def _expire(self, now_ms: int) -> list[Any]:
        effects: list[Any] = []
        for peer, pair in list(self._pairs.items()):
            if pair.until_ms > now_ms:
                continue
            if pair.step in _OPEN:
                shown = replace(pair, until_ms=now_ms + PAIRING_MS)
                effects += self._break_off(peer, shown, "pairing_expired")
            else:
                del self._pairs[peer]  # what ended was shown for long enough
        return effects

    def _wake(self) -> list[Any]:
        return [WakeAt(min(pair.until_ms for pair in self._pairs.values()))] if self._pairs else []

    _MOVES: ClassVar[Mapping[tuple[Step | None, type], Callable[..., list[Any]]]] = {
        (None, PairingStarted): _start,
        (Step.ENDED, PairingStarted): _start,
        (Step.TRUSTED, PairingStarted): _start,
        (Step.OFFERED, PairingStarted): _answer,
        (Step.COMPARING, PairingConfirmed): _confirm,
        (Step.AGREED, PairingConfirmed): _confirm_last,
        (Step.ENDED, PairingCancelled): _forget,
        (Step.TRUSTED, PairingCancelled): _forget,
        (Step.STARTED, PairingCancelled): _cancel,
        (Step.OFFERED, PairingCancelled): _cancel,
        (Step.REVEALING, PairingCancelled): _cancel,
        (Step.COMPARING, PairingCancelled): _cancel,
        (Step.CONFIRMED, PairingCancelled): _cancel,
        (Step.AGREED, PairingCancelled): _cancel,
        (None, PairCommit): _offered,
        (Step.ENDED, PairCommit): _offered,
        (Step.TRUSTED, PairCommit): _offered,
        (Step.STARTED, PairCommit): _committed,
        (Step.REVEALING, PairReveal): _revealed,
        (Step.COMPARING, PairConfirm): _peer_confirmed,
        (Step.CONFIRMED, PairConfirm): _peer_confirmed_last,
        (Step.STARTED, PairCancel): _peer_cancelled,
        (Step.OFFERED, PairCancel): _peer_cancelled,
        (Step.REVEALING, PairCancel): _peer_cancelled,
        (Step.COMPARING, PairCancel): _peer_cancelled,
        (Step.CONFIRMED, PairCancel): _peer_cancelled,
        (Step.AGREED, PairCancel): _peer_cancelled,
        (Step.STARTED, PeerClosed): _closed,
        (Step.OFFERED, PeerClosed): _closed,
        (Step.REVEALING, PeerClosed): _closed,
        (Step.COMPARING, PeerClosed): _closed,
        (Step.CONFIRMED, PeerClosed): _closed,
        (Step.AGREED, PeerClosed): _closed,
    }


_CANCEL_CODES = frozenset({"pairing_cancelled", "pairing_expired", "pairing_mismatch", "pairings_too_many"})
