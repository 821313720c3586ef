"""The session: who is proven, what is refused with which code, and every state under every event."""

from dataclasses import replace
from itertools import product

import msgspec
import pytest

from protocol.encoding import decode, encode
from protocol.errors import IdentityError
from protocol.exchange.frames import (
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
from protocol.exchange.session import (
    Admit,
    Binding,
    Close,
    CloseAsked,
    Connected,
    ConnectionLost,
    Deliver,
    Event,
    MessageReceived,
    OwnSide,
    PeerIdentity,
    Role,
    SendMessage,
    Session,
    State,
    WakeAt,
    Woken,
    bind_direct,
    bind_proxied,
    is_newcomer_kept,
    transcript,
)
from protocol.limits import (
    FRAME_BYTES_MAX,
    GRANT_BYTES_SECOND_MIN,
    HANDSHAKE_MS,
    PING_MS,
    REQUESTS_MAX,
    SILENCE_MS,
)
from tests.exchange.session_pairs import START_MS, TIME_MS, A, B, Wire, make_session, make_side
from tests.exchange.test_frames import ONE_OF_EACH

ROLES: tuple[Role, Role] = ("dialer", "listener")
STRANGER = make_side(9)


def sent(effects: list[object]) -> list[Frame]:
    return [decode_frame(effect.raw) for effect in effects if isinstance(effect, SendMessage)]


def open_pair(binding: Binding | None = None) -> Wire:
    wire = Wire(
        make_session("dialer", A, binding=binding), make_session("listener", B, binding=binding)
    ).run()
    assert wire.dialer.state is wire.listener.state is State.OPEN
    return wire


@pytest.mark.parametrize("binding", [None, bind_proxied("shop.example")])
def test_two_nodes_prove_themselves_to_each_other(binding: Binding | None) -> None:
    """Both ends learn the other's community, in two messages each, over both kinds of connection."""
    wire = open_pair(binding)
    assert Admit(B.identity, B.genesis, 1, 32, TIME_MS, B.grant) in wire.effects["dialer"]
    assert Admit(A.identity, A.genesis, 1, 32, TIME_MS, A.grant) in wire.effects["listener"]
    senders = [(sender, type(decode_frame(raw))) for sender, raw in wire.messages]
    assert senders == [("dialer", Hello), ("listener", Hello), ("listener", Proof), ("dialer", Proof)]


def test_what_a_side_grants_is_told_to_the_other_and_signed() -> None:
    """The grant stands in the hello; one that is changed on the way breaks the proofs; an old hello has none."""
    thrifty = replace(B, grant=Grant(GRANT_BYTES_SECOND_MIN, FRAME_BYTES_MAX, REQUESTS_MAX))
    wire = Wire(make_session("dialer", A), make_session("listener", thrifty)).run()
    admits = [effect for effect in wire.effects["dialer"] if isinstance(effect, Admit)]
    assert [admit.grant for admit in admits] == [thrifty.grant]

    def tamper(_sender: Role, raw: bytes) -> list[bytes]:
        frame = decode_frame(raw)
        generous = Grant(2**40, 2**40, 2**20)
        return [
            encode_frame(msgspec.structs.replace(frame, grant=generous)) if isinstance(frame, Hello) else raw
        ]

    tampered = Wire(make_session("dialer", A), make_session("listener", thrifty), tamper).run()
    assert tampered.closed_with("dialer") == "session_proof_invalid"
    old = make_session("listener", B)
    old.handle(Connected(), START_MS)
    hello = decode(
        encode_frame(Hello(1, 1, "dialer", A.genesis, A.identity.transport_key, b"n" * 32, 32, TIME_MS)),
        bytes_max=9_999,
    )
    effects = old.handle(MessageReceived(encode(hello[:9])), START_MS)
    assert [type(frame) for frame in sent(effects)] == [Hello, Proof]


@pytest.mark.parametrize(
    "grant",
    [
        Grant(GRANT_BYTES_SECOND_MIN - 1, FRAME_BYTES_MAX, REQUESTS_MAX),
        Grant(GRANT_BYTES_SECOND_MIN, FRAME_BYTES_MAX - 1, REQUESTS_MAX),
        Grant(GRANT_BYTES_SECOND_MIN, FRAME_BYTES_MAX, REQUESTS_MAX - 1),
    ],
    ids=["bytes a second", "bytes at once", "requests a second"],
)
def test_a_grant_that_is_too_small_to_talk_is_malformed(grant: Grant) -> None:
    """Less than one frame within the time of a request would end every session by its own rule."""
    wire = Wire(make_session("dialer", A), make_session("listener", replace(B, grant=grant))).run()
    assert wire.closed_with("dialer") == "frame_malformed"


def test_the_listener_proves_itself_before_the_dialer_signs() -> None:
    """A dialer signs nothing for an end that has proven nothing."""
    wire = Wire(
        make_session("dialer", A),
        make_session("listener", B),
        lambda sender, raw: [] if isinstance(decode_frame(raw), Proof) and sender == "listener" else [raw],
    ).run()
    assert [type(frame) for frame in sent(wire.effects["dialer"])] == [Hello]


def test_the_transcript_is_the_one_of_the_text() -> None:
    """The signed bytes can be built from section 17.3 alone."""
    wire = open_pair()
    dialer_hello, listener_hello, listener_proof, dialer_proof = (raw for _, raw in wire.messages)
    for side, proof, role in ((B, listener_proof, b"listener"), (A, dialer_proof, b"dialer")):
        signed = b"wildgrass/v1/session\n" + role + b"\n"
        signed += encode([dialer_hello, listener_hello, ["direct", B.identity.transport_key]])
        assert decode_frame(proof) == Proof(side.sign(signed))


REFUSALS: dict[str, tuple[Session, Session, Role]] = {
    "session_self": (make_session("dialer", A), make_session("listener", A), "listener"),
    "session_community_mismatch": (
        make_session("dialer", A, expected=STRANGER.identity.community),
        make_session("listener", B),
        "dialer",
    ),
    "session_certificate_mismatch": (
        make_session("dialer", A, binding=bind_direct(STRANGER.identity.transport_key)),
        make_session("listener", B),
        "dialer",
    ),
    "session_key_mismatch": (
        make_session(
            "dialer",
            OwnSide(A.genesis, PeerIdentity(A.identity.community, STRANGER.identity.transport_key), A.sign),
        ),
        make_session("listener", B),
        "listener",
    ),
    "session_role_refused": (make_session("dialer", A), make_session("dialer", B), "dialer"),
    "session_proof_invalid": (
        make_session("dialer", A, binding=bind_proxied("shop.example")),
        make_session("listener", B, binding=bind_proxied("other.example")),
        "dialer",
    ),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_each_refusal_of_the_handshake_has_its_code(code: str) -> None:
    """Nobody is admitted, and the other side is told why."""
    dialer, listener, refuser = REFUSALS[code]
    wire = Wire(dialer, listener).run()
    other: Role = "listener" if refuser == "dialer" else "dialer"
    assert wire.closed_with(refuser) == wire.closed_with(other) == code
    assert not any(isinstance(effect, Admit) for role in ROLES for effect in wire.effects[role])


def test_a_genesis_that_does_not_hold_is_refused() -> None:
    """What the reader of genesis records refuses, the session refuses with the reason as detail."""

    def refuse(_genesis: bytes) -> PeerIdentity:
        raise IdentityError("proof_invalid", "of the log key")

    wire = Wire(make_session("dialer", A), make_session("listener", B, identify=refuse)).run()
    closes = [effect for effect in wire.effects["listener"] if isinstance(effect, Close)]
    assert [(close.code, "log key" in close.detail) for close in closes] == [
        ("session_genesis_refused", True)
    ]


def test_no_common_version_is_refused() -> None:
    """A peer of a later time that dropped version 1 is told so."""

    def from_the_future(sender: Role, raw: bytes) -> list[bytes]:
        frame = decode_frame(raw)
        if not isinstance(frame, Hello) or sender == "listener":
            return [raw]
        later = Hello(2, 9, *[getattr(frame, name) for name in frame.__struct_fields__[2:]])
        return [encode_frame(later)]

    wire = Wire(make_session("dialer", A), make_session("listener", B), from_the_future).run()
    assert wire.closed_with("listener") == "session_version_unsupported"


@pytest.mark.parametrize("position", range(1, 10))
def test_a_changed_hello_breaks_the_proof(position: int) -> None:
    """Whoever changes a hello on its way, in any field, is found out by the first proof at the latest."""

    def tamper(sender: Role, raw: bytes) -> list[bytes]:
        if sender == "listener" or not isinstance(decode_frame(raw), Hello):
            return [raw]
        fields = decode(raw, bytes_max=FRAME_BYTES_MAX)
        fields.append(0)  # a tenth element: a field that this version does not know is under the proof too
        changed = fields[position % len(fields)]
        fields[position % len(fields)] = changed[:-1] + b"!" if isinstance(changed, bytes) else 1
        return [encode(fields)]

    wire = Wire(make_session("dialer", A), make_session("listener", B), tamper).run()
    assert wire.dialer.state is wire.listener.state is State.CLOSED
    assert not any(isinstance(effect, Admit) for role in ROLES for effect in wire.effects[role])


def test_a_proof_of_an_earlier_session_is_worth_nothing() -> None:
    """A recorded session cannot be played back to either side: its nonces are not those of now."""
    recorded = [raw for _, raw in open_pair().messages]
    listener = make_session("listener", B, nonce=b"new" + bytes(29))
    listener.handle(Connected(), START_MS)
    listener.handle(MessageReceived(recorded[0]), START_MS)
    assert Close("session_proof_invalid") in listener.handle(MessageReceived(recorded[3]), START_MS)
    dialer = make_session("dialer", A, nonce=b"new" + bytes(29))
    dialer.handle(Connected(), START_MS)
    dialer.handle(MessageReceived(recorded[1]), START_MS)
    assert Close("session_proof_invalid") in dialer.handle(MessageReceived(recorded[2]), START_MS)


def test_a_reflected_hello_or_proof_is_worth_nothing() -> None:
    """An end that only sends back what it hears is refused, and so is its proof."""
    dialer = make_session("dialer", A)
    hello = next(
        effect.raw for effect in dialer.handle(Connected(), START_MS) if isinstance(effect, SendMessage)
    )
    assert Close("session_role_refused", "dialer") in dialer.handle(MessageReceived(hello), START_MS)
    wire = open_pair()
    (_, dialer_hello), (_, listener_hello), (_, listener_proof), _ = wire.messages
    listener = make_session("listener", B)
    listener.handle(Connected(), START_MS)
    assert sent(listener.handle(MessageReceived(dialer_hello), START_MS))[0] == decode_frame(listener_hello)
    assert Close("session_proof_invalid") in listener.handle(MessageReceived(listener_proof), START_MS)


def test_a_man_in_the_middle_with_another_certificate_is_found_out() -> None:
    """Relaying every word between two honest ends does not help: each end binds the certificate it sees."""
    middle = bind_direct(STRANGER.identity.transport_key)
    wire = Wire(make_session("dialer", A, binding=middle), make_session("listener", B)).run()
    assert wire.closed_with("dialer") == "session_certificate_mismatch"
    listener_first = make_session("listener", B)
    listener_first.handle(Connected(), START_MS)
    dialer_hello = wire.messages[0][1]
    _, proof = sent(listener_first.handle(MessageReceived(dialer_hello), START_MS))
    hello = wire.messages[1][1]
    assert proof != Proof(B.sign(transcript("listener", dialer_hello, hello, middle)))


@pytest.mark.parametrize("role", ROLES)
def test_a_handshake_ends_after_ten_seconds(role: Role) -> None:
    """Whoever connects and says nothing is let go in time, and an early alarm changes nothing."""
    session = make_session(role, A)
    assert WakeAt(START_MS + HANDSHAKE_MS) in session.handle(Connected(), START_MS)
    early = session.handle(Woken(), START_MS + HANDSHAKE_MS - 1)
    assert early == [WakeAt(START_MS + HANDSHAKE_MS)]
    late = session.handle(Woken(), START_MS + HANDSHAKE_MS)
    assert late == [SendMessage(encode_frame(Bye("session_timeout"))), Close("session_timeout")]


def test_a_slow_greeting_does_not_extend_the_handshake() -> None:
    """A peer cannot hold a session half open by saying hello late."""
    listener = make_session("listener", B)
    listener.handle(Connected(), START_MS)
    dialer = make_session("dialer", A)
    hello = dialer.handle(Connected(), START_MS)[0]
    assert isinstance(hello, SendMessage)
    listener.handle(MessageReceived(hello.raw), START_MS + HANDSHAKE_MS - 1)
    assert Close("session_timeout") in listener.handle(Woken(), START_MS + HANDSHAKE_MS)


def test_silence_is_met_with_a_ping_and_then_with_the_end() -> None:
    """A peer that is there answers and the session goes on; one that is not is given up."""
    wire = open_pair()
    now = START_MS + SILENCE_MS
    assert wire.dialer.handle(Woken(), now) == [SendMessage(encode_frame(Ping(1))), WakeAt(now + PING_MS)]
    assert wire.listener.handle(MessageReceived(encode_frame(Ping(1))), now) == [
        SendMessage(encode_frame(Pong(1)))
    ]
    assert wire.dialer.handle(MessageReceived(encode_frame(Pong(1))), now + 5) == []
    assert wire.dialer.handle(Woken(), now + PING_MS) == [WakeAt(now + 5 + SILENCE_MS)]
    again = now + 5 + SILENCE_MS
    assert sent(wire.dialer.handle(Woken(), again)) == [Ping(2)]
    assert Close("session_silent") in wire.dialer.handle(Woken(), again + PING_MS)


def test_a_frame_of_a_later_release_is_refused_without_ending_the_session() -> None:
    """A type that is not known is answered and forgotten; before the proof it ends the session."""
    unknown = MessageReceived(encode(["weather", "sun"]))
    wire = open_pair()
    assert sent(wire.dialer.handle(unknown, START_MS)) == [Refused(0, "frame_unknown", "")]
    assert wire.dialer.state is State.OPEN
    early = make_session("listener", B)
    early.handle(Connected(), START_MS)
    assert early.handle(unknown, START_MS)[-1] == Close("frame_unknown", "'weather'")


def test_an_oversize_message_ends_the_session() -> None:
    """Bytes past the limit are not even parsed."""
    wire = open_pair()
    closing = wire.listener.handle(MessageReceived(bytes(FRAME_BYTES_MAX + 1)), START_MS)
    assert [effect.code for effect in closing if isinstance(effect, Close)] == ["frame_too_large"]


def reach(state: State) -> Session:
    """A listener in the given state."""
    session = make_session("listener", B)
    if state is State.WAITING:
        return session
    if state is State.OPEN:
        return open_pair().listener
    session.handle(Connected(), START_MS)
    if state is State.PROVING:
        session.handle(MessageReceived(open_pair().messages[0][1]), START_MS)
    if state is State.CLOSED:
        session.handle(ConnectionLost(), START_MS)
    assert session.state is state
    return session


HELLO, PROOF = (open_pair().messages[place][1] for place in (0, 3))
EVENTS: dict[str, Event] = {
    "connected": Connected(),
    "lost": ConnectionLost(),
    "close": CloseAsked("session_stopping"),
    "woken early": Woken(),
    "garbage": MessageReceived(b"\xc1"),
    **{type(frame).__name__: MessageReceived(encode_frame(frame)) for frame in ONE_OF_EACH},
    "Hello": MessageReceived(HELLO),
    "Proof": MessageReceived(PROOF),
}
NEXT: dict[tuple[State, str], State] = {
    **dict.fromkeys(product(State, EVENTS), State.CLOSED),
    (State.WAITING, "connected"): State.GREETING,
    (State.WAITING, "woken early"): State.WAITING,
    **{(state, "connected"): state for state in (State.GREETING, State.PROVING, State.OPEN)},
    **{(state, "woken early"): state for state in (State.GREETING, State.PROVING, State.OPEN)},
    (State.GREETING, "Hello"): State.PROVING,
    (State.PROVING, "Proof"): State.OPEN,
    **{
        (State.OPEN, type(frame).__name__): State.OPEN
        for frame in ONE_OF_EACH
        if not isinstance(frame, Hello | Proof | Bye)
    },
}


@pytest.mark.parametrize(("state", "name"), list(product(State, EVENTS)))
def test_every_state_meets_every_event(state: State, name: str) -> None:
    """Each pair ends where the table says, closes at most once, and a closed session does nothing at all."""
    session = reach(state)
    effects = session.handle(EVENTS[name], START_MS)
    assert session.state is NEXT[state, name]
    closes = [effect for effect in effects if isinstance(effect, Close)]
    assert len(closes) == (session.state is State.CLOSED and state is not State.CLOSED)
    if state is State.CLOSED:
        assert effects == []
    if state is not State.OPEN:
        assert not any(isinstance(effect, Deliver) for effect in effects)
    if closes and name not in {"lost", "close", "Bye"}:
        assert closes[0].code in {"frame_unexpected", "frame_malformed"}


def test_of_two_crossed_sessions_both_ends_keep_the_same_one() -> None:
    """Each end compares from its own side and comes to the same session."""
    low, high = sorted([A.identity.community, B.identity.community])
    for newcomer, present in product((low, high), repeat=2):
        kept = is_newcomer_kept(newcomer_dialed_by=newcomer, present_dialed_by=present)
        assert kept == (newcomer in {present, low})
