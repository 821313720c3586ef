"""One session between two nodes: handshake, keep-alive, end (PROTOCOL.md section 17).

The machine stands between one connection and the rest of the node, and delivers nothing before it is proven
who is at the other end. `now_ms` counts the milliseconds of a clock that only goes forward.

    session = Session("dialer", own, binding, nonce=nonce, time_ms=time_ms, identify=identify)
    effects = session.handle(Connected(), now_ms)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Literal

from protocol.encoding import encode
from protocol.errors import ProtocolError, SessionError
from protocol.exchange.frames import (
    FRAME_TYPES,
    Bye,
    Frame,
    Grant,
    Hello,
    Ping,
    Pong,
    Proof,
    Refused,
    decode_frame,
    encode_frame,
)
from protocol.exchange.rates import DEFAULT_GRANT
from protocol.identity.keys import is_signature_valid
from protocol.limits import HANDSHAKE_MS, PING_MS, REQUESTS_MAX, SILENCE_MS

VERSION_LOWEST = 1
VERSION_HIGHEST = 1
SESSION_DOMAIN = b"wildgrass/v1/session\n"

Role = Literal["dialer", "listener"]
_OTHER: Mapping[str, Role] = {"dialer": "listener", "listener": "dialer"}


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """What a genesis record says to the session: the 32-byte community id and its transport key."""

    community: bytes
    transport_key: bytes


Identify = Callable[[bytes], PeerIdentity]
"""Returns the identity that a genesis record proves, or raises `ProtocolError`."""


@dataclass(frozen=True, slots=True)
class OwnSide:
    """What the node says of itself: genesis record, identity, how its transport key signs, what it grants."""

    genesis: bytes
    identity: PeerIdentity
    sign: Callable[[bytes], bytes]
    grant: Grant = DEFAULT_GRANT


@dataclass(frozen=True, slots=True)
class Binding:
    """What ties the proof to the connection: the listener's certificate key, or the host that was dialled."""

    way: Literal["direct", "proxied"]
    value: bytes | str

    @property
    def certificate_key(self) -> bytes | None:
        """The 32-byte Ed25519 key of the listener's certificate, where nobody stands in between."""
        return self.value if isinstance(self.value, bytes) else None


def bind_direct(certificate_key: bytes) -> Binding:
    """Return the binding of a connection whose TLS ends at the listener itself."""
    return Binding("direct", certificate_key)


def bind_proxied(host: str) -> Binding:
    """Return the binding of a connection through a proxy that holds an ordinary certificate for `host`."""
    return Binding("proxied", host)


@dataclass(frozen=True, slots=True)
class Connected:
    """The WebSocket stands."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """One binary message came in."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The WebSocket is gone."""


@dataclass(frozen=True, slots=True)
class CloseAsked:
    """The node itself wants the session to end, for the reason `code`."""

    code: str


@dataclass(frozen=True, slots=True)
class Woken:
    """The time of the last `WakeAt` has come."""


