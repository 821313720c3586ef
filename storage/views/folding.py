"""The node's state of the fold: the key/value state, with the views that people ask kept beside it.

Whatever a step puts into `placement`, `deal` or `listing` is projected into rows when the state is flushed, in
the same transaction. Where a charter says who may read, all heads of its community count as changed, or those
who asked before would never hear of them. `rebuild` drops all views; folding the lanes again brings them back.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from protocol.encoding import encode
from protocol.fold import TABLES, is_settled
from protocol.lanes.kind import Key, Position
from storage.heads import HeadStore
from storage.schema.views import create_views, drop_views
from storage.state import StateStore
from storage.views.orders import ADD_ORDER, MOVE_ORDER, moved_values, placed_values
from storage.views.search_queue import QUEUE_LISTING

_ABOUT_READERS = frozenset({"peer", "declared_lane"})  # who may read a community's lanes
# In most lanes nobody waits and nothing is void, and what is said is mostly said for the first time.
_SPARSE = {
    "queue": 3,
    "queue_link": 3,
    "pending": 2,
    "void": 2,
    "listing": 2,
    "placement": 1,
    "deal": 1,
    "posting": 1,
}

# Of which tables rows are kept beside the state: how they are written, in this order, and what with.
_VIEWED: Mapping[str, tuple[str, Callable[[Key, Any], tuple[object, ...]]]] = {
    "placement": (ADD_ORDER, placed_values),
    "deal": (MOVE_ORDER, moved_values),
    "listing": (QUEUE_LISTING, lambda key, _: (encode(key),)),
}


class FoldState(StateStore):
    """The state that the node's fold writes."""

    def __init__(self, forget_on_failure: Callable[[Callable[[], None]], None] | None = None) -> None:
        """Take the store's way of telling that a transaction was undone."""
        super().__init__(TABLES, forget_on_failure, sparse=_SPARSE)

    def is_settled(self, position: Position) -> bool:
        """Whether the entry at `position` is folded and not pending."""
        return is_settled(self, position)

    def _project(self, changed: Mapping[tuple[str, Key], msgspec.Struct | None]) -> None:
        """Write the views."""
        assert self._connection is not None, "the state is used within a transaction"
        rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _VIEWED}
        newly_read = set()
        for (table, key), value in changed.items():
            if table in _VIEWED and value is not None:
                rows[table].append(_VIEWED[table][1](key, value))
            elif table in _ABOUT_READERS:
                newly_read.add(key[0])
        for table, (statement, _) in _VIEWED.items():
            if rows[table]:
                self._run_many(statement, rows[table])
        for community in newly_read:
            HeadStore(self._connection).renumber(community)  # type: ignore[arg-type]  # a charter's key begins with it


def rebuild(connection: sa.Connection) -> None:
    """Empty every view; the caller folds the lanes again from the start."""
    drop_views(connection)
    create_views(connection)
