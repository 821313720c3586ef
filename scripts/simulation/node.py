"""One simulated node: disks that outlive its power, and what lives only while it has some.

The machines are the real ones; the driver around them is as dull as `node/federation/driver.py`. Before every
effect, and at every step of the writer, the power may go.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from node.writer.own_lanes import Signer
from protocol.exchange.frames import SUMMARY_KEY_BYTES, Answer, Frame, Request
from protocol.exchange.holding import StoreStep
from protocol.exchange.listing import SumUpHeads, sum_up
from protocol.exchange.places import KeepPlace
from protocol.exchange.replication_events import (
    LaneAdvanced,
    LanesLoaded,
    PlacesLoaded,
    Reply,
    RequestAsked,
    Woken,
)
from protocol.exchange.resuming import Started
from protocol.identity.successor import EpochKeys
from protocol.lanes.kind import CHARTER, Lane, Position
from protocol.log.origin import Origin
from simulation.agenda import START_MS, Agenda
from simulation.communities import Community
from simulation.disk import Disk
from simulation.epochs import known_chain, take_in
from simulation.folding import Views
from simulation.links import Link, Links
from simulation.machines import PERFORMERS, is_idle, make_exchange
from simulation.network import Connection, Network
from simulation.serving import (
    answer,
    heads_of,
    hold_lanes,
    notes_for,
    own_advance,
    own_heads,
    readers_among_peers,
    statements_after,
    without,
)
from simulation.store import GuardImage, StoreImage, note_acknowledged, renumber
from simulation.writer import Job, Writer

if TYPE_CHECKING:
    from simulation.oracle import Oracle

Lie = Callable[[bytes, Frame], Sequence[Frame]]
INSTANCE_BYTES = 16
_SYNC_MS = (2, 25)
_READ_MS = (1, 12)
_SLOW_READS = 0.25


class PowerCut(Exception):
    """The node's power is gone in the middle of what it did."""


