"""Many cheap nodes: how fast and how often news reaches a thousand of them, and what a broken network costs.

The real machines of replication, dissemination and dialling, over sessions that are only said to be open and
stores that hold one lane a sender. What is measured of them stands in `crowd_figures.py`.

    crowd = Crowd(1_000, seed=1)
    crowd.live(5_000)
    head = crowd.publish(origin)
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, ClassVar, cast

from protocol.exchange.addresses import Address
from protocol.exchange.dialling import Dialling
from protocol.exchange.discovery_events import Dial
from protocol.exchange.exchange import Exchange
from protocol.exchange.frames import SUMMARY_KEY_BYTES, Answer, Frame, News, Request, encode_frame
from protocol.exchange.heads import read_offer
from protocol.exchange.holding import AdoptHead, RememberHead, SignedHead, StoreEntries
from protocol.exchange.listing import SumUpHeads, sum_up
from protocol.exchange.replication_events import (
    FrameReceived,
    LaneAdvanced,
    LanesLoaded,
    LaneStored,
    LoadLanes,
    PeerClosed,
    PeerOpened,
    PeerSilent,
    PeerVisited,
    Send,
    Serve,
    WakeAt,
    Woken,
)
from protocol.identity.keys import SigningKey
from protocol.limits import HANDSHAKE_MS, PING_MS, REQUESTS_MAX, SILENCE_MS
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.merkle import leaf_hash
from protocol.log.origin import Origin
from protocol.log.tiles import pack_entries, unpack_entries
from simulation.agenda import Agenda
from simulation.latencies import between
from simulation.serving import answer, notes_for
from simulation.store import StoreImage, append, remember, set_head

OUTBOUND_ONLY_PART = 0.7
WAY_MS = (10, 50)
SYNC_MS = (2, 10)
RECORD_BYTES = 500
LANE = "market/food"
_START_MS = 2_000  # within so long all begin


class PublicState:
    """The folded state of a crowd's node, as far as who may read what is asked: everybody everything."""

    class Declared:
        """A public lane."""

        visibility = "public"

    def get(self, _table: str, _key: tuple[Any, ...]) -> Any:
        """Return that a lane is public."""
        return self.Declared


@dataclass(eq=False)
class Silences:
    """The machine that hears whose link carries nothing, for the dialling beside it."""

    HEARS: ClassVar[frozenset[type]] = frozenset({PeerSilent})
    FRAMES: ClassVar[frozenset[type]] = frozenset()
    dialling: Dialling

    def handle(self, event: PeerSilent, now_ms: int) -> list[Any]:
        """Let a silent link count no more."""
        self.dialling.fell_silent(event.peer, now_ms)
        return []


@dataclass(eq=False)
class Member:
    """One node of the crowd: the real machines, a store, and which links stand."""

    place: int
    community: bytes
    is_public: bool
    random: Random
    image: StoreImage
    is_up: bool = True
    is_silent: bool = False
    links: dict[bytes, int] = field(default_factory=dict)
    dialled: dict[int, int] = field(default_factory=dict)
    alarm: int = 0
    seeks: int = 0

    def __post_init__(self) -> None:
        """Make the machines, and what `serving.answer` looks at."""
        self.dialling = Dialling(self.random)
        self.exchange = Exchange(Silences(self.dialling))
        self.disk = self
        self.views = self
        self.state = PublicState()


