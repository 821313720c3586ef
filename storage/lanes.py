"""Lanes as they are kept: immutable bundles of 256 entries and a tail of rows (PROTOCOL.md section 6).

An append writes one row an entry; the 256th packs them into one bundle in the same transaction, so a small
box writes little and a follower is served what is stored, as it is stored. Above the bundles stand hash
tiles, so no proof ever reads more than one tile a level. Nothing here judges what an entry says.

    lanes = LaneStore(connection)
    key = lanes.open_lane(community, "trade", epoch=0)
    lanes.append(key, lanes.size(key), [entry])
    lanes.compact_range(key).root()
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from protocol.limits import TILE_HEIGHT, TILE_WIDTH
from protocol.log.merkle import CompactRange, leaf_hashes, subtree_root
from protocol.log.tiles import pack_entries, pack_tile, right_edge, tile_width, unpack_entries, unpack_tile
from storage.asking import ask, tell_many
from storage.errors import LogForked, StorageError
from storage.schema.facts import bundles, lanes, tail, tiles

_FULL_TILES_MAX = 8


class Lane(NamedTuple):
    """A lane of one epoch, and the number by which this store knows it."""

    lane_key: int
    community: bytes
    lane: str
    epoch: int


class Bundle(NamedTuple):
    """A full bundle of 256 entries, packed, and the root over their leaves."""

    packed: bytes
    root: bytes


class LaneStore:
    """The lanes within one transaction: make one wherever there is a connection."""

    def __init__(self, connection: sa.Connection) -> None:
        """Take a connection in a transaction; only reading asks nothing more of it."""
        self._connection = connection
        self._full_tiles: dict[tuple[int, int, int], list[bytes]] = {}

    def lane_key(self, community: bytes, lane: str, epoch: int) -> int | None:
        """Return the number of a lane, or None where nothing of it was ever stored."""
        key: int | None = self._connection.execute(
            _FIND_LANE, {"community": community, "lane": lane, "epoch": epoch}
        ).scalar()
        return key

    def open_lane(self, community: bytes, lane: str, epoch: int) -> int:
        """Return the number of a lane; the first time gives it one."""
        known = self.lane_key(community, lane, epoch)
        if known is not None:
            return known
        added = self._connection.execute(sa.insert(lanes).values(community=community, lane=lane, epoch=epoch))
        assert added.inserted_primary_key is not None
        return int(added.inserted_primary_key[0])

    def lane(self, lane_key: int) -> Lane:
        """Return the lane with this number; an unknown number is a bug of ours."""
        return Lane(*self._connection.execute(sa.select(lanes).where(lanes.c.lane_key == lane_key)).one())

    def lanes(self, community: bytes | None = None) -> list[Lane]:
        """Return all lanes, or those of one community, by community, epoch and name."""
        question = sa.select(lanes).order_by(lanes.c.community, lanes.c.epoch, lanes.c.lane)
        if community is not None:
            question = question.where(lanes.c.community == community)
        return [Lane(*row) for row in self._connection.execute(question)]

    def size(self, lane_key: int) -> int:
        """Return how many entries are stored, none missing in between."""
        last_in_tail, last_bundle = ask(self._connection, _LAST, (lane_key, lane_key))[0]
        if last_in_tail is not None:
            return int(last_in_tail) + 1
        return 0 if last_bundle is None else (int(last_bundle) + 1) * TILE_WIDTH

    def append(self, lane_key: int, start: int, entries: Sequence[bytes]) -> int:
        """Store `entries` from index `start` on, and return the new size.

        What is there already may come again with the same bytes; other bytes raise `LogForked`, and a start
        past the size raises `lane_gap`. Either way nothing is stored.
        """
        size = self.size(lane_key)
        known = self._known_part(lane_key, start, entries, size)
        fresh = entries[known:]
        if not fresh:
            return size
        open_count = size % TILE_WIDTH
        bundled = (open_count + len(fresh)) // TILE_WIDTH * TILE_WIDTH - open_count
        if bundled > 0:
            waiting = self._tail(lane_key, size - open_count, size)
            self._put_bundles(lane_key, size // TILE_WIDTH, _bundled([*waiting, *fresh[:bundled]]))
            fresh, size = fresh[bundled:], size + bundled
        if fresh:
            self._put_tail(lane_key, size, fresh)
        return size + len(fresh)

    def append_bundles(self, lane_key: int, index: int, full: Sequence[Bundle]) -> None:
        """Store neighbouring full bundles whose roots the caller has verified: the fast way for a backfill.

        `index` counts bundles, and is that of the first. As with `append`, equal bytes may come again, other
        bytes raise `LogForked`, and a first bundle past the next one raises `lane_gap`; then nothing is stored.
        """
        size = self.size(lane_key)
        next_index, open_count = divmod(size, TILE_WIDTH)
        if index > next_index:
            raise StorageError("lane_gap", f"bundle {index} after {size} entries")
        known = next_index - index
        for known_index, bundle in enumerate(full[:known], index):
            if self._bundle(lane_key, known_index) != bundle.packed:
                raise LogForked(f"bundle {known_index}")
        fresh = full[known:]
        if fresh and open_count:
            waiting = pack_entries(self._tail(lane_key, size - open_count, size))
            if not fresh[0].packed.startswith(waiting):
                raise LogForked(f"bundle {next_index}, against the {open_count} entries of the tail")
        self._put_bundles(lane_key, next_index, fresh)

    def clear(self, lane_key: int) -> None:
        """Drop all entries of a lane: a successor note has sealed another branch of it."""
        for table in (tail, bundles, tiles):
            self._connection.execute(sa.delete(table).where(table.c.lane_key == lane_key))
        self._full_tiles.clear()

    def entries(self, lane_key: int, start: int, end: int) -> list[bytes]:
        """Return entries [start, end), or raise `lane_range`."""
        size = self.size(lane_key)
        if not 0 <= start <= end <= size:
            raise StorageError("lane_range", f"[{start}, {end}) of {size}")
        if start == end:
            return []
        bundled = size - size % TILE_WIDTH
        found: list[bytes] = []
        if start < bundled:
            first = start // TILE_WIDTH
            last = (min(end, bundled) - 1) // TILE_WIDTH
            for packed in self._connection.execute(
                _BUNDLES, {"lane": lane_key, "first": first, "last": last}
            ).scalars():
                found += unpack_entries(packed, TILE_WIDTH)
            found = found[start - first * TILE_WIDTH : end - first * TILE_WIDTH]
        if end > bundled:
            found += self._tail(lane_key, max(start, bundled), end)
        return found

    def entry(self, lane_key: int, index: int) -> bytes:
        """Return one entry, or raise `lane_range`."""
        return self.entries(lane_key, index, index + 1)[0]

    def entry_bundle(self, lane_key: int, index: int, width: int) -> bytes:
        """Return the bytes of an entry bundle of 1 to 256 entries, or raise `lane_range`."""
        start = index * TILE_WIDTH
        if width == TILE_WIDTH and start + width <= self.size(lane_key):
            return self._bundle(lane_key, index)
        return pack_entries(self.entries(lane_key, start, start + width))

    def tile(self, lane_key: int, level: int, index: int, width: int) -> bytes:
        """Return the bytes of a hash tile of 1 to 256 hashes, or raise `lane_range`."""
        have = tile_width(self.size(lane_key), level, index)
        if not 1 <= width <= have:
            raise StorageError("lane_range", f"tile {level}/{index} has {have} hashes, not {width}")
        return pack_tile(self._hashes(lane_key, level, index, width))

    def node(self, lane_key: int, level: int, index: int) -> bytes:
        """Return the root over the 2**level leaves that start at index * 2**level, or raise `lane_range`."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        count = 1 << height
        tile_index, start = divmod(index << height, TILE_WIDTH)
        hashes = self._hashes(lane_key, tile_level, tile_index, start + count)[start:]
        if len(hashes) < count:
            raise StorageError("lane_range", f"node {level}/{index}")
        return subtree_root(hashes)

    def compact_range(self, lane_key: int, size: int | None = None) -> CompactRange:
        """Return the compact range of the whole lane, or of its first `size` entries."""
        have = self.size(lane_key)
        wanted = have if size is None else size
        if wanted > have:
            raise StorageError("lane_range", f"size {wanted} of {have}")
        compact = CompactRange()
        for level, index, width in right_edge(wanted):
            compact.append_subtrees(self._hashes(lane_key, level, index, width), TILE_HEIGHT * level)
        return compact

    def _known_part(self, lane_key: int, start: int, entries: Sequence[bytes], size: int) -> int:
        """How many of `entries` are stored already, with these bytes."""
        if not 0 <= start <= size:
            raise StorageError("lane_gap", f"entries from {start} on, after {size}")
        known = min(size - start, len(entries))
        stored = self.entries(lane_key, start, start + known) if known else []
        for offset, (old, new) in enumerate(zip(stored, entries, strict=False)):
            if old != new:
                raise LogForked(f"entry {start + offset}")
        return known

    def _tail(self, lane_key: int, start: int, end: int) -> list[bytes]:
        return [entry for (entry,) in ask(self._connection, _TAIL, (lane_key, start, end))]

    def _put_tail(self, lane_key: int, start: int, entries: Sequence[bytes]) -> None:
        rows = [(lane_key, index, entry) for index, entry in enumerate(entries, start)]
        tell_many(self._connection, _PUT_TAIL, rows)

    def _bundle(self, lane_key: int, index: int) -> bytes:
        packed = self._find_bundle(lane_key, index)
        assert packed is not None, "the bundle is within the size"
        return packed

    def _find_bundle(self, lane_key: int, index: int) -> bytes | None:
        return self._connection.execute(_BUNDLES, {"lane": lane_key, "first": index, "last": index}).scalar()

    def _put_bundles(self, lane_key: int, first: int, full: Sequence[Bundle]) -> None:
        """Store the next full bundles in place of the tail, and the hash tiles that they complete."""
        if not full:
            return
        tell_many(self._connection, _DROP_TAIL, [(lane_key,)])
        rows = [(lane_key, index, bundle.root, bundle.packed) for index, bundle in enumerate(full, first)]
        tell_many(self._connection, _PUT_BUNDLE, rows)
        for index in range(first, first + len(full)):
            self._put_tiles_above(lane_key, index)

    def _put_tiles_above(self, lane_key: int, index: int) -> None:
        """Store the hash tiles that bundle `index` completes."""
        level = 1
        while index % TILE_WIDTH == TILE_WIDTH - 1:
            index //= TILE_WIDTH
            hashes = self._roots_below(lane_key, level, index, TILE_WIDTH)
            self._connection.execute(
                sa.insert(tiles).values(
                    lane_key=lane_key,
                    level=level,
                    tile_index=index,
                    subtree_root=subtree_root(hashes),
                    hashes=pack_tile(hashes),
                )
            )
            level += 1

    def _hashes(self, lane_key: int, level: int, index: int, width: int) -> list[bytes]:
        """The first `width` hashes of a tile, fewer where it has fewer."""
        full = self._full_tile(lane_key, level, index)
        if full is not None:
            return full[:width]
        if level == 0:
            start = index * TILE_WIDTH
            return leaf_hashes(self._tail(lane_key, start, start + width))
        return self._roots_below(lane_key, level, index, width)

    def _full_tile(self, lane_key: int, level: int, index: int) -> list[bytes] | None:
        """The hashes of a full tile, which never change; a proof asks for those of one tile several times."""
        place = (lane_key, level, index)
        if place in self._full_tiles:
            return self._full_tiles[place]
        if level == 0:
            packed = self._find_bundle(lane_key, index)
            hashes = None if packed is None else leaf_hashes(unpack_entries(packed, TILE_WIDTH))
        else:
            stored = self._connection.execute(
                _TILE, {"lane": lane_key, "level": level, "index": index}
            ).scalar()
            hashes = None if stored is None else unpack_tile(stored, TILE_WIDTH)
        if hashes is not None:
            while len(self._full_tiles) >= _FULL_TILES_MAX:
                self._full_tiles.pop(next(iter(self._full_tiles)))
            self._full_tiles[place] = hashes
        return hashes

    def _roots_below(self, lane_key: int, level: int, index: int, width: int) -> list[bytes]:
        """The roots of the bundles or tiles one level down, which are the hashes of this tile."""
        start = index * TILE_WIDTH
        place = {"lane": lane_key, "level": level - 1, "first": start, "last": start + width - 1}
        question = _BUNDLE_ROOTS if level == 1 else _TILE_ROOTS
        return list(self._connection.execute(question, place).scalars())


