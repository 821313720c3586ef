"""One file of a stranger's: what it is, and whether it holds (PROTOCOL.md section 19.7).

verify_file(Path("order.tlog-proof"), sources=[open_source("bundle.tar.gz")]).verdict
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, to_builtins

from protocol.audit.bundle import INDEX_PATH, Source, format_index, parse_index
from protocol.audit.findings import Book
from protocol.audit.history import History, read_history
from protocol.audit.reading import Reading
from protocol.audit.receipt import open_receipt, origin_of
from protocol.audit.witnessed import CharterWitnesses, SeenBy, fold_witnesses, seen_sizes
from protocol.errors import AuditError, LogError, ProtocolError
from protocol.identity.keys import to_base32
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import CHARTER
from protocol.limits import INDEX_BYTES_MAX, NOTE_BYTES_MAX, PROOF_BYTES_MAX
from protocol.log.checkpoint import open_checkpoint, parse_checkpoint
from protocol.log.fork import FIRST_LINE, parse_fork, verify_fork
from protocol.log.note import ED25519, VerifierKey, parse_note
from protocol.log.origin import Origin, parse_origin
from protocol.log.proof import parse_proof
from protocol.log.record import decode_record

_PROOF_START = b"c2sp.org/tlog-proof@v1\n"

FileKind = Literal["bundle", "checkpoint", "fork", "receipt"]
Verdict = Literal["fails", "holds", "not_opened"]


class Verification(Struct, frozen=True, kw_only=True):
    """What a file is and whether it holds; `not_opened` where no log key was given that it could be judged by.

    A fork has two sizes: `size` is that of the larger head, `other_size` that of the other. `seen` says how many
    witnesses have cosigned the head of a receipt or checkpoint, where a source has a charter that names any.
    """

    kind: FileKind
    verdict: Verdict
    community: str | None = None
    lane: str | None = None
    epoch: int | None = None
    size: int | None = None
    other_size: int | None = None
    index: int | None = None
    record_id: str | None = None
    record_kind: str | None = None
    time_ms: int | None = None
    body: Any = None
    seen: SeenBy | None = None
    code: str | None = None
    detail: str = ""


class KnownKeys:
    """Log keys by lane: from the charters in some sources, or from verifier keys that the auditor was told."""

    def __init__(self, sources: Sequence[Source] = (), vkeys: Sequence[str] = ()) -> None:
        """Take where charters may be read, and keys in the form `name+id+key`, whose name is the origin."""
        self._sources = sources
        self._told = {key.name: key for key in map(VerifierKey.from_vkey, vkeys)}
        self._histories: dict[bytes, History | None] = {}
        self._witnesses: dict[bytes, CharterWitnesses] = {}

    def log_key(self, origin: Origin) -> bytes:
        """Return the log key of a lane's epoch; raises `note_not_signed` where none is known."""
        told = self._told.get(origin.text)
        if told is not None and told.type == ED25519:
            return told.public
        if origin.community not in self._histories:
            self._histories[origin.community] = _history(origin.community, self._sources)
        history = self._histories[origin.community]
        if history is None or origin.epoch >= len(history.keys):
            raise _KeyUnknownError
        return history.keys[origin.epoch].log_key

    def seen(self, origin: Origin, note: bytes, index: int) -> SeenBy | None:
        """Return who has seen the record at `index` by a head's cosignatures; None where no witness is known."""
        if origin.community not in self._witnesses:
            self._witnesses[origin.community] = _witnesses(origin.community, self._sources)
        witnesses = self._witnesses[origin.community]
        size = parse_checkpoint(parse_note(note).text).size
        return witnesses.seen(index, seen_sizes([(size, note)], witnesses))


class _KeyUnknownError(Exception):
    """No source and no word of the auditor's gives the log key."""


def verify_file(path: Path, keys: KnownKeys) -> Verification:
    """Return what a file is and whether it holds: a checkpoint, a receipt, a fork proof, or a bundle's outside.

    A bundle is only recognised here: `audit_sources` audits it. Raises `AuditError("file_unknown")` where it
    is none of these, `OSError` where it cannot be read.
    """
    if path.is_dir() or path.name.endswith((".tar", ".tar.gz", ".tgz")):
        return Verification(kind="bundle", verdict="not_opened")
    with path.open("rb") as file:
        raw = file.read(PROOF_BYTES_MAX + 1)
    kind = _kind_of(raw)
    verify = {"receipt": _verify_receipt, "fork": _verify_fork, "checkpoint": _verify_checkpoint}[kind]
    try:
        return verify(raw, keys)
    except _KeyUnknownError:
        return Verification(kind=kind, verdict="not_opened", **_stated(kind, raw))
    except ProtocolError as error:
        if kind == "checkpoint" and not _is_checkpoint(raw):
            raise AuditError("file_unknown", path.name) from error
        return Verification(kind=kind, verdict="fails", code=error.code, detail=error.detail)


