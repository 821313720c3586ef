"""One lane that may be followed: what peers offer of it, and when it is fetched (PROTOCOL.md section 18.3).

The machine weighs offers against what is held, takes small news at once, and runs one fetch at a time. It
counts on the store to take every step that it hands on; where one fails, it is told so and starts over.

    follower = LaneFollower(origin)                    # the caller asks the store for the lane
    effects = follower.handle(Offered(peer, offer))
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar

from protocol.errors import ProtocolError
from protocol.exchange import fetch
from protocol.exchange.fetch import Answered, Ended, LaneFetch, PeerJoined, PeerLeft, Stored, Unanswered
from protocol.exchange.frames import News
from protocol.exchange.heads import OfferedHead
from protocol.exchange.holding import (
    AdoptHead,
    Blame,
    CompareHead,
    HeldLane,
    KeepCosignatures,
    ReportFork,
    SignedHead,
    StoreStep,
)
from protocol.exchange.news import steps_from_news
from protocol.limits import FETCH_BYTES_MAX
from protocol.log.origin import Origin


@dataclass(frozen=True, slots=True)
class Offered:
    """A peer has stated a head of this lane."""

    peer: bytes
    offer: OfferedHead


@dataclass(frozen=True, slots=True)
class NewsOffered:
    """A peer has pushed a head of this lane with its last entries."""

    peer: bytes
    offer: OfferedHead
    news: News


@dataclass(frozen=True, slots=True)
class Loaded:
    """The store has told what it holds."""

    held: HeldLane


@dataclass(frozen=True, slots=True)
class Permitted:
    """There is room for one more fetch."""


@dataclass(frozen=True, slots=True)
class Displaced:
    """The fetch has gone on for long, and others wait for its place."""


@dataclass(frozen=True, slots=True)
class OwnAdvanced:
    """The community itself has signed a new head of its own lane."""

    head: SignedHead


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """A step was not taken: what the store holds has to be asked again."""


@dataclass(frozen=True, slots=True)
class QuotaReached:
    """The store did not take entries, because no more of this lane is to be kept."""


@dataclass(frozen=True, slots=True)
class Retried:
    """Some time has passed."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The store has held a head against what it has, and acted on what it found."""


