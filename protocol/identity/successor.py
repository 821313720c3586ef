"""Successor notes: how an epoch is closed and the next log key takes over (PROTOCOL.md section 9).

Planned rotation, recovery and the way out of a fork are this one text, a signed note. The new log key always
signs, which proves that somebody holds it; its authority is that the closed epoch announced its hash, or that
enough recovery keys signed too. Only a quorum may replace the recovery keys: a sheet of words that one person
holds derives the next log key, and must not lock the others out.

    raw = make_successor(successor, log=new_log_key)
    verify_successor(raw, EpochKeys.of_genesis(community, genesis)).opened
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

from protocol.errors import IdentityError, LogError
from protocol.identity.genesis import Genesis, check_recovery_set
from protocol.identity.keys import (
    HASH_BYTES,
    KEY_BYTES,
    SigningKey,
    check_signing_key,
    from_base32,
    log_key_hash,
    to_base32,
)
from protocol.limits import EPOCH_MAX, INTEGER_MAX, LANES_MAX, RECOVERY_KEYS_MAX, TREE_SIZE_MAX
from protocol.log.lines import from_base64, parse_decimal, to_base64
from protocol.log.note import (
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    parse_note,
    sign_note,
    verify_note,
)

_HEADER = "wildgrass/v1/successor"
_LANE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}(/[a-z][a-z0-9_]{0,31})?")


class SealedLane(NamedTuple):
    """What a lane came to in the closed epoch: entries beyond `size` are void."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySet:
    """Keys of which `threshold` together may replace any other key."""

    threshold: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochKeys:
    """What a community's epoch says about who may close it."""

    community: bytes
    epoch: int
    log_key: bytes
    next_log_key_hash: bytes
    recovery: RecoverySet

    @classmethod
    def of_genesis(cls, community: bytes, genesis: Genesis) -> Self:
        """Return the keys of epoch 0."""
        return cls(
            community=community,
            epoch=0,
            log_key=genesis.log_key,
            next_log_key_hash=genesis.next_log_key_hash,
            recovery=RecoverySet(threshold=genesis.recovery_threshold, keys=genesis.recovery_keys),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """The text of the note: epoch `epoch` is closed at `lanes`, and `log_key` opens the one after it."""

    community: bytes
    epoch: int
    time_ms: int
    log_key: bytes
    next_log_key_hash: bytes
    lanes: Mapping[str, SealedLane]
    recovery: RecoverySet | None = None

    @property
    def text(self) -> str:
        """The lines that are signed; lanes stand sorted by name, and an empty lane is not mentioned."""
        lines = [
            _HEADER,
            f"community {to_base32(self.community)}",
            f"epoch {self.epoch}",
            f"time {self.time_ms}",
            f"log {to_base64(self.log_key)}",
            f"next {to_base64(self.next_log_key_hash)}",
        ]
        if self.recovery is not None:
            keys = " ".join(map(to_base64, self.recovery.keys))
            lines.append(f"recovery {self.recovery.threshold} {keys}")
        for name, lane in sorted(self.lanes.items()):
            lines.append(f"lane {name} {lane.size} {to_base64(lane.root)}")
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """A successor note that holds: by whose authority, what it says, and the keys of the epoch it opens."""

    kind: Literal["next_key", "quorum"]
    successor: Successor
    opened: EpochKeys


def make_successor(successor: Successor, *, log: SigningKey, recovery: Sequence[SigningKey] = ()) -> bytes:
    """Return the note signed by the new log key and by the recovery keys at hand; others may sign later."""
    assert log.public == successor.log_key
    parse_successor(successor.text)
    name = _next_key_name(successor.community, successor.epoch)
    note = sign_note(Note(successor.text), name=name, key=log)
    for key in recovery:
        note = sign_note(note, name=_recovery_name(successor.community), key=key)
    return format_note(note)


def add_recovery_signature(raw: bytes, key: SigningKey) -> bytes:
    """Return the note with the signature of one more recovery key; `raw` must be a successor note."""
    note = parse_note(raw)
    successor = parse_successor(note.text)
    return format_note(sign_note(note, name=_recovery_name(successor.community), key=key))


def verify_successor(raw: bytes, closing: EpochKeys) -> Succession:
    """Return what the note brings about after the epoch of `closing`, or raise.

    Checked in this order: the form of the note (`LogError`), its lines, community and epoch, its keys, the
    signatures (`LogError`), and their authority (`IdentityError`).
    """
    note = parse_note(raw)
    successor = parse_successor(note.text)
    if (successor.community, successor.epoch) != (closing.community, closing.epoch):
        raise IdentityError("successor_mismatch", f"epoch {successor.epoch}, expected {closing.epoch}")
    _check_keys(successor, closing)
    recovery = successor.recovery or closing.recovery
    next_key, *others = _signing_keys(successor, closing)
    verified = verify_note(note, [next_key, *others])
    if next_key not in verified:
        raise IdentityError("successor_not_authorised", "the new log key did not sign")
    signers = {key.public for key in verified if key != next_key}
    kind = _authority(successor, closing, signers)
    if not set(recovery.keys) - set(closing.recovery.keys) <= signers:
        raise IdentityError("successor_not_authorised", "a new recovery key did not sign")
    opened = EpochKeys(
        community=closing.community,
        epoch=closing.epoch + 1,
        log_key=successor.log_key,
        next_log_key_hash=successor.next_log_key_hash,
        recovery=recovery,
    )
    return Succession(kind=kind, successor=successor, opened=opened)


def trim_successor(raw: bytes, closing: EpochKeys) -> bytes:
    """Return a note that holds without the lines that its authority does not need, in one order.

    Anybody may write further lines under a note; kept, they would make many notes out of one.
    """
    note = parse_note(raw)
    known = {(key.name, key.key_id) for key in _signing_keys(parse_successor(note.text), closing)}
    lines = {line for line in note.signatures if (line.name, line.key_id) in known}
    return format_note(replace(note, signatures=_in_order(lines)))


def join_successors(one: bytes, other: bytes) -> bytes:
    """Return a note with the signatures of two copies of it; both have one text and are trimmed."""
    note, further = parse_note(one), parse_note(other)
    assert note.text == further.text, "copies of one note"
    return format_note(replace(note, signatures=_in_order({*note.signatures, *further.signatures})))


def parse_successor(text: str) -> Successor:
    """Return what the text of a successor note says, its signatures unread; raises `IdentityError`.

    Every value has one spelling: the text must be the one that the parsed values print.
    """
    try:
        successor = _parse_lines(text.removesuffix("\n").split("\n"))
    except LogError as error:
        raise IdentityError("successor_malformed", str(error)) from error
    if successor.text != text:
        raise IdentityError("successor_malformed", "lanes unsorted or repeated, or a line misspelt")
    return successor


def _parse_lines(lines: Sequence[str]) -> Successor:
    remaining = list(reversed(lines))
    if remaining.pop() != _HEADER:
        raise IdentityError("successor_malformed", "another first line")
    community = from_base32(_take(remaining, "community"), HASH_BYTES)
    epoch = parse_decimal(_take(remaining, "epoch"), maximum=EPOCH_MAX - 1)
    time_ms = parse_decimal(_take(remaining, "time"), maximum=INTEGER_MAX)
    log_key = _fixed(_take(remaining, "log"), KEY_BYTES)
    next_log_key_hash = _fixed(_take(remaining, "next"), HASH_BYTES)
    recovery = None
    if remaining and remaining[-1].startswith("recovery "):
        recovery = _parse_recovery(_take(remaining, "recovery"))
    if len(remaining) > LANES_MAX:
        raise IdentityError("successor_malformed", f"{len(remaining)} lanes, at most {LANES_MAX}")
    lanes = dict(_parse_lane(_take(remaining, "lane")) for _ in range(len(remaining)))
    return Successor(
        community=community,
        epoch=epoch,
        time_ms=time_ms,
        log_key=log_key,
        next_log_key_hash=next_log_key_hash,
        lanes=lanes,
        recovery=recovery,
    )


def _take(remaining: list[str], word: str) -> str:
    """Take the next line off, which must begin with `word`, and return the rest of it."""
    line = remaining.pop() if remaining else ""
    first, _, rest = line.partition(" ")
    if first != word:
        raise IdentityError("successor_malformed", f"no {word} line where it should stand")
    return rest


def _parse_recovery(rest: str) -> RecoverySet:
    threshold, *keys = rest.split(" ")
    if len(keys) > RECOVERY_KEYS_MAX:
        raise IdentityError("successor_malformed", f"{len(keys)} recovery keys, at most {RECOVERY_KEYS_MAX}")
    return RecoverySet(
        threshold=parse_decimal(threshold, maximum=RECOVERY_KEYS_MAX),
        keys=tuple(_fixed(key, KEY_BYTES) for key in keys),
    )


def _parse_lane(rest: str) -> tuple[str, SealedLane]:
    name, _, measure = rest.partition(" ")
    size, _, root = measure.partition(" ")
    if _LANE_NAME.fullmatch(name) is None:
        raise IdentityError("successor_malformed", f"lane {name[:64]!r}")
    lane = SealedLane(parse_decimal(size, maximum=TREE_SIZE_MAX), _fixed(root, HASH_BYTES))
    if lane.size == 0:
        raise IdentityError("successor_malformed", f"lane {name} of size 0 is not mentioned")
    return name, lane


def _fixed(text: str, bytes_count: int) -> bytes:
    raw = from_base64(text)
    if len(raw) != bytes_count:
        raise IdentityError("successor_malformed", f"{len(raw)} bytes instead of {bytes_count}")
    return raw


def _signing_keys(successor: Successor, closing: EpochKeys) -> list[VerifierKey]:
    """The keys whose lines count: the new log key, then the recovery keys, old and new."""
    recovery_name = _recovery_name(closing.community)
    recovery = {*closing.recovery.keys, *(successor.recovery or closing.recovery).keys}
    return [
        VerifierKey(_next_key_name(closing.community, closing.epoch), ED25519, successor.log_key),
        *(VerifierKey(recovery_name, ED25519, key) for key in sorted(recovery)),
    ]


def _in_order(lines: Iterable[NoteSignature]) -> tuple[NoteSignature, ...]:
    return tuple(sorted(lines, key=lambda line: line.line))


def _check_keys(successor: Successor, closing: EpochKeys) -> None:
    """One log key an epoch, never a recovery key, and a usable recovery set."""
    check_signing_key(successor.log_key)
    recovery = successor.recovery or closing.recovery
    check_recovery_set(recovery.keys, recovery.threshold)
    taken = {closing.log_key, *closing.recovery.keys, *recovery.keys}
    if successor.log_key in taken:
        raise IdentityError("key_repeated", "the new log key is in use already")
    if successor.next_log_key_hash in map(log_key_hash, (*taken, successor.log_key)):
        raise IdentityError("key_repeated", "the log key after next is in use already")


def _authority(
    successor: Successor, closing: EpochKeys, signers: set[bytes]
) -> Literal["next_key", "quorum"]:
    """Return by whose word the note holds; with both, the quorum's, which is the stronger."""
    if len(signers.intersection(closing.recovery.keys)) >= closing.recovery.threshold:
        return "quorum"
    if log_key_hash(successor.log_key) != closing.next_log_key_hash:
        raise IdentityError("successor_not_authorised", "too few recovery keys signed")
    if successor.recovery is not None:
        raise IdentityError("successor_not_authorised", "only a quorum may replace the recovery keys")
    return "next_key"


def _next_key_name(community: bytes, closing_epoch: int) -> str:
    return f"wildgrass/v1/{to_base32(community)}/next/{closing_epoch + 1}"


def _recovery_name(community: bytes) -> str:
    return f"wildgrass/v1/{to_base32(community)}/recovery"