def _kind_of(raw: bytes) -> FileKind:
    if raw.startswith(_PROOF_START):
        return "receipt"
    return "fork" if raw.startswith(FIRST_LINE + b"\n") else "checkpoint"


def _verify_fork(raw: bytes, keys: KnownKeys) -> Verification:
    proof = parse_fork(raw)
    verify_fork(proof, keys.log_key(proof.origin))
    return Verification(kind="fork", verdict="holds", **_stated("fork", raw))


def _verify_receipt(raw: bytes, keys: KnownKeys) -> Verification:
    receipt = open_receipt(raw, keys.log_key)
    return Verification(
        kind="receipt",
        verdict="holds",
        size=receipt.checkpoint.size,
        index=receipt.index,
        record_id=to_base32(receipt.record_id),
        seen=keys.seen(receipt.origin, parse_proof(raw).checkpoint, receipt.index),
        **_lane(receipt.origin),
        **_record(receipt.entry),
    )


def _verify_checkpoint(raw: bytes, keys: KnownKeys) -> Verification:
    origin = parse_origin(parse_checkpoint(parse_note(raw).text).origin)
    checkpoint = open_checkpoint(raw, origin.text, keys.log_key(origin))
    seen = keys.seen(origin, raw, checkpoint.size - 1)
    return Verification(kind="checkpoint", verdict="holds", size=checkpoint.size, seen=seen, **_lane(origin))


def _history(community: bytes, sources: Sequence[Source]) -> History | None:
    """Read who a community is, from any source that has its first charter; what is wrong there is not ours."""
    charter = Origin(community, CHARTER, 0)
    holders: list[tuple[Source, int]] = []
    for source in sources:
        try:
            raw = source.read(INDEX_PATH, INDEX_BYTES_MAX)
            holders.append((source, parse_index(raw or b"").get(charter, 0)))
        except AuditError:
            holders.append((source, 0))
    return read_history(community, holders, sources, Book())


def _witnesses(community: bytes, sources: Sequence[Source]) -> CharterWitnesses:
    """Fold the charter that the sources have, and return whom it names; nobody where it cannot be read whole."""
    reading = Reading([CharterSource(source, community) for source in sources], Book(), lambda *_: None)
    try:
        chosen = reading.read()
        if community not in reading.histories:
            return CharterWitnesses()
        return fold_witnesses(reading.histories[community], list(chosen.values()))
    except AuditError:
        return CharterWitnesses()


class CharterSource:
    """A source as if it held nothing but one community's charter."""

    def __init__(self, source: Source, community: bytes) -> None:
        """Take the source to look into."""
        self.name, self.is_live = source.name, source.is_live
        self._source = source
        self._community = community

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """Return the bytes at `path`; the index names the charter's epochs alone."""
        raw = self._source.read(path, bytes_max)
        if path != INDEX_PATH or raw is None:
            return raw
        lanes = parse_index(raw).items()
        return format_index(
            {
                origin: size
                for origin, size in lanes
                if (origin.community, origin.lane) == (self._community, CHARTER)
            }
        )

    def checkpoint_paths(self) -> Collection[str] | None:
        """Say that it cannot be listed: what stands in the index is enough."""
        return None


def _stated(kind: FileKind, raw: bytes) -> dict[str, Any]:
    """What a file says of itself, unproven; it was parsed before."""
    if kind == "checkpoint":
        checkpoint = parse_checkpoint(parse_note(raw).text)
        return {"size": checkpoint.size, **_lane(parse_origin(checkpoint.origin))}
    if kind == "fork":
        fork = parse_fork(raw)
        return {"size": fork.newer.size, "other_size": fork.older.size, **_lane(fork.origin)}
    proof = parse_proof(raw)
    return {"index": proof.index, **_lane(origin_of(raw)), **_record(proof.extra or b"")}


def _is_checkpoint(raw: bytes) -> bool:
    try:
        parse_checkpoint(parse_note(raw[:NOTE_BYTES_MAX]).text)
    except LogError:
        return False
    return True


def _lane(origin: Origin) -> dict[str, Any]:
    return {"community": to_base32(origin.community), "lane": origin.lane, "epoch": origin.epoch}


def _record(entry: bytes) -> dict[str, Any]:
    """What the entry says, where it is a record: its bytes are proven, its effect is for an audit."""
    try:
        record = decode_record(entry, BODY_TYPES)
    except ProtocolError as error:
        return {"code": error.code, "detail": error.detail}
    return {"record_kind": record.kind, "time_ms": record.time_ms, "body": to_builtins(record.body)}
