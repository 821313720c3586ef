"""Where the node's fold reads a pending record again: the open transaction, or the store."""

import sqlalchemy as sa

from node.writer.own_lanes import OwnLanes
from protocol.lanes.kind import Position
from storage.lanes import LaneStore


class StoredEntries:
    """Entries by position; `connection` is that of the transaction in which the fold runs."""

    def __init__(self, own: OwnLanes) -> None:
        """Take the own lanes, whose newest entries may not be in the store yet."""
        self._own = own
        self._lane_keys: dict[tuple[bytes, str, int], int] = {}
        self.connection: sa.Connection | None = None

    def entry(self, position: Position) -> bytes:
        """Return the original bytes at `position`, which was fed before."""
        fresh = self._own.fresh_entry(position)
        if fresh is not None:
            return fresh
        assert self.connection is not None, "the fold runs within a transaction"
        store = LaneStore(self.connection)
        place = (position.community, position.lane, position.epoch)
        key = self._lane_keys.get(place) or store.lane_key(*place)
        assert key is not None, "a pending record stands in a stored lane"
        self._lane_keys[place] = key
        return store.entry(key, position.index)