class Crowd:
    """The nodes, the network between them, and who has which head since when."""

    def __init__(self, nodes: int, seed: int, *, senders: int = 1) -> None:
        """Make the nodes; the first `senders` of them write a lane each, that all follow."""
        self.random = Random(f"crowd {nodes} {seed}")
        self.agenda = Agenda()
        self.way_ms = between(*WAY_MS, nodes, Random(f"ways {nodes} {seed}"))
        self.members = [self._member(place, seed) for place in range(nodes)]
        self.by_name = {member.community: member for member in self.members}
        self.keys = {Origin(each.community, LANE, 0): _key(each.place) for each in self.members[:senders]}
        self.sides: frozenset[int] | None = None
        self.delivered: dict[tuple[Origin, int], dict[int, int]] = {}
        self.copies: Counter[tuple[Origin, int]] = Counter()
        self.bytes_sent = 0
        for member in self.members:
            for other in self.members:
                if other.is_public and other is not member:
                    member.dialling.aim(other.community, [Address("direct", "crowd", other.place + 1)], 0)
        for member in self.members:
            self._wake(member, self.random.randint(0, _START_MS))

    # What is measured.

    def publish(self, origin: Origin) -> tuple[Origin, int]:
        """Let the writer of a lane sign one more record, and return which head that is."""
        member = self.by_name[origin.community]
        raw = self.random.randbytes(RECORD_BYTES)
        append(origin, [raw], [leaf_hash(raw)])(member.image)
        lane = member.image.lane(origin)
        checkpoint = Checkpoint(origin.text, lane.tree.size, lane.tree.root())
        head = SignedHead(make_checkpoint_note(checkpoint, self.keys[origin]), checkpoint)
        set_head(origin, head)(member.image)
        self.delivered[origin, head.size] = {member.place: self.agenda.now_ms}
        start, packed = head.size - 1, pack_entries([raw])
        self._tell(member, LaneAdvanced(origin, head, True, start, 1, packed))
        return origin, head.size

    def live(self, duration_ms: int, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, up to when something is so; return whether it is."""
        end_ms = self.agenda.now_ms + duration_ms
        while not until():
            if not self.agenda.step(end_ms):
                return until()
        return True

    def missing(self, head: tuple[Origin, int], members: Sequence[Member]) -> int:
        """Count those of the members that do not hold a head."""
        held = self.delivered[head]
        return sum(each.place not in held and not self._is_past(each, head) for each in members)

    def _is_past(self, member: Member, head: tuple[Origin, int]) -> bool:
        stored = member.image.lane(head[0]).head
        return stored is not None and stored.size >= head[1]

    @property
    def honest(self) -> list[Member]:
        """The nodes with power that speak; those that only dial out reach a public one of them."""
        return [each for each in self.members if each.is_up and not each.is_silent]

    # The network.

    def _member(self, place: int, seed: int) -> Member:
        key = _key(place)
        random = Random(f"member {place} {seed}")
        is_public = place == 0 or random.random() >= OUTBOUND_ONLY_PART
        return Member(place, key.public, is_public, random, StoreImage(random.randbytes(16)))

    def _reaches(self, one: Member, other: Member) -> bool:
        is_whole = self.sides is None or (one.place in self.sides) == (other.place in self.sides)
        return one.is_up and other.is_up and is_whole

    def _after(self, member: Member, delay_ms: int, action: Callable[[], None]) -> None:
        self.agenda.after(delay_ms, lambda: action() if member.is_up else None)

    def _send(self, member: Member, peer: bytes, frame: Frame) -> None:
        other = self.by_name[peer]
        if peer not in member.links or member.is_silent:
            return
        self.bytes_sent += len(encode_frame(frame))
        link = member.links[peer]

        def arrive() -> None:
            if self._reaches(member, other) and other.links.get(member.community) == link:
                if isinstance(frame, News):
                    offer = read_offer(frame.head)
                    self.copies[offer.origin, offer.checkpoint.size] += 1
                other.dialling.spoke(member.community)
                self._tell(other, FrameReceived(member.community, frame))

        self._after(other, self.way_ms(member.place, other.place), arrive)

    def _dial(self, member: Member, dial: Dial) -> None:
        other = self.members[dial.address.port - 1]
        way_ms = self.way_ms(member.place, other.place)

        def connect() -> None:
            if not self._reaches(member, other):
                self._after(member, HANDSHAKE_MS, lambda: self._ended(member, dial.dial, HANDSHAKE_MS))
            elif other.community in member.links:
                self._ended(member, dial.dial, 0)
            else:
                self._open(member, other, dial.dial)

        self._after(member, 3 * way_ms, connect)

    def _open(self, member: Member, other: Member, dial: int) -> None:
        link = self.agenda.steps
        member.dialled[link] = dial
        member.dialling.reached(dial, other.community)
        for one, far in ((member, other), (other, member)):
            one.links[far.community] = link
            one.dialling.opened(far.community, self.agenda.machine_ms)
            self._tell(one, PeerOpened(far.community, REQUESTS_MAX))
            if one.dialling.is_visit(far.community):
                self._tell(one, PeerVisited(far.community))
            self._watch(one, far, link)

    def _watch(self, member: Member, other: Member, link: int) -> None:
        """A far end that is gone is noticed by its silence; one that is only mute answers pings all the same."""

        def look() -> None:
            if member.links.get(other.community) != link:
                return
            if self._reaches(member, other) and other.links.get(member.community) == link:
                self._watch(member, other, link)
            else:
                self._close(member, other.community, stood_ms=SILENCE_MS + PING_MS)

        self._after(member, SILENCE_MS + PING_MS, look)

    def _close(self, member: Member, peer: bytes, *, stood_ms: int, code: str = "session_lost") -> None:
        link = member.links.pop(peer, None)
        if link is None:
            return
        self._tell(member, PeerClosed(peer, code))
        member.dialling.parted(peer, code, self.agenda.machine_ms)
        if link in member.dialled:
            self._ended(member, member.dialled.pop(link), stood_ms, code)

    def _ended(self, member: Member, dial: int, stood_ms: int, code: str = "session_lost") -> None:
        member.dialling.ended(dial, code, stood_ms, self.agenda.machine_ms)
        self._seek(member)

    def _seek(self, member: Member) -> None:
        """What `Discovery` does with its dialling: leave whom it visited, dial who is due, be woken again."""
        now_ms = self.agenda.machine_ms
        for peer in member.dialling.end_visits(now_ms):
            other = self.by_name[peer]
            self._close(member, peer, stood_ms=0, code="session_finished")
            self._after(
                other,
                self.way_ms(member.place, other.place),
                partial(self._close, other, member.community, stood_ms=0, code="session_finished"),
            )
        for dial in member.dialling.due(member.links.keys(), now_ms):
            self._dial(member, dial)
        next_ms = member.dialling.next_ms(member.links.keys())
        if next_ms is not None:
            self._wake(member, next_ms)

    # The driver.

    def _wake(self, member: Member, at_ms: int) -> None:
        """One alarm for the dialling of a node; it replaces the one before."""
        member.seeks += 1
        seeks = member.seeks
        wait_ms = max(1, at_ms - self.agenda.machine_ms)
        self._after(member, wait_ms, lambda: self._seek(member) if member.seeks == seeks else None)

    def _tell(self, member: Member, event: Any) -> None:
        for effect in member.exchange.handle(event, self.agenda.machine_ms):
            self._perform(member, effect)
        if isinstance(event, PeerOpened | PeerClosed | Woken):
            self._seek(member)

    def _perform(self, member: Member, effect: Any) -> None:
        if isinstance(effect, Send):
            self._send(member, effect.peer, effect.frame)
        elif isinstance(effect, Serve):
            self._send(member, effect.peer, self._answer(member, effect.peer, effect.request))
        elif isinstance(effect, LoadLanes):
            held = tuple(
                member.image.held_under(
                    origin, self.keys[origin].public, is_own=origin.community == member.community
                )
                for origin in effect.origins
            )
            self._after(member, 1, lambda: self._tell(member, LanesLoaded(held, ())))
        elif isinstance(effect, SumUpHeads):
            notes = notes_for(cast("Any", member), effect.peer)
            summed = sum_up(effect, notes, fresh_key=member.random.randbytes(SUMMARY_KEY_BYTES))
            self._after(member, 1, lambda: self._tell(member, summed))
        elif isinstance(effect, RememberHead | StoreEntries | AdoptHead):
            self._after(member, member.random.randint(*SYNC_MS), lambda: self._store(member, effect))
        elif isinstance(effect, WakeAt):
            member.alarm += 1
            alarm = member.alarm
            self._after(
                member,
                effect.at_ms - self.agenda.machine_ms,
                lambda: self._tell(member, Woken()) if member.alarm == alarm else None,
            )

    def _answer(self, member: Member, reader: bytes, request: Request) -> Answer:
        return answer(cast("Any", member), reader, request)

    def _store(self, member: Member, step: RememberHead | StoreEntries | AdoptHead) -> None:
        if isinstance(step, RememberHead):
            remember(step.origin, step.head)(member.image)
            return
        if isinstance(step, StoreEntries):
            entries = unpack_entries(step.packed, step.count)
            append(step.origin, entries, step.leaf_hashes)(member.image)
            self._tell(member, LaneStored(step.origin, step.end))
            return
        set_head(step.origin, step.head)(member.image)
        delivered = self.delivered.get((step.origin, step.head.size))
        if delivered is not None:
            delivered.setdefault(member.place, self.agenda.now_ms)
        self._tell(member, LaneAdvanced(step.origin, step.head, is_own=False))


def _key(place: int) -> SigningKey:
    return SigningKey(place.to_bytes(32, "big"))
