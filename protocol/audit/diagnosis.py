"""Which file is at fault where a copy does not come to its signed root (PROTOCOL.md section 19.3).

Every hash of the tree is there twice: as served in a tile, and as computed from below. The one that leads to
the signed root is right. So from the root downward each tile either is proven right, and what was computed
below it is wrong, or the other way round, down to one bundle and one record. Where both are wrong alike, a
whole copy from another source tells what ought to stand here, because the same root proves it.

    damages = find_damages(read_copy(source, origin, checkpoint), reference)
"""

from itertools import product

from protocol.audit.bundle import checkpoint_path
from protocol.audit.lane_copy import Damage, LaneCopy, entries_of, first_difference
from protocol.limits import TILE_HEIGHT, TILE_WIDTH
from protocol.log.merkle import HASH_BYTES, leaf_hashes, subtree_root
from protocol.log.tiles import pack_tile, right_edge, root_from_right_edge, tile_width, unpack_tile

_NEITHER = "neither this tile nor what lies below it leads to the signed root"


def find_damages(copy: LaneCopy, reference: LaneCopy | None = None) -> list[Damage]:
    """Return all that is wrong with a copy: what reading found, and which tiles or bundles are at fault.

    `reference` is a whole copy of the same lane from elsewhere; it only helps to say where the fault lies.
    """
    return _Diagnosis(copy, reference).run()


class _Diagnosis:
    def __init__(self, copy: LaneCopy, reference: LaneCopy | None) -> None:
        self._copy = copy
        self._reference = reference
        self._damages = list(copy.damages)
        self._named = {damage.path for damage in copy.damages}
        self._right: set[tuple[int, int]] = set()  # tiles that the root proves against the entries

    def run(self) -> list[Damage]:
        copy = self._copy
        if copy.is_read and not copy.is_proven:
            self._descend_from_root()
        for level, index in copy.suspects:
            if (level, index) not in self._right:
                self._name_tile(level, index)
        return self._damages

    def _descend_from_root(self) -> None:
        copy = self._copy
        edge = right_edge(copy.checkpoint.size)
        choices = [self._candidates(level, index, width) for level, index, width in edge]
        for choice in product(*choices):
            tiles = [unpack_tile(raw, width) for raw, (_, _, width) in zip(choice, edge, strict=True)]
            if root_from_right_edge(copy.checkpoint.size, tiles) == copy.checkpoint.root:
                break
        else:
            self._add(Damage("checkpoint_contradicted", checkpoint_path(copy.origin)))
            return
        for raw, (level, index, width) in zip(choice, edge, strict=True):
            computed = copy.tree.tile(level, index, width)
            if raw != computed:
                self._descend(level, index, right=raw, computed=computed)

    def _candidates(self, level: int, index: int, width: int) -> list[bytes]:
        computed = self._copy.tree.tile(level, index, width)
        served = self._copy.read(level, index, width) if (level, index) in self._copy.suspects else None
        others = (served, self._elsewhere(level, index, width))
        return [computed, *(other for other in others if other and len(other) == len(computed))]

    def _elsewhere(self, level: int, index: int, width: int) -> bytes | None:
        """The tile as the reference has it, or None where it does not reach so far."""
        reference = self._reference
        if reference is None or width > tile_width(reference.checkpoint.size, level, index):
            return None
        if level == 0:
            return pack_tile(reference.leaves(index)[:width])
        return reference.tree.tile(level, index, width)

    def _descend(self, level: int, index: int, *, right: bytes, computed: bytes) -> None:
        """`right` is what the tile has to be, so something below it is wrong: find what."""
        self._right.add((level, index))
        width = len(right) // HASH_BYTES
        served = self._copy.read(level, index, width) or b""
        if served != right:
            first = (index * TILE_WIDTH + first_difference(served, right)) << TILE_HEIGHT * level
            self._add(Damage("tile_damaged", self._copy.path(level, index, width), first))
        if level == 0:
            self._name_entries(index, right)
            return
        for place in range(0, len(right), HASH_BYTES):
            expected = right[place : place + HASH_BYTES]
            if expected != computed[place : place + HASH_BYTES]:
                self._follow(level - 1, index * TILE_WIDTH + place // HASH_BYTES, expected)

    def _follow(self, level: int, index: int, expected: bytes) -> None:
        for tile in (self._copy.read(level, index, TILE_WIDTH), self._elsewhere(level, index, TILE_WIDTH)):
            is_full = tile is not None and len(tile) == TILE_WIDTH * HASH_BYTES
            if tile and is_full and subtree_root(unpack_tile(tile, TILE_WIDTH)) == expected:
                computed = self._copy.tree.tile(level, index, TILE_WIDTH) if level else b""
                self._descend(level, index, right=tile, computed=computed)
                return
        first = index * TILE_WIDTH << TILE_HEIGHT * level
        self._add(Damage("tile_damaged", self._copy.path(level, index, TILE_WIDTH), first, _NEITHER))
        if level == 0:
            self._add(Damage("entries_damaged", self._copy.path(None, index, TILE_WIDTH), first, _NEITHER))

    def _name_entries(self, index: int, right: bytes) -> None:
        width = tile_width(self._copy.checkpoint.size, 0, index)
        raw = self._copy.read(None, index, width) or b""
        found = pack_tile(leaf_hashes(entries_of(raw, width)))
        first = index * TILE_WIDTH + first_difference(found, right)
        self._add(Damage("entries_damaged", self._copy.path(None, index, width), first))

    def _name_tile(self, level: int, index: int) -> None:
        copy = self._copy
        width = tile_width(copy.checkpoint.size, level, index)
        served = copy.read(level, index, width) or b""
        computed = copy.tree.tile(level, index, width) if level else self._leaf_tile(index, width)
        first = (index * TILE_WIDTH + first_difference(served, computed)) << TILE_HEIGHT * level
        self._add(Damage("tile_damaged", copy.path(level, index, width), first))

    def _leaf_tile(self, index: int, width: int) -> bytes:
        raw = self._copy.read(None, index, width) or b""
        return pack_tile(leaf_hashes(entries_of(raw, width)))

    def _add(self, damage: Damage) -> None:
        if damage.path not in self._named:
            self._named.add(damage.path)
            self._damages.append(damage)
