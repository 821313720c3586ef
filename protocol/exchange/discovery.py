"""Who is there, where, and whom to dial: the search of one node for others (PROTOCOL.md section 26.2).

Peers tell each other signed address records; what is found is dialled as far as somebody here has chosen it,
and a few others to see whether they answer. Being found is not being trusted.

    discovery = Discovery(own, chance)
    effects = discovery.handle(SearchBegun(known, own_record, time_ms), now_ms)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from protocol.errors import SessionError
from protocol.exchange.address_book import AddressBook, News
from protocol.exchange.addresses import Address, AddressRecord, make_address_record, parse_address_record
from protocol.exchange.bounds import LIMITS, Bounds
from protocol.exchange.chance import Chance
from protocol.exchange.dialling import Dialling
from protocol.exchange.discovery_events import (
    AddressNamed,
    ClockRead,
    Dial,
    DialEnded,
    ForgetKnown,
    KeepKnown,
    Known,
    OwnPlaceChanged,
    PeerMet,
    ReadClock,
    SearchBegun,
    TrustChanged,
)
from protocol.exchange.follow_rules import FollowRule, RulesChanged, rule_for
from protocol.exchange.frames import (
    NO_INSTANCE,
    Addresses,
    AddressesGet,
    AddressTold,
    Heads,
    HeadsSince,
    Refused,
    SignedAddress,
)
from protocol.exchange.holding import Blame
from protocol.exchange.machine import AskPeer, PeerAnswered, Tell
from protocol.exchange.near import near_range
from protocol.exchange.replication_events import (
    Drop,
    FrameReceived,
    PeerClosed,
    PeerOpened,
    PeerSilent,
    PeerVisited,
    Send,
    WakeAt,
    Woken,
)
from protocol.exchange.session import OwnSide
from protocol.exchange.trust_events import FollowKnown
from protocol.limits import (
    ADDRESS_ASKED_MS,
    ADDRESS_PAGE_MAX,
    ADDRESS_QUESTIONS_MAX,
    ADDRESS_RECORD_RENEWED_MS,
    ADDRESS_RECORDS_READ_MAX,
    ADDRESS_SEARCHED_MS,
    ADDRESS_WINDOW_MS,
    FOLLOWED_BY_RULES_MAX,
    GENESIS_TOLD_BYTES_MAX,
    HINTS_MAX,
    TOLD_DIALLED_BY_ONE_MAX,
    TOLD_MAX,
    TOLD_TRIES_MAX,
)

SAMPLE = 16
Reach = Literal["connected", "dials_out", "unreached", "untried"]
_ADDRESSES, _HEADS = "addresses", "heads"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One community as a card shows it; `records` is what its node says that it holds of its own, None: not asked."""

    known: Known
    record: AddressRecord | None
    addresses: tuple[Address, ...]
    reach: Reach
    records: int | None


@dataclass(slots=True)
class _Budget:
    """What one open peer may still make us do within a window of time."""

    until_ms: int = 0
    records: int = 0
    questions: int = 0