def _bundled(entries: Sequence[bytes]) -> list[Bundle]:
    """Entries in full bundles, as many as they fill to the last."""
    parts = (entries[start:end] for start, end in pairwise(range(0, len(entries) + 1, TILE_WIDTH)))
    return [Bundle(pack_entries(part), subtree_root(leaf_hashes(part))) for part in parts]


_FIND_LANE = sa.select(lanes.c.lane_key).where(
    lanes.c.community == bindparam("community"),
    lanes.c.lane == bindparam("lane"),
    lanes.c.epoch == bindparam("epoch"),
)

# What every append of a busy hour asks and writes goes to the driver itself.
_LAST = (
    "SELECT (SELECT max(entry_index) FROM tail WHERE lane_key = ?),"
    " (SELECT max(bundle_index) FROM bundles WHERE lane_key = ?)"
)
_TAIL = (
    "SELECT entry FROM tail WHERE lane_key = ? AND entry_index >= ? AND entry_index < ? ORDER BY entry_index"
)
_PUT_TAIL = "INSERT INTO tail (lane_key, entry_index, entry) VALUES (?, ?, ?)"
_DROP_TAIL = "DELETE FROM tail WHERE lane_key = ?"
_PUT_BUNDLE = "INSERT INTO bundles (lane_key, bundle_index, subtree_root, entries) VALUES (?, ?, ?, ?)"

_BUNDLES = (
    sa.select(bundles.c.entries)
    .where(
        bundles.c.lane_key == bindparam("lane"),
        bundles.c.bundle_index.between(bindparam("first"), bindparam("last")),
    )
    .order_by(bundles.c.bundle_index)
)
_BUNDLE_ROOTS = (
    sa.select(bundles.c.subtree_root)
    .where(
        bundles.c.lane_key == bindparam("lane"),
        bundles.c.bundle_index.between(bindparam("first"), bindparam("last")),
    )
    .order_by(bundles.c.bundle_index)
)
_TILE = sa.select(tiles.c.hashes).where(
    tiles.c.lane_key == bindparam("lane"),
    tiles.c.level == bindparam("level"),
    tiles.c.tile_index == bindparam("index"),
)
_TILE_ROOTS = (
    sa.select(tiles.c.subtree_root)
    .where(
        tiles.c.lane_key == bindparam("lane"),
        tiles.c.level == bindparam("level"),
        tiles.c.tile_index.between(bindparam("first"), bindparam("last")),
    )
    .order_by(tiles.c.tile_index)
)
