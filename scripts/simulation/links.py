"""The sessions of one node: whom it dials, who dialled it, which of two goes on (`node/federation` in small).

Every session is the real machine of section 17. Frames of a proven peer go to the node, and the node's to its
one open session with that peer.
"""

from statistics import median_low
from typing import TYPE_CHECKING

from protocol.exchange.addresses import Address
from protocol.exchange.dialling import Dialling
from protocol.exchange.discovery_events import Dial
from protocol.exchange.frames import NONCE_BYTES, Frame, encode_frame
from protocol.exchange.identify import identify
from protocol.exchange.replication_events import FrameReceived, PeerClosed, PeerOpened, WishesChanged
from protocol.exchange.session import (
    Admit,
    Close,
    CloseAsked,
    Connected,
    ConnectionLost,
    Deliver,
    Event,
    MessageReceived,
    PeerIdentity,
    Role,
    SendMessage,
    Session,
    WakeAt,
    Woken,
    bind_direct,
    is_newcomer_kept,
)
from protocol.limits import PING_MS, SILENCE_MS
from simulation.network import Connection

if TYPE_CHECKING:
    from simulation.node import Node

_PATIENCE_MS = 1_000  # of the judge
_IDENTITIES: dict[bytes, PeerIdentity] = {}


class Link:
    """One end of a connection with its session."""

    def __init__(self, node: "Node", role: Role, connection: Connection, certificate_key: bytes) -> None:
        """Take the node, who dialled, the connection, and the key of the listener's certificate."""
        self.place = node.place
        self.is_dialler = role == "dialer"
        self.admitted: Admit | None = None
        self.dial: int | None = None
        self.code = "session_lost"
        self.opened_ms = self.heard_ms = node.machine_ms
        self._node = node
        self._connection = connection
        self._alarm = 0
        self._is_ended = False
        self._session = Session(
            role,
            node.community.side,
            bind_direct(certificate_key),
            nonce=node.random.randbytes(NONCE_BYTES),
            time_ms=node.clock_ms,
            identify=identify_once,
        )

    @property
    def community(self) -> bytes | None:
        """Who is at the other end, once that is proven."""
        return self.admitted.identity.community if self.admitted else None

    def connected(self) -> None:
        """The connection stands."""
        self._node.run(lambda: self._tell(Connected()))

    def arrived(self, raw: bytes) -> None:
        """A message has come."""
        node = self._node
        node.agenda.note(node.place, raw)
        self.heard_ms = node.machine_ms
        node.run(lambda: self._tell(MessageReceived(raw)))

    def lost(self) -> None:
        """The connection is gone."""
        self._node.run(lambda: self._tell(ConnectionLost()))

    def send(self, frame: Frame) -> None:
        """Send a frame."""
        self._send(encode_frame(frame))

    def close(self, code: str) -> None:
        """End the session, saying why."""
        self._tell(CloseAsked(code))

    @property
    def has_far_end(self) -> bool:
        """Whether the peer still knows of the connection."""
        return self._connection.other(self) is not None

    def drop_dead(self) -> None:
        """The power is gone: no goodbye."""
        self._is_ended = True
        self._node.network.forget(self._connection, self)

    def _tell(self, event: Event) -> None:
        if self._is_ended:
            return
        for effect in self._session.handle(event, self._node.machine_ms):
            if isinstance(effect, SendMessage):
                self._send(effect.raw)
            elif isinstance(effect, Deliver):
                self._node.links.received(self, effect.frame)
            elif isinstance(effect, WakeAt):
                self._set_alarm(effect.at_ms)
            elif isinstance(effect, Admit):
                self.admitted = effect
                self._connection.is_settled = True
                self._node.links.admit(self, effect)
            elif isinstance(effect, Close):
                self.code = effect.code
                if effect.code == "session_silent" and isinstance(event, Woken):
                    self._node.oracle.given_up(self._node, self._node.machine_ms - self.heard_ms)
                self._end()

    def _send(self, raw: bytes) -> None:
        self._node.network.send(self._connection, self, raw)

    def _set_alarm(self, at_ms: int) -> None:
        self._alarm += 1
        alarm = self._alarm
        self._node.later(at_ms - self._node.machine_ms, lambda: self._wake(alarm))

    def _wake(self, alarm: int) -> None:
        if alarm == self._alarm:
            self._tell(Woken())

    def _end(self) -> None:
        self._is_ended = True
        self._node.network.close(self._connection, self)
        self._node.later(
            0, lambda: self._node.links.ended(self)
        )  # as its own task does, after what is under way