@dataclass(frozen=True, slots=True)
class OfferLetGo:
    """There is no room to keep what this peer offers."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class Adopted:
    """The head of this size is adopted, and on disk."""

    size: int


@dataclass(frozen=True, slots=True)
class Forked:
    """It is proven that the log key of this lane has signed two histories."""


Event = (
    Compared | Adopted | Forked | Offered | NewsOffered | Loaded | Permitted | OwnAdvanced | StoreFailed | QuotaReached
    | Retried | OfferLetGo | Displaced
    | Answered | Unanswered | Stored | PeerLeft
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Load:
    """Ask the store what it holds of this lane, and whether it is to be followed."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class ReportDamage:
    """The store's copy of this lane is not what its own signed head covers."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class OwnLaneSeen:
    """A peer holds a head that we signed and do not have: nothing may be signed until that is understood."""

    peer: bytes
    origin: Origin
    head: SignedHead


Effect = fetch.Ask | StoreStep | Blame | ReportFork | CompareHead | Load | ReportDamage | OwnLaneSeen


_COMPARED_KEPT = 16  # every neighbour that lags states the same head


class State(Enum):
    """Where a lane stands."""

    LOADING = "asking the store"
    CURRENT = "nothing more is offered"
    WANTING = "waiting for its turn"
    FETCHING = "being fetched"
    PAUSED = "at its quota"
    OWN = "written here"
    STOPPED = "forked or damaged"


class LaneFollower:
    """The machine of one lane."""

    def __init__(self, origin: Origin, *, fetch_bytes_max: int = FETCH_BYTES_MAX) -> None:
        """Start with nothing known; the caller has the store asked."""
        self._fetch_bytes_max = fetch_bytes_max
        self.state = State.LOADING
        self.origin = origin
        self._offers: dict[bytes, OfferedHead] = {}
        self._held: HeldLane | None = None
        self._fetch: LaneFetch | None = None
        self._own_head: SignedHead | None = None
        self._doubtful: set[bytes] = set()
        self._heard: OfferedHead | None = None
        self._to_compare: dict[bytes, OfferedHead] = {}
        self._compared: deque[tuple[int, bytes]] = deque(maxlen=_COMPARED_KEPT)
        self._is_comparing = False
        self._synced_size = 0
        self._taken: Offered | None = None

    @property
    def missing(self) -> int:
        """How many entries the largest offer has beyond what is held; the shortest fetch goes first."""
        return self.offered_size - (self._held.size if self._held else 0)

    @property
    def offered_size(self) -> int:
        """The largest size on offer; 0 where nothing is."""
        return max((offer.checkpoint.size for offer in self._offers.values()), default=0)

    @property
    def offering(self) -> Iterable[bytes]:
        """The peers that offered something that is still to be fetched."""
        return self._offers.keys()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held of a lane and nothing is offered that may be: it is as good as unheard of."""
        held = self._held
        if self.state is not State.CURRENT or held is None or self._offers or self._to_compare:
            return False
        return not held.is_own and held.size == 0 and held.adopted is None and held.remembered is None

    @property
    def memory_bytes(self) -> Mapping[bytes, int]:
        """About how many bytes of memory the offers of each peer hold here."""
        waiting = [*self._offers.items(), *self._to_compare.items()]
        if self._taken is not None:
            waiting.append((self._taken.peer, self._taken.offer))
        sums: dict[bytes, int] = {}
        for peer, offer in waiting:
            sums[peer] = sums.get(peer, 0) + offer.memory_bytes
        return sums

    def has(self, offer: OfferedHead) -> bool:
        """Whether what is offered is held, or being stored: the same root, or the root of a smaller tree."""
        if self._held is None or self.state in (State.LOADING, State.PAUSED, State.OWN, State.STOPPED):
            return False
        return offer.checkpoint.size <= self._held.adopted_size and not self._is_beyond(offer)

    def waits_for_news(self, offer: OfferedHead) -> bool:
        """Whether nothing hinders the news of this head from being taken when it comes."""
        return self.state is State.CURRENT and self._is_beyond(offer)

    def handle(self, event: Event) -> list[Effect]:
        """Take one event and return what to do, in order."""
        move = self._MOVES.get((self.state, type(event)))
        return move(self, event) if move else []

    # What is held.

    def _loaded(self, event: Loaded) -> list[Effect]:
        self._held = event.held
        self._synced_size = event.held.adopted_size
        if event.held.is_forked and event.held.sealed is None:
            self._stop()
            return []
        if event.held.is_own:
            return self._own_loaded()
        self.state = State.CURRENT
        return self._weigh()

    def _own_loaded(self) -> list[Effect]:
        """Raise the alarm where an offer is beyond what the store says to a question asked after it came."""
        self.state = State.OWN
        if self._own_head is not None and self._is_beyond(self._own_head):
            self._own_advanced(OwnAdvanced(self._own_head))
        self._own_head = None
        beyond = {
            peer: head
            for peer, offer in list(self._offers.items())
            if self._is_beyond(offer) and (head := self._open(offer)[0])
        }
        seen = [peer for peer, head in beyond.items() if head.note in self._doubtful]
        if beyond and not seen:
            self._doubtful = {head.note for head in beyond.values()}
            self.state = State.LOADING
            return [Load(self.origin)]
        smaller = [
            effect
            for peer, offer in list(self._offers.items())
            for effect in self._compare_smaller(peer, offer)
        ]
        self._doubtful = set()
        self._offers = {peer: offer for peer, offer in self._offers.items() if peer in beyond}
        if seen:
            self.state = State.WANTING  # what we have forgotten is fetched like another community's lane
        return [*smaller, *(OwnLaneSeen(peer, self.origin, beyond[peer]) for peer in seen)]

    def _sealed(self, event: Loaded) -> list[Effect]:
        """Learn that the epoch was closed, and the quota; the rest may be older than the steps handed on."""
        assert self._held is not None, "only a lane that was loaded is sealed"
        if event.held.log_public != self._held.log_public:
            return self._loaded_anew(event)
        self._held = replace(self._held, sealed=event.held.sealed, room_bytes=event.held.room_bytes)
        return []

    def _loaded_anew(self, event: Loaded) -> list[Effect]:
        """Another note opens this epoch now, with another key: what was offered and compared was another lane's."""
        self._offers, self._to_compare, self._fetch = {}, {}, None
        self._compared.clear()
        self._heard = self._taken = self._own_head = None
        return self._loaded(event)

    def _loaded_stopped(self, event: Loaded) -> list[Effect]:
        """A successor note ends a fork: it says which branch goes on, or under which key."""
        if self._held is not None and event.held.log_public != self._held.log_public:
            return self._loaded_anew(event)
        return self._loaded(event) if event.held.sealed is not None else []

    def _pause(self, _event: QuotaReached) -> list[Effect]:
        """Keep what is there and what is offered; what the store says next, when it is asked, decides."""
        self.state = State.PAUSED
        self._fetch = None
        if self._taken is not None:  # it was believed stored, and is not
            self._offers.setdefault(self._taken.peer, self._taken.offer)
        return []

    def _load_again(self, _event: Event) -> list[Effect]:
        return [Load(self.origin)]

    def _store_failed(self, _event: Event) -> list[Effect]:
        self.state = State.LOADING
        self._held = self._fetch = None
        self._is_comparing = False
        self._compared.clear()
        return []  # a full disk does not empty itself at once: `Retried` asks again

    # Offers.

    def _keep_offer(self, event: Offered | NewsOffered) -> list[Effect]:
        self._offers[event.peer] = event.offer
        return []

    def _weigh_offer(self, event: Offered) -> list[Effect]:
        self._offers[event.peer] = event.offer
        return [*self._hear_cosignatures(event.offer), *self._weigh()]

    def _hear_cosignatures(self, offer: OfferedHead) -> list[Effect]:
        """Keep who has cosigned what is held; every neighbour says the same, one soon after the other."""
        assert self._held is not None, "cosignatures are heard once the store has answered"
        is_held = offer.checkpoint.size <= self._held.adopted_size
        if not offer.cosignatures or not is_held or offer == self._heard:
            return []
        head, effects = self._open(offer)
        self._heard = offer
        return [*effects, KeepCosignatures(self.origin, head)] if head else effects

    def _take_news(self, event: NewsOffered) -> list[Effect]:
        assert self._held is not None, "news is taken once the store has answered"
        self._offers[event.peer] = event.offer
        if self._held.sealed is not None or not self._is_beyond(event.offer):
            return self._weigh()  # what came to a closed epoch's end is compared with its seal, in a fetch
        head, effects = self._open(event.offer)
        steps = steps_from_news(self._held, event.news, head) if head else None
        if head and steps:
            adopt = steps[-1]
            assert isinstance(adopt, AdoptHead), "the head comes last"
            self._held = replace(self._held, size=head.size, hashes=adopt.hashes, adopted=head)
            self._taken = Offered(event.peer, event.offer)
        return [*effects, *(steps or []), *self._weigh()]

    def _weigh(self) -> list[Effect]:
        """Queue for a fetch where somebody offers more than is held, under a signature that holds."""
        head, effects = self._best()
        if head is not None and self._held is not None:
            self.state = State.WANTING if self._held.has_room_for(head.size) else State.PAUSED
        return effects

    def _best(self) -> tuple[SignedHead | None, list[Effect]]:
        """The largest signed head on offer, and blame for those that are not signed by the lane's key."""
        effects = [
            effect
            for peer, offer in list(self._offers.items())
            for effect in self._compare_smaller(peer, offer)
        ]
        self._offers = {peer: offer for peer, offer in self._offers.items() if self._is_beyond(offer)}
        while self._offers:
            head, blames = self._open(max(self._offers.values(), key=self._worth))
            effects += blames
            if head is not None:
                return head, effects
        return None, effects

    def _worth(self, offer: OfferedHead) -> int:
        """The larger the better, but of a closed epoch no larger than what is sealed, if there is a choice."""
        sealed, size = self._held.sealed if self._held else None, offer.checkpoint.size
        return size if sealed is None or size <= sealed.size else -size

    def _open(self, offer: OfferedHead) -> tuple[SignedHead | None, list[Effect]]:
        assert self._held is not None, "a signature is checked with the key that the store told"
        try:
            return offer.open(self._held.log_public), []
        except ProtocolError as error:
            peers = [peer for peer, other in self._offers.items() if other == offer]
            for peer in peers:
                del self._offers[peer]
            return None, [Blame(peer, error.code, error.detail) for peer in peers]

    def _is_beyond(self, offer: OfferedHead | SignedHead) -> bool:
        """Whether an offer says more than the adopted head, or the same size with another root."""
        held, stated = self._held, offer.checkpoint
        assert held is not None, "offers are weighed once the store has answered"
        if held.is_complete and (held.is_own or stated.size != held.adopted_size):
            return False  # what a retired key signs beyond the seal is void, and no news of ours
        if held.adopted and stated.size == held.adopted.size:
            return stated.root != held.adopted.root
        return stated.size > held.adopted_size and stated.size >= held.size

    def _compare_smaller(self, peer: bytes, offer: OfferedHead) -> list[Effect]:
        """Have a head below the adopted one held against the store: one at a time, and one a peer waits."""
        place = (offer.checkpoint.size, offer.checkpoint.root)
        assert self._held is not None, "heads are compared once the store has answered"
        if not 0 < offer.checkpoint.size < self._held.adopted_size or place in self._compared:
            return []
        self._to_compare[peer] = offer
        return [] if self._is_comparing else self._compare_next(None)

    def _compare_next(self, _event: Event | None) -> list[Effect]:
        """Go on with the next head that waits and that the store can judge, past those that are not signed."""
        effects: list[Effect] = []
        self._is_comparing = False
        for peer, offer in list(self._to_compare.items()):
            if self._is_comparing or offer.checkpoint.size > self._synced_size:
                continue
            del self._to_compare[peer]
            head, blames = self._open(offer)
            effects += blames
            if head is not None:
                self._compared.append((head.size, head.root))
                self._is_comparing = True
                effects.append(CompareHead(self.origin, head))
        return effects

    def _compared_early(self, _event: Event) -> list[Effect]:
        self._is_comparing = False  # what waits is compared with the next that comes
        return []

    def _adopted(self, event: Adopted) -> list[Effect]:
        self._synced_size = event.size
        if self._taken is not None and self._taken.offer.checkpoint.size <= event.size:
            self._taken = None
        return [] if self._is_comparing else self._compare_next(None)

    def _forked(self, _event: Event) -> list[Effect]:
        self._stop()
        return []

    def _doubt_own(self, event: Offered | NewsOffered) -> list[Effect]:
        """Ask the store before an alarm: a head may be shown, and come back, before we are told of it here."""
        if not self._is_beyond(event.offer):
            heard = self._hear_cosignatures(event.offer)
            return [*heard, *self._compare_smaller(event.peer, event.offer)]
        if self._open(event.offer)[0] is None:
            return []
        self._offers[event.peer] = event.offer
        self.state = State.LOADING
        return [Load(self.origin)]

    def _own_advanced_early(self, event: OwnAdvanced) -> list[Effect]:
        self._own_head = event.head  # the answer of the store may be older than this
        return []

    def _own_advanced(self, event: OwnAdvanced) -> list[Effect]:
        assert self._held is not None, "an own lane is known from the store"
        self._held = replace(self._held, size=event.head.size, adopted=event.head)
        self._synced_size = event.head.size
        return []

    # The fetch.

    def _start(self, _event: Event) -> list[Effect]:
        assert self._held is not None, "a fetch starts once the store has answered"
        head, effects = self._best()
        if head is None:
            self.state = State.OWN if self._held.is_own else State.CURRENT
            return effects
        if self._held.adopted and head.size == self._held.adopted.size:
            self._stop()
            return [*effects, ReportFork(self.origin, self._held.adopted, head)]
        self.state = State.FETCHING
        self._fetch = LaneFetch(self._held, head, bytes_max=self._fetch_bytes_max)
        by_size = sorted(self._offers.items(), key=lambda item: -item[1].checkpoint.size)
        for peer, offer in by_size:  # first one that has the whole head, or nobody could be asked yet
            effects += self._join(peer, offer)
        return effects

    def _join_fetch(self, event: Offered | NewsOffered) -> list[Effect]:
        self._offers[event.peer] = event.offer
        return self._join(event.peer, event.offer)

    def _join(self, peer: bytes, offer: OfferedHead) -> list[Effect]:
        """Let a peer help, unless it states another root for the very size: that is weighed afterwards."""
        head, stated = self._fetch.head if self._fetch else None, offer.checkpoint
        if head is None or (stated.size == head.size and stated.root != head.root):
            return []
        return self._tell_fetch(PeerJoined(peer, stated.size))

    def _tell_fetch(self, event: fetch.Event) -> list[Effect]:
        if self._fetch is None:
            return []  # it ended with the event before
        told: list[Effect] = []
        for effect in self._fetch.handle(event):
            if isinstance(effect, Ended):
                return [*told, *self._over(effect.code)]
            if isinstance(effect, Blame):
                self._offers.pop(effect.peer, None)
            told.append(effect)
        return told

    def _displace(self, _event: Displaced) -> list[Effect]:
        """Go on from what was handed on when the next turn comes; what is under way counts for nothing."""
        assert self._fetch is not None, "a lane that is fetched has a fetch"
        self._held, self._fetch = self._fetch.held_now(), None
        self.state = State.WANTING
        return []

    def _over(self, code: str) -> list[Effect]:
        assert self._fetch is not None, "only a fetch ends"
        refused = self._fetch.head.checkpoint if code == "seal_mismatch" else None
        self._offers = {peer: offer for peer, offer in self._offers.items() if offer.checkpoint != refused}
        self._held, self._fetch = self._fetch.held_now(), None
        if code in ("lane_forked", "fetch_local_damaged"):
            self._stop()
            return [ReportDamage(self.origin)] if code == "fetch_local_damaged" else []
        self.state = State.OWN if self._held.is_own else State.CURRENT
        return self._weigh()

    def _stop(self) -> None:
        self.state = State.STOPPED
        self._offers, self._to_compare, self._fetch = {}, {}, None

    def _peer_left(self, event: PeerLeft) -> list[Effect]:
        self._offers.pop(event.peer, None)
        if self._taken is not None and self._taken.peer == event.peer:
            self._taken = None
        return []

    def _let_go(self, event: OfferLetGo) -> list[Effect]:
        """Forget all that a peer offers; it is asked for its heads again in its turn."""
        self._peer_left(PeerLeft(event.peer))
        self._to_compare.pop(event.peer, None)
        return self._tell_fetch(PeerLeft(event.peer))

    def _peer_left_fetch(self, event: PeerLeft) -> list[Effect]:
        self._peer_left(event)
        return self._tell_fetch(event)

    # The legal moves. What is not listed is late, or not this lane's affair, and changes nothing.
    _MOVES: ClassVar[Mapping[tuple[State, type[Event]], Callable[..., list[Effect]]]] = {
        (State.LOADING, Offered): _keep_offer,
        (State.LOADING, NewsOffered): _keep_offer,
        (State.LOADING, Loaded): _loaded,
        (State.LOADING, OwnAdvanced): _own_advanced_early,
        (State.LOADING, PeerLeft): _peer_left,
        (State.LOADING, Retried): _load_again,
        (State.CURRENT, Loaded): _sealed,
        (State.CURRENT, Offered): _weigh_offer,
        (State.CURRENT, NewsOffered): _take_news,
        (State.CURRENT, PeerLeft): _peer_left,
        (State.CURRENT, StoreFailed): _store_failed,
        (State.CURRENT, QuotaReached): _pause,
        (State.WANTING, Loaded): _sealed,
        (State.WANTING, Offered): _keep_offer,
        (State.WANTING, NewsOffered): _keep_offer,
        (State.WANTING, Permitted): _start,
        (State.WANTING, PeerLeft): _peer_left,
        (State.WANTING, StoreFailed): _store_failed,
        (State.WANTING, QuotaReached): _pause,
        (State.FETCHING, Loaded): _sealed,
        (State.FETCHING, Offered): _join_fetch,
        (State.FETCHING, NewsOffered): _join_fetch,
        (State.FETCHING, Answered): _tell_fetch,
        (State.FETCHING, Unanswered): _tell_fetch,
        (State.FETCHING, Stored): _tell_fetch,
        (State.FETCHING, PeerLeft): _peer_left_fetch,
        (State.FETCHING, StoreFailed): _store_failed,
        (State.FETCHING, Displaced): _displace,
        (State.FETCHING, QuotaReached): _pause,
        (State.PAUSED, Loaded): _loaded,
        (State.PAUSED, Offered): _keep_offer,
        (State.PAUSED, NewsOffered): _keep_offer,
        (State.PAUSED, PeerLeft): _peer_left,
        (State.STOPPED, Loaded): _loaded_stopped,
        (State.OWN, Loaded): _sealed,
        (State.OWN, Offered): _doubt_own,
        (State.OWN, NewsOffered): _doubt_own,
        (State.OWN, OwnAdvanced): _own_advanced,
        (State.OWN, StoreFailed): _store_failed,
        (State.LOADING, Compared): _compared_early,
        (State.CURRENT, Adopted): _adopted,
        (State.WANTING, Adopted): _adopted,
        (State.FETCHING, Adopted): _adopted,
        (State.CURRENT, Compared): _compare_next,
        (State.WANTING, Compared): _compare_next,
        (State.FETCHING, Compared): _compare_next,
        (State.OWN, Adopted): _adopted,
        (State.OWN, Compared): _compare_next,
        **dict.fromkeys([(state, Forked) for state in State], _forked),
        **dict.fromkeys([(state, OfferLetGo) for state in State], _let_go),
    }
