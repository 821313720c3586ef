"""All peers and all lanes of one node: who is asked what, and who is told (PROTOCOL.md section 18).

Frames of proven peers come in, frames and store steps go out. The sessions beneath, the store beside and the
clock above belong to the driver; randomness is not needed.

    replication = Replication()
    effects = replication.handle(PeerOpened(peer, requests_max=32), now_ms)
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, get_args

from protocol.errors import ProtocolError, SessionError
from protocol.exchange import following, listing
from protocol.exchange.bounds import LIMITS, Bounds
from protocol.exchange.dissemination import HELD_BACK, OFFERED, Dissemination, Waiting
from protocol.exchange.fetch import Answered, Ask, PeerLeft, Stored, Unanswered
from protocol.exchange.following import (
    Adopted,
    LaneFollower,
    Load,
    Loaded,
    NewsOffered,
    Offered,
    OwnAdvanced,
    OwnLaneSeen,
    Permitted,
    Retried,
    State,
)
from protocol.exchange.frames import (
    Answer,
    Graft,
    Heads,
    HeadsBesides,
    HeadsCompare,
    News,
    Prune,
    Refused,
    Request,
    StatedHead,
)
from protocol.exchange.heads import OfferedHead, read_offer, state_head
from protocol.exchange.holding import AdoptHead, Blame
from protocol.exchange.listing import AskForHeads, HeadsItemized, HeadsSummedUp, Listed, Unlisted, Wanted
from protocol.exchange.machine import Tell
from protocol.exchange.news import make_news
from protocol.exchange.owners import ForFetch, ForHeads, ForNode, OpenPeer, Owner
from protocol.exchange.places import Places
from protocol.exchange.replication_events import (
    Drop,
    Effect,
    Event,
    ForkProven,
    FrameReceived,
    HeadCompared,
    HeadsStated,
    LaneAdvanced,
    LaneFull,
    LanesLoaded,
    LaneStored,
    LoadLanes,
    OwnHeadSeen,
    PeerClosed,
    PeerOpened,
    PeerSilent,
    PeerVisited,
    PlacesLoaded,
    Reply,
    RequestAsked,
    Send,
    Serve,
    StepsFailed,
    WakeAt,
    WishesChanged,
    Woken,
    merge_loads,
)
from protocol.exchange.requests import Deadlines, Requests
from protocol.exchange.shares import Shares
from protocol.exchange.standing import Standing
from protocol.exchange.turns import Turns
from protocol.lanes.kind import CHARTER
from protocol.limits import (
    FETCHES_MAX,
    LANES_OF_COMMUNITY_MAX,
    PLACE_KEPT_MS,
    POLL_MS,
    POLL_RESTLESS_MS,
    RESTLESS_MS,
    TREE_SIZE_MAX,
)
from protocol.log.origin import Origin


class Replication:
    """The machine of a whole node's lanes, and of the requests that all its machines share."""

    HEARS: ClassVar[frozenset[type]] = frozenset(get_args(Event))
    FRAMES: ClassVar[frozenset[type]] = frozenset()  # whatever no other machine claims

    def __init__(self, *, fetches_max: int = FETCHES_MAX, bounds: Bounds = LIMITS) -> None:
        """Start without peers and lanes."""
        self._bounds = bounds
        self._peers: dict[bytes, OpenPeer] = {}
        self.standing = Standing()
        self._places = Places()
        self._keep_ms = 0
        self._adopting: Counter[Origin] = Counter()
        self._deadlines = Deadlines()
        self._shares: Shares[Waiting] = Shares(bounds.offers_bytes)
        self._dissemination = Dissemination(self._shares, bounds)
        self._passing: dict[tuple[Origin, int], tuple[News, int]] = {}
        self._passing_bytes = 0
        self._pushing: dict[Origin, set[bytes]] = {}
        self._followers: dict[Origin, LaneFollower] = {}
        self._known: dict[bytes, set[Origin]] = {}
        self._doubted: set[Origin] = set()
        self._loading: set[Origin] = set()
        self._turns = Turns(fetches_max)
        self._poll_ms = 0
        self._restless_ms = 0
        self._wake_ms: int | None = None

    @property
    def open_peers(self) -> tuple[bytes, ...]:
        """The communities with which a session stands."""
        return tuple(self._peers)

    @property
    def lane_states(self) -> Mapping[Origin, State]:
        """Where every lane stands that is followed or being asked about."""
        return {origin: follower.state for origin, follower in self._followers.items()}

    @property
    def offers_bytes(self) -> int:
        """About how many bytes of memory offers hold that wait (section 30.4)."""
        return self._shares.held_bytes

    @property
    def paused_lanes(self) -> Mapping[Origin, int]:
        """The largest size on offer of each lane that is at its quota."""
        return {
            origin: follower.offered_size
            for origin, follower in self._followers.items()
            if follower.state is State.PAUSED
        }

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take one event and return what to do, in order."""
        effects = self._MOVES[type(event)](self, event, now_ms)
        return [*effects, *self._take_turns(now_ms), *self._wake()]

    def _take_turns(self, now_ms: int) -> list[Effect]:
        """Begin fetches where there are places, and let those that had theirs for long give them up."""
        effects: list[Effect] = []
        while True:
            late = self._turns.overdue(now_ms)
            if late is not None:
                effects += self._tell(self._followers[late], following.Displaced(), now_ms)
            origin = self._turns.next(lambda origin: self._followers[origin].missing)
            if origin is None:
                return effects
            effects += self._tell(self._followers[origin], Permitted(), now_ms)

    # Sessions.

    def _places_loaded(self, event: PlacesLoaded, _now_ms: int) -> list[Effect]:
        self._places.load(event.places)
        return []

    def _peer_opened(self, event: PeerOpened, now_ms: int) -> list[Effect]:
        effects = self._peer_closed(PeerClosed(event.peer), now_ms)
        if not self._peers:
            self._poll_ms = now_ms + POLL_MS
        self._peers[event.peer] = OpenPeer(Requests(event.requests_max, self._deadlines), now_ms)
        self._dissemination.open(event.peer)
        self.standing.opened(event.peer, now_ms)
        return [*effects, *self._ask_heads(event.peer, now_ms)]

    def _peer_visited(self, event: PeerVisited, _now_ms: int) -> list[Effect]:
        return [*self._dissemination.visit(event.peer)] if event.peer in self._peers else []

    def _peer_closed(self, event: PeerClosed, now_ms: int) -> list[Effect]:
        peer = self._peers.pop(event.peer, None)
        if peer is None:
            return []
        self._dissemination.close(event.peer)
        kept = self.standing.to_keep(event.peer, now_ms, is_over=True)
        self.standing.closed(event.peer)
        if event.code != "session_finished":
            self._grow_restless(now_ms)
        if any(event.peer in follower.offering for follower in self._followers.values()):
            self._places.doubt(event.peer)
        self._places.close(event.peer, open_peers=self._peers)
        effects = [*kept, *self._keep_places([event.peer])]
        effects += [
            Reply(owner.token, None, "session_lost")
            for owner in peer.requests.close()
            if isinstance(owner, ForNode)
        ]
        for follower in list(self._followers.values()):
            effects += self._tell(follower, PeerLeft(event.peer), now_ms)
        return effects

    # Frames.

    def _frame_received(self, event: FrameReceived, now_ms: int) -> list[Effect]:
        if event.peer not in self._peers:
            return []
        frame = event.frame
        try:
            if isinstance(frame, Request):
                return [self._serve(event.peer, frame, now_ms)]
            if isinstance(frame, News):
                return self._news_came(event.peer, frame, now_ms)
            if isinstance(frame, Heads) and frame.number == 0:
                return self._announced(event.peer, frame, now_ms)
            if isinstance(frame, Prune):
                self._dissemination.pruned_by(event.peer, frame)
            if isinstance(frame, Graft):
                self._dissemination.grafted_by(event.peer, frame)
            if isinstance(frame, Answer) and frame.number != 0:
                return self._answer_came(event.peer, frame, now_ms)
        except SessionError as error:
            return [Drop(event.peer, error.code)]
        return []

    def _answer_came(self, peer: bytes, answer: Answer, now_ms: int) -> list[Effect]:
        requests = self._peers[peer].requests
        owner = requests.take(answer)
        effects: list[Effect] = [Send(peer, request) for request in requests.send_on(now_ms)]
        if isinstance(owner, ForNode):
            return [*effects, Reply(owner.token, answer)]
        if isinstance(owner, ForFetch):
            answered = Answered(peer, owner.job, answer)
            return effects + self._tell_lane(owner.origin, answered, now_ms)
        if isinstance(owner, ForHeads):
            asked = self._tell_listing(peer, Listed(answer), now_ms)  # raises where the page cannot be
            if isinstance(answer, Heads):
                effects += self._stated_came(peer, answer.heads, now_ms)
            effects += asked
        return effects

    def _serve(self, name: bytes, request: Request, now_ms: int) -> Effect:
        """Have the store answer, but for those who have it walk through all heads again and again."""
        is_walk = isinstance(request, HeadsCompare | HeadsBesides)
        if is_walk and not self._peers[name].may_compare(now_ms):
            return Send(name, Refused(request.number, "requests_too_many", ""))
        return Serve(name, request)

    def _stated_came(self, peer: bytes, heads: Iterable[StatedHead], now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for stated in heads:
            offer, blames = self._read_offer(peer, stated, now_ms)
            effects += blames
            if offer is not None:
                effects += self._follow(offer.origin, Offered(peer, offer), now_ms)
        return merge_loads(effects)

    def _announced(self, peer: bytes, heads: Heads, now_ms: int) -> list[Effect]:
        """Take heads that were pushed without their entries; most wait a moment for their news."""
        effects: list[Effect] = []
        for stated in heads.heads:
            offer, blames = self._read_offer(peer, stated, now_ms)
            effects += blames
            if offer is None:
                continue
            follower = self._followers.get(offer.origin)
            if follower is None or not follower.waits_for_news(offer):
                effects += self._pushed(Offered(peer, offer), now_ms)
            else:
                self._dissemination.note_shown(peer, offer.origin, offer.checkpoint.size)
                if not self._dissemination.hold_back(peer, offer, now_ms):
                    effects += self._pushed(Offered(peer, offer), now_ms)
                effects += self._make_room(now_ms)
        return merge_loads(effects)

    def _news_came(self, peer: bytes, news: News, now_ms: int) -> list[Effect]:
        """Take news and note it to be passed on, or prune the link over which it came a second time."""
        offer, effects = self._read_offer(peer, news.head, now_ms)
        if offer is None:
            return effects
        origin, follower = offer.origin, self._followers.get(offer.origin)
        if follower is not None and follower.has(offer):
            self._dissemination.note_shown(peer, origin, offer.checkpoint.size)
            return [*effects, *self._dissemination.refuse_news(peer, origin, is_followed=True)]
        told = self._pushed(NewsOffered(peer, offer, news), now_ms)
        if follower is not None and follower.has(offer):
            self._dissemination.take_news(peer, origin)
            self._keep_news(origin, offer, news)
        return [*effects, *told]

    def _keep_news(self, origin: Origin, offer: OfferedHead, news: News) -> None:
        """Keep news to be passed on once it is stored; what finds no room is announced without its entries."""
        size = len(news.packed) + offer.memory_bytes
        if self._passing_bytes + size <= self._bounds.news_bytes:
            self._passing[origin, offer.checkpoint.size] = (news, size)
            self._passing_bytes += size

    def _pushed(self, event: Offered | NewsOffered, now_ms: int) -> list[Effect]:
        """Offer what a peer pushed, and remember who did until it is known whether the lane is wanted."""
        effects = self._follow(event.offer.origin, event, now_ms)
        follower = self._followers.get(event.offer.origin)
        if follower is not None and follower.state is State.LOADING:
            self._pushing.setdefault(event.offer.origin, set()).add(event.peer)
        return effects

    def _read_offer(
        self, peer: bytes, stated: StatedHead, now_ms: int
    ) -> tuple[OfferedHead | None, list[Effect]]:
        try:
            offer = read_offer(stated)
        except ProtocolError as error:
            return None, [Blame(peer, error.code, error.detail)]
        self.standing.shown(peer, offer.origin, offer.checkpoint.size, now_ms)
        return offer, [*self.standing.to_keep(peer, now_ms)]

    # Lanes.

    def _follow(self, origin: Origin, event: Offered | NewsOffered, now_ms: int) -> list[Effect]:
        follower = self._followers.get(origin)
        effects: list[Effect] = []
        if follower is None:
            is_too_many = len(self._known.get(origin.community, ())) >= LANES_OF_COMMUNITY_MAX
            if is_too_many or len(self._loading) >= self._bounds.lanes_loading:
                self._places.doubt(event.peer)
                return []
            follower = self._followers[origin] = LaneFollower(
                origin, fetch_bytes_max=self._bounds.fetch_bytes
            )
            self._loading.add(origin)
            effects.append(LoadLanes((origin,)))
        self._dissemination.note_shown(event.peer, follower.origin, event.offer.checkpoint.size)
        effects += self._tell(follower, event, now_ms)
        return effects + self._make_room(now_ms)

    def _make_room(self, now_ms: int) -> list[Effect]:
        """Forget offers of whoever holds most, while all hold too much; its heads are compared again later."""
        effects: list[Effect] = []
        while (waiting := self._shares.too_much()) is not None:
            peer, (kind, origin) = waiting
            self._places.doubt(peer)
            if kind == HELD_BACK:
                self._dissemination.let_go(peer, origin)
            else:
                self._pushing.get(origin, set()).discard(peer)
                effects += self._tell_lane(origin, following.OfferLetGo(peer), now_ms)
        return effects

    def _lanes_loaded(self, event: LanesLoaded, now_ms: int) -> list[Effect]:
        """Let go of what is unwanted, unless the wishes changed since: that answer may be older than they."""
        doubted = tuple(origin for origin in event.unwanted if origin in self._doubted)
        self._doubted.difference_update(doubted)
        effects: list[Effect] = []
        for origin in set(event.unwanted).difference(doubted):
            self._forget_lane(origin, now_ms)
            for peer in self._pushing.pop(origin, set()).intersection(self._peers):
                effects += self._dissemination.refuse_news(peer, origin, is_followed=False)
        for held in event.held:
            self._pushing.pop(held.origin, None)
            if not held.is_own:
                self.standing.held(held.origin, held.adopted_size)
            effects += self._tell_lane(held.origin, Loaded(held), now_ms)
        return [*effects, LoadLanes(doubted)] if doubted else effects

    def _lane_stored(self, event: LaneStored, now_ms: int) -> list[Effect]:
        return self._tell_lane(event.origin, Stored(event.size), now_ms)

    def _steps_failed(self, event: StepsFailed, now_ms: int) -> list[Effect]:
        self._pass_on(event.origin, TREE_SIZE_MAX)
        self._adopting.pop(event.origin, None)
        self._places.doubt()  # what was offered counted as taken
        return self._tell_lane(event.origin, following.StoreFailed(), now_ms)

    def _head_compared(self, event: HeadCompared, now_ms: int) -> list[Effect]:
        return self._tell_lane(event.origin, following.Compared(), now_ms)

    def _heads_stated(self, event: HeadsStated, now_ms: int) -> list[Effect]:
        if event.peer not in self._peers:
            return []
        return self._stated_came(event.peer, event.heads, now_ms)

    def _fork_proven(self, event: ForkProven, now_ms: int) -> list[Effect]:
        """A charter with two histories has heads shown that were not before: all peers are asked for them."""
        effects = self._tell_lane(event.origin, following.Forked(), now_ms)
        if event.origin.lane == CHARTER:
            self._grow_restless(now_ms)
            effects += [effect for peer in self._peers for effect in self._ask_heads(peer, now_ms)]
        return effects

    def _lane_full(self, event: LaneFull, now_ms: int) -> list[Effect]:
        self._pass_on(event.origin, TREE_SIZE_MAX)
        self._adopting.pop(event.origin, None)
        self._places.doubt()  # what was offered counted as taken
        return self._tell_lane(event.origin, following.QuotaReached(), now_ms)

    def _lane_advanced(self, event: LaneAdvanced, now_ms: int) -> list[Effect]:
        """Tell everybody who may see it and is not known to have it: news with its entries."""
        if event.is_own:
            self.standing.own_advanced(event.origin, event.head.size, event.readers, now_ms)
            effects = self._tell_lane(event.origin, OwnAdvanced(event.head), now_ms)
            news = make_news(event.head.note, event.start, event.packed, event.count)
            return [*effects, *self._dissemination.advance(event, news)]
        self._adopting -= Counter((event.origin,))
        self.standing.held(event.origin, event.head.size)
        effects = self._tell_lane(event.origin, Adopted(event.head.size), now_ms)
        passed_on = self._pass_on(event.origin, event.head.size)
        if passed_on is not None and passed_on.head != state_head(event.head.note):
            passed_on = None
        return [*effects, *self._dissemination.advance(event, passed_on)]

    def _pass_on(self, origin: Origin, size: int) -> News | None:
        """Return the news by which a lane came to this size, and let go of what it is past."""
        passed_on, _ = self._passing.get((origin, size), (None, 0))
        for key in [key for key in self._passing if key[0] == origin and key[1] <= size]:
            self._passing_bytes -= self._passing.pop(key)[1]
        return passed_on

    def _wishes_changed(self, _event: WishesChanged, now_ms: int) -> list[Effect]:
        self._doubted = set(self._followers)
        self._places.doubt()
        asked = [effect for peer in self._peers for effect in self._ask_heads(peer, now_ms)]
        return [*self._dissemination.take_back(), *asked]

    def _tell_lane(self, origin: Origin, event: following.Event, now_ms: int) -> list[Effect]:
        follower = self._followers.get(origin)
        return self._tell(follower, event, now_ms) if follower else []

    def _tell(self, follower: LaneFollower, event: following.Event, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for effect in follower.handle(event):
            if isinstance(effect, Ask):
                effects += self._ask(
                    effect.peer, ForFetch(follower.origin, effect.job), effect.request, now_ms
                )
            elif isinstance(effect, Load):
                effects.append(LoadLanes((effect.origin,)))
            else:
                if isinstance(effect, Blame):
                    self._places.doubt(effect.peer)
                if isinstance(effect, AdoptHead):
                    self._adopting[effect.origin] += 1
                if isinstance(effect, OwnLaneSeen):
                    effects.append(Tell(OwnHeadSeen(effect.origin, effect.head)))
                effects.append(effect)
        self._note_state(follower, now_ms)
        return effects

    def _note_state(self, follower: LaneFollower, now_ms: int) -> None:
        """Know where a lane stands; one of which nothing is held, and nothing offered that is true, is let go of."""
        origin, state = follower.origin, follower.state
        if follower.is_empty:
            self._forget_lane(origin, now_ms)
            return
        self._shares.hold_all((OFFERED, origin), follower.memory_bytes)
        self._turns.note(origin, state, now_ms)
        if state is State.LOADING:
            self._loading.add(origin)
        else:
            self._loading.discard(origin)
            self._known.setdefault(origin.community, set()).add(origin)

    def _forget_lane(self, origin: Origin, now_ms: int) -> None:
        self._followers.pop(origin, None)
        self._shares.hold_all((OFFERED, origin), {})
        self._turns.note(origin, None, now_ms)
        self._loading.discard(origin)
        known = self._known.get(origin.community, set())
        known.discard(origin)
        if not known:
            self._known.pop(origin.community, None)
        self._dissemination.forget_lane(origin)
        self.standing.let_go(origin)

    # Requests and time.

    def _request_asked(self, event: RequestAsked, now_ms: int) -> list[Effect]:
        if event.peer not in self._peers:
            return [Reply(event.token, None, "session_lost")]
        if self._peers[event.peer].requests.is_full:
            return [Reply(event.token, None, "requests_too_many")]
        return self._ask(event.peer, ForNode(event.token), event.request, now_ms)

    def _keep_places(self, peers: Iterable[bytes]) -> Iterable[Effect]:
        """Keep places once all that was listed up to there is on disk, so that a restart begins there."""
        if self._adopting:
            return []
        waiting = {peer for follower in self._followers.values() for peer in follower.offering}
        return [effect for peer in peers if peer not in waiting for effect in self._places.keep(peer)]

    def _ask_heads(self, peer: bytes, now_ms: int) -> list[Effect]:
        self._peers[peer].asked_ms = now_ms
        return self._tell_listing(peer, Wanted(), now_ms)

    def _summary_came(self, event: HeadsSummedUp | HeadsItemized, now_ms: int) -> list[Effect]:
        return self._tell_listing(event.peer, event, now_ms) if event.peer in self._peers else []

    def _tell_listing(self, peer: bytes, event: listing.Event, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for effect in self._places.tell(peer, event):
            if isinstance(effect, AskForHeads):
                effects += self._ask(peer, ForHeads(), effect.question, now_ms)
            else:
                effects.append(effect)
        return effects

    def _ask(self, peer: bytes, owner: Owner, request: Request, now_ms: int) -> list[Effect]:
        return [Send(peer, frame) for frame in self._peers[peer].requests.ask(owner, request, now_ms)]

    def _woken(self, _event: Woken, now_ms: int) -> list[Effect]:
        self._wake_ms = None
        effects = [effect for peer in list(self._peers) for effect in self._expire(peer, now_ms)]
        effects += self._release_announced(now_ms)
        if now_ms >= self._poll_ms and self._peers:
            effects += self._poll(now_ms)
        return merge_loads(effects)

    def _grow_restless(self, now_ms: int) -> None:
        """News may have been lost with a link: ask more often for a while."""
        self._restless_ms = now_ms + RESTLESS_MS
        self._poll_ms = min(self._poll_ms, now_ms + POLL_RESTLESS_MS)

    def _poll(self, now_ms: int) -> list[Effect]:
        """Ask who was not asked for longest: one peer, or two and sooner while links die."""
        is_restless = now_ms < self._restless_ms
        self._poll_ms = now_ms + (POLL_RESTLESS_MS if is_restless else POLL_MS)
        effects: list[Effect] = []
        for follower in list(self._followers.values()):
            effects += self._tell(follower, Retried(), now_ms)
        if now_ms >= self._keep_ms:
            self._keep_ms = now_ms + PLACE_KEPT_MS
            effects += self._keep_places(self._peers)
        longest_ago = sorted(self._peers, key=lambda name: self._peers[name].asked_ms)
        for peer in longest_ago[: 1 + is_restless]:
            effects += self._ask_heads(peer, now_ms)
        return effects

    def _release_announced(self, now_ms: int) -> list[Effect]:
        """Fetch what was announced and did not come, and put the link over which it was back into the tree."""
        effects: list[Effect] = []
        grafted: set[Origin] = set()
        for peer, offer in self._dissemination.release(now_ms):
            if offer.origin not in grafted:
                effects.append(self._dissemination.graft(peer, offer.origin.community))
                grafted.add(offer.origin)
            effects += self._follow(offer.origin, Offered(peer, offer), now_ms)
        return effects

    def _expire(self, peer: bytes, now_ms: int) -> list[Effect]:
        requests = self._peers[peer].requests
        effects: list[Effect] = []
        for owner in requests.expire(now_ms):
            if isinstance(owner, ForFetch):
                effects += self._tell_lane(owner.origin, Unanswered(peer, owner.job), now_ms)
            elif isinstance(owner, ForNode):
                effects.append(Reply(owner.token, None, "request_unanswered"))
            else:
                effects += [Blame(peer, "request_unanswered"), Tell(PeerSilent(peer))]
                self._grow_restless(now_ms)
                effects += self._tell_listing(peer, Unlisted(), now_ms)
        return [*effects, *(Send(peer, request) for request in requests.send_on(now_ms))]

    def _wake(self) -> Iterable[Effect]:
        """Ask to be woken where that is earlier than asked for before."""
        polling = self._poll_ms if self._peers else None
        deadlines = (
            self._deadlines.earliest_ms,
            self._dissemination.deadline_ms,
            self._turns.deadline_ms,
            polling,
        )
        earliest = min((time_ms for time_ms in deadlines if time_ms is not None), default=None)
        if earliest is None or (self._wake_ms is not None and self._wake_ms <= earliest):
            return []
        self._wake_ms = earliest
        return [WakeAt(earliest)]

    _MOVES: ClassVar[Mapping[type[Event], Callable[..., list[Effect]]]] = {
        PlacesLoaded: _places_loaded,
        PeerOpened: _peer_opened,
        HeadsSummedUp: _summary_came,
        HeadsItemized: _summary_came,
        PeerClosed: _peer_closed,
        PeerVisited: _peer_visited,
        FrameReceived: _frame_received,
        LanesLoaded: _lanes_loaded,
        LaneStored: _lane_stored,
        StepsFailed: _steps_failed,
        HeadCompared: _head_compared,
        HeadsStated: _heads_stated,
        ForkProven: _fork_proven,
        LaneFull: _lane_full,
        LaneAdvanced: _lane_advanced,
        WishesChanged: _wishes_changed,
        RequestAsked: _request_asked,
        Woken: _woken,
    }
