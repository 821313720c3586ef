"""The frames of a session: what two nodes say to each other (PROTOCOL.md section 17.2).

A frame is one binary WebSocket message: a MessagePack array that begins with the name of its type. Frames are
neither signed nor kept, so they need not be canonical; they are bounded before and while they are parsed.

    decode_frame(encode_frame(Ping(7))) == Ping(7)
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from protocol.errors import SessionError
from protocol.identity.keys import HASH_BYTES, KEY_BYTES, SIGNATURE_BYTES
from protocol.identity.sealing import WRAPPED_KEY_BYTES
from protocol.limits import (
    BLOB_PART_BYTES_MAX,
    CODE_CHARACTERS_MAX,
    ENTRIES_FRAME_BYTES_MAX,
    FRAME_BYTES_MAX,
    HEADS_PAGE_MAX,
    INTEGER_MAX,
    NEWS_BYTES_MAX,
    NOTE_BYTES_MAX,
    READERS_MAX,
    RECORD_BYTES_MAX,
    REQUESTS_MAX,
    SEALED_BYTES_MAX,
    SEALED_OBJECTS_MAX,
    TILE_WIDTH,
    TILES_PAGE_MAX,
    TREE_SIZE_MAX,
)
from protocol.log.origin import Origin

INSTANCE_BYTES = 16
NONCE_BYTES = 32
NO_INSTANCE = bytes(INSTANCE_BYTES)

Hash = Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Key = Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
Signature = Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
Nonce = Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
Instance = Annotated[bytes, Meta(min_length=INSTANCE_BYTES, max_length=INSTANCE_BYTES)]
NoteBytes = Annotated[bytes, Meta(min_length=1, max_length=NOTE_BYTES_MAX)]
Count = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Size = Annotated[int, Meta(ge=0, le=TREE_SIZE_MAX)]
Code = Annotated[str, Meta(min_length=1, max_length=CODE_CHARACTERS_MAX)]
Packed = Annotated[bytes, Meta(min_length=2, max_length=ENTRIES_FRAME_BYTES_MAX)]


class Hello(Struct, frozen=True, array_like=True, tag="hello"):
    """First word of both sides: who speaks, in which versions, and a nonce that makes this session unique."""

    version_lowest: Annotated[int, Meta(ge=1, le=65_535)]
    version_highest: Annotated[int, Meta(ge=1, le=65_535)]
    role: Annotated[str, Meta(pattern=r"\A(dialer|listener)\Z")]
    genesis: Annotated[bytes, Meta(min_length=1, max_length=RECORD_BYTES_MAX)]
    transport_key: Key
    nonce: Nonce
    requests_max: Annotated[int, Meta(ge=1, le=REQUESTS_MAX)]
    time_ms: Count


class Proof(Struct, frozen=True, array_like=True, tag="proof"):
    """The transport key's signature of the transcript."""

    signature: Signature


class HeadsSince(Struct, frozen=True, array_like=True, tag="heads_since"):
    """Asks which heads changed after change `after` of store `instance`; all zeros: never asked before."""

    number: Count
    instance: Instance
    after: Count


class Heads(Struct, frozen=True, array_like=True, tag="heads"):
    """A page of checkpoint notes; `through` is the cursor behind it. With `number` 0 it was not asked for."""

    number: Count
    instance: Instance
    through: Count
    has_more: bool
    notes: Annotated[tuple[NoteBytes, ...], Meta(max_length=HEADS_PAGE_MAX)]


class TileWanted(Struct, frozen=True, array_like=True):
    """The first `width` hashes of one tile."""

    level: Annotated[int, Meta(ge=0, le=6)]
    index: Size
    width: Annotated[int, Meta(ge=1, le=TILE_WIDTH)]


class TilesGet(Struct, frozen=True, array_like=True, tag="tiles_get"):
    """Asks for hash tiles of one log."""

    number: Count
    origin: Origin
    tiles: Annotated[tuple[TileWanted, ...], Meta(min_length=1, max_length=TILES_PAGE_MAX)]


class Tiles(Struct, frozen=True, array_like=True, tag="tiles"):
    """The tiles asked for, in that order, each `width` times 32 bytes."""

    number: Count
    tiles: Annotated[
        tuple[Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=TILE_WIDTH * HASH_BYTES)], ...],
        Meta(min_length=1, max_length=TILES_PAGE_MAX),
    ]


class EntriesGet(Struct, frozen=True, array_like=True, tag="entries_get"):
    """Asks for the entries [start, end) of one bundle; both count within the bundle, 0 to 256."""

    number: Count
    origin: Origin
    bundle: Size
    start: Annotated[int, Meta(ge=0, lt=TILE_WIDTH)]
    end: Annotated[int, Meta(ge=1, le=TILE_WIDTH)]


class Entries(Struct, frozen=True, array_like=True, tag="entries"):
    """The first `count` of the entries asked for, packed as in a bundle: as many as fit, at least one."""

    number: Count
    count: Annotated[int, Meta(ge=1, le=TILE_WIDTH)]
    packed: Packed


class News(Struct, frozen=True, array_like=True, tag="news"):
    """A new head with the entries from `start` to its size, pushed while they are few and small."""

    note: NoteBytes
    start: Size
    packed: Annotated[bytes, Meta(min_length=2, max_length=NEWS_BYTES_MAX)]


