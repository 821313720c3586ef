"""One source's copy of one lane, compared byte for byte with what the signed root covers (section 19.3).

From the entries upward everything is computed, and every tile that the source serves is compared with it.
When the root comes out as signed, the entries are right and a tile that differs is damaged. When it does
not, `diagnosis` walks down from the root to the bundle at fault.

    copy = read_copy(source, origin, checkpoint, print)
    copy.is_whole, copy.damages
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from protocol.audit.bundle import Source, lane_folder
from protocol.audit.lane_tree import LaneTree
from protocol.errors import AuditError, LogError
from protocol.limits import BUNDLE_BYTES_MAX, COPY_DAMAGES_MAX, TILE_HEIGHT, TILE_WIDTH
from protocol.log.checkpoint import Checkpoint
from protocol.log.merkle import HASH_BYTES, leaf_hashes
from protocol.log.origin import Origin
from protocol.log.tiles import (
    entry_bundle_path,
    pack_tile,
    tile_path,
    tile_width,
    unpack_entries,
    unpack_tile,
)

_LENGTH_BYTES = 2
_TILE_BYTES = TILE_WIDTH * HASH_BYTES


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not what it has to be; `index` is the first record that differs, where known."""

    code: str
    path: str
    index: int | None = None
    detail: str = ""


@dataclass(slots=True)
class LaneCopy:
    """What one source holds of one lane.

    `tree` is computed from the entries; where a bundle could not be read, from the tile that stands for it.
    `suspects` are the (level, index) of tiles that differ from it.

    A copy that `is_deferred` has its tree from its own tiles, proven by the root; its bundles are compared as
    they are read for the first time, in turn. `compared` counts them, `is_broken` tells of any that is wrong.
    """

    source: Source
    origin: Origin
    checkpoint: Checkpoint
    tree: LaneTree = field(default_factory=LaneTree)
    damages: list[Damage] = field(default_factory=list)
    suspects: list[tuple[int, int]] = field(default_factory=list)
    has_entries: bool = True
    is_deferred: bool = False
    is_broken: bool = False
    compared: int = 0

    @property
    def is_read(self) -> bool:
        """Whether all of it was read; too much damage ends the reading."""
        return self.tree.size == self.checkpoint.size

    @property
    def is_proven(self) -> bool:
        """Whether the tree is the one that the checkpoint states."""
        return self.is_read and self.tree.root() == self.checkpoint.root

    @property
    def is_whole(self) -> bool:
        """Whether every entry stands here as signed."""
        return self.has_entries and self.is_proven

    def bundle(self, index: int) -> tuple[list[bytes], list[bytes]]:
        """Return entries and leaf hashes of a bundle, proven by the tree; raises `AuditError` where they are not.

        For a copy that was read before, that means that its source gives other bytes at the second reading.
        """
        width = tile_width(self.checkpoint.size, 0, index)
        try:
            raw = self.read(None, index, width)
        except AuditError:
            self.is_broken = True
            raise
        entries = _well_formed(raw, width)
        leaves = leaf_hashes(entries)
        if len(entries) != width or not self.tree.has_bundle(index, leaves):
            self.is_broken = True
            raise AuditError("source_changed", f"{self.source.name}: {self.path(None, index, width)}")
        if self.is_deferred and index == self.compared:
            self.is_broken |= self.read(0, index, width) != pack_tile(leaves)
            self.compared += 1
        return entries, leaves

    def leaves(self, index: int) -> list[bytes]:
        """Return the leaf hashes of a bundle of a whole copy."""
        return self.bundle(index)[1]

    def root_at(self, size: int) -> bytes:
        """Return the root over the first `size` entries of a whole copy."""
        return self.tree.root_at(size, self.leaves)

    def node(self, height: int, index: int) -> bytes:
        """Return the root over the 2**height entries from index * 2**height on, of a whole copy."""
        return self.tree.node(height, index, self.leaves)

    def path(self, level: int | None, index: int, width: int) -> str:
        """Return the path of a tile in the bundle; level None is an entry bundle."""
        name = entry_bundle_path(index, width) if level is None else tile_path(level, index, width)
        return f"{lane_folder(self.origin)}/{name}"

    def read(self, level: int | None, index: int, width: int) -> bytes | None:
        """Return the bytes of a tile; where a partial one is gone, the start of the full one."""
        bytes_max = BUNDLE_BYTES_MAX if level is None else _TILE_BYTES
        raw = self.source.read(self.path(level, index, width), bytes_max)
        if raw is None and width < TILE_WIDTH:
            raw = self.source.read(self.path(level, index, TILE_WIDTH), bytes_max)
            if raw is not None:
                return _first_entries(raw, width) if level is None else raw[: width * HASH_BYTES]
        return raw