class Node:
    """A node of the world, with power or without."""

    def __init__(
        self,
        place: int,
        community: Community,
        *,
        agenda: Agenda,
        network: Network,
        random: Random,
        counts: Counter[str],
        oracle: "Oracle",
    ) -> None:
        """Take where it stands and for whom; `start` gives it power."""
        self.place = place
        self.name = f"node {place} ({community.name})"
        self.community = community
        self.agenda = agenda
        self.network = network
        self.random = random
        self.oracle = oracle
        self.is_up = False
        self.is_outbound_only = False
        self.is_honest = True
        self.is_disk_full = False
        self.visibility: Literal["public", "peers"] = "public"
        self.life = 0
        self.fuse: int | None = None
        self.skew_ms = 0
        self.deaf_to: bytes | None = None
        self.lie: Lie | None = None
        self.is_recovering = False
        self.log_keys = {community.log.public: community.log}
        self.follows: dict[bytes, EpochKeys] = {community.id: community.first}
        self.targets: list[Node] = []
        self.disk = Disk(StoreImage(random.randbytes(INSTANCE_BYTES)))
        self.guard = Disk(GuardImage())
        self.touched: set[Origin] = set()
        self.started: list[Callable[[Node], None]] = []
        self._counts = counts
        self._has_views = False
        network.hosts[place] = self

    @property
    def machine_ms(self) -> int:
        """The clock that only goes forward."""
        return self.agenda.machine_ms

    @property
    def clock_ms(self) -> int:
        """What the node thinks is the time of day."""
        return START_MS + self.agenda.now_ms + self.skew_ms

    # Power.

    def start(self) -> None:
        """Begin a life with what the disks hold."""
        self.life += 1
        self.is_up = True
        self.fuse = None
        self.agenda.note("start", self.place)
        self.agenda.note_material()
        self._alarm = 0
        self._shown: dict[Origin, int] = {}
        self._asked: dict[int, Callable[[Answer | None], None]] = {}
        self._questions = 0
        if not self._has_views:
            self.views = Views(self._entry)
        for followed in list(self.disk.image.successors):
            take_in(self, followed)
        self._fold(sorted(self.disk.image.lanes, key=_by_lane))
        self.exchange = make_exchange(self)
        self.exchange.handle(PlacesLoaded(self.disk.image.places), self.machine_ms)
        self.writer = Writer(self, self.random.randbytes(INSTANCE_BYTES))
        self.links = Links(self)
        self.touched.update(self.disk.image.lanes)
        self.run(self._begin)

    def _begin(self) -> None:
        charter = self.community.origin(CHARTER)
        if not self.disk.image.lane(charter).entries and not self.is_recovering:
            record = self.community.genesis_record
            self.writer.put(Job(lambda writer: writer.found(record), lambda _: None))
        self.writer.wake()
        self.tell(Started())
        for node in self.targets:
            self.links.aim(node.place, node.community.id)
        for hook in self.started:
            hook(self)

    def cut_power(self) -> None:
        """End this life between two steps: what is not synced may be gone."""
        if not self.is_up:
            return
        self.is_up = False
        self.life += 1
        self.agenda.note("power cut", self.place)
        self.agenda.note_material()
        self.count("power cuts")
        self.links.cut_power()
        self._has_views = self.disk.is_synced  # they lie in the main store, and go with it
        before = self.disk.lost + self.guard.lost
        self.disk.cut_power(self.random)
        self.guard.cut_power(self.random)
        self.count("transactions lost with the power", self.disk.lost + self.guard.lost - before)
        self.touched.update(self.disk.image.lanes)
        self.oracle.power_cut(self)

    def burn(self) -> None:
        """One more step of this life is done; where the fuse is at its end, so is the power."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse <= 0:
                raise PowerCut

    def run(self, action: Callable[[], None]) -> None:
        """Do something of this node's, to its end or to that of its power."""
        if not self.is_up:
            return
        try:
            action()
        except PowerCut:
            self.cut_power()
        self.oracle.touched(self)

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something later in this life."""
        life = self.life

        def act() -> None:
            if self.life == life:
                self.run(action)

        self.agenda.after(max(0, delay_ms), act)

    def sync_ms(self) -> int:
        """How long a sync takes this time."""
        return self.random.randint(*_SYNC_MS)

    def count(self, what: str, times: int = 1) -> None:
        """Count something for the figures of the run."""
        self._counts[what] += times

    def restore(self, image: StoreImage) -> None:
        """Put an older copy of the main store in its place, under a new instance id; without power only."""
        assert not self.is_up, "a disk is changed while the node is off"
        self.disk.restore(image)
        self.disk.image.instance = self.random.randbytes(INSTANCE_BYTES)
        self._has_views = False
        self.touched.update(self.disk.image.lanes)
        self.agenda.note("restore", self.place)
        self.count("restores")

    def lose_disks(self) -> None:
        """Put a new machine in its place, that knows the community by its words alone; without power only."""
        assert not self.is_up, "a disk is changed while the node is off"
        self.disk = Disk(StoreImage(self.random.randbytes(INSTANCE_BYTES)))
        self.guard = Disk(GuardImage())
        self.log_keys, self.is_recovering, self._has_views = {}, True, False
        self.agenda.note("disks lost", self.place)
        self.count("disks lost")

    def find_signer(self, keys: EpochKeys) -> Signer:
        """Return what signs an epoch, without a key where that does not lie on this machine."""
        return Signer(self.community.id, keys.epoch, self.log_keys.get(keys.log_key))

    # The network.

    def accept(self, connection: Connection) -> Link:
        """Make the listening end of a connection."""
        return self.links.accept(connection)

    def key_at(self, place: int) -> bytes:
        """Return the key of the certificate that listens at a place."""
        host = self.network.hosts[place]
        assert isinstance(host, Node), "places are nodes"
        return host.community.transport.public

    # The driver.

    def tell(self, event: Any) -> None:
        """Tell the machines what happened and do what they want."""
        for effect in self.exchange.handle(event, self.machine_ms):
            self.burn()
            if not is_idle(effect):
                self.agenda.note_material()
            PERFORMERS[type(effect)](self, effect)

    def hear(self, frame: Frame) -> Frame | None:
        """Return what the machines are told of a frame: a cheat does not listen to what is known of itself."""
        return frame if self.deaf_to is None else without(frame, self.deaf_to)

    def send(self, peer: bytes, frame: Frame) -> None:
        """Send a frame, or what a liar says in its place."""
        for told in self.lie(peer, frame) if self.lie else (frame,):
            self.links.send(peer, told)

    def serve(self, peer: bytes, request: Request) -> None:
        """Answer from the store, mostly at once."""
        if self.random.random() < _SLOW_READS:
            self.later(self.random.randint(*_READ_MS), lambda: self._answer(peer, request))
        else:
            self._answer(peer, request)

    def load_lanes(self, origins: Iterable[Origin]) -> None:
        """Look up lanes and tell the machines."""
        asked = tuple(origins)
        self.later(self.random.randint(*_READ_MS), lambda: self._tell_lanes(asked))

    def sum_up(self, wanted: SumUpHeads) -> None:
        """Sum up the heads that a peer may read, and tell the machines."""
        key = self.random.randbytes(SUMMARY_KEY_BYTES)
        self.later(
            self.random.randint(*_READ_MS),
            lambda: self.tell(sum_up(wanted, notes_for(self, wanted.peer), fresh_key=key)),
        )

    def keep_place(self, kept: KeepPlace) -> None:
        """Keep how far a peer's list of heads is taken in."""
        self.writer.put(Job(lambda writer: writer.keep_place(kept), lambda _: None))

    def take_step(self, step: StoreStep) -> None:
        """Have a step taken, and tell what came of it once it is synced."""
        self.writer.put(Job(lambda writer: writer.take_step(step), self._tell_taken))

    def load_own_heads(self) -> None:
        """Tell the machines what the store holds of the community itself."""
        self.later(self.random.randint(*_READ_MS), lambda: self.tell(own_heads(self)))

    def load_heads_of(self, peer: bytes) -> None:
        """Tell the machines what the store holds of a peer's own lanes."""
        self.later(self.random.randint(*_READ_MS), lambda: self.tell(heads_of(self, peer)))

    def note_acknowledged(self, peer: bytes) -> None:
        """Remember that a peer has shown a head of ours."""
        self.writer.put(Job(lambda writer: writer.write(note_acknowledged(peer)), lambda _: None))

    def load_statements(self, after: int | None) -> None:
        """Look up statements, numbered in the order in which they were kept, and tell the machines."""
        self.later(self.random.randint(*_READ_MS), lambda: self.tell(statements_after(self, after)))

    def set_alarm(self, at_ms: int) -> None:
        """Come back at a time; it replaces the one before."""
        self._alarm += 1
        alarm = self._alarm
        self.later(at_ms - self.machine_ms, lambda: self._wake(alarm))

    def ask(self, peer: bytes, request: Request, told: Callable[[Answer | None], None]) -> None:
        """Ask a peer something of the node's own; `told` hears the answer, None where there is none."""
        self._questions += 1
        self._asked[self._questions] = told
        self.tell(RequestAsked(peer, self._questions, request))

    def replied(self, reply: Reply) -> None:
        """Hear the end of a request of the node's own."""
        self._asked.pop(reply.token)(reply.answer)

    def _wake(self, alarm: int) -> None:
        if alarm == self._alarm:
            self.tell(Woken())

    def _answer(self, peer: bytes, request: Request) -> None:
        self.send(peer, answer(self, peer, request))

    def _tell_lanes(self, origins: Sequence[Origin]) -> None:
        held, unwanted = hold_lanes(self, origins)
        self.tell(LanesLoaded(held, unwanted))

    def _tell_taken(self, event: Any) -> None:
        if isinstance(event, LaneAdvanced):
            readers = readers_among_peers(self, event.origin)
            event = LaneAdvanced(event.origin, event.head, is_own=False, readers=readers)
        self.oracle.told(self, event)
        self.tell(event)

    # What the writer says.

    def note_stored(self, stored: Sequence[Origin], grown: Sequence[Origin]) -> None:
        """Fold what was stored; own records were folded as they were said."""
        self.agenda.note_material()
        self.touched.update((*stored, *grown))
        self._fold(sorted(stored, key=_by_lane))

    def note_signed(self, origins: Sequence[Origin]) -> None:
        """Push own heads, also the last ones of an epoch that was just closed.

        After a word in the charter those of all lanes: it may have let somebody in.
        """
        self.touched.update(origins)
        self._renumber()
        names = {origin.lane for origin in origins}
        newest = self.writer.epoch
        pushed = [
            origin
            for origin in self.disk.image.lanes
            if origin.community == self.community.id and origin.epoch >= newest - 1
            if CHARTER in names or origin.lane in names
        ]
        self.later(self.random.randint(*_READ_MS), lambda: self._push(pushed))

    def _push(self, origins: Sequence[Origin]) -> None:
        for origin in origins:
            advance = own_advance(self, origin, self._shown.get(origin, 0))
            if advance is not None:
                self._shown[origin] = advance.head.size
                self.oracle.shown(self, origin, advance.head.size)
                self.tell(advance)

    def fold_on(self, community: bytes) -> None:
        """Try again what waits for the charter or an earlier epoch of a community."""
        self._fold(Origin(*lane, epoch) for lane, epoch in self.views.retry(community))

    def fold_anew(self) -> None:
        """Forget the state and make it again from all that is stored."""
        self.views = Views(self._entry)
        for community in self.disk.image.successors:
            self.views.seal(known_chain(self, community))
        self._fold(sorted(self.disk.image.lanes, key=_by_lane))

    def _fold(self, origins: Iterable[Origin]) -> None:
        waiting = [origin for origin in origins if origin in self.disk.image.lanes]
        for origin in waiting:
            lane, stored = Lane(origin.community, origin.lane), self.disk.image.lanes[origin]
            again = self.views.catch_up(lane, origin.epoch, stored.entries, stored.leaves)
            waiting += [Origin(*place, epoch) for place, epoch in again]
        self._renumber()

    def _renumber(self) -> None:
        """Let those ask again who may newly read a lane: this lies with the views, and is lost with them."""
        for community in sorted(self.views.state.newly_read):
            renumber(community)(self.disk.image)
        self.views.state.newly_read.clear()

    def _entry(self, position: Position) -> bytes:
        origin = Origin(position.community, position.lane, position.epoch)
        return self.disk.image.lanes[origin].entries[position.index]


_ORDER = {CHARTER: 0, "trade": 2, "ledger": 3}


def _by_lane(origin: Origin) -> tuple[int, Origin]:
    return _ORDER.get(origin.lane, 1), origin