class WrappedKey(Struct, frozen=True, array_like=True):
    """The content key of one sealed payload, wrapped for the holder of one sealing key."""

    reader: Key
    wrapped: Annotated[bytes, Meta(min_length=WRAPPED_KEY_BYTES, max_length=WRAPPED_KEY_BYTES)]


class SealedObject(Struct, frozen=True, array_like=True):
    """A ciphertext and wrapped keys, found by the commitment; empty `ciphertext`: only keys are meant."""

    commitment: Hash
    ciphertext: Annotated[bytes, Meta(max_length=SEALED_BYTES_MAX)]
    keys: Annotated[tuple[WrappedKey, ...], Meta(max_length=READERS_MAX)]


class SealedGet(Struct, frozen=True, array_like=True, tag="sealed_get"):
    """Asks for sealed objects by their commitments."""

    number: Count
    commitments: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=SEALED_OBJECTS_MAX)]


class Sealed(Struct, frozen=True, array_like=True, tag="sealed"):
    """Those of the sealed objects that are held and fit into one frame, in the order asked for."""

    number: Count
    objects: Annotated[tuple[SealedObject, ...], Meta(max_length=SEALED_OBJECTS_MAX)]


class SealedPut(Struct, frozen=True, array_like=True, tag="sealed_put"):
    """Hands sealed objects, those of an order for instance, to a community that is to read or keep them."""

    number: Count
    objects: Annotated[tuple[SealedObject, ...], Meta(min_length=1, max_length=SEALED_OBJECTS_MAX)]


class SealedAck(Struct, frozen=True, array_like=True, tag="sealed_ack"):
    """The commitments of the objects that are kept now, synced to disk."""

    number: Count
    kept: Annotated[tuple[Hash, ...], Meta(max_length=SEALED_OBJECTS_MAX)]


class BlobGet(Struct, frozen=True, array_like=True, tag="blob_get"):
    """Asks for a part of the blob with this SHA-256."""

    number: Count
    digest: Hash
    offset: Count
    length: Annotated[int, Meta(ge=1, le=BLOB_PART_BYTES_MAX)]


class Blob(Struct, frozen=True, array_like=True, tag="blob"):
    """A part of a blob, shorter than asked for only where the blob ends, and the size of the whole."""

    number: Count
    size: Count
    content: Annotated[bytes, Meta(max_length=BLOB_PART_BYTES_MAX)]


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """A request is not answered; `code` says why. With `number` 0 it is about a frame that is no request."""

    number: Count
    code: Code
    about: Annotated[str, Meta(max_length=CODE_CHARACTERS_MAX)]


class Ping(Struct, frozen=True, array_like=True, tag="ping"):
    """Asks for a pong with the same number."""

    number: Count


class Pong(Struct, frozen=True, array_like=True, tag="pong"):
    """Answers the ping of that number."""

    number: Count


class Bye(Struct, frozen=True, array_like=True, tag="bye"):
    """The last frame of a session and why it ends."""

    code: Code


Request = HeadsSince | TilesGet | EntriesGet | SealedGet | SealedPut | BlobGet
Answer = Heads | Tiles | Entries | Sealed | SealedAck | Blob | Refused
Frame = Hello | Proof | Request | Answer | News | Ping | Pong | Bye

ANSWERS: dict[type[Request], type[Answer]] = {
    HeadsSince: Heads,
    TilesGet: Tiles,
    EntriesGet: Entries,
    SealedGet: Sealed,
    SealedPut: SealedAck,
    BlobGet: Blob,
}

_FIXED_ARRAY = range(0x90, 0xA0)
_FIXED_TEXT = range(0xA0, 0xC0)
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)
FRAME_TYPES: dict[str, type[Frame]] = {
    str(struct.__struct_config__.tag): struct
    for struct in (Hello, Proof, *ANSWERS, *ANSWERS.values(), Refused, News, Ping, Pong, Bye)
}


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of a frame; one past `FRAME_BYTES_MAX` is a bug of ours."""
    raw = _encoder.encode(frame)
    assert len(raw) <= FRAME_BYTES_MAX, f"a frame of {len(raw)} bytes"
    return raw


def decode_frame(raw: bytes) -> Frame:
    """Return the frame of one message, or raise `SessionError`.

    Elements behind the known ones are ignored, so that a type can grow; a type that is not known at all is
    told apart as `frame_unknown`, because a newer peer may send one in good faith.
    """
    if len(raw) > FRAME_BYTES_MAX:
        raise SessionError("frame_too_large", f"{len(raw)} bytes, at most {FRAME_BYTES_MAX}")
    if _type_name(raw) not in FRAME_TYPES:
        raise SessionError("frame_unknown", repr(_type_name(raw)))
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SessionError("frame_malformed", str(error)) from error


def _type_name(raw: bytes) -> str:
    """The text that a frame of at most 15 elements begins with, or raise `SessionError`."""
    if len(raw) < 2 or raw[0] not in _FIXED_ARRAY or raw[1] not in _FIXED_TEXT:  # noqa: PLR2004  two headers
        raise SessionError("frame_malformed", "not an array that begins with a short text")
    return raw[2 : 2 + raw[1] - _FIXED_TEXT.start].decode("ascii", "replace")
