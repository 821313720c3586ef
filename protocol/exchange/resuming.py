"""Whether this node may sign: what peers hold of its own lanes is asked before its first signature (section 24).

A store that was restored from an old copy does not know what it has signed since; its peers do. So each side of a
session states first what it holds of the other's lanes. A node that somebody has ever acknowledged waits for the
answers of some of those who did; a head beyond its own stops it at once, and it signs on when its lanes are whole
again, or never in this epoch where they contradict it. While it signs, its own newest head may come back to it before
it hears of it from its store: then it holds its hand, and the store is asked before anything is doubted.

    exchange = Exchange(Resuming())
    exchange.handle(Started(), now_ms)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from protocol.errors import ProtocolError
from protocol.exchange.frames import StatedHead, YourHeads
from protocol.exchange.heads import read_offer, state_head
from protocol.exchange.holding import Blame, SignedHead
from protocol.exchange.machine import Tell
from protocol.exchange.replication_events import (
    ForkProven,
    FrameReceived,
    HeadsStated,
    LaneAdvanced,
    OwnHeadSeen,
    PeerClosed,
    PeerOpened,
    Send,
    WakeAt,
    Woken,
)
from protocol.exchange.shares import Shares
from protocol.limits import EARLY_STATEMENTS_MAX, HEADS_PAGE_MAX, START_ANSWERS_MAX, START_ANSWERS_MS
from protocol.log.origin import Origin

WAITING = "waiting_for_neighbours"
BEHIND = "store_restored"
FORKED = "own_lane_forked"


@dataclass(frozen=True, slots=True)
class Started:
    """The node has come up."""


@dataclass(frozen=True, slots=True)
class OwnHeadsLoaded:
    """What the store says of the community itself, in its open epoch.

    `heads` are those of its lanes, `log_public` the key that signs them, `acknowledged` the peers that have ever
    shown one of its heads; `is_forked` says that this epoch is proven to have two histories.
    """

    community: bytes
    epoch: int
    log_public: bytes
    heads: Mapping[Origin, SignedHead]
    acknowledged: frozenset[bytes]
    is_forked: bool = False


@dataclass(frozen=True, slots=True)
class HeadsOfLoaded:
    """The notes of all heads that the store holds of a peer's own lanes."""

    peer: bytes
    notes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AloneAsked:
    """A steward wants to go on without the answers."""


@dataclass(frozen=True, slots=True)
class LoadOwnHeads:
    """Ask the store for the own heads and who has acknowledged one."""


@dataclass(frozen=True, slots=True)
class LoadHeadsOf:
    """Ask the store what it holds of a peer's own lanes."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class NoteAcknowledged:
    """Remember, for every later start, that this peer has shown a head of ours."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class AllowSigning:
    """Say and sign from now on, if the guard agrees."""


@dataclass(frozen=True, slots=True)
class HoldSigning:
    """Say and sign nothing until one of the other two comes, soon; what is to be said waits."""


@dataclass(frozen=True, slots=True)
class StopSigning:
    """Say and sign nothing from now on; `code` tells people why."""

    code: str


@dataclass(slots=True)
class _Peer:
    """An open peer: whether it was told a head of its own, and whether all that it states of ours is understood."""

    is_told: bool = False
    is_understood: bool = True


@dataclass(slots=True)
class _Own:
    """The community itself, as the store has told and as it went on."""

    community: bytes
    epoch: int
    log_public: bytes
    heads: dict[Origin, SignedHead]
    asked: frozenset[bytes]
    acknowledged: set[bytes]
    doubts: dict[Origin, int] = field(default_factory=dict)
    is_forked: bool = False

    def is_beyond(self, origin: Origin, head: SignedHead) -> bool:
        known = self.heads.get(origin)
        if known is None or head.size != known.size:
            return known is None or head.size > known.size
        return head.root != known.root


