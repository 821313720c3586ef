"""The frames of a session: what two nodes say to each other (PROTOCOL.md section 17.2).

A frame is one binary WebSocket message: a MessagePack array that begins with the name of its type. Frames are
neither signed nor kept, so they need not be canonical; they are bounded before and while they are parsed. The
types stand in a module a family; which of them are requests, and what answers them, is said here.

    decode_frame(encode_frame(Ping(7))) == Ping(7)
"""

from typing import get_args

import msgspec

from protocol.errors import SessionError
from protocol.exchange.frames.backups import (
    Backup,
    BackupGet,
    BackupGive,
    BackupHeld,
    BackupKept,
    BackupState,
    Recovered,
    Recovery,
    RecoveryAsk,
    RecoveryChallenge,
    RecoveryProve,
)
from protocol.exchange.frames.fields import (
    INSTANCE_BYTES,
    NO_INSTANCE,
    NONCE_BYTES,
    Code,
    Count,
    Hash,
    Instance,
    Key,
    Nonce,
    Packed,
    Signature,
    Size,
)
from protocol.exchange.frames.lanes import (
    SUMMARY_KEY_BYTES,
    Entries,
    EntriesGet,
    Graft,
    Heads,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    HeadsSummary,
    News,
    Prune,
    StatedCosignature,
    StatedHead,
    Tiles,
    TilesGet,
    TileWanted,
    YourHeads,
)
from protocol.exchange.frames.objects import (
    Blob,
    BlobGet,
    Sealed,
    SealedAck,
    SealedGet,
    SealedObject,
    SealedPut,
    WrappedKey,
)
from protocol.exchange.frames.relays import (
    Delivery,
    Receipt,
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
)
from protocol.exchange.frames.session import Bye, Grant, Hello, Ping, Pong, Proof, Refused
from protocol.exchange.frames.statements import (
    Statement,
    StatementDigests,
    StatementGet,
    StatementNews,
    StatementsSince,
)
from protocol.exchange.frames.trust import (
    Addresses,
    AddressesGet,
    AddressTold,
    InviteRedeem,
    InviteRedeemed,
    PairCancel,
    PairCommit,
    PairConfirm,
    PairReveal,
    SignedAddress,
    TrustAnswer,
    TrustPush,
    TrustRequest,
)
from protocol.exchange.frames.witnessing import Cosigned, CosignGet
from protocol.limits import FRAME_BYTES_MAX

__all__ = [
    "ANSWERS",
    "FRAME_TYPES",
    "INSTANCE_BYTES",
    "NONCE_BYTES",
    "NO_INSTANCE",
    "SUMMARY_KEY_BYTES",
    "AddressTold",
    "Addresses",
    "AddressesGet",
    "Answer",
    "Backup",
    "BackupGet",
    "BackupGive",
    "BackupHeld",
    "BackupKept",
    "BackupState",
    "Blob",
    "BlobGet",
    "Bye",
    "Code",
    "CosignGet",
    "Cosigned",
    "Count",
    "Delivery",
    "Entries",
    "EntriesGet",
    "Frame",
    "Graft",
    "Grant",
    "Hash",
    "Heads",
    "HeadsBesides",
    "HeadsCompare",
    "HeadsSince",
    "HeadsSummary",
    "Hello",
    "Instance",
    "InviteRedeem",
    "InviteRedeemed",
    "Key",
    "News",
    "Nonce",
    "Packed",
    "PairCancel",
    "PairCommit",
    "PairConfirm",
    "PairReveal",
    "Ping",
    "Pong",
    "Proof",
    "Prune",
    "Receipt",
    "Recovered",
    "Recovery",
    "RecoveryAsk",
    "RecoveryChallenge",
    "RecoveryProve",
    "Refused",
    "RelayDropped",
    "RelayGet",
    "RelayKept",
    "RelayList",
    "RelayListed",
    "RelayNotice",
    "RelayPut",
    "RelayRegister",
    "RelayRequest",
    "RelayTaken",
    "RelayTerms",
    "Request",
    "Sealed",
    "SealedAck",
    "SealedGet",
    "SealedObject",
    "SealedPut",
    "Signature",
    "SignedAddress",
    "Size",
    "StatedCosignature",
    "StatedHead",
    "Statement",
    "StatementDigests",
    "StatementGet",
    "StatementNews",
    "StatementsSince",
    "TileWanted",
    "Tiles",
    "TilesGet",
    "WrappedKey",
    "YourHeads",
    "decode_frame",
    "encode_frame",
]

BackupRequest = BackupState | BackupGive | BackupGet | RecoveryAsk | RecoveryProve
BackupAnswer = BackupHeld | BackupKept | Backup | RecoveryChallenge | Recovery
RelayRequest = RelayRegister | RelayPut | RelayList | RelayGet | RelayTaken
RelayAnswer = RelayTerms | RelayKept | RelayListed | RelayDropped
Request = (
    HeadsSince | HeadsCompare | HeadsBesides
    | TilesGet | EntriesGet | SealedGet | SealedPut | BlobGet
    | StatementsSince | StatementGet
    | RelayRequest | BackupRequest
    | CosignGet
    | RelayRequest
    | TrustRequest
)  # fmt: skip
Answer = (
    Heads | HeadsSummary | Tiles | Entries | Sealed | SealedAck | Blob
    | StatementDigests | Statement
    | RelayAnswer | BackupAnswer
    | Cosigned
    | RelayAnswer
    | TrustAnswer
    | Refused
)  # fmt: skip
Push = (
    News | Prune | Graft | StatementNews | RelayNotice | YourHeads
    | TrustPush
)  # fmt: skip
Frame = Hello | Proof | Request | Answer | Push | Ping | Pong | Bye

ANSWERS: dict[type[Request], type[Answer]] = {
    HeadsSince: Heads,
    HeadsCompare: HeadsSummary,
    HeadsBesides: Heads,
    TilesGet: Tiles,
    EntriesGet: Entries,
    SealedGet: Sealed,
    SealedPut: SealedAck,
    BlobGet: Blob,
    CosignGet: Cosigned,
    StatementsSince: StatementDigests,
    StatementGet: Statement,
    RelayRegister: RelayTerms,
    RelayPut: RelayKept,
    RelayList: RelayListed,
    RelayGet: Sealed,
    RelayTaken: RelayDropped,
    BackupState: BackupHeld,
    BackupGive: BackupKept,
    BackupGet: Backup,
    RecoveryAsk: RecoveryChallenge,
    RecoveryProve: Recovery,
    AddressesGet: Addresses,
    InviteRedeem: InviteRedeemed,
}

_FIXED_ARRAY = range(0x90, 0xA0)
_FIXED_TEXT = range(0xA0, 0xC0)
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)
FRAME_TYPES: dict[str, type[Frame]] = {
    str(struct.__struct_config__.tag): struct
    for struct in (Hello, Proof, *ANSWERS, *ANSWERS.values(), Refused, *get_args(Push), Ping, Pong, Bye)
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
