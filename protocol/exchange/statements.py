"""Statements: small files that prove themselves and travel to everybody, at once (PROTOCOL.md section 23).

A fork proof or a successor note has to reach whoever holds anything of that community, followed or not. The
machine knows them by their digests: two that meet compare what they hold, ask for what they lack, and push
what is new. What a statement says is the store's to judge, and whatever the store keeps, from a peer or from
this node itself, is told in the same way.

    exchange = Exchange(Statements())
    exchange.handle(StatementsGrown(), now_ms)       # the store has kept one
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from itertools import product
from typing import Any, ClassVar

from protocol.exchange.bounds import LIMITS, Bounds
from protocol.exchange.frames import (
    Answer,
    Statement,
    StatementDigests,
    StatementGet,
    StatementNews,
    StatementsSince,
)
from protocol.exchange.holding import Blame
from protocol.exchange.machine import AskPeer, PeerAnswered, Tell
from protocol.exchange.replication_events import (
    ForkProven,
    FrameReceived,
    PeerClosed,
    PeerOpened,
    Send,
    WakeAt,
    WishesChanged,
    Woken,
)
from protocol.identity.keys import HASH_BYTES
from protocol.limits import (
    POLL_MS,
    STATEMENTS_ASKED_MAX,
    STATEMENTS_JUDGED_MAX,
    STATEMENTS_LISTED_MAX,
    STATEMENTS_OF_ONE_MAX,
    STATEMENTS_OF_ONE_MIN,
    STATEMENTS_PAGE_MAX,
    STATEMENTS_PASSED_MAX,
)
from protocol.log.fork import FIRST_LINE, parse_fork

BEFORE_ALL = bytes(HASH_BYTES)


@dataclass(frozen=True, slots=True)
class StatementsGrown:
    """The store has kept statements that this machine has not been told."""


@dataclass(frozen=True, slots=True)
class StatementsLoaded:
    """What the store holds: at first all digests, later the texts that are new. `through` is its newest number."""

    through: int
    digests: tuple[bytes, ...]
    texts: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class StatementJudged:
    """The store has judged: kept or known where `code` is empty; blamed where the sender should have known."""

    peer: bytes
    digest: bytes
    code: str = ""
    is_blamed: bool = False


@dataclass(frozen=True, slots=True)
class StatementUnjudged:
    """The store could not judge just now; it is met again in a peer's list."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class LoadStatements:
    """Ask the store for what came after its number `after`; None: for the digests of all."""

    after: int | None


@dataclass(frozen=True, slots=True)
class JudgeStatement:
    """Have the store judge a statement, keep it if it holds, and say so."""

    peer: bytes
    text: bytes


class State(Enum):
    """What is known of the store."""

    UNASKED = "the store was not asked"
    LOADING = "asking the store"
    READY = "in step with the store"
    BEHIND = "asking the store, which has grown since"


@dataclass(frozen=True, slots=True)
class _ForList:
    """The request asks which statements the peer holds."""


@dataclass(slots=True)
class _Peer:
    """An open peer: what it is known to hold, and what is still to be asked of it."""

    listed_ms: int
    holds: set[bytes] = field(default_factory=set)
    wanted: dict[bytes, None] = field(default_factory=dict)
    asked: set[bytes] = field(default_factory=set)
    listed: int = 0


def digest_of(text: bytes) -> bytes:
    """Return the digest by which a statement is known: the SHA-256 of its bytes."""
    return sha256(text).digest()


def summary_of(digests: set[bytes]) -> bytes:
    """Return the SHA-256 over all digests in rising order: equal where two nodes hold the same."""
    return sha256(b"".join(sorted(digests))).digest()


def make_digests_page(question: StatementsSince, held: set[bytes]) -> StatementDigests:
    """Return the answer of a node that holds these digests."""
    if question.summary == summary_of(held):
        return StatementDigests(question.number, has_more=False, digests=())
    later = sorted(digest for digest in held if digest > question.after)
    page = tuple(later[:STATEMENTS_PAGE_MAX])
    return StatementDigests(question.number, has_more=len(later) > len(page), digests=page)