class Resuming:
    """The machine that lets this node sign."""

    HEARS: ClassVar[frozenset[type]] = frozenset(
        {
            Started,
            OwnHeadsLoaded,
            HeadsOfLoaded,
            AloneAsked,
            PeerOpened,
            PeerClosed,
            LaneAdvanced,
            OwnHeadSeen,
            ForkProven,
        }
    )
    FRAMES: ClassVar[frozenset[type]] = frozenset({YourHeads})

    def __init__(self) -> None:
        """Start without knowing anything: nothing may be signed before the store has answered."""
        self._own: _Own | None = None
        self._peers: dict[bytes, _Peer] = {}
        self._answered: set[bytes] = set()
        self._suspects: dict[Origin, SignedHead] = {}
        self._early: dict[tuple[bytes, int], FrameReceived] = {}
        self._early_shares: Shares[int] = Shares(EARLY_STATEMENTS_MAX)
        self._early_count = 0
        self._is_confirmed = False
        self._told_at_ms = 0
        self._asked_again_at_ms = 0
        self._said: str | None = None

    @property
    def code(self) -> str | None:
        """Why nothing may be signed, empty where it may; None while the store is asked."""
        own = self._own
        if own is None:
            return None
        if own.is_forked:
            return FORKED
        if own.doubts:
            return BEHIND
        return "" if self._is_confirmed and not self._suspects else WAITING

    @property
    def answers(self) -> tuple[int, int]:
        """How many of those who were to be asked have answered, and how many there are."""
        asked = self._own.asked if self._own else frozenset()
        return len(self._answered & asked), len(asked)

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order."""
        effects = self._MOVES[type(event)](self, event, now_ms)
        return [*effects, *self._judge(now_ms)]

    # The start.

    def _started(self, _event: Started, now_ms: int) -> list[Any]:
        self._told_at_ms = now_ms + START_ANSWERS_MS
        return self._ask_store(now_ms)

    def _ask_store(self, now_ms: int) -> list[Any]:
        self._asked_again_at_ms = now_ms + START_ANSWERS_MS
        return [LoadOwnHeads(), WakeAt(self._asked_again_at_ms)]

    def _own_loaded(self, event: OwnHeadsLoaded, now_ms: int) -> list[Any]:
        """Learn who we are. Within one epoch a second answer takes nothing back that we or peers have shown."""
        before = self._own if self._own and self._own.epoch == event.epoch else None
        own = self._own = _Own(
            event.community,
            event.epoch,
            event.log_public,
            dict(event.heads),
            event.acknowledged,
            set(event.acknowledged),
            doubts=dict(before.doubts) if before else {},
            is_forked=event.is_forked or (before is not None and before.is_forked),
        )
        for origin, head in before.heads.items() if before else ():
            if origin not in own.heads or head.size > own.heads[origin].size:
                own.heads[origin] = head
        suspects, self._suspects = self._suspects, {}
        for origin, head in suspects.items():
            if origin.epoch == own.epoch and own.is_beyond(origin, head):
                self._doubt(own, origin, head)
        early, self._early = self._early, {}
        self._early_shares = Shares(EARLY_STATEMENTS_MAX)
        return [effect for frame in early.values() for effect in self._stated(frame, now_ms)]

    def _woken(self, _event: Woken, now_ms: int) -> list[Any]:
        is_asked = self._own is None or bool(self._suspects)
        return self._ask_store(now_ms) if is_asked and now_ms >= self._asked_again_at_ms else []

    def _alone_asked(self, _event: AloneAsked, _now_ms: int) -> list[Any]:
        """Go on without answers; never against one."""
        self._is_confirmed |= self.code == WAITING
        return []

    # What each side holds of the other's lanes.

    def _peer_opened(self, event: PeerOpened, _now_ms: int) -> list[Any]:
        self._peers[event.peer] = _Peer()
        return [LoadHeadsOf(event.peer)]

    def _peer_closed(self, event: PeerClosed, _now_ms: int) -> list[Any]:
        self._peers.pop(event.peer, None)
        for place in [place for place in self._early if place[0] == event.peer]:
            del self._early[place]
            self._early_shares.release(*place)
        return []

    def _heads_of_loaded(self, event: HeadsOfLoaded, _now_ms: int) -> list[Any]:
        """State them in pages, or that there are none."""
        peer = self._peers.get(event.peer)
        if peer is None:
            return []
        peer.is_told = bool(event.notes)
        heads = tuple(map(state_head, event.notes))
        starts = range(0, max(len(heads), 1), HEADS_PAGE_MAX)
        return [
            Send(
                event.peer,
                YourHeads(start + HEADS_PAGE_MAX < len(heads), heads[start : start + HEADS_PAGE_MAX]),
            )
            for start in starts
        ]

    def _lane_advanced(self, event: LaneAdvanced, _now_ms: int) -> list[Any]:
        """Our own lane went on; or one of a peer's, which hears so once: from then on it was acknowledged."""
        own, peer = self._own, self._peers.get(event.origin.community)
        if own is not None and event.origin.community == own.community:
            if event.origin.epoch > own.epoch:
                return [LoadOwnHeads()]
            own.heads[event.origin] = event.head
            if event.head.size >= own.doubts.get(event.origin, 0):
                own.doubts.pop(event.origin, None)
        elif peer is not None and not peer.is_told:
            peer.is_told = True
            return [
                Send(event.origin.community, YourHeads(has_more=False, heads=(state_head(event.head.note),)))
            ]
        return []

    def _stated(self, event: FrameReceived, _now_ms: int) -> list[Any]:
        """Hold what a peer states of our lanes against them, and have replication fetch what we lack."""
        own, peer, frame = self._own, self._peers.get(event.peer), event.frame
        if peer is None or not isinstance(frame, YourHeads):
            return []
        if own is None:
            self._keep_early(event.peer, event, frame)
            return []
        effects: list[Any] = []
        heads: list[StatedHead] = []
        for stated in frame.heads:
            try:
                is_ours = self._weigh(own, stated)
            except ProtocolError as error:
                effects.append(Blame(event.peer, error.code, error.detail))
                is_ours = False
            heads += [stated] if is_ours else []
            peer.is_understood &= is_ours
        if heads and event.peer not in own.acknowledged:
            own.acknowledged.add(event.peer)
            effects.append(NoteAcknowledged(event.peer))
        if not frame.has_more and peer.is_understood:
            self._answered.add(event.peer)
        return [*effects, *([Tell(HeadsStated(event.peer, tuple(heads)))] if heads else [])]

    def _keep_early(self, peer: bytes, event: FrameReceived, frame: YourHeads) -> None:
        """Keep what comes before the store has answered; whose pages find no room has not answered."""
        self._early_count += 1
        self._early[peer, self._early_count] = event
        self._early_shares.hold(peer, self._early_count, max(len(frame.heads), 1))
        while (place := self._early_shares.too_much()) is not None:
            del self._early[place]
            self._early_shares.release(*place)
            self._peers[place[0]].is_understood = False

    def _weigh(self, own: _Own, stated: StatedHead) -> bool:
        """Whether what is stated is a head of ours in an epoch that we know; a doubt where it is beyond what we have.

        Raises `ProtocolError` where it is no head that our key has signed.
        """
        offer = read_offer(stated)
        origin = offer.origin
        if origin.community != own.community or origin.epoch > own.epoch:
            return False  # of a later epoch that this store has forgotten: its successor note comes as a statement
        if origin.epoch == own.epoch:
            head = offer.open(own.log_public)
            if own.is_beyond(origin, head):
                self._suspect(own, origin, head)
        return True

    def _own_head_seen(self, event: OwnHeadSeen, _now_ms: int) -> list[Any]:
        if self._own is not None and self._own.is_beyond(event.origin, event.head):
            self._suspect(self._own, event.origin, event.head)
        return []

    def _suspect(self, own: _Own, origin: Origin, head: SignedHead) -> None:
        """While we sign, the head may be our own newest, of which we have not heard yet; else it is beyond us."""
        if self._said != "" and not self._suspects:
            self._doubt(own, origin, head)
        elif origin not in self._suspects or head.size > self._suspects[origin].size:
            self._suspects[origin] = head

    def _doubt(self, own: _Own, origin: Origin, head: SignedHead) -> None:
        """What is detected forces the question: whoever has acknowledged a head by now is asked."""
        own.doubts[origin] = max(head.size, own.doubts.get(origin, 0))
        own.asked = frozenset(own.acknowledged)
        self._is_confirmed = False

    def _fork_proven(self, event: ForkProven, _now_ms: int) -> list[Any]:
        own = self._own
        if own is not None and (event.origin.community, event.origin.epoch) == (own.community, own.epoch):
            own.is_forked = True
        return []

    # The verdict.

    def _judge(self, now_ms: int) -> list[Any]:
        """Say it where it is another than before; that nobody has answered is said when the time is over."""
        if self._suspects and self._said == "":
            self._said, self._told_at_ms = None, now_ms + START_ANSWERS_MS
            return [HoldSigning(), *self._ask_store(now_ms)]
        answered, asked = self.answers
        if self.code == WAITING and answered >= min(START_ANSWERS_MAX, asked):
            self._is_confirmed = True
        code = self.code
        is_early = code == WAITING and self._said is None and now_ms < self._told_at_ms
        if code is None or code == self._said or is_early:
            return []
        self._said = code
        return [StopSigning(code) if code else AllowSigning()]

    # The legal moves, in every state the same: the verdict is made of what is known, not of how it came.
    _MOVES: ClassVar[Mapping[type, Callable[..., list[Any]]]] = {
        Started: _started,
        OwnHeadsLoaded: _own_loaded,
        HeadsOfLoaded: _heads_of_loaded,
        AloneAsked: _alone_asked,
        PeerOpened: _peer_opened,
        PeerClosed: _peer_closed,
        LaneAdvanced: _lane_advanced,
        OwnHeadSeen: _own_head_seen,
        ForkProven: _fork_proven,
        FrameReceived: _stated,
        Woken: _woken,
    }