def open_copy(source: Source, origin: Origin, checkpoint: Checkpoint) -> LaneCopy | None:
    """Return a deferred copy, or None where its tiles do not lead to the root and all of it has to be read."""
    copy = LaneCopy(source, origin, checkpoint, is_deferred=True)
    try:
        tree = LaneTree.of_tiles(checkpoint.size, copy.read)
    except AuditError:
        return None
    if tree is None:
        return None
    copy.tree = tree
    return copy if copy.is_proven else None


def read_copy(
    source: Source, origin: Origin, checkpoint: Checkpoint, progress: Callable[[int], None]
) -> LaneCopy:
    """Read all of a copy and compare it; what is wrong with it stands in `damages` and `suspects`.

    `progress` is told how many records were read since the last time. Raises `AuditError` only where the
    source itself can no longer be read.
    """
    copy = LaneCopy(source, origin, checkpoint)
    while not copy.is_read:
        index = copy.tree.size // TILE_WIDTH
        if len(copy.damages) + len(copy.suspects) >= COPY_DAMAGES_MAX:
            copy.damages.append(Damage("copy_abandoned", copy.path(None, index, TILE_WIDTH)))
            return copy
        _read_bundle(copy, index)
        progress(copy.tree.size - index * TILE_WIDTH)
    level = 1
    while hashes := checkpoint.size >> TILE_HEIGHT * level:
        for index in range(-(-hashes // TILE_WIDTH)):
            width = tile_width(checkpoint.size, level, index)
            _compare_tile(copy, level, index, copy.tree.tile(level, index, width))
        level += 1
    return copy


def entries_of(raw: bytes, count: int) -> list[bytes]:
    """Return the entries of a bundle; of a malformed one those that come before the fault."""
    try:
        return unpack_entries(raw, count)
    except LogError:
        return _leading_entries(raw, count)


def first_difference(left: bytes, right: bytes) -> int:
    """Return the index of the first hash in which two packed tiles differ."""
    for index in range(0, max(len(left), len(right)), HASH_BYTES):
        if left[index : index + HASH_BYTES] != right[index : index + HASH_BYTES]:
            return index // HASH_BYTES
    return 0


def _read_bundle(copy: LaneCopy, index: int) -> None:
    width = tile_width(copy.checkpoint.size, 0, index)
    raw = _read(copy, None, index, width)
    if entries := _well_formed(raw, width):
        leaves = leaf_hashes(entries)
        _compare_tile(copy, 0, index, pack_tile(leaves))
        copy.tree.add(leaves)
        return
    copy.has_entries = False
    tile = _read(copy, 0, index, width)
    stand_in = tile if tile is not None and len(tile) == width * HASH_BYTES else bytes(width * HASH_BYTES)
    if raw is not None:
        known = pack_tile(leaf_hashes(_leading_entries(raw, width)))
        first = index * TILE_WIDTH + first_difference(known, stand_in)
        copy.damages.append(Damage("entries_damaged", copy.path(None, index, width), first))
    copy.tree.add(unpack_tile(stand_in, width))


def _well_formed(raw: bytes | None, width: int) -> list[bytes]:
    """Return the entries of a bundle that is nothing but `width` entries, else none."""
    try:
        return unpack_entries(raw, width) if raw is not None else []
    except LogError:
        return []


def _compare_tile(copy: LaneCopy, level: int, index: int, computed: bytes) -> None:
    width = tile_width(copy.checkpoint.size, level, index)
    served = _read(copy, level, index, width)
    if served is not None and served != computed:
        copy.suspects.append((level, index))


def _read(copy: LaneCopy, level: int | None, index: int, width: int) -> bytes | None:
    """Read one file; what is missing or refused is damage, a source that is gone ends the copy."""
    path = copy.path(level, index, width)
    first = index * TILE_WIDTH << TILE_HEIGHT * (level or 0)
    try:
        raw = copy.read(level, index, width)
    except AuditError as error:
        if error.code == "source_unreadable":
            raise
        copy.damages.append(Damage(error.code, path, first, error.detail))
        return None
    if raw is None:
        copy.damages.append(Damage("file_missing", path, first))
    return raw


def _first_entries(raw: bytes, count: int) -> bytes:
    """Return the start of a full bundle that holds its first `count` entries."""
    end = sum(_LENGTH_BYTES + len(entry) for entry in entries_of(raw, TILE_WIDTH)[:count])
    return raw[:end]


def _leading_entries(raw: bytes, count: int) -> list[bytes]:
    entries: list[bytes] = []
    end = 0
    while len(entries) < count and end + _LENGTH_BYTES <= len(raw):
        start = end + _LENGTH_BYTES
        end = start + int.from_bytes(raw[end:start], "big")
        if end > len(raw):
            break
        entries.append(raw[start:end])
    return entries
