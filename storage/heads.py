"""Heads: the newest checkpoint of each lane whose entries are all here, and the numbering of their changes.

A peer that knows (instance, number) asks only what changed since. A head that was received but whose entries
were not yet fetched is none of this store's.
"""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from storage.errors import LogForked, StorageError
from storage.lanes import LaneStore
from storage.schema.facts import heads, lanes, store


class Head(NamedTuple):
    """A head of a lane; `note` is the signed checkpoint with the cosignatures known so far."""

    lane_key: int
    community: bytes
    lane: str
    epoch: int
    size: int
    root: bytes
    note: bytes
    change_number: int


class HeadStore:
    """The heads within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Take a connection in a transaction."""
        self._connection = connection

    def instance(self) -> bytes:
        """Return this store's 16 random bytes, which change when it is restored from a copy."""
        instance: bytes = self._connection.execute(sa.select(store.c.instance)).scalar_one()
        return instance

    def change_number(self) -> int:
        """Return the number of the newest change; 0 before the first."""
        number: int = self._connection.execute(sa.select(store.c.change_number)).scalar_one()
        return number

    def head(self, lane_key: int) -> Head | None:
        """Return the head of a lane, or None where it has none yet."""
        row = self._connection.execute(_HEAD, {"lane": lane_key}).one_or_none()
        return None if row is None else Head(*row)

    def set_head(self, lane_key: int, size: int, root: bytes, note: bytes) -> int:
        """Make this the head of a lane, and return the number of the change.

        The same note again changes nothing; the same root with another note (cosignatures) does. The caller
        has verified note and root. Raises `LogForked` for another root at the same size, `head_backwards`,
        and `head_ahead` where the lane is not stored that far.
        """
        known = self.head(lane_key)
        if known is not None:
            if size < known.size:
                raise StorageError("head_backwards", f"from {known.size} to {size}")
            if size == known.size and root != known.root:
                raise LogForked(f"two roots at size {size}")
            if note == known.note:
                return known.change_number
        stored = LaneStore(self._connection).size(lane_key)
        if size > stored:
            raise StorageError("head_ahead", f"size {size} of {stored}")
        number: int = self._connection.execute(_NEXT_NUMBER).scalar_one()
        values = {"size": size, "root": root, "note": note, "number": number}
        self._connection.execute(_ADD if known is None else _CHANGE, {"lane": lane_key, **values})
        return number

    def drop(self, lane_key: int) -> None:
        """Show no head of a lane any more."""
        self._connection.execute(sa.delete(heads).where(heads.c.lane_key == lane_key))

    def renumber(self, community: bytes) -> None:
        """Count all heads of a community as changed: somebody may newly read them."""
        for lane in LaneStore(self._connection).lanes(community):
            this = heads.c.lane_key == lane.lane_key
            if self.head(lane.lane_key) is not None:
                number: int = self._connection.execute(_NEXT_NUMBER).scalar_one()
                self._connection.execute(sa.update(heads).where(this).values(change_number=number))

    def heads(self) -> list[Head]:
        """Return all heads by community, epoch and lane."""
        question = _ALL.order_by(lanes.c.community, lanes.c.epoch, lanes.c.lane)
        return [Head(*row) for row in self._connection.execute(question)]

    def heads_after(self, change_number: int, limit: int) -> list[Head]:
        """Return up to `limit` heads that changed after `change_number`, oldest change first."""
        found = self._connection.execute(_AFTER, {"number": change_number, "limit": limit})
        return [Head(*row) for row in found]


_ALL = sa.select(
    lanes.c.lane_key,
    lanes.c.community,
    lanes.c.lane,
    lanes.c.epoch,
    heads.c.size,
    heads.c.root,
    heads.c.note,
    heads.c.change_number,
).join_from(heads, lanes, heads.c.lane_key == lanes.c.lane_key)
_HEAD = _ALL.where(heads.c.lane_key == bindparam("lane"))
_AFTER = (
    _ALL.where(heads.c.change_number > bindparam("number"))
    .order_by(heads.c.change_number)
    .limit(bindparam("limit", type_=sa.Integer))
)
_NEXT_NUMBER = (
    sa.update(store).values(change_number=store.c.change_number + 1).returning(store.c.change_number)
)
_ADD = sa.insert(heads).values(
    lane_key=bindparam("lane"),
    size=bindparam("size"),
    root=bindparam("root"),
    note=bindparam("note"),
    change_number=bindparam("number"),
)
_CHANGE = (
    sa.update(heads)
    .where(heads.c.lane_key == bindparam("lane"))
    .values(
        size=bindparam("size"),
        root=bindparam("root"),
        note=bindparam("note"),
        change_number=bindparam("number"),
    )
)
