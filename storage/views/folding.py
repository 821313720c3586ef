"""The node's state of the fold: the key/value state, with the views that people ask kept beside it.

Whatever a step puts into `placement`, `deal` or `listing` is projected into rows when the state is flushed, in
the same transaction. Where a charter says who may read, all heads of its community count as changed, or those
who asked before would never hear of them. `rebuild` drops all views; folding the lanes again brings them back.
"""

from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from protocol.fold import TABLES, is_settled
from protocol.lanes.kind import Key, Position
from storage.heads import HeadStore
from storage.schema.views import create_views, drop_views
from storage.state import StateStore
from storage.views.orders import project_deals, project_placements
from storage.views.search_queue import queue_listings

_PROJECTED = frozenset({"placement", "deal", "listing"})
_ABOUT_READERS = frozenset({"peer", "declared_lane"})  # who may read a community's lanes


class FoldState(StateStore):
    """The state that the node's fold writes."""

    def __init__(self, forget_on_failure: Callable[[Callable[[], None]], None] | None = None) -> None:
        """Take the store's way of telling that a transaction was undone."""
        super().__init__(TABLES, forget_on_failure)
        self._newly_read: set[bytes] = set()
        self._changed: dict[str, dict[Key, msgspec.Struct]] = {table: {} for table in _PROJECTED}

    def put(self, table: str, key: Key, value: msgspec.Struct) -> None:
        """Set one key, and remember it where a view shows it."""
        super().put(table, key, value)
        if table in _PROJECTED:
            self._changed[table][key] = value
        elif table in _ABOUT_READERS:
            self._newly_read.add(key[0])  # type: ignore[arg-type]  # the community whose charter says so

    def is_settled(self, position: Position) -> bool:
        """Whether the entry at `position` is folded and not pending."""
        return is_settled(self, position)

    def flush(self) -> None:
        """Write state and views."""
        super().flush()
        if self._connection is None:
            return
        project_placements(self._connection, self._changed["placement"].items())  # type: ignore[arg-type]  # the table says which struct stands there
        project_deals(self._connection, self._changed["deal"].items())  # type: ignore[arg-type]  # the table says which struct stands there
        queue_listings(self._connection, self._changed["listing"])
        for community in self._newly_read:
            HeadStore(self._connection).renumber(community)
        self._forget_changed()

    def forget(self) -> None:
        """Drop all that is in memory."""
        super().forget()
        self._forget_changed()

    def _forget_changed(self) -> None:
        self._newly_read.clear()
        for rows in self._changed.values():
            rows.clear()


def rebuild(connection: sa.Connection) -> None:
    """Empty every view; the caller folds the lanes again from the start."""
    drop_views(connection)
    create_views(connection)
