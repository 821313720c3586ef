"""Tiles and entry bundles: paths, bytes, and which of them state a root (PROTOCOL.md section 6).

A tile is up to 256 neighbouring hashes of one level of the tree in steps of eight; a bundle is up to 256
entries. Both are the C2SP tlog-tiles forms, so any static server can hold a lane.

    tile_path(0, 1234067, 256) == "tile/0/x001/x234/067"
    right_edge(70_000) == [(2, 0, 1), (1, 1, 17), (0, 273, 112)]
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import LogError
from protocol.limits import (
    BUNDLE_BYTES_MAX,
    ENTRY_BYTES_MAX,
    TILE_HEIGHT,
    TILE_PATH_BYTES_MAX,
    TILE_WIDTH,
    TREE_SIZE_MAX,
)
from protocol.log.merkle import HASH_BYTES, CompactRange

_LENGTH_BYTES = 2
_PATH = re.compile(r"tile/(entries|[0-9])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class TileAddress:
    """Which tile: `level` 0 and up for hashes, None for entries; `index` from 0; `width` 1 to 256."""

    level: int | None
    index: int
    width: int

    def __post_init__(self) -> None:
        """Refuse an address that no lane within `TREE_SIZE_MAX` can have."""
        level = self.level or 0
        if level < 0 or self.index < 0 or not 1 <= self.width <= TILE_WIDTH:
            raise LogError("tile_address_range", f"level {level}, index {self.index}, width {self.width}")
        if self.index * TILE_WIDTH + self.width > TREE_SIZE_MAX >> TILE_HEIGHT * level:
            raise LogError("tile_address_range", f"level {level}, index {self.index}: past the largest lane")

    @property
    def path(self) -> str:
        """The one path of this tile, below the lane's own."""
        groups = f"{self.index % 1000:03}"
        rest = self.index // 1000
        while rest:
            groups = f"x{rest % 1000:03}/{groups}"
            rest //= 1000
        kind = "entries" if self.level is None else self.level
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{kind}/{groups}{partial}"


def tile_path(level: int, index: int, width: int) -> str:
    """Return the path of a hash tile; a `width` of 256 is the full tile."""
    return TileAddress(level, index, width).path


def entry_bundle_path(index: int, width: int) -> str:
    """Return the path of an entry bundle; a `width` of 256 is the full bundle."""
    return TileAddress(None, index, width).path


def parse_tile_path(path: str) -> TileAddress:
    """Return the address that a path below a lane's own names, or raise `LogError`.

    A path is accepted only if printing its address gives the same text, so no tile has two names.
    """
    found = _PATH.fullmatch(path) if len(path) <= TILE_PATH_BYTES_MAX else None
    if found is None:
        raise LogError("tile_path_malformed", repr(path[:TILE_PATH_BYTES_MAX]))
    kind, groups, partial = found.groups()
    address = TileAddress(
        level=None if kind == "entries" else int(kind),
        index=int(groups.replace("/", "").replace("x", "")),
        width=int(partial) if partial else TILE_WIDTH,
    )
    if address.path != path:
        raise LogError("tile_path_malformed", f"the one name of this tile is {address.path}")
    return address


def partial_width(size: int, level: int) -> int:
    """Return the width of the partial tile of `level` in a tree of `size`; 0 where there is none."""
    return (size >> TILE_HEIGHT * level) % TILE_WIDTH


def tile_width(size: int, level: int, index: int) -> int:
    """Return how many hashes tile `index` of `level` has in a tree of `size`: 0 (no such tile) to 256.

    The width of an entry bundle is that of the level 0 tile with the same index.
    """
    return min(max((size >> TILE_HEIGHT * level) - index * TILE_WIDTH, 0), TILE_WIDTH)


def right_edge(size: int) -> list[tuple[int, int, int]]:
    """Return the partial tiles (level, index, width) whose hashes state the root, left to right.

    Left to right is from the highest level down: first the tile over the most leaves. What lies in full
    tiles is already one hash of the tile above, so size 256 has the edge [(1, 0, 1)], and size 0 has none.
    """
    top = (size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT
    edge = []
    for level in range(top, -1, -1):
        width = partial_width(size, level)
        if width:
            edge.append((level, size >> TILE_HEIGHT * (level + 1), width))
    return edge


def range_from_right_edge(size: int, tiles: Sequence[Sequence[bytes]]) -> CompactRange:
    """Return the compact range of a tree from the hashes of its `right_edge` tiles, or raise `LogError`."""
    edge = right_edge(size)
    if [len(hashes) for hashes in tiles] != [width for _, _, width in edge]:
        raise LogError("tile_edge_mismatch", f"size {size} needs {len(edge)} tiles of its right edge")
    compact = CompactRange()
    for (level, _, _), hashes in zip(edge, tiles, strict=True):
        compact.append_subtrees(hashes, TILE_HEIGHT * level)
    return compact


def root_from_right_edge(size: int, tiles: Sequence[Sequence[bytes]]) -> bytes:
    """Return the root that the hashes of the `right_edge` tiles state, or raise `LogError`."""
    return range_from_right_edge(size, tiles).root()


def pack_tile(hashes: Sequence[bytes]) -> bytes:
    """Return the bytes of a hash tile: its hashes in order, nothing between them."""
    return b"".join(hashes)


def unpack_tile(raw: bytes, width: int) -> list[bytes]:
    """Return the `width` hashes of a tile, or raise `LogError` where the bytes are not exactly as many."""
    if len(raw) != width * HASH_BYTES:
        raise LogError("tile_length", f"{len(raw)} bytes instead of {width * HASH_BYTES}")
    return [raw[start : start + HASH_BYTES] for start in range(0, len(raw), HASH_BYTES)]


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of an entry bundle: for each entry its length (u16, big-endian) and itself.

    More than 256 entries, none, or one past `ENTRY_BYTES_MAX` raise `LogError`.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise LogError("bundle_count_range", f"{len(entries)} entries")
    parts = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise LogError("bundle_entry_too_large", f"{len(entry)} bytes, at most {ENTRY_BYTES_MAX}")
        parts.append(len(entry).to_bytes(_LENGTH_BYTES, "big"))
        parts.append(entry)
    return b"".join(parts)


def unpack_entries(raw: bytes, count: int) -> list[bytes]:
    """Return the `count` entries of a bundle, or raise `LogError`; not a byte may be missing or left over."""
    if not 1 <= count <= TILE_WIDTH:
        raise LogError("bundle_count_range", f"{count} entries")
    if len(raw) > BUNDLE_BYTES_MAX:
        raise LogError("bundle_too_large", f"{len(raw)} bytes, at most {BUNDLE_BYTES_MAX}")
    entries = []
    end = 0
    try:
        for _ in range(count):
            start = end + _LENGTH_BYTES
            end = start + (raw[end] << 8) + raw[end + 1]
            entries.append(raw[start:end])
    except IndexError as error:
        raise LogError("bundle_length", f"{len(entries)} entries instead of {count}") from error
    if end != len(raw):
        raise LogError("bundle_length", f"{count} entries end at byte {end} of {len(raw)}")
    return entries
