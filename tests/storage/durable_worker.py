"""The program whose disk is cut: appends, signs off, and says what it has acknowledged.

Run by `test_durability.py`; the argument after the folder is what SQLite is told about syncing.
"""

import os
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy import event

from protocol.lanes.kind import Put
from storage.engine import open_store
from storage.guard import Mark, Move, SigningMarks, open_guard
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.sealed import put_sealed
from storage.state import StateStore
from storage.stock import commit_stock, set_on_hand

COMMUNITY = bytes(32)
LEASE = bytes(16)
GROUPS = (1, 3, 40, 200, 13, 1, 256, 90, 300, 1)


class Count(msgspec.Struct, frozen=True):
    """A folded value: how many entries there are."""

    entries: int


TABLES = {"count": Count}


def entry(index: int) -> bytes:
    """The entry that belongs at an index."""
    return sha256(b"entry %d" % index).digest() * (1 + index % 7)


def main(folder: Path, synchronous: str) -> None:
    """Append the groups as the node does: records, guard, head, each acknowledged when it is synced."""

    @event.listens_for(sa.Engine, "connect")
    def often(connection: object, _record: object) -> None:
        # Many checkpoints in a short run, and for the counter-test a disk that is never waited for.
        connection.execute("PRAGMA wal_autocheckpoint=30")  # type: ignore[attr-defined]  # of the driver
        connection.execute(f"PRAGMA synchronous={synchronous}")  # type: ignore[attr-defined]  # of the driver

    with open_store(folder) as store, open_guard(folder) as guard:
        state = StateStore(TABLES, store.forget_on_failure)
        with store.write() as connection:
            key = LaneStore(connection).open_lane(COMMUNITY, "trade", 0)
            set_on_hand(connection, "lamp", 10_000)
        before: Mark | None = None
        size = 0
        for count in GROUPS:
            with store.write() as connection, state.within(connection):
                lanes = LaneStore(connection)
                grown = lanes.append(key, size, [entry(index) for index in range(size, size + count)])
                state.apply([Put("count", ("trade",), Count(grown))])
                commit_stock(connection, "lamp", count)
                put_sealed(connection, b"details %d" % grown, entry(grown))
                root = lanes.compact_range(key).root()
                mark = Mark(COMMUNITY, "trade", 0, grown, root, LEASE)
                SigningMarks(connection).advance([Move(before, mark)])
            say(f"records {grown}")
            guard.advance([Move(before, mark)])
            say(f"guard {grown}")
            with store.write() as connection:
                HeadStore(connection).set_head(key, grown, root, b"note %d" % grown)
            say(f"head {grown}")
            before, size = mark, grown


def say(line: str) -> None:
    """Acknowledge: one write, so that the trace has it at its place."""
    os.write(1, line.encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
