"""Receipts: one record proven to stand in a lane, in one small file (PROTOCOL.md sections 7.3 and 19.7).

A receipt is made from tiles, so whoever holds a copy can make one; it is opened with the log key that the
community's charter gives, never with anything that it says itself.

    raw = make_receipt(source, origin, index=17)
    open_receipt(raw, log_key_of=lambda origin: history.keys[origin.epoch].log_key).record_id
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from protocol.audit.bundle import Source, checkpoint_path
from protocol.audit.lane_copy import LaneCopy
from protocol.errors import AuditError
from protocol.limits import NOTE_BYTES_MAX, TILE_HEIGHT, TILE_WIDTH
from protocol.log.checkpoint import Checkpoint, parse_checkpoint
from protocol.log.merkle import inclusion_proof, leaf_hash, subtree_root, verify_inclusion
from protocol.log.note import parse_note
from protocol.log.origin import Origin, parse_origin
from protocol.log.proof import TlogProof, format_proof, parse_proof, verify_proof
from protocol.log.tiles import tile_width, unpack_entries, unpack_tile

_TILES_KEPT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt proves: `entry`, whose hash is `record_id`, stands at `index` under `checkpoint`."""

    origin: Origin
    index: int
    entry: bytes
    record_id: bytes
    checkpoint: Checkpoint


def make_receipt(source: Source, origin: Origin, index: int) -> bytes:
    """Return the receipt of the entry at `index`, under the head that the source serves now.

    Raises `LogError` where the index is not covered or the tiles do not lead to the head's root, and
    `AuditError` where a file is missing.
    """
    note = source.read(checkpoint_path(origin), NOTE_BYTES_MAX)
    if note is None:
        raise AuditError("file_missing", checkpoint_path(origin))
    checkpoint = parse_checkpoint(parse_note(note).text)
    copy = LaneCopy(source, origin, checkpoint)

    @lru_cache(_TILES_KEPT)
    def tile(level: int, number: int) -> list[bytes]:
        width = tile_width(checkpoint.size, level, number)
        return unpack_tile(_required(copy, level, number, width), width)

    def node(height: int, number: int) -> bytes:
        level, below = divmod(height, TILE_HEIGHT)
        start = number << below
        hashes = tile(level, start // TILE_WIDTH)[start % TILE_WIDTH : start % TILE_WIDTH + (1 << below)]
        return subtree_root(hashes)

    hashes = tuple(inclusion_proof(index, checkpoint.size, node))
    bundle, place = divmod(index, TILE_WIDTH)
    width = tile_width(checkpoint.size, 0, bundle)
    entry = unpack_entries(_required(copy, None, bundle, width), width)[place]
    verify_inclusion(hashes, leaf=leaf_hash(entry), index=index, size=checkpoint.size, root=checkpoint.root)
    return format_proof(TlogProof(index, hashes, note, entry))


def origin_of(raw: bytes) -> Origin:
    """Return which lane a receipt says it is of, unproven: so that its log key can be looked for."""
    return parse_origin(parse_checkpoint(parse_note(parse_proof(raw).checkpoint).text).origin)


def open_receipt(raw: bytes, log_key_of: Callable[[Origin], bytes]) -> Receipt:
    """Return what a receipt proves, or raise `LogError`; `log_key_of` gives the key of a lane's epoch."""
    proof, origin = parse_proof(raw), origin_of(raw)
    entry = proof.extra
    if entry is None:
        raise AuditError("receipt_mismatch", "the receipt does not carry its record")
    checkpoint = verify_proof(proof, entry=entry, origin=origin.text, log_public=log_key_of(origin))
    return Receipt(
        origin=origin, index=proof.index, entry=entry, record_id=leaf_hash(entry), checkpoint=checkpoint
    )


def _required(copy: LaneCopy, level: int | None, number: int, width: int) -> bytes:
    raw = copy.read(level, number, width)
    if raw is None:
        raise AuditError("file_missing", copy.path(level, number, width))
    return raw
