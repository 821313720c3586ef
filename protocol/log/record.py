"""One record of a lane: the seven-element array, its id and its signature (PROTOCOL.md section 8).

    raw = encode_record("peer.vouched", PeerVouched(...), time_ms=1_700_000_000_000)
    record = decode_record(raw, BODY_TYPES)

Decoding has two ways with one result. The quick way lets msgspec build the typed body and encodes it again:
when that gives the same bytes, they were canonical. It only ever accepts; everything else goes the slow way,
which scans the untyped value and knows which code to refuse it with. A test holds the two against each other.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from protocol.encoding import decode, encode
from protocol.errors import EncodingError, ProtocolError, RecordVoid
from protocol.fields import check_attributes
from protocol.limits import (
    INTEGER_MAX,
    KIND_BYTES_MAX,
    RECORD_BYTES_MAX,
)
from protocol.log.merkle import leaf_hash

FORMAT = 1
_Count = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
MEMBER_SIGNATURE_DOMAIN = b"wildgrass/v1/member-record\n"
_RECORD_LENGTH = 7
_KIND_START = 3  # after the bytes of the array, of the format, and of a short text's length
_SHORT_TEXT_MAX = 31


class Body(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    """What every record body derives from: absent fields are omitted keys, unknown keys are refused."""


class Envelope(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The record as it stands in the lane, with its body still in bytes."""

    format: int
    kind: str
    time_ms: int
    charter_size: int
    author: bytes | None
    body: msgspec.Raw
    signature: bytes | None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One decoded record. `body` is a struct where the kind is known, else the plain value.

    `record_id` is the 32-byte RFC 6962 leaf hash of `raw`, the original bytes.
    """

    kind: str
    time_ms: int
    charter_size: int
    author: bytes | None
    body: Any
    signature: bytes | None
    record_id: bytes
    raw: bytes

    @property
    def is_known(self) -> bool:
        """Whether this version understands the kind."""
        return isinstance(self.body, Body)


class BodyType:
    """The body struct of one kind, the decoder of a whole record of it, and whether it may have attributes."""

    __slots__ = ("decode_whole", "has_attributes", "struct")

    def __init__(self, struct: type[Body]) -> None:
        """Take the struct of one kind."""
        self.struct = struct
        self.decode_whole: Callable[[bytes], Any] = msgspec.msgpack.Decoder(_whole_record(struct)).decode
        self.has_attributes = "attributes" in struct.__struct_fields__


def _whole_record(body: type[Body]) -> type[msgspec.Struct]:
    """Return the seven elements with this body, each in its bounds."""
    return msgspec.defstruct(
        f"{body.__name__}Record",
        [
            ("format", Literal[1]),
            ("kind", str),
            ("time_ms", _Count),
            ("charter_size", _Count),
            ("author", bytes | None),
            ("body", body),
            ("signature", bytes | None),
        ],
        array_like=True,
        frozen=True,
        forbid_unknown_fields=True,
        gc=False,
    )


_NO_BASE64 = (bytes,)  # else `convert` reads text as the base64 of bytes


def encode_record(
    kind: str,
    body: Body,
    *,
    time_ms: int,
    charter_size: int = 0,
    author: bytes | None = None,
    signature: bytes | None = None,
) -> bytes:
    """Return the leaf bytes of a record."""
    return encode([FORMAT, kind, time_ms, charter_size, author, body, signature])


def decode_record(
    raw: bytes, body_types: Mapping[str, BodyType], *, record_id: bytes | None = None
) -> Record:
    """Return the record in `raw`, or raise `EncodingError` or `RecordVoid` with the code of what is wrong.

    `record_id` is its leaf hash, where the caller has it already.
    """
    return _decode_quickly(raw, body_types, record_id) or _decode_slowly(raw, body_types)


def member_message(
    community: bytes,
    lane: str,
    epoch: int,
    charter_size: int,
    kind: str,
    time_ms: int,
    author: bytes,
    body: Body,
) -> bytes:
    """Return the bytes that a member signs: who, where, under which charter, what and when.

    Charter sizes count within an epoch, and so does the clock: without it old words could be said again.
    """
    return MEMBER_SIGNATURE_DOMAIN + encode(
        [community, lane, epoch, charter_size, kind, time_ms, author, body]
    )


def _decode_quickly(raw: bytes, body_types: Mapping[str, BodyType], record_id: bytes | None) -> Record | None:
    """Take the kind from where it stands in a canonical record; that it is one, encoding again will show."""
    if not _KIND_START < len(raw) <= RECORD_BYTES_MAX:
        return None
    try:
        kind_end = _KIND_START + (raw[_KIND_START - 1] & _SHORT_TEXT_MAX)
        body_type = body_types.get(raw[_KIND_START:kind_end].decode())
        if body_type is None:
            return None
        whole = body_type.decode_whole(raw)
        if body_type.has_attributes and whole.body.attributes is not msgspec.UNSET:
            _check_attributes(whole.body)  # before encoding, which knows text keys only
        if encode(whole) != raw or (whole.author is None) != (whole.signature is None):
            return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ProtocolError):
        return None  # a body nested by the thousand exhausts msgspec, not the scan of the slow way
    return Record(
        whole.kind,
        whole.time_ms,
        whole.charter_size,
        whole.author,
        whole.body,
        whole.signature,
        record_id or leaf_hash(raw),
        raw,
    )


def _is_envelope_legal(envelope: Envelope) -> bool:
    return (
        envelope.format == FORMAT
        and len(envelope.kind.encode()) <= KIND_BYTES_MAX
        and 0 <= envelope.time_ms <= INTEGER_MAX
        and 0 <= envelope.charter_size <= INTEGER_MAX
        and (envelope.author is None) == (envelope.signature is None)
    )


def _decode_slowly(raw: bytes, body_types: Mapping[str, BodyType]) -> Record:
    value = decode(raw, bytes_max=RECORD_BYTES_MAX)
    if not isinstance(value, list) or not value:
        raise RecordVoid("record_shape", "not an array")
    if value[0] != FORMAT or isinstance(value[0], bool):
        raise RecordVoid("format_unknown", f"format {value[0]!r}")
    if len(value) != _RECORD_LENGTH:
        raise RecordVoid("record_shape", f"{len(value)} elements, not {_RECORD_LENGTH}")
    try:
        envelope = msgspec.convert([*value[:5], msgspec.Raw(), value[6]], Envelope, builtin_types=_NO_BASE64)
    except msgspec.ValidationError as error:
        raise RecordVoid("record_shape", str(error)) from error
    if not _is_envelope_legal(envelope):
        raise RecordVoid("record_shape", "a field of the record is out of bounds")
    return Record(
        envelope.kind,
        envelope.time_ms,
        envelope.charter_size,
        envelope.author,
        _convert_body(value[5], body_types.get(envelope.kind)),
        envelope.signature,
        leaf_hash(raw),
        raw,
    )


def _convert_body(value: Any, body_type: BodyType | None) -> Any:
    """Return the struct of a body. All its faults have one code: which of several is met first is chance."""
    if body_type is None:
        return value
    try:
        body = msgspec.convert(value, body_type.struct, builtin_types=_NO_BASE64)
    except (msgspec.ValidationError, ProtocolError) as error:
        raise RecordVoid("body_refused", str(error)) from error
    if encode(body) != encode(value):
        raise RecordVoid("body_refused", "a field is written out that has to be left out")
    if body_type.has_attributes:
        _check_attributes(body)
    return body


def _check_attributes(body: Body) -> None:
    attributes = getattr(body, "attributes", msgspec.UNSET)
    if attributes is msgspec.UNSET:
        return
    check_attributes(attributes, depth=2)


__all__ = [
    "FORMAT",
    "Body",
    "BodyType",
    "EncodingError",
    "Envelope",
    "Record",
    "decode_record",
    "encode_record",
    "member_message",
]