class Links:
    """The table of one life of a node."""

    def __init__(self, node: "Node") -> None:
        """Begin without sessions."""
        self._node = node
        self._all: list[Link] = []
        self._open: dict[bytes, Link] = {}
        self._dialling = Dialling(node.random)
        self._alarm = 0
        self._offsets: dict[bytes, int] = {}

    def aim(self, place: int, community: bytes) -> None:
        """Dial a node from now on."""
        self._dialling.aim(community, [Address("direct", "simulated", place + 1)], self._node.machine_ms)
        self._seek()

    def accept(self, connection: Connection) -> Link:
        """Make the listening end of a connection."""
        link = Link(self._node, "listener", connection, self._node.community.transport.public)
        self._all.append(link)
        return link

    def send(self, peer: bytes, frame: Frame) -> None:
        """Send a frame to a peer, if a session with it stands."""
        if peer in self._open:
            self._open[peer].send(frame)

    def drop(self, peer: bytes, code: str) -> None:
        """End the session with a peer."""
        if peer in self._open:
            self._open[peer].close(code)

    def received(self, link: Link, frame: Frame) -> None:
        """Hand on a frame; a link that another one has replaced is not listened to."""
        community = link.community
        heard = self._node.hear(frame)
        if heard is not None and community is not None and self._open.get(community) is link:
            self._node.tell(FrameReceived(community, heard))

    def admit(self, link: Link, admit: Admit) -> None:
        """Take in a peer that has proven itself: of two sessions with one community, one goes on."""
        community = admit.identity.community
        present = self._open.get(community)
        if present is not None and not self._is_newcomer_kept(link, present, community):
            if not present.has_far_end and link.is_dialler == present.is_dialler:
                self._node.oracle.fail(f"{self._node.name} turns away a peer that has dialled again")
            link.close("session_duplicate")
            return
        if present is not None:
            present.close("session_duplicate")
        self._open[community] = link
        self._note_clock(community, admit.time_ms - self._node.clock_ms)
        self._node.count("sessions opened")
        if link.dial is not None:
            self._dialling.reached(link.dial, community)
        self._dialling.opened(community, self._node.machine_ms)
        self._node.tell(PeerOpened(community, admit.requests_max))
        if link.dial is not None:
            self._node.tell(WishesChanged())
        self._seek()

    def ended(self, link: Link) -> None:
        """A link is over: another part of the node may have to dial again."""
        self._all.remove(link)
        community = link.community
        if community is not None and self._open.get(community) is link:
            del self._open[community]
            self._note_clock(community, None)
            self._node.tell(PeerClosed(community, link.code))
        now_ms = self._node.machine_ms
        if community is not None and community not in self._open:
            self._dialling.parted(community, link.code, now_ms)
        if link.dial is not None:
            self._dialling.ended(link.dial, link.code, now_ms - link.opened_ms, now_ms)
        self._seek()

    def check_silence(self) -> None:
        """Nobody is waited for who has said nothing for so long."""
        for link in self._open.values():
            if self._node.machine_ms - link.heard_ms > SILENCE_MS + PING_MS + _PATIENCE_MS:
                self._node.oracle.fail(f"{self._node.name} keeps a session in which nothing is heard")

    def cut_power(self) -> None:
        """Every connection is left as it is."""
        for link in self._all:
            link.drop_dead()

    def _seek(self) -> None:
        """Dial who is due, and come back when the next one is (what `Discovery` does with its dialling)."""
        for dial in self._dialling.due(self._open.keys(), self._node.machine_ms):
            self._dial(dial)
        next_ms = self._dialling.next_ms(self._open.keys())
        self._alarm += 1
        if next_ms is not None:
            alarm = self._alarm
            self._node.later(next_ms - self._node.machine_ms, lambda: self._wake(alarm))

    def _wake(self, alarm: int) -> None:
        if alarm == self._alarm:
            self._seek()

    def _dial(self, dial: Dial) -> None:
        node, life, place = self._node, self._node.life, dial.address.port - 1
        node.agenda.note_material()
        node.count("dials")

        def made(connection: Connection) -> Link | None:
            if node.life != life:
                return None  # the power of this end went meanwhile
            link = Link(node, "dialer", connection, node.key_at(place))
            link.dial = dial.dial
            self._all.append(link)
            return link

        def failed() -> None:
            if node.life == life and node.is_up:
                self._dialling.ended(dial.dial, "session_lost", 0, node.machine_ms)
                self._seek()

        node.network.dial(node.place, place, made, failed)

    def _is_newcomer_kept(self, newcomer: Link, present: Link, community: bytes) -> bool:
        own = self._node.community.id

        def dialler_of(link: Link) -> bytes:
            return own if link.is_dialler else community

        return is_newcomer_kept(
            newcomer_dialed_by=dialler_of(newcomer), present_dialed_by=dialler_of(present)
        )

    def _note_clock(self, community: bytes, offset_ms: int | None) -> None:
        if offset_ms is None:
            self._offsets.pop(community, None)
        else:
            self._offsets[community] = offset_ms
        offsets = self._offsets.values()
        self._node.writer.clock.peers_offset_ms = median_low(offsets) if offsets else 0


def identify_once(genesis_record: bytes) -> PeerIdentity:
    """Return who a genesis proves, verified the first time that it is met."""
    known = _IDENTITIES.get(genesis_record)
    if known is None:
        known = _IDENTITIES[genesis_record] = identify(genesis_record)
    return known
