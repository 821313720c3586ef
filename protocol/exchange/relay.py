"""Sealed objects by way of relays: when a relay is asked, told, listed (PROTOCOL.md section 29).

One machine for all three sides. As a recipient it registers with the community's own relays and asks for
their lists, as a sender it puts what waits and hears of receipts, as a relay it tells those for whom something
is new. What is kept, wanted and believed is the store's affair.

    effects = relays.handle(PeerOpened(relay, requests_max=32), now_ms)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from protocol.exchange.frames import (
    Refused,
    RelayKept,
    RelayList,
    RelayListed,
    RelayNotice,
    RelayPut,
    RelayRegister,
    RelayTerms,
)
from protocol.exchange.holding import Blame
from protocol.exchange.machine import AskPeer, PeerAnswered
from protocol.exchange.relay_events import (
    ListNoted,
    LoadParts,
    LoadRelays,
    NoteListed,
    NotePut,
    NoteTerms,
    PartsChanged,
    PartsLoaded,
    RelaysChanged,
    RelaysLoaded,
    ShelfChanged,
    WorkFailed,
)
from protocol.exchange.replication_events import (
    FrameReceived,
    PeerClosed,
    PeerOpened,
    Send,
    WakeAt,
    WishesChanged,
    Woken,
)
from protocol.limits import RELAY_PAGES_MAX, RELAY_POLL_MS

RENEW_MS = 86_400_000


class RelayState(Enum):
    """Where we stand with one relay."""

    REGISTERING = "asked to keep deliveries for us"
    LISTING = "asked for its list"
    NOTING = "its list is being taken in"
    CURRENT = "nothing more is known to be there"


@dataclass(slots=True)
class _Relay:
    """An open relay: its state, up to which row its list is taken in, and whether it said that there is more."""

    state: RelayState = RelayState.CURRENT
    after: int = 0
    through: int = 0
    pages: int = 0
    is_to_list: bool = False
    registered_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _AboutPut:
    commitments: tuple[bytes, ...]


class Relays:
    """The machine of a node's relays."""

    HEARS: ClassVar[frozenset[type]] = frozenset(
        {
            PeerOpened,
            PeerClosed,
            WishesChanged,
            RelaysChanged,
            RelaysLoaded,
            PartsLoaded,
            ListNoted,
            WorkFailed,
            PartsChanged,
            ShelfChanged,
        }
    )
    FRAMES: ClassVar[frozenset[type]] = frozenset({RelayNotice})

    def __init__(self) -> None:
        """Start without peers; what the store knows is asked for with the first of them."""
        self._open: dict[bytes, None] = {}
        self._relays: dict[bytes, _Relay] = {}
        self._loaded: RelaysLoaded | None = None
        self._holding: set[bytes] = set()
        self._puts_open = 0
        self._is_loading = False
        self._is_to_load = False
        self._poll_ms = 0

    def state_of(self, relay: bytes) -> RelayState | None:
        """Where we stand with an open relay of ours; None for everybody else."""
        known = self._relays.get(relay)
        return known.state if known else None

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order."""
        return self._MOVES[type(event)](self, event, now_ms)

    # Peers.

    def _peer_opened(self, event: PeerOpened, now_ms: int) -> list[Any]:
        effects = self._poll_later(now_ms) if not self._open else []
        self._open[event.peer] = None
        self._relays.pop(event.peer, None)
        if self._loaded is None:
            return [*effects, LoadRelays()]
        return [*effects, *self._begin(event.peer, now_ms), *self._look()]

    def _peer_closed(self, event: PeerClosed, _now_ms: int) -> list[Any]:
        """Whoever took the sealed parts of its orders from us directly may need a relay now."""
        self._open.pop(event.peer, None)
        self._relays.pop(event.peer, None)
        return self._look()

    def _wishes_changed(self, _event: WishesChanged | RelaysChanged, _now_ms: int) -> list[Any]:
        return [LoadRelays()] if self._open else []

    def _relays_loaded(self, event: RelaysLoaded, now_ms: int) -> list[Any]:
        before, self._loaded = self._loaded, event
        self._holding |= set(event.holding)
        effects: list[Any] = []
        for peer in self._open:
            was_own = before is not None and peer in before.own
            is_known = was_own and before is not None and before.senders == event.senders
            if peer in event.own and is_known:
                continue
            if was_own and peer not in event.own:
                del self._relays[peer]
                effects.append(AskPeer(peer, RelayRegister(0, ()), RelayRegister))
            effects += self._begin(peer, now_ms)
        return [*effects, *self._look()]

    def _begin(self, peer: bytes, now_ms: int) -> list[Any]:
        assert self._loaded is not None, "relays begin once the store has named them"
        if peer in self._loaded.own:
            relay = self._relays.setdefault(peer, _Relay())
            relay.state, relay.registered_ms = RelayState.REGISTERING, now_ms
            return [AskPeer(peer, RelayRegister(0, self._loaded.senders), RelayRegister)]
        if peer in self._holding:
            self._relays.setdefault(peer, _Relay())
            return self._list(peer)
        return []  # nothing of ours is there

    # The list of a relay.

    def _list(self, peer: bytes) -> list[Any]:
        relay = self._relays[peer]
        if relay.state is not RelayState.CURRENT:
            relay.is_to_list = True
            return []
        relay.state, relay.is_to_list = RelayState.LISTING, False
        return [AskPeer(peer, RelayList(0, relay.after), RelayList)]

    def _answered(self, event: PeerAnswered, _now_ms: int) -> list[Any]:
        if isinstance(event.about, _AboutPut):
            return self._put_answered(event, event.about.commitments)
        relay = self._relays.get(event.peer)
        if relay is None:
            return []
        if event.about is RelayRegister and relay.state is RelayState.REGISTERING:
            return self._register_answered(event, relay)
        if event.about is RelayList and relay.state is RelayState.LISTING:
            return self._list_answered(event, relay)
        return []

    def _register_answered(self, event: PeerAnswered, relay: _Relay) -> list[Any]:
        relay.state = RelayState.CURRENT
        if isinstance(event.answer, RelayTerms):
            return [NoteTerms(event.peer, event.answer), *self._list(event.peer)]
        relay.registered_ms = None  # asked again with the next poll
        if isinstance(event.answer, Refused):
            return [NoteTerms(event.peer, None, event.answer.code), *self._list(event.peer)]
        return []  # no answer is no refusal

    def _list_answered(self, event: PeerAnswered, relay: _Relay) -> list[Any]:
        relay.state, listed = RelayState.CURRENT, event.answer
        if not isinstance(listed, RelayListed):
            return []  # asked again with the next poll, or when the session comes back
        if listed.through < relay.after or (listed.has_more and listed.through == relay.after):
            return [Blame(event.peer, "relay_list_stuck")]
        relay.state, relay.through = RelayState.NOTING, listed.through
        relay.pages += 1
        relay.is_to_list |= listed.has_more and relay.pages < RELAY_PAGES_MAX
        return [NoteListed(event.peer, listed.waiting, listed.taken)]

    def _list_noted(self, event: ListNoted, _now_ms: int) -> list[Any]:
        """What stands before `after` may be forgotten by the relay: it is on our disk."""
        relay = self._relays.get(event.relay)
        if relay is None or relay.state is not RelayState.NOTING:
            return []
        relay.state, relay.after = RelayState.CURRENT, relay.through
        blames = [Blame(event.relay, "receipt_refused")] if event.refused else []
        if relay.is_to_list:
            return [*blames, *self._list(event.relay)]
        relay.pages = 0
        return blames

    def _work_failed(self, event: WorkFailed, _now_ms: int) -> list[Any]:
        """A full disk does not empty itself at once: the next poll tries again."""
        if isinstance(event.work, LoadParts):
            self._is_loading = False
        relay = self._relays.get(event.work.relay) if isinstance(event.work, NoteListed) else None
        if relay is not None and relay.state is RelayState.NOTING:
            relay.state = RelayState.CURRENT
        return []

    def _frame_received(self, event: FrameReceived, _now_ms: int) -> list[Any]:
        return self._list(event.peer) if event.peer in self._relays else []

    # What is to be put.

    def _parts_changed(self, _event: PartsChanged, _now_ms: int) -> list[Any]:
        return self._look()

    def _look(self) -> list[Any]:
        """Ask the store once at a time; what happens meanwhile is looked at afterwards."""
        if not self._open or self._loaded is None:
            return []
        if self._is_loading or self._puts_open:
            self._is_to_load = True
            return []
        self._is_loading, self._is_to_load = True, False
        return [LoadParts(tuple(self._open))]

    def _parts_loaded(self, event: PartsLoaded, _now_ms: int) -> list[Any]:
        self._is_loading = False
        self._puts_open = len(event.batches)
        if not event.batches:
            return self._look() if self._is_to_load else []
        self._is_to_load = True  # the store names the first of them only
        return [
            AskPeer(
                batch.relay,
                RelayPut(0, batch.recipient, batch.objects),
                _AboutPut(tuple(item.commitment for item in batch.objects)),
            )
            for batch in event.batches
        ]

    def _put_answered(self, event: PeerAnswered, commitments: tuple[bytes, ...]) -> list[Any]:
        """A relay that went away is asked again when it is back, one that refuses only after a while."""
        self._puts_open -= 1
        kept: tuple[bytes, ...] = ()
        seconds = 0
        if isinstance(event.answer, RelayKept):
            kept = tuple(name for name in event.answer.kept if name in commitments)
            seconds = event.answer.seconds
        if kept:
            self._holding.add(event.peer)
            if event.peer in self._open:
                self._relays.setdefault(event.peer, _Relay())
        retry_ms = 0 if event.code == "session_lost" else RELAY_POLL_MS
        note = NotePut(event.peer, commitments, kept, seconds, retry_ms)
        return [note, *(self._look() if self._is_to_load else [])]

    # Our own shelf, and time.

    def _shelf_changed(self, event: ShelfChanged, _now_ms: int) -> list[Any]:
        return [Send(event.community, RelayNotice())] if event.community in self._open else []

    def _woken(self, _event: Woken, now_ms: int) -> list[Any]:
        if not self._open:
            return []
        effects = [*self._poll_later(now_ms), LoadRelays()]
        for peer, relay in list(self._relays.items()):
            is_due = relay.registered_ms is None or now_ms - relay.registered_ms >= RENEW_MS
            effects += self._begin(peer, now_ms) if is_due else self._list(peer)
        return [*effects, *self._look()]

    def _poll_later(self, now_ms: int) -> list[Any]:
        self._poll_ms = now_ms + RELAY_POLL_MS
        return [WakeAt(self._poll_ms)]

    _MOVES: ClassVar[Mapping[type, Callable[..., list[Any]]]] = {
        PeerOpened: _peer_opened,
        PeerClosed: _peer_closed,
        PeerAnswered: _answered,
        FrameReceived: _frame_received,
        WishesChanged: _wishes_changed,
        RelaysChanged: _wishes_changed,
        RelaysLoaded: _relays_loaded,
        PartsLoaded: _parts_loaded,
        ListNoted: _list_noted,
        WorkFailed: _work_failed,
        PartsChanged: _parts_changed,
        ShelfChanged: _shelf_changed,
        Woken: _woken,
    }
