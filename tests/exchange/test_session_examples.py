"""The worked examples of sections 17.2 and 17.3, read from PROTOCOL.md and recomputed."""

from protocol.encoding import encode
from protocol.exchange.frames import (
    Entries,
    EntriesGet,
    HeadsSince,
    Hello,
    Ping,
    Proof,
    Refused,
    TilesGet,
    TileWanted,
    encode_frame,
)
from protocol.exchange.session import bind_direct, bind_proxied, transcript
from protocol.identity.keys import SigningKey
from protocol.log.origin import Origin
from tests.worked_examples import worked_bytes

TIME_MS = 1_760_000_000_000
DIALER, LISTENER = SigningKey(b"\x03" * 32), SigningKey(b"\x13" * 32)


def test_the_printed_frames_are_those_of_the_code() -> None:
    """Each line of the example is one frame."""
    lane = Origin(bytes(range(32)), "market/food", 0)
    frames = {
        "ping": Ping(7),
        "heads_since": HeadsSince(1, bytes(16), 0),
        "tiles_get": TilesGet(2, lane, (TileWanted(1, 0, 2), TileWanted(0, 2, 88))),
        "entries_get": EntriesGet(3, lane, 2, 0, 88),
        "entries": Entries(3, 2, b"\x00\x01a\x00\x02bc"),
        "refused": Refused(3, "range_not_held", ""),
    }
    assert worked_bytes("frames") == {name: encode_frame(frame) for name, frame in frames.items()}


def test_the_printed_handshake_is_that_of_the_code() -> None:
    """Hellos, transcript and proofs come out byte for byte."""
    printed = worked_bytes("session")
    dialer = encode_frame(
        Hello(1, 1, "dialer", b"dialer's genesis record", DIALER.public, b"\xd0" * 32, 32, TIME_MS)
    )
    listener = encode_frame(
        Hello(1, 1, "listener", b"listener's genesis record", LISTENER.public, b"\x10" * 32, 32, TIME_MS + 7)
    )
    direct, proxied = bind_direct(LISTENER.public), bind_proxied("shop.example")

    def proof(key: SigningKey, message: bytes) -> bytes:
        return encode_frame(Proof(key.sign(message)))

    assert printed == {
        "dialer transport public": DIALER.public,
        "listener transport public": LISTENER.public,
        "dialer hello": dialer,
        "listener hello": listener,
        "listener transcript": transcript("listener", dialer, listener, direct),
        "listener proof": proof(LISTENER, transcript("listener", dialer, listener, direct)),
        "dialer proof": proof(DIALER, transcript("dialer", dialer, listener, direct)),
        "proxied binding": encode(["proxied", "shop.example"]),
        "listener proof proxied": proof(LISTENER, transcript("listener", dialer, listener, proxied)),
    }


def test_the_transcript_is_built_from_the_text_alone() -> None:
    """A second reading of section 17.3, without the code that is tested."""
    printed = worked_bytes("session")
    hellos = [printed["dialer hello"], printed["listener hello"]]
    joined = b"".join(b"\xc4" + bytes([len(hello)]) + hello for hello in hellos)
    binding = b"\x92\xa6direct\xc4\x20" + printed["listener transport public"]
    expected = b"wildgrass/v1/session\nlistener\n" + b"\x93" + joined + binding
    assert printed["listener transcript"] == expected
