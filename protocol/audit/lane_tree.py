"""The tree of one lane as the auditor computes it from the entries (PROTOCOL.md section 19.3).

Of level 0 only the last, partial tile is kept, of the levels above every hash: 32 bytes for 256 records, so
memory hardly grows with a lane, and every bundle can be read again and be verified alone.

    tree.add(leaf_hashes(entries)) for every bundle in turn; tree.root() == checkpoint.root
    tree = LaneTree.of_tiles(checkpoint.size, read_tile)  # then every bundle on its own
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from protocol.limits import TILE_HEIGHT, TILE_WIDTH
from protocol.log.merkle import HASH_BYTES, subtree_root
from protocol.log.tiles import pack_tile, right_edge, root_from_right_edge, tile_width, unpack_tile

_TILE_BYTES = TILE_WIDTH * HASH_BYTES

LeafReader = Callable[[int], Sequence[bytes]]
"""`leaves(bundle_index)` is the leaf hashes of one entry bundle."""

TileReader = Callable[[int, int, int], bytes | None]
"""`tile(level, index, width)` is the bytes of a hash tile, or None."""


class LaneTree:
    """Grows by one entry bundle at a time, all of 256 entries but the last."""

    __slots__ = ("_levels", "_tail", "size")

    def __init__(self) -> None:
        """Begin empty."""
        self.size = 0
        self._levels: list[bytearray] = []
        self._tail: list[bytes] = []

    @classmethod
    def of_tiles(cls, size: int, tile: TileReader) -> "LaneTree | None":
        """Return the tree that tiles of level 1 and up state, or None where one is missing or does not fit.

        Full tiles of level 0 are not asked for: each bundle is held against the tree when it is read.
        """
        tree = cls()
        tree.size = size
        level = 1
        while count := size >> TILE_HEIGHT * level:
            hashes = bytearray()
            for index in range(-(-count // TILE_WIDTH)):
                width = tile_width(size, level, index)
                stated = tile(level, index, width) or b""
                if len(stated) != width * HASH_BYTES:
                    return None  # at the first one: a forged size asks for any number of them
                hashes += stated
            tree._levels.append(hashes)
            level += 1
        if width := size % TILE_WIDTH:
            tail = tile(0, size // TILE_WIDTH, width) or b""
            if len(tail) != width * HASH_BYTES:
                return None
            tree._tail = unpack_tile(tail, width)
        return tree if tree._is_consistent() else None

    def _is_consistent(self) -> bool:
        """Whether every full tile is the hash that stands above it."""
        for below, above in pairwise(self._levels):
            for index in range(len(below) // _TILE_BYTES):
                tile = bytes(below[index * _TILE_BYTES : (index + 1) * _TILE_BYTES])
                if subtree_root(unpack_tile(tile, TILE_WIDTH)) != above[index * HASH_BYTES :][:HASH_BYTES]:
                    return False
        return True

    def add(self, leaves: Sequence[bytes]) -> None:
        """Take the leaf hashes of the next bundle; after one of less than 256 there is no next."""
        assert not self._tail, "only the last bundle is partial"
        self.size += len(leaves)
        if len(leaves) < TILE_WIDTH:
            self._tail = list(leaves)
            return
        level = 0
        root = subtree_root(leaves)
        while True:
            if level == len(self._levels):
                self._levels.append(bytearray())
            hashes = self._levels[level]
            hashes += root
            if len(hashes) % _TILE_BYTES:
                return
            root = subtree_root(unpack_tile(bytes(hashes[-_TILE_BYTES:]), TILE_WIDTH))
            level += 1

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the bytes of a hash tile: any of level 1 and up, of level 0 the last, partial one."""
        if level == 0:
            return pack_tile(self._tail[:width])
        start = index * _TILE_BYTES
        return bytes(self._levels[level - 1][start : start + width * HASH_BYTES])

    def root(self) -> bytes:
        """Return the root over all entries."""
        return self.root_at(self.size, lambda _: self._tail)

    def root_at(self, size: int, leaves: LeafReader) -> bytes:
        """Return the root over the first `size` entries; `leaves` reads the bundle in which they end."""
        tiles = [
            list(leaves(index)[:width]) if level == 0 else unpack_tile(self.tile(level, index, width), width)
            for level, index, width in right_edge(size)
        ]
        return root_from_right_edge(size, tiles)

    def node(self, height: int, index: int, leaves: LeafReader) -> bytes:
        """Return the root over the 2**height leaves from index * 2**height on; `leaves` reads a bundle's."""
        level, below = divmod(height, TILE_HEIGHT)
        start, count = index << below, 1 << below
        if level == 0:
            bundle, place = divmod(start, TILE_WIDTH)
            return subtree_root(leaves(bundle)[place : place + count])
        hashes = self._levels[level - 1][start * HASH_BYTES : (start + count) * HASH_BYTES]
        return subtree_root(unpack_tile(bytes(hashes), count))

    def has_bundle(self, index: int, leaves: Sequence[bytes]) -> bool:
        """Whether `leaves` are the leaf hashes of bundle `index`, all of them."""
        if len(leaves) < TILE_WIDTH:
            return index == self.size // TILE_WIDTH and list(leaves) == self._tail
        return (
            subtree_root(leaves)
            == self.tile(1, index // TILE_WIDTH, TILE_WIDTH)[
                index % TILE_WIDTH * HASH_BYTES : (index % TILE_WIDTH + 1) * HASH_BYTES
            ]
        )
