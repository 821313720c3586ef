"""The state in a dict, for tests, vectors and small cuts (PROTOCOL.md section 16).

state = DictState()
Fold(state, entries).feed(Lane(community, "charter"), epoch=0, start=0, entries=[...])
dict(state.rows)
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from protocol.encoding import encode
from protocol.fold import is_settled
from protocol.lanes.kind import Key, Position
from protocol.waiting import ARRIVAL_ORDER_TABLES


class DictState:
    """The state in a dict, for tests and small audits."""

    def __init__(self) -> None:
        """Begin empty."""
        self.rows: dict[tuple[str, Key], Any] = {}

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key`, or None."""
        return self.rows.get((table, key))

    def may_have(self, table: str) -> bool:  # noqa: ARG002  other states look
        """Say yes: to know better would cost more than asking by key."""
        return True

    def put(self, table: str, key: Key, value: msgspec.Struct) -> None:
        """Set one key."""
        self.rows[table, key] = value

    def remove(self, table: str, key: Key) -> None:
        """Take one key out; it may be absent."""
        self.rows.pop((table, key), None)

    def is_settled(self, position: Position) -> bool:
        """Whether the entry at `position` is folded and not pending."""
        return is_settled(self, position)

    def dump(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield (table, canonical key, canonical value), sorted: equal cuts dump equal bytes."""
        rows = ((table, encode(list(key)), encode(value)) for (table, key), value in self.rows.items())
        yield from sorted(row for row in rows if row[0] not in ARRIVAL_ORDER_TABLES)