class Statements:
    """The machine of everything that travels to everybody."""

    HEARS: ClassVar[frozenset[type]] = frozenset(
        {
            PeerOpened,
            PeerClosed,
            WishesChanged,
            StatementsGrown,
            StatementsLoaded,
            StatementJudged,
            StatementUnjudged,
        }
    )
    FRAMES: ClassVar[frozenset[type]] = frozenset({StatementNews})

    def __init__(self, bounds: Bounds = LIMITS) -> None:
        """Start without knowing what the store holds: it is asked when the first peer comes."""
        self._bounds = bounds
        self.state = State.UNASKED
        self._through: int | None = None
        self._held: set[bytes] = set()
        self._passed: dict[bytes, None] = {}
        self._judged: set[bytes] = set()
        self._peers: dict[bytes, _Peer] = {}

    @property
    def held(self) -> frozenset[bytes]:
        """The digests of what the store holds, as far as it was told."""
        return frozenset(self._held)

    @property
    def remembered(self) -> int:
        """How many digests are in memory because of what peers said."""
        of_peers = sum(len(peer.holds) + len(peer.wanted) + len(peer.asked) for peer in self._peers.values())
        return len(self._passed) + len(self._judged) + of_peers

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order."""
        move = self._MOVES.get((self.state, type(event)))
        return move(self, event, now_ms) if move else []

    # What the store holds.

    def _load_all(self, event: PeerOpened | StatementsGrown, now_ms: int) -> list[Any]:
        self.state = State.LOADING
        opened = self._peer_opened(event, now_ms) if isinstance(event, PeerOpened) else []
        return [LoadStatements(None), *opened]

    def _load_later(self, _event: StatementsGrown, _now_ms: int) -> list[Any]:
        self.state = State.LOADING
        return [LoadStatements(self._through)]

    def _note_growth(self, _event: StatementsGrown, _now_ms: int) -> list[Any]:
        self.state = State.BEHIND  # the answer that is on its way may be older than this
        return []

    def _loaded(self, event: StatementsLoaded, now_ms: int) -> list[Any]:
        """The first answer lets the peers be asked; a later one brings what they are told."""
        is_first = self._through is None
        is_behind = self.state is State.BEHIND
        self.state = State.LOADING if is_behind else State.READY
        self._through = max(self._through or 0, event.through)
        self._held.update(event.digests)
        effects: list[Any] = [LoadStatements(self._through)] if is_behind else []
        for text in event.texts:
            effects += self._spread(text)
        if is_first:
            effects += [ask for peer in self._peers for ask in self._ask_list(peer, now_ms)]
        return effects

    def _spread(self, text: bytes) -> list[Any]:
        """Push one to everybody who is not known to have it; a forked lane is stopped here before that."""
        digest = digest_of(text)
        self._held.add(digest)
        is_fork = text.startswith(FIRST_LINE + b"\n")
        told: list[Any] = [Tell(ForkProven(parse_fork(text).origin))] if is_fork else []
        for name, peer in self._peers.items():
            peer.wanted.pop(digest, None)
            if digest not in peer.holds:
                self._note(peer, digest)
                told.append(Send(name, StatementNews(text)))
        return told

    # Peers.

    def _peer_opened(self, event: PeerOpened, now_ms: int) -> list[Any]:
        """Ask a newcomer what it holds; it may bring the genesis that some statement waits for."""
        is_first = not self._peers
        self._peers[event.peer] = _Peer(now_ms)
        self._passed.clear()
        wake = [WakeAt(now_ms + POLL_MS)] if is_first else []
        return [*wake, *self._ask_list(event.peer, now_ms)]

    def _peer_closed(self, event: PeerClosed, _now_ms: int) -> list[Any]:
        self._peers.pop(event.peer, None)
        return []

    def _wishes_changed(self, _event: WishesChanged, _now_ms: int) -> list[Any]:
        self._passed.clear()
        return []

    def _woken(self, _event: Woken, now_ms: int) -> list[Any]:
        """One peer in turn is asked again, for a push may have been lost; and so is a store that did not answer."""
        if not self._peers:
            return []
        longest_ago = min(self._peers, key=lambda name: self._peers[name].listed_ms)
        is_waiting = self.state in (State.LOADING, State.BEHIND)
        load = [LoadStatements(self._through)] if is_waiting else []
        return [*load, *self._ask_list(longest_ago, now_ms), WakeAt(now_ms + POLL_MS)]

    def _ask_list(self, name: bytes, now_ms: int, after: bytes = BEFORE_ALL) -> list[Any]:
        if self._through is None:
            return []  # asked once the store has said what it holds
        peer = self._peers[name]
        peer.listed_ms = now_ms
        peer.listed = 0 if after == BEFORE_ALL else peer.listed
        return [AskPeer(name, StatementsSince(0, summary_of(self._held), after), _ForList())]

    # What peers say.

    def _pushed(self, event: FrameReceived, _now_ms: int) -> list[Any]:
        if not isinstance(event.frame, StatementNews) or event.peer not in self._peers:
            return []
        return self._judge(event.peer, event.frame.text)

    def _answered(self, event: PeerAnswered, now_ms: int) -> list[Any]:
        peer = self._peers.get(event.peer)
        if peer is None:
            return []
        if isinstance(event.about, _ForList):
            return self._listed(event.peer, peer, event.answer, now_ms)
        assert isinstance(event.about, bytes), "this machine asks for lists and for digests"
        peer.asked.discard(event.about)
        if not isinstance(event.answer, Statement):
            peer.wanted.clear()  # refused or silent: its list is asked for again in its turn
            return []
        if digest_of(event.answer.text) != event.about:
            peer.wanted.clear()
            return [Blame(event.peer, "statement_other_digest")]
        return [*self._judge(event.peer, event.answer.text), *self._ask_texts(event.peer)]

    def _listed(self, name: bytes, peer: _Peer, answer: Answer | None, now_ms: int) -> list[Any]:
        if not isinstance(answer, StatementDigests):
            return []
        digests = answer.digests
        if list(digests) != sorted(set(digests)) or (answer.has_more and not digests):
            return [Blame(name, "statements_unsorted")]
        for digest in digests:
            self._note(peer, digest)
            if self._is_lacking(digest) and self._has_room(len(peer.wanted)):
                peer.wanted[digest] = None
        peer.listed += len(digests)
        has_room = self._has_room(len(peer.wanted))  # else the rest is met in the next list
        is_more_wanted = answer.has_more and has_room and peer.listed < STATEMENTS_LISTED_MAX
        more = self._ask_list(name, now_ms, digests[-1]) if is_more_wanted else []
        return [*more, *self._ask_texts(name)]

    def _ask_texts(self, name: bytes) -> list[Any]:
        """Ask for what is lacking and asked of nobody else, a few at a time."""
        peer = self._peers[name]
        elsewhere = {digest for other in self._peers.values() for digest in other.asked}
        asks: list[Any] = []
        for digest in list(peer.wanted):
            if len(peer.asked) >= STATEMENTS_ASKED_MAX:
                break
            del peer.wanted[digest]
            if self._is_lacking(digest) and digest not in elsewhere:
                peer.asked.add(digest)
                asks.append(AskPeer(name, StatementGet(0, digest), digest))
        return asks

    def _has_room(self, count: int) -> bool:
        """Whether one more digest is remembered of a peer, of which there are so many already."""
        if count < STATEMENTS_OF_ONE_MIN:
            return True
        in_all = sum(len(peer.holds) + len(peer.wanted) for peer in self._peers.values())
        return count < STATEMENTS_OF_ONE_MAX and in_all < self._bounds.statements_noted

    def _note(self, peer: _Peer, digest: bytes) -> None:
        """Remember that a peer holds a statement; what is not remembered costs it one copy too many."""
        if self._has_room(len(peer.holds)):
            peer.holds.add(digest)

    def _is_lacking(self, digest: bytes) -> bool:
        return not (digest in self._held or digest in self._passed or digest in self._judged)

    def _judge(self, name: bytes, text: bytes) -> list[Any]:
        """Have it judged unless that was done; what finds no room now is found in the peer's list later."""
        digest = digest_of(text)
        self._note(self._peers[name], digest)
        if not self._is_lacking(digest) or len(self._judged) >= STATEMENTS_JUDGED_MAX:
            return []
        self._judged.add(digest)
        return [JudgeStatement(name, text)]

    def _unjudged(self, event: StatementUnjudged, _now_ms: int) -> list[Any]:
        self._judged.discard(event.digest)
        return []

    def _judged_one(self, event: StatementJudged, _now_ms: int) -> list[Any]:
        self._judged.discard(event.digest)
        if not event.code:
            self._held.add(event.digest)
            return []
        while len(self._passed) >= STATEMENTS_PASSED_MAX:
            del self._passed[next(iter(self._passed))]
        self._passed[event.digest] = None
        return [Blame(event.peer, event.code)] if event.is_blamed else []

    # The legal moves. What is not listed is late and changes nothing.
    _ALWAYS: ClassVar[Mapping[type, Callable[..., list[Any]]]] = {
        PeerClosed: _peer_closed,
        WishesChanged: _wishes_changed,
        FrameReceived: _pushed,
        PeerAnswered: _answered,
        StatementJudged: _judged_one,
        StatementUnjudged: _unjudged,
        Woken: _woken,
    }
    _MOVES: ClassVar[Mapping[tuple[State, type], Callable[..., list[Any]]]] = {
        **{(state, event): move for state, (event, move) in product(State, _ALWAYS.items())},
        (State.UNASKED, PeerOpened): _load_all,
        (State.UNASKED, StatementsGrown): _load_all,
        (State.LOADING, PeerOpened): _peer_opened,
        (State.LOADING, StatementsGrown): _note_growth,
        (State.LOADING, StatementsLoaded): _loaded,
        (State.READY, PeerOpened): _peer_opened,
        (State.READY, StatementsGrown): _load_later,
        (State.BEHIND, PeerOpened): _peer_opened,
        (State.BEHIND, StatementsLoaded): _loaded,
    }
