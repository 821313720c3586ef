"""Frames round-trip, stay bounded, and refuse hostile bytes with a code and nothing else."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import SessionError
from protocol.exchange.frames import (
    ANSWERS,
    FRAME_TYPES,
    Addresses,
    AddressesGet,
    AddressTold,
    Backup,
    BackupGet,
    BackupGive,
    BackupHeld,
    BackupKept,
    BackupState,
    Blob,
    BlobGet,
    Bye,
    Cosigned,
    CosignGet,
    Delivery,
    Entries,
    EntriesGet,
    Frame,
    Graft,
    Heads,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    HeadsSummary,
    Hello,
    InviteRedeem,
    InviteRedeemed,
    News,
    PairCancel,
    PairCommit,
    PairConfirm,
    PairReveal,
    Ping,
    Pong,
    Proof,
    Prune,
    Receipt,
    Recovered,
    Recovery,
    RecoveryAsk,
    RecoveryChallenge,
    RecoveryProve,
    Refused,
    RelayDropped,
    RelayGet,
    RelayKept,
    RelayList,
    RelayListed,
    RelayNotice,
    RelayPut,
    RelayRegister,
    RelayTaken,
    RelayTerms,
    Sealed,
    SealedAck,
    SealedGet,
    SealedObject,
    SealedPut,
    SignedAddress,
    StatedCosignature,
    StatedHead,
    Statement,
    StatementDigests,
    StatementGet,
    StatementNews,
    StatementsSince,
    Tiles,
    TilesGet,
    TileWanted,
    WrappedKey,
    YourHeads,
    decode_frame,
    encode_frame,
)
from protocol.limits import FRAME_BYTES_MAX, SEALED_BYTES_MAX
from protocol.log.origin import Origin

ORIGIN = Origin(b"c" * 32, "market/food", 0)
OBJECT = SealedObject(b"h" * 32, b"ciphertext", (WrappedKey(b"r" * 32, b"w" * 80),))
COSIGNED = (StatedCosignature(b"\0" + b"w" * 32, b"s" * 76), StatedCosignature(b"other.example", b"s" * 76))
HEAD = StatedHead(b"c" * 32, 1, 0, 7, b"r" * 32, b"s" * 64, COSIGNED)
ONE_OF_EACH: list[Frame] = [
    Hello(1, 1, "dialer", b"genesis", b"k" * 32, b"n" * 32, 32, 1_700_000_000_000),
    Proof(b"s" * 64),
    HeadsSince(1, b"i" * 16, 9),
    Heads(1, b"i" * 16, 12, False, (HEAD, msgspec.structs.replace(HEAD, lane="tools"))),
    HeadsCompare(1, b"k" * 16, 6),
    HeadsSummary(1, b"i" * 16, 12, 40, b"h" * 512),
    HeadsBesides(1, b"k" * 16, 6, (1, 63), b"h" * 16),
    TilesGet(2, ORIGIN, (TileWanted(1, 0, 256),)),
    Tiles(2, (b"h" * 64,)),
    EntriesGet(3, ORIGIN, 7, 0, 256),
    Entries(3, 1, b"\x00\x01x"),
    Prune(b"c" * 32, True),
    Graft(b"c" * 32),
    News(HEAD, 5, b"\x00\x01x"),
    SealedGet(4, (b"h" * 32,)),
    Sealed(4, (OBJECT,)),
    SealedPut(5, (OBJECT,)),
    SealedAck(5, (b"h" * 32,)),
    BlobGet(6, b"h" * 32, 0, 1024),
    Blob(6, 5, b"bytes"),
    StatementsSince(7, b"h" * 32, b"h" * 32),
    StatementDigests(7, True, (b"h" * 32,)),
    StatementGet(8, b"h" * 32),
    Statement(8, b"text"),
    StatementNews(b"text"),
    YourHeads(True, (HEAD,)),
    RelayRegister(7, (b"s" * 32,)),
    RelayTerms(7, 1_024, 16_777_216, 14),
    RelayPut(8, b"r" * 32, (SealedObject(b"h" * 32, b"ciphertext", (WrappedKey(b"k" * 32, b"w" * 80),)),)),
    RelayKept(8, (b"h" * 32,), 1_209_600),
    RelayList(9, 0),
    RelayListed(9, 5, True, (Delivery(b"s" * 32, b"h" * 32),), (Receipt(b"h" * 32, b"p" * 32),)),
    RelayGet(10, b"s" * 32, (b"h" * 32,)),
    RelayTaken(11, b"s" * 32, (Receipt(b"h" * 32, b"p" * 32),)),
    RelayDropped(11),
    RelayNotice(),
    BackupState(9),
    BackupHeld(9, b"h" * 32, 5),
    BackupGive(10, b"box", (OBJECT,)),
    BackupKept(10, (b"h" * 32,)),
    BackupGet(11, b"h" * 32),
    Backup(11, b"box", True, (OBJECT,)),
    RecoveryAsk(12, b"k" * 32),
    RecoveryChallenge(12, b"n" * 32),
    RecoveryProve(13, b"k" * 32, b"s" * 64),
    Recovery(13, (Recovered(b"genesis", b"box"),)),
    AddressesGet(9, (b"c" * 32,), 16),
    Addresses(9, (SignedAddress(b"record", b"genesis"),)),
    AddressTold(SignedAddress(b"record", b"genesis")),
    InviteRedeem(10, b"k" * 32, b"s" * 64),
    InviteRedeemed(10),
    PairCommit(b"h" * 32),
    PairReveal(b"n" * 32),
    PairConfirm(),
    PairCancel("pairing_cancelled"),
    CosignGet(7, HEAD, 3, (b"h" * 32,)),
    Cosigned(7, b"s" * 76),
    Refused(6, "blob_not_held", ""),
    Ping(7),
    Pong(7),
    Bye("session_stopping"),
]


@pytest.mark.parametrize("frame", ONE_OF_EACH, ids=lambda frame: type(frame).__name__)
def test_every_frame_comes_back_as_it_was_sent(frame: Frame) -> None:
    """Every type of frame survives its own bytes."""
    assert decode_frame(encode_frame(frame)) == frame


def test_each_type_of_frame_is_tried_here() -> None:
    """The list above misses no type, and every request has its answer."""
    assert {type(frame) for frame in ONE_OF_EACH} == set(FRAME_TYPES.values())
    assert len(ANSWERS) == 23


def test_the_largest_sealed_object_fits_into_a_frame() -> None:
    """A sealed object of the largest size with the most keys needs one frame."""
    keys = tuple(WrappedKey(bytes([reader]) * 32, b"w" * 80) for reader in range(16))
    frame = SealedPut(2**53 - 1, (SealedObject(b"h" * 32, bytes(SEALED_BYTES_MAX), keys),))
    assert decode_frame(encode_frame(frame)) == frame


def test_the_largest_page_of_heads_fits_into_a_frame() -> None:
    """The most heads with the most witnesses, each under the longest name."""
    line = StatedCosignature(b"w" * 255, b"s" * 76)
    head = StatedHead(b"c" * 32, "m" * 31 + "/" + "s" * 31, 2**31, 2**48, b"r" * 32, b"s" * 64, (line,) * 8)
    frame = Heads(2**53 - 1, b"i" * 16, 2**53 - 1, True, (head,) * 256)
    assert decode_frame(encode_frame(frame)) == frame


def test_a_frame_may_grow_at_its_end() -> None:
    """Elements behind the known ones are ignored: a later release may add some."""
    assert decode_frame(msgspec.msgpack.encode(["ping", 7, {"later": [1]}])) == Ping(7)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "frame_malformed"),
        (b"\xc0", "frame_malformed"),
        (b"\x92", "frame_malformed"),
        (b"\x92\x07\x07", "frame_malformed"),
        (b"\xdc\x00\x02\xa4ping\x07", "frame_malformed"),
        (b"\x92\xa4ping", "frame_malformed"),
        (b"\x92\xa4ping\xa1x", "frame_malformed"),
        (b"\x92\xa4ping\x07\x07", "frame_malformed"),
        (b"\x91\xa4ping", "frame_malformed"),
        (b"\x92\xa4ping\xff", "frame_malformed"),
        (b"\x92\xa4ping\xcb" + bytes(8), "frame_malformed"),
        (b"\x92\xa3bye\xa2\xff\xfe", "frame_malformed"),
        (b"\x92\xa3bye\xa0", "frame_malformed"),
        (b"\x92\xa3bye\xd9\x41" + b"x" * 65, "frame_malformed"),
        (b"\x92\xa3bye\xdb\xff\xff\xff\xffx", "frame_malformed"),
        (b"\x93\xa4ping\x07" + b"\x91" * 1_000_000, "frame_malformed"),
        (b"\x92\xa4pinG\x07", "frame_unknown"),
        (b"\x92\xa2\xff\xfe\x07", "frame_unknown"),
        (b"\x92\xa0\x07", "frame_unknown"),
        (bytes(FRAME_BYTES_MAX + 1), "frame_too_large"),
        (msgspec.msgpack.encode(["tiles_get", 1, [b"c" * 32, "Market", 0], [[0, 0, 1]]]), "frame_malformed"),
        (msgspec.msgpack.encode(["tiles_get", 1, [b"c" * 32, "trade", 0], []]), "frame_malformed"),
        (
            msgspec.msgpack.encode(["tiles_get", 1, [b"c" * 32, "trade", 0], [[0, 0, 1]] * 33]),
            "frame_malformed",
        ),
        (msgspec.msgpack.encode(["entries_get", 1, [b"c" * 31, "trade", 0], 0, 0, 1]), "frame_malformed"),
        (msgspec.msgpack.encode(["entries_get", 1, [b"c" * 32, "trade", 0], 0, 256, 256]), "frame_malformed"),
        (msgspec.msgpack.encode(["heads", 1, b"i" * 16, 1, False, [HEAD] * 257]), "frame_malformed"),
        (msgspec.msgpack.encode(["heads", 1, b"i" * 16, 1, False, [b"n"]]), "frame_malformed"),
        (msgspec.msgpack.encode(["heads_compare", 1, b"k" * 16, 13]), "frame_malformed"),
        (msgspec.msgpack.encode(["heads_besides", 1, b"k" * 16, 6, [4096], b""]), "frame_malformed"),
        (msgspec.msgpack.encode(["proof", b"s" * 63]), "frame_malformed"),
    ],
)
def test_bytes_that_are_no_frame_are_refused_by_code(raw: bytes, code: str) -> None:
    """Whatever comes in, the answer is one `SessionError`."""
    with pytest.raises(SessionError) as refusal:
        decode_frame(raw)
    assert refusal.value.code == code


@settings(max_examples=300)
@given(frame=st.sampled_from(ONE_OF_EACH), position=st.integers(0, 200), byte=st.integers(0, 255))
def test_a_changed_byte_never_crashes_the_parser(frame: Frame, position: int, byte: int) -> None:
    """A mutated frame is another frame or a refusal."""
    raw = bytearray(encode_frame(frame))
    raw[position % len(raw)] = byte
    with suppress(SessionError):
        assert type(decode_frame(bytes(raw))) in FRAME_TYPES.values()


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_garbage_never_crashes_the_parser(raw: bytes) -> None:
    """Random bytes are refused."""
    with pytest.raises(SessionError):
        decode_frame(raw)
