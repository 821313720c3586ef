"""The worked examples of sections 17.2, 17.3 and 29.3, read from PROTOCOL.md and recomputed."""

from protocol.encoding import encode
from protocol.exchange.frames import (
    Delivery,
    Entries,
    EntriesGet,
    Heads,
    HeadsSince,
    Hello,
    Ping,
    Proof,
    Receipt,
    Refused,
    RelayDropped,
    RelayGet,
    RelayList,
    RelayListed,
    RelayNotice,
    RelayRegister,
    RelayTaken,
    RelayTerms,
    TilesGet,
    TileWanted,
    encode_frame,
)
from protocol.exchange.heads import state_head
from protocol.exchange.rates import DEFAULT_GRANT
from protocol.exchange.session import bind_direct, bind_proxied, transcript
from protocol.exchange.summary import HeadsSummed
from protocol.identity.keys import SigningKey
from protocol.identity.sealing import receipt
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.cosignature import make_cosignature
from protocol.log.note import format_note, parse_note
from protocol.log.origin import Origin, witness_name
from tests.worked_examples import worked_bytes, worked_text

COMMITMENT = "af865250d1b4f7319faf4a1424b0bf3643ed400b592b402b60956715e3fcaee7"
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
        Hello(
            1,
            1,
            "dialer",
            b"dialer's genesis record",
            DIALER.public,
            b"\xd0" * 32,
            32,
            TIME_MS,
            DEFAULT_GRANT,
        )
    )
    listener = encode_frame(
        Hello(
            1,
            1,
            "listener",
            b"listener's genesis record",
            LISTENER.public,
            b"\x10" * 32,
            32,
            TIME_MS + 7,
            DEFAULT_GRANT,
        )
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


def test_the_printed_frames_of_relays_are_those_of_the_code() -> None:
    """One of each that a relay is sent, and what it pushes."""
    sender, commitment = bytes(range(32)), bytes.fromhex(COMMITMENT)
    shown = Receipt(commitment, worked_bytes("receipts")["receipt"])
    frames = {
        "relay_register": RelayRegister(1, (sender,)),
        "relay_terms": RelayTerms(1, 1_024, 16_777_216, 14),
        "relay_list": RelayList(2, 0),
        "relay_listed": RelayListed(2, 9, False, (Delivery(sender, commitment),), ()),
        "relay_get": RelayGet(3, sender, (commitment,)),
        "relay_taken": RelayTaken(4, sender, (shown,)),
        "relay_dropped": RelayDropped(4),
        "relay_notice": RelayNotice(),
    }
    assert worked_bytes("relay frames") == {name: encode_frame(frame) for name, frame in frames.items()}


def test_the_printed_receipt_is_that_of_the_sealing_example() -> None:
    """The object of section 15, opened by the community whose id is the bytes 00 to 1f."""
    sealing, printed = worked_bytes("sealing"), worked_bytes("receipts")
    made = receipt(sealing["ciphertext"], sealing["content key"], sealing["commitment"], printed["recipient"])
    assert (printed["commitment"], printed["salt"], printed["receipt"]) == (
        sealing["commitment"],
        sealing["salt"],
        made,
    )


def test_the_printed_head_is_that_of_the_code() -> None:
    """A note, the frame that states it, and the hashes of a comparison that holds it alone."""
    log, witness = SigningKey(bytes(range(32))), SigningKey(b"\x01" * 32)
    checkpoint = Checkpoint(Origin(bytes(range(32)), "market/food", 0).text, 88, b"\x52" * 32)
    note = parse_note(make_checkpoint_note(checkpoint, log))
    name = witness_name(b"\x77" * 32)
    line = make_cosignature(note.text, name=name, key=witness, time_seconds=1_700_000_000)
    raw = format_note(note.with_signatures(line))
    summed = HeadsSummed(b"\x4b" * 16, 1, [raw])
    assert worked_text("head-note") == raw.decode()
    assert worked_bytes("head") == {
        "heads": encode_frame(Heads(0, bytes(16), 0, False, (state_head(raw),))),
        "item hash": summed.items((0, 1)),
        "bucket hashes": summed.hashes(),
    }
