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
from storage.views.orders import project_deals, project_placements
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
        rows: dict[str, list[tuple[Key, Any]]] = {"placement": [], "deal": [], "listing": []}
        newly_read = set()
        for (table, key), value in changed.items():
            if table in rows and value is not None:
                rows[table].append((key, value))
            elif table in _ABOUT_READERS:
                newly_read.add(key[0])
        project_placements(self._connection, rows["placement"])
        project_deals(self._connection, rows["deal"])
        if rows["listing"]:
            self._run_many(QUEUE_LISTING, [(encode(key),) for key, _ in rows["listing"]])
        for community in newly_read:
            HeadStore(self._connection).renumber(community)  # type: ignore[arg-type]  # a charter's key begins with it


def rebuild(connection: sa.Connection) -> None:
    """Empty every view; the caller folds the lanes again from the start."""
    drop_views(connection)
    create_views(connection)
