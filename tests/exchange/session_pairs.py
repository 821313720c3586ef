"""Two identities with fixed keys, and two session machines joined by hand: no network, no clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from protocol.exchange.session import (
    Binding,
    Close,
    Connected,
    Effect,
    Identify,
    MessageReceived,
    OwnSide,
    PeerIdentity,
    Role,
    SendMessage,
    Session,
    bind_direct,
)
from protocol.identity.keys import SigningKey

START_MS = 5_000
TIME_MS = 1_700_000_000_000


def make_side(seed: int) -> OwnSide:
    """An identity whose genesis is, for these tests, its transport key behind a word."""
    key = SigningKey(bytes([seed]) * 32)
    genesis = b"genesis" + key.public
    return OwnSide(genesis, PeerIdentity(sha256(b"\x00" + genesis).digest(), key.public), key.sign)


def identify(genesis: bytes) -> PeerIdentity:
    return PeerIdentity(sha256(b"\x00" + genesis).digest(), genesis[-32:])


A, B = make_side(1), make_side(2)


def make_session(
    role: Role,
    own: OwnSide,
    *,
    nonce: bytes | None = None,
    binding: Binding | None = None,
    expected: bytes | None = None,
    identify: Identify = identify,
) -> Session:
    return Session(
        role,
        own,
        binding or bind_direct(B.identity.transport_key),
        nonce=nonce or (b"d" if role == "dialer" else b"l") * 32,
        time_ms=TIME_MS,
        identify=identify,
        expected=expected,
    )


@dataclass
class Wire:
    """Carries messages between two sessions until both are quiet; `tamper` may change or drop them."""

    dialer: Session
    listener: Session
    tamper: Callable[[Role, bytes], list[bytes]] = lambda _sender, raw: [raw]
    effects: dict[Role, list[Effect]] = field(default_factory=lambda: {"dialer": [], "listener": []})
    messages: list[tuple[Role, bytes]] = field(default_factory=list)

    def run(self, now_ms: int = START_MS) -> "Wire":
        queue: list[tuple[Role, bytes]] = []
        self._take("listener", self.listener.handle(Connected(), now_ms), queue)
        self._take("dialer", self.dialer.handle(Connected(), now_ms), queue)
        while queue:
            sender, raw = queue.pop(0)
            self.messages.append((sender, raw))
            for carried in self.tamper(sender, raw):
                receiver: Role = "listener" if sender == "dialer" else "dialer"
                session = self.listener if sender == "dialer" else self.dialer
                self._take(receiver, session.handle(MessageReceived(carried), now_ms), queue)
        return self

    def closed_with(self, role: Role) -> str | None:
        codes = [effect.code for effect in self.effects[role] if isinstance(effect, Close)]
        assert len(codes) <= 1
        return codes[0] if codes else None

    def _take(self, role: Role, effects: list[Effect], queue: list[tuple[Role, bytes]]) -> None:
        self.effects[role] += effects
        queue += [(role, effect.raw) for effect in effects if isinstance(effect, SendMessage)]