Event = Connected | MessageReceived | ConnectionLost | CloseAsked | Woken


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send one binary message."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Admit:
    """The peer has proven who it is; from here on its frames are delivered and frames may be sent to it.

    So many requests as `requests_max` may wait for its answers; `time_ms` is what its clock said at hello.
    `grant` is what it takes in unasked (section 30), None where it did not say.
    """

    identity: PeerIdentity
    genesis: bytes
    version: int
    requests_max: int
    time_ms: int
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand a frame of the admitted peer to the rest of the node."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket; `by_peer` tells whose code it is. Nothing follows."""

    code: str
    detail: str = ""
    by_peer: bool = False


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Come back with `Woken` at this time; it replaces the one before."""

    at_ms: int


Effect = SendMessage | Admit | Deliver | Close | WakeAt


class State(Enum):
    """Where a session stands."""

    WAITING = "waiting for the connection"
    GREETING = "waiting for hello"
    PROVING = "waiting for proof"
    OPEN = "open"
    CLOSED = "closed"


_NOT_CLOSED = (State.WAITING, State.GREETING, State.PROVING, State.OPEN)
_DELIVERED = [frame for frame in FRAME_TYPES.values() if frame not in (Hello, Proof, Ping, Pong, Bye)]


class Session:
    """The machine of one connection, for either role."""

    def __init__(
        self,
        role: Role,
        own: OwnSide,
        binding: Binding,
        *,
        nonce: bytes,
        time_ms: int,
        identify: Identify,
        expected: bytes | None = None,
    ) -> None:
        """Take 32 fresh random bytes as `nonce`; `expected` is the community id that was dialled."""
        self.state = State.WAITING
        self.role = role
        self._own = own
        self._binding = binding
        self._identify = identify
        self._expected = expected
        self._hello = encode_frame(
            Hello(
                version_lowest=VERSION_LOWEST,
                version_highest=VERSION_HIGHEST,
                role=role,
                genesis=own.genesis,
                transport_key=own.identity.transport_key,
                nonce=nonce,
                requests_max=REQUESTS_MAX,
                time_ms=time_ms,
                grant=own.grant,
            )
        )
        self._nonce = nonce
        self._peer_hello = b""
        self._admit: Admit | None = None
        self._deadline_ms = 0
        self._pings = 0
        self._is_pinged = False

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take one event and return what to do, in order."""
        if self.state is State.CLOSED:
            return []
        try:
            if isinstance(event, MessageReceived):
                return self._receive(event.raw, now_ms)
            move = self._EVENT_MOVES.get((self.state, type(event)))
            return move(self, event, now_ms) if move else []
        except SessionError as error:
            return self._close(error.code, error.detail)

    def _receive(self, raw: bytes, now_ms: int) -> list[Effect]:
        try:
            frame = decode_frame(raw)
        except SessionError as error:
            if self.state is State.OPEN and error.code == "frame_unknown":
                return [_send(Refused(0, error.code, ""))]
            raise
        move = self._FRAME_MOVES.get((self.state, type(frame)))
        if move is None:
            name = frame.__struct_config__.tag
            raise SessionError("frame_unexpected", f"{name} while {self.state.value}")
        if self.state is State.GREETING:
            self._peer_hello = raw
        else:
            self._heard(now_ms)
        return move(self, frame, now_ms)

    def _connected(self, _event: Event, now_ms: int) -> list[Effect]:
        self.state = State.GREETING
        self._deadline_ms = now_ms + HANDSHAKE_MS
        greeting: list[Effect] = [SendMessage(self._hello)] if self.role == "dialer" else []
        return [*greeting, WakeAt(self._deadline_ms)]

    def _greeted(self, hello: Hello, _now_ms: int) -> list[Effect]:
        self._admit = self._check_hello(hello)
        self.state = State.PROVING
        if self.role == "dialer":
            return []  # the listener proves itself first: whoever listens is known by its address anyway
        return [SendMessage(self._hello), self._prove()]

    def _check_hello(self, hello: Hello) -> Admit:
        """In the order of section 17.3, so that every implementation refuses with the same code."""
        if hello.role == self.role or hello.nonce == self._nonce:
            raise SessionError("session_role_refused", hello.role)
        version = min(hello.version_highest, VERSION_HIGHEST)
        if version < max(hello.version_lowest, VERSION_LOWEST):
            offered = f"{hello.version_lowest} to {hello.version_highest}"
            raise SessionError("session_version_unsupported", offered)
        try:
            identity = self._identify(hello.genesis)
        except ProtocolError as error:
            raise SessionError("session_genesis_refused", str(error)) from error
        if identity.community == self._own.identity.community:
            raise SessionError("session_self")
        if hello.transport_key != identity.transport_key:
            raise SessionError("session_key_mismatch")
        if self._expected not in (None, identity.community):
            raise SessionError("session_community_mismatch")
        if self.role == "dialer" and self._binding.certificate_key not in (None, identity.transport_key):
            raise SessionError("session_certificate_mismatch")
        return Admit(identity, hello.genesis, version, hello.requests_max, hello.time_ms, hello.grant)

    def _proven(self, proof: Proof, now_ms: int) -> list[Effect]:
        assert self._admit is not None, "a proof is read after the hello"
        message = self._transcript(_OTHER[self.role])
        if not is_signature_valid(self._admit.identity.transport_key, message, proof.signature):
            raise SessionError("session_proof_invalid")
        self.state = State.OPEN
        self._deadline_ms = now_ms + SILENCE_MS
        own_proof: list[Effect] = [self._prove()] if self.role == "dialer" else []
        self._peer_hello = b""  # no transcript is made any more
        return [*own_proof, self._admit, WakeAt(self._deadline_ms)]

    def _prove(self) -> SendMessage:
        return _send(Proof(self._own.sign(self._transcript(self.role))))

    def _transcript(self, signer: Role) -> bytes:
        hellos = (self._hello, self._peer_hello)
        dialer, listener = hellos if self.role == "dialer" else hellos[::-1]
        return transcript(signer, dialer, listener, self._binding)

    def _pinged(self, ping: Ping, _now_ms: int) -> list[Effect]:
        return [_send(Pong(ping.number))]

    def _ponged(self, _pong: Pong, _now_ms: int) -> list[Effect]:
        return []  # any message shows that the peer is there

    def _delivered(self, frame: Frame, _now_ms: int) -> list[Effect]:
        return [Deliver(frame)]

    def _dismissed(self, bye: Bye, _now_ms: int) -> list[Effect]:
        self.state = State.CLOSED
        return [Close(bye.code, by_peer=True)]

    def _lost(self, _event: Event, _now_ms: int) -> list[Effect]:
        self.state = State.CLOSED
        return [Close("session_lost")]

    def _close_asked(self, event: CloseAsked, _now_ms: int) -> list[Effect]:
        return self._close(event.code)

    def _greeting_woken(self, _event: Event, now_ms: int) -> list[Effect]:
        if now_ms < self._deadline_ms:
            return [WakeAt(self._deadline_ms)]
        raise SessionError("session_timeout")

    def _open_woken(self, _event: Event, now_ms: int) -> list[Effect]:
        """A peer that says nothing for `SILENCE_MS` is pinged, and given up `PING_MS` later."""
        if now_ms < self._deadline_ms:
            return [WakeAt(self._deadline_ms)]
        if self._is_pinged:
            raise SessionError("session_silent")
        self._is_pinged = True
        self._pings += 1
        self._deadline_ms = now_ms + PING_MS
        return [_send(Ping(self._pings)), WakeAt(self._deadline_ms)]

    def _heard(self, now_ms: int) -> None:
        if self.state is State.OPEN:
            self._is_pinged = False
            self._deadline_ms = now_ms + SILENCE_MS

    def _close(self, code: str, detail: str = "") -> list[Effect]:
        was_connected = self.state is not State.WAITING
        self.state = State.CLOSED
        farewell: list[Effect] = [_send(Bye(code))] if was_connected else []
        return [*farewell, Close(code, detail)]

    # The legal moves. A frame that is not listed ends the session; another event that is not listed is late.
    _EVENT_MOVES: ClassVar[Mapping[tuple[State, type[Event]], Callable[..., list[Effect]]]] = {
        (State.WAITING, Connected): _connected,
        (State.GREETING, Woken): _greeting_woken,
        (State.PROVING, Woken): _greeting_woken,
        (State.OPEN, Woken): _open_woken,
        **dict.fromkeys([(state, ConnectionLost) for state in _NOT_CLOSED], _lost),
        **dict.fromkeys([(state, CloseAsked) for state in _NOT_CLOSED], _close_asked),
    }
    _FRAME_MOVES: ClassVar[Mapping[tuple[State, type[Frame]], Callable[..., list[Effect]]]] = {
        (State.GREETING, Hello): _greeted,
        (State.PROVING, Proof): _proven,
        (State.OPEN, Ping): _pinged,
        (State.OPEN, Pong): _ponged,
        **dict.fromkeys([(State.OPEN, frame) for frame in _DELIVERED], _delivered),
        **dict.fromkeys([(state, Bye) for state in _NOT_CLOSED], _dismissed),
    }


def transcript(signer: Role, dialer_hello: bytes, listener_hello: bytes, binding: Binding) -> bytes:
    """Return what the transport key of `signer` signs; the hellos are the messages as they were sent."""
    bound = encode([dialer_hello, listener_hello, [binding.way, binding.value]])
    return SESSION_DOMAIN + signer.encode() + b"\n" + bound


def is_newcomer_kept(*, newcomer_dialed_by: bytes, present_dialed_by: bytes) -> bool:
    """Tell which of two sessions with one community goes on; both ends come to the same answer.

    Of two that one side dialled the newer stands, because its dialer has given the older up. Of two that
    crossed, the one stands that the community with the lower id dialled.
    """
    return newcomer_dialed_by <= present_dialed_by


def _send(frame: Frame) -> SendMessage:
    return SendMessage(encode_frame(frame))
