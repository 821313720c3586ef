"""The auditor's state: in memory while it is small, past a bound in a temporary file (PROTOCOL.md section 19.4).

Memory does not grow with history. What changed last and what was read last is kept, a bounded number of rows;
the rest stands in a file (`node.audit.state_file`).

    with SpillingState() as state:
        Fold(state, entries).feed(...)
"""

from collections.abc import Callable, Iterator
from typing import Any, Self

import msgspec

from node.audit.state_file import StateFile
from protocol.audit.sums import KEPT
from protocol.fold import is_settled
from protocol.lanes.kind import Key, Position

ROWS_HELD = 4_096

_UNKNOWN = object()


class _Held:
    """What is in memory of one table, by key: rows that changed since the last flush, and rows as last read.

    Of a table in `KEPT` they are what is read again of a row: the words of a market would fill any memory.
    """

    __slots__ = ("changed", "is_spilled", "keep", "read")

    def __init__(self, keep: Callable[[Any], Any] | None) -> None:
        self.keep = keep
        self.changed: dict[Key, Any] = {}
        self.read: dict[Key, Any] = {}
        self.is_spilled = False  # whether it has rows on disk


class SpillingState:
    """A key-value state as the fold writes it, of any size; use it as a context manager."""

    def __init__(self, rows_held: int = ROWS_HELD) -> None:
        """Begin empty; `rows_held` changed rows, and twice as many read ones, are kept in memory."""
        self._rows_held = rows_held
        self._changed_rows = 0
        self._read_rows = 0
        self._tables: dict[str, _Held] = {}  # those that ever had a row
        self._file: StateFile | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the file."""
        if self._file is not None:
            self._file.close()

    @property
    def rows_in_memory(self) -> int:
        """How many rows are kept in memory now."""
        return sum(len(held.changed) + len(held.read) for held in self._tables.values())

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key`, or None."""
        held = self._tables.get(table)
        if held is None:
            return None
        value = held.changed.get(key, _UNKNOWN)
        if value is not _UNKNOWN:
            return value
        if self._file is None or not held.is_spilled:
            return None
        value = held.read.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            value = self._file.get(table, key)
            if value is not None:  # that a row is absent is seldom asked twice
                self._keep(held, key, value)
        return value

    def may_have(self, table: str) -> bool:
        """Whether `table` ever had a row."""
        return table in self._tables

    def put(self, table: str, key: Key, value: msgspec.Struct | None) -> None:
        """Set one key; None takes it out."""
        held = self._tables.get(table)
        if held is None:
            held = self._tables[table] = _Held(KEPT[table].of if table in KEPT else None)
        if held.keep is not None and value is not None:
            value = held.keep(value)
        changed = held.changed
        before = len(changed)
        changed[key] = value
        self._changed_rows += len(changed) - before
        if self._changed_rows >= self._rows_held:
            self._flush()

    def remove(self, table: str, key: Key) -> None:
        """Take one key out; it may be absent."""
        self.put(table, key, None)

    def is_settled(self, position: Position) -> bool:
        """Whether the entry at `position` is folded and not pending."""
        return is_settled(self, position)

    def items(self, table: str, brief: type[msgspec.Struct] | None = None) -> Iterator[tuple[Any, Any]]:
        """Yield key and struct of every row of a table, which must not change meanwhile.

        With `brief`, rows from the file are structs of that type, which has some of their fields.
        """
        if self._file is not None:
            self._flush()
            yield from self._file.items(table, brief)
        elif table in self._tables:
            rows = list(self._tables[table].changed.items())
            yield from ((key, value) for key, value in rows if value is not None)

    def _keep(self, held: _Held, key: Key, value: Any) -> None:
        """Keep a row at hand that was read."""
        if self._read_rows >= 2 * self._rows_held:
            self._read_rows = 0
            for each in self._tables.values():
                each.read = {}
        self._read_rows += 1
        held.read[key] = value

    def _flush(self) -> None:
        """Write what changed; it stays at hand as what was read last."""
        if self._file is None:
            self._file = StateFile()
        for table, held in self._tables.items():
            if held.changed:
                held.is_spilled |= self._file.write(table, held.changed)
            held.read, held.changed = held.changed, {}
        self._read_rows, self._changed_rows = self._changed_rows, 0