class Discovery:
    """The machine of one node's search for others."""

    HEARS: ClassVar[frozenset[type]] = frozenset(
        {
            SearchBegun,
            OwnPlaceChanged,
            ClockRead,
            AddressNamed,
            PeerMet,
            PeerOpened,
            PeerClosed,
            PeerSilent,
            TrustChanged,
            DialEnded,
            RulesChanged,
        }
    )
    FRAMES: ClassVar[frozenset[type]] = frozenset({AddressesGet, AddressTold})

    def __init__(self, own: OwnSide, chance: Chance, bounds: Bounds = LIMITS) -> None:
        """Take who we are and where randomness comes from; nothing is done before `SearchBegun`."""
        self._own = own
        self._chance = chance
        self._bounds = bounds
        self._book = AddressBook(own.identity.community)
        self._dialling = Dialling(chance)
        self._clock_ms = 0  # add it to `now_ms` for the time since 1970
        self._place: OwnPlaceChanged | None = None
        self._own_record = b""
        self._own_time_ms = 0
        self._renew_ms: int | None = None
        self._search_ms: int | None = None
        self._asked_ms = 0
        self._named: dict[bytes, tuple[Address, ...]] = {}
        self._wishes: set[bytes] = set()
        self._nameless: dict[Address, AddressNamed] = {}
        self._bootstrap: dict[Address, AddressNamed] = {}
        self._visits: set[bytes] = set()
        self._tried: set[bytes] = set()
        self._trying: dict[bytes, set[bytes]] = {}
        self._budgets: dict[bytes, _Budget] = {}
        self._ranges: dict[bytes, str | None] = {}
        self._told_in: dict[bytes, str | None] = {}
        self._records: dict[bytes, int] = {}
        self._passed_ms: dict[bytes, int] = {}
        self._rules: tuple[FollowRule, ...] = ()

    @property
    def own_record(self) -> bytes:
        """The newest address record that this node has signed, empty before the first."""
        return self._own_record

    def sightings(self, now_ms: int) -> list[Sighting]:
        """Return everybody that is known, as cards show them."""
        return [self._sighting(known, now_ms) for known in self._book.known]

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order."""
        effects = self._MOVES[type(event)](self, event, now_ms)
        self._seek_anybody(now_ms)
        due = self._dialling.due(self._budgets.keys(), now_ms)
        dials = [replace(dial, may_be_near=self._may_be_near(dial)) for dial in due]
        return [*effects, *dials, *self._wake()]

    # What the node says.

    def _begun(self, event: SearchBegun, now_ms: int) -> list[Any]:
        self._clock_ms = event.time_ms - now_ms
        self._book = AddressBook(
            self._own.identity.community, event.known, bytes_max=self._bounds.found_bytes
        )
        if event.own_record:
            self._own_time_ms = parse_address_record(event.own_record).time_ms
        for known in event.known:
            self._aim(known.community, now_ms)
        return self._renew(now_ms)

    def _place_changed(self, event: OwnPlaceChanged, now_ms: int) -> list[Any]:
        if event == self._place:
            return []
        self._place = event
        return self._renew(now_ms)

    def _clock_read(self, event: ClockRead, now_ms: int) -> list[Any]:
        self._clock_ms = event.time_ms - now_ms
        return self._renew(now_ms) if self._renew_ms is not None and now_ms >= self._renew_ms else []

    def _address_named(self, event: AddressNamed, now_ms: int) -> list[Any]:
        if event.found == "bootstrap":
            self._bootstrap[event.address] = event
            return []
        if event.community is None:
            self._nameless[event.address] = event
            self._dialling.aim(event.address, [event.address], now_ms, is_wanted=event.is_wanted)
            return []
        known = self._book.get(event.community)
        if known is not None and known.trust == "blocked" and not event.is_wanted:
            return []
        return self._note_named(event.community, event, now_ms)

    def _note_named(self, community: bytes, event: AddressNamed, now_ms: int) -> list[Any]:
        before = self._book.get(community)
        known = self._book.hint(community, event.address, found=event.found, time_ms=self._time_ms(now_ms))
        named = dict.fromkeys((event.address, *self._named.get(community, ())))
        self._named[community] = tuple(named)[:HINTS_MAX]
        self._aim(community, now_ms, is_wanted=event.is_wanted)
        is_new = before is None or before.found != known.found
        if event.is_wanted:
            self._wishes.add(community)
        return [*([KeepKnown(known)] if is_new else []), *self._grant_wish(known)]

    def _grant_wish(self, known: Known) -> list[Any]:
        """Follow who is wanted and has come to us before we dialled it: of our dial the follow would be part."""
        if known.community not in self._wishes or known.trust != "found" or known.met_ms is None:
            return []
        self._wishes.discard(known.community)
        return [FollowKnown(known.community, known.genesis)]

    def _trust_changed(self, event: TrustChanged, now_ms: int) -> list[Any]:
        self._wishes.discard(event.community)
        known = self._book.set_trust(event.community, event.trust, self._time_ms(now_ms))
        if event.trust == "blocked":
            self._named.pop(event.community, None)
        self._aim(event.community, now_ms)
        return [KeepKnown(known)]

    def _rules_changed(self, event: RulesChanged, now_ms: int) -> list[Any]:
        self._rules = event.rules
        return [effect for known in self._book.known for effect in self._judge(known, now_ms)]

    def _judge(self, known: Known, now_ms: int) -> list[Any]:
        """Follow who was found where a rule says so and no steward has said otherwise."""
        if known.trust != "found" or known.rule != 0 or not known.genesis:
            return []
        rule = rule_for(self._rules, known, self._book.record(known.community, self._time_ms(now_ms)))
        if rule is None or self._book.by_rules >= FOLLOWED_BY_RULES_MAX:
            return []
        followed = self._book.note_rule(known.community, rule.number)
        return [KeepKnown(followed), FollowKnown(known.community, known.genesis)]

    # Sessions.

    def _peer_met(self, event: PeerMet, now_ms: int) -> list[Any]:
        effects: list[Any] = []
        dialled = self._dialling.reached(event.dial, event.peer) if event.dial is not None else None
        if isinstance(dialled, Address):
            named = self._nameless.pop(dialled)
            effects += self._note_named(event.peer, replace(named, is_wanted=False), now_ms)
        news = self._book.meet(event.peer, event.genesis, event.trust, self._time_ms(now_ms))
        is_visit = dialled is not None and news.known.found in ("bootstrap", "told")
        if is_visit and event.trust == "found":
            self._visits.add(event.peer)
        self._aim(event.peer, now_ms)
        return [
            *effects,
            *self._keep(news),
            *self._judge(news.known, now_ms),
            *self._grant_wish(news.known),
        ]

    def _peer_opened(self, event: PeerOpened, now_ms: int) -> list[Any]:
        self._budgets[event.peer] = _Budget()
        self._ranges[event.peer] = near_range(event.remote)
        self._dialling.opened(event.peer, now_ms)
        known = self._book.get(event.peer)
        effects = self._tell_own([event.peer])
        if known is not None and known.trust == "found":
            effects.append(AskPeer(event.peer, HeadsSince(0, NO_INSTANCE, 0), _HEADS))
        if event.peer in self._visits or self._dialling.is_visit(event.peer):
            effects.append(Tell(PeerVisited(event.peer)))
        return [*effects, self._ask(event.peer, now_ms)]

    def _peer_closed(self, event: PeerClosed, now_ms: int) -> list[Any]:
        self._budgets.pop(event.peer, None)
        self._ranges.pop(event.peer, None)
        self._visits.discard(event.peer)
        self._trying.pop(event.peer, None)
        self._dialling.parted(event.peer, event.code, now_ms)
        return []

    def _peer_silent(self, event: PeerSilent, now_ms: int) -> list[Any]:
        self._dialling.fell_silent(event.peer, now_ms)
        return []

    def _dial_ended(self, event: DialEnded, now_ms: int) -> list[Any]:
        self._dialling.ended(event.dial, event.code, event.stood_ms, now_ms)
        for source in self._budgets:
            self._try_told(source, now_ms)
        return []

    # Frames.

    def _frame_received(self, event: FrameReceived, now_ms: int) -> list[Any]:
        if event.peer not in self._budgets:
            return []
        if isinstance(event.frame, AddressesGet):
            return [Send(event.peer, self._answer(event.peer, event.frame, now_ms))]
        if isinstance(event.frame, AddressTold):
            return self._take(event.peer, [event.frame.address], now_ms)
        return []

    def _answered(self, event: PeerAnswered, now_ms: int) -> list[Any]:
        if event.answer is not None:
            self._dialling.spoke(event.peer)
        if event.about == _HEADS:
            if isinstance(event.answer, Heads):
                self._records[event.peer] = _records_of(event.peer, event.answer)
            return []
        if not isinstance(event.answer, Addresses) or event.peer not in self._budgets:
            return []
        effects = self._take(event.peer, event.answer.addresses, now_ms)
        return [*effects, *self._end_visit(event.peer)]

    def _end_visit(self, peer: bytes) -> list[Any]:
        """Whom nobody here has chosen is asked once and then left to others."""
        known = self._book.get(peer)
        if peer not in self._visits or (known is not None and known.trust == "followed"):
            return []
        self._named.pop(peer, None)
        self._dialling.drop(peer)
        return [Drop(peer, "session_finished")]

    def _answer(self, peer: bytes, question: AddressesGet, now_ms: int) -> Addresses | Refused:
        budget = self._budget(peer, now_ms)
        budget.questions += 1
        if budget.questions > ADDRESS_QUESTIONS_MAX:
            return Refused(question.number, "requests_too_many", "")
        time_ms = self._time_ms(now_ms)
        found = self._book.find(question.wanted, time_ms)
        without = {peer, *question.wanted}
        room = min(question.count, ADDRESS_PAGE_MAX - len(found))
        others = self._book.sample(self._chance, room, without=without, time_ms=time_ms)
        return Addresses(question.number, (*found, *others))

    def _take(self, peer: bytes, told: Iterable[SignedAddress], now_ms: int) -> list[Any]:
        effects: list[Any] = []
        budget = self._budget(peer, now_ms)
        for each in told:
            budget.records += 1
            if budget.records > ADDRESS_RECORDS_READ_MAX:
                break
            try:
                news = self._book.take(each, told_by=peer, time_ms=self._time_ms(now_ms))
            except SessionError as error:
                effects.append(Blame(peer, error.code, error.detail))
                break  # whoever tells one lie is not read on
            if news is not None:
                self._told_in[news.known.community] = self._ranges.get(peer)
                effects += [*self._keep(news), *self._pass_on(peer, each, news, now_ms)]
                self._aim(news.known.community, now_ms)
                effects += self._judge(news.known, now_ms)
        self._try_told(peer, now_ms)
        return effects

    def _pass_on(self, source: bytes, told: SignedAddress, news: News, now_ms: int) -> list[Any]:
        """Who moved is told on at once, to find it is what its followers want; at most once in a while."""
        name = news.known.community
        last_ms = self._passed_ms.get(name, now_ms - ADDRESS_WINDOW_MS)
        if not news.is_moved or news.known.trust != "followed" or now_ms - last_ms < ADDRESS_WINDOW_MS:
            return []
        self._passed_ms[name] = now_ms
        return [Send(peer, AddressTold(told)) for peer in self._budgets if peer not in (source, name)]

    # Own record.

    def _renew(self, now_ms: int) -> list[Any]:
        if self._place is None:
            return []
        own = self._own.identity.community
        self._own_time_ms = max(self._time_ms(now_ms), self._own_time_ms + 1)
        self._own_record = make_address_record(
            own,
            self._place.addresses,
            time_ms=self._own_time_ms,
            sign=self._own.sign,
            region=self._place.region,
            sectors=self._place.sectors,
        )
        self._renew_ms = now_ms + ADDRESS_RECORD_RENEWED_MS
        kept = Known(own, "added", self._own_time_ms, genesis=self._own.genesis, record=self._own_record)
        return [KeepKnown(kept), *self._tell_own(self._budgets)]

    def _tell_own(self, peers: Iterable[bytes]) -> list[Any]:
        if not self._own_record or len(self._own.genesis) > GENESIS_TOLD_BYTES_MAX:
            return []
        told = AddressTold(SignedAddress(self._own_record, self._own.genesis))
        return [Send(peer, told) for peer in peers]

    # Whom to dial, whom to ask, when to wake.

    def _aim(self, community: bytes, now_ms: int, *, is_wanted: bool = False) -> None:
        """Dial whom somebody here has chosen; what is known by hearsay alone, `_try_told` does."""
        known = self._book.get(community)
        is_awaited = known is not None and known.found == "invited" and known.met_ms is None
        is_chosen = known is not None and (known.trust == "followed" or community in self._named)
        if known is None or known.trust == "blocked":
            self._dialling.drop(community)
        elif is_chosen or is_awaited:
            addresses = (*self._places(known, now_ms), *self._named.get(community, ()))
            self._dialling.aim(community, addresses, now_ms, is_wanted=is_wanted)
        elif known.found != "told" or known.met_ms is not None:
            self._dialling.drop(community)

    def _places(self, known: Known, now_ms: int) -> tuple[Address, ...]:
        """Where to look for a community: of what was told, nothing in our own networks that nobody there has told."""
        ranges = {near_range(host) for host in self._named_hosts(known)} | {
            self._told_in.get(known.community)
        }
        found = self._book.addresses(known.community, self._time_ms(now_ms))
        usable = [place for place in found if (near := near_range(place.host)) is None or near in ranges]
        return tuple(usable) or (known.hints if found else ())

    def _named_hosts(self, known: Known) -> set[str]:
        """The hosts at which somebody here has said that a community is: in the settings, by hand, nearby, invited."""
        return {place.host for place in (*known.hints, *self._named.get(known.community, ()))}

    def _may_be_near(self, dial: Dial) -> bool:
        """Whether a name may turn out to mean an address in our own networks: where somebody here has named it."""
        known = self._book.get(dial.expected) if dial.expected is not None else None
        if known is None or near_range(dial.address.host) is not None:
            return True
        return dial.address.host in self._named_hosts(known)

    def _try_told(self, source: bytes, now_ms: int) -> None:
        """See whether some of those answer that one peer told of: few at a time, each a few times.

        Those that are pushed out of the book meanwhile are tried to the end, or they would make room for more.
        """
        if len(self._tried) > 2 * TOLD_MAX:
            self._tried.intersection_update(known.community for known in self._book.known)
        trying = {name for name in self._trying.get(source, ()) if self._dialling.target(name) is not None}
        for name in self._book.told_by(source):
            known = self._book.get(name)
            addresses = self._places(known, now_ms) if known is not None else ()
            if len(trying) < TOLD_DIALLED_BY_ONE_MAX and name not in self._tried and addresses:
                self._tried.add(name)
                trying.add(name)
                self._dialling.aim(name, addresses, now_ms, tries=TOLD_TRIES_MAX)
        self._trying[source] = trying

    def _seek_anybody(self, now_ms: int) -> None:
        """A node that knows nobody dials those that it was told to ask first; one that does not, dials them no more."""
        is_lonely = not self._book.known and all(
            named.found == "bootstrap" for named in self._nameless.values()
        )
        for address, named in self._bootstrap.items():
            if is_lonely and address not in self._nameless:
                self._nameless[address] = named
                self._dialling.aim(address, [address], now_ms)
            elif not is_lonely and self._nameless.get(address) == named:
                del self._nameless[address]
                self._dialling.drop(address)

    def _ask(self, peer: bytes, now_ms: int) -> AskPeer:
        self._asked_ms = now_ms
        self._search_ms = now_ms + ADDRESS_SEARCHED_MS
        missing = self._missing()
        wanted = self._chance.sample(missing, min(len(missing), ADDRESS_PAGE_MAX))
        return AskPeer(peer, AddressesGet(0, tuple(wanted), SAMPLE), _ADDRESSES)

    def _missing(self) -> list[bytes]:
        """Those that we follow and that are not connected."""
        return [
            known.community
            for known in self._book.known
            if known.trust == "followed" and known.community not in self._budgets
        ]

    def _woken(self, _event: Woken, now_ms: int) -> list[Any]:
        effects: list[Any] = [ReadClock()]
        effects += [Drop(peer, "session_finished") for peer in self._dialling.end_visits(now_ms)]
        if self._search_ms is not None and now_ms >= self._search_ms:
            self._search_ms = now_ms + ADDRESS_SEARCHED_MS
            is_due = now_ms - self._asked_ms >= ADDRESS_ASKED_MS
            if self._budgets and (is_due or self._missing()):
                effects.append(self._ask(self._chance.choice(list(self._budgets)), now_ms))
        return effects

    def _wake(self) -> list[Any]:
        times = [self._dialling.next_ms(self._budgets.keys()), self._renew_ms]
        if self._budgets:
            times.append(self._search_ms)
        wanted = [time_ms for time_ms in times if time_ms is not None]
        return [WakeAt(min(wanted))] if wanted else []

    def _keep(self, news: News) -> list[Any]:
        for name in news.forgotten:
            for table in (self._records, self._passed_ms, self._named, self._told_in):
                table.pop(name, None)
        return [*(ForgetKnown(name) for name in news.forgotten), KeepKnown(news.known)]

    def _budget(self, peer: bytes, now_ms: int) -> _Budget:
        budget = self._budgets[peer]
        if now_ms >= budget.until_ms:
            budget = self._budgets[peer] = _Budget(now_ms + ADDRESS_WINDOW_MS)
        return budget

    def _time_ms(self, now_ms: int) -> int:
        return now_ms + self._clock_ms

    def _sighting(self, known: Known, now_ms: int) -> Sighting:
        name, time_ms = known.community, self._time_ms(now_ms)
        record, target = self._book.record(name, time_ms), self._dialling.target(name)
        addresses = self._book.addresses(name, time_ms)
        reach: Reach = "untried"
        if name in self._budgets:
            reach = "connected"
        elif record is not None and not record.addresses:
            reach = "dials_out"
        elif (target is not None and target.turn + target.failures > 0) or (
            target is None and name in self._tried
        ):
            reach = "unreached"
        return Sighting(known, record, addresses, reach, self._records.get(name))

    _MOVES: ClassVar[Mapping[type, Callable[..., list[Any]]]] = {
        SearchBegun: _begun,
        OwnPlaceChanged: _place_changed,
        ClockRead: _clock_read,
        AddressNamed: _address_named,
        TrustChanged: _trust_changed,
        PeerMet: _peer_met,
        PeerOpened: _peer_opened,
        PeerClosed: _peer_closed,
        PeerSilent: _peer_silent,
        DialEnded: _dial_ended,
        RulesChanged: _rules_changed,
        FrameReceived: _frame_received,
        PeerAnswered: _answered,
        Woken: _woken,
    }


def _records_of(peer: bytes, heads: Heads) -> int:
    """How many records a peer says that it has in lanes of its own."""
    return sum(stated.size for stated in heads.heads if stated.community == peer)
