"""Verified hash tiles of one head: nothing enters that the root does not state (PROTOCOL.md section 18.4).

The right edge is checked against the root; every other tile is full and checked against its parent's hash.
From both follow the compact range and any proof at the sizes whose paths were asked for.

    tiles = HashTiles(head)
    tiles.accept_first(wanted, answer.tiles)      # wanted = tiles.first_wanted([own_size])
    tiles.range_at(own_size).root() == own_root   # else the two heads contradict each other
"""

from collections.abc import Iterable, Sequence

from protocol.errors import SessionError
from protocol.exchange.frames import TileWanted
from protocol.limits import TILE_HEIGHT, TILE_WIDTH
from protocol.log.checkpoint import Checkpoint
from protocol.log.merkle import CompactRange, subtree_root
from protocol.log.tiles import right_edge, root_from_right_edge, tile_width, unpack_tile


class HashTiles:
    """Tiles of the tree that a head states, each verified before it is kept."""

    def __init__(self, head: Checkpoint) -> None:
        """Take a head of at least one entry."""
        self._head = head
        self._edge = [TileWanted(*tile) for tile in right_edge(head.size)]
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def first_wanted(self, sizes: Iterable[int]) -> tuple[TileWanted, ...]:
        """Return the right edge, and the paths to the given sizes from the highest level down."""
        paths = {tile for size in sizes for tile in self._path(size)}
        return (*self._edge, *sorted(paths, key=lambda tile: (-tile.level, tile.index)))

    def accept_first(self, wanted: Sequence[TileWanted], tiles: Sequence[bytes]) -> None:
        """Verify and keep the answer to `first_wanted`, or raise `LogError` or `SessionError`."""
        if len(tiles) != len(wanted):
            raise SessionError("answer_mismatch", f"{len(tiles)} tiles instead of {len(wanted)}")
        edge_count = len(self._edge)
        edge = [unpack_tile(raw, tile.width) for tile, raw in zip(self._edge, tiles, strict=False)]
        if root_from_right_edge(self._head.size, edge) != self._head.root:
            raise SessionError("fetch_root_mismatch", self._head.origin)
        for tile, hashes in zip(self._edge, edge, strict=True):
            self._tiles[tile.level, tile.index] = hashes
        for tile, raw in zip(wanted[edge_count:], tiles[edge_count:], strict=True):
            self.accept(tile.level, tile.index, raw)

    def accept(self, level: int, index: int, raw: bytes) -> None:
        """Verify and keep one full tile whose parent is verified, or raise `LogError` or `SessionError`."""
        hashes = unpack_tile(raw, TILE_WIDTH)
        if subtree_root(hashes) != self.hash_at(level + 1, index):
            raise SessionError("fetch_tile_mismatch", f"level {level}, tile {index}")
        self._tiles[level, index] = hashes

    def missing_above(self, level: int, index: int) -> tuple[int, int] | None:
        """Return the highest tile that is not verified yet on the way to hash `index` of `level`, if any."""
        missing = None
        for step in range(level, (self._head.size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT):
            tile = (step, index >> TILE_HEIGHT * (step - level + 1))
            if tile not in self._tiles:
                missing = tile
        return missing

    def hash_at(self, level: int, index: int) -> bytes:
        """Return the hash of the `index`th 256**level leaves; its tile is verified."""
        return self._tiles[level, index >> TILE_HEIGHT][index % TILE_WIDTH]

    def has(self, level: int, index: int) -> bool:
        """Tell whether a tile is verified and not forgotten."""
        return (level, index) in self._tiles

    def leaf_hashes(self, bundle: int) -> list[bytes]:
        """Return the leaf hashes of a bundle whose tile of level 0 is verified, as that of a partial one always is."""
        return self._tiles[0, bundle]

    def forget(self, level: int, index: int) -> None:
        """Drop a tile that is not asked about again."""
        self._tiles.pop((level, index), None)

    def range_at(self, size: int) -> CompactRange:
        """Return the compact range of the first `size` leaves; its path was asked for."""
        compact = CompactRange()
        for level, index, width in right_edge(size):
            compact.append_subtrees(self._tiles[level, index][:width], TILE_HEIGHT * level)
        return compact

    def node(self, level: int, index: int) -> bytes:
        """Return the root of 2**level leaves, as the makers of proofs ask for it."""
        tile_level, below = divmod(level, TILE_HEIGHT)
        start = index << below
        hashes = self._tiles[tile_level, start >> TILE_HEIGHT]
        return subtree_root(hashes[start % TILE_WIDTH : start % TILE_WIDTH + (1 << below)])

    def _path(self, size: int) -> list[TileWanted]:
        """The full tiles that hold the right edge of a smaller tree, with all tiles above them."""
        edge = right_edge(size)
        tiles = []
        for level in range(edge[-1][0] if edge else 0, self._edge[0].level):
            index = size >> TILE_HEIGHT * (level + 1)
            if edge and tile_width(self._head.size, level, index) == TILE_WIDTH:
                tiles.append(TileWanted(level, index, TILE_WIDTH))
        return tiles
