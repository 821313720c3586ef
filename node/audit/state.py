"""The auditor's state: in memory while it is small, past a bound in a temporary file (PROTOCOL.md section 19.4).

Memory does not grow with history. What changed last and what was read last is kept, a bounded number of rows;
the rest stands in a SQLite file that is deleted with the audit and never synced: it is no fact, only room.

    with SpillingState() as state:
        Fold(state, entries).feed(...)
"""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import msgspec

from protocol.audit.sums import KEPT, TABLES
from protocol.fold import is_settled
from protocol.lanes.kind import Key, Position

ROWS_HELD = 4_096
_PAGE_CACHE_KIB = 8_192
_PAGE_BYTES = 16_384
FILTER_SLOTS = 2**23
_READ_ROWS = 1_000

_CREATE = "CREATE TABLE {table} (hash INTEGER, key BLOB, value BLOB)"
_CREATE_INDEX = "CREATE INDEX {table}_by_hash ON {table} (hash)"
_INSERT = "INSERT INTO {table} VALUES (?, ?, ?)"
_SELECT = "SELECT rowid, key, value FROM {table} WHERE hash = ?"
_SELECT_ALL = "SELECT key, value FROM {table}"
_UPDATE = "UPDATE {table} SET value = ? WHERE rowid = ?"
_DELETE = "DELETE FROM {table} WHERE rowid = ?"

_UNKNOWN = object()
_encode = (
    msgspec.msgpack.Encoder().encode
)  # nothing here is hashed or compared but keys, and those hold no maps
_decode_key = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


class _Held:
    """What is in memory of one table, by key: rows that changed since the last flush, and rows as last read."""

    __slots__ = ("changed", "is_spilled", "read")

    def __init__(self) -> None:
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
        self._disk: _Disk | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the file."""
        if self._disk is not None:
            self._disk.close()

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
        if not held.is_spilled:
            return None
        value = held.read.get(key, _UNKNOWN)
        return self._read(held, table, key) if value is _UNKNOWN else value

    def put(self, table: str, key: Key, value: msgspec.Struct | None) -> None:
        """Set one key; None takes it out."""
        held = self._tables.get(table)
        if held is None:
            held = self._tables[table] = _Held()
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
        if self._disk is not None:
            self._flush()
            yield from self._disk.items(table, brief)
        elif table in self._tables:
            rows = list(self._tables[table].changed.items())
            yield from ((key, value) for key, value in rows if value is not None)

    def _read(self, held: _Held, table: str, key: Key) -> Any:
        """Read a row that is not in memory, and keep it there; None where it was never written."""
        assert self._disk is not None
        if not self._disk.may_have(table, key):
            return None
        if self._read_rows >= 2 * self._rows_held:
            self._read_rows = 0
            for each in self._tables.values():
                each.read = {}
        self._read_rows += 1
        value = held.read[key] = self._disk.get(table, key)
        return value

    def _flush(self) -> None:
        """Write what changed; it stays at hand as what was read last."""
        if self._disk is None:
            self._disk = _Disk()
        for table, held in self._tables.items():
            if held.changed:
                held.is_spilled |= self._disk.write(table, held.changed)
            held.read, held.changed = held.changed, {}
        self._read_rows, self._changed_rows = self._changed_rows, 0


class _Disk:
    """The temporary file, a table for a table.

    Rows are found by a hash of table and key, which strangers cannot aim at, and told apart by their key.
    The filter knows which hashes were never written, so most look-ups of absent rows cost nothing.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="wildgrass-audit-")
        self._connection = sqlite3.connect(
            Path(self._folder.name) / "state.db", isolation_level=None, check_same_thread=False
        )
        pragmas = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "temp_store=MEMORY")
        for pragma in (f"page_size={_PAGE_BYTES}", f"cache_size=-{_PAGE_CACHE_KIB}", *pragmas):
            self._connection.execute(f"PRAGMA {pragma}")
        for name in TABLES:
            self._connection.execute(_about(name, _CREATE))
            self._connection.execute(_about(name, _CREATE_INDEX))
        self._connection.execute("BEGIN")  # never committed: nothing here outlives the process
        self._filter = bytearray(FILTER_SLOTS)
        structs = {**TABLES, **KEPT}
        self._decoders = {name: msgspec.msgpack.Decoder(struct).decode for name, struct in structs.items()}

    def close(self) -> None:
        self._connection.close()
        self._folder.cleanup()

    def may_have(self, table: str, key: Key) -> bool:
        """Whether such a row may ever have been written; mostly right."""
        return self._filter[_hash(table, key) % FILTER_SLOTS] == 1

    def get(self, table: str, key: Key) -> Any:
        found = self._find(table, key)
        return None if found is None else self._decoders[table](found[1])

    def write(self, table: str, rows: Mapping[Key, Any]) -> bool:
        """Write what changed (None: take it out); return whether any row is new."""
        new: list[tuple[int, bytes, bytes]] = []
        known, table_hash, kept = self._filter, hash(table), KEPT.get(table)
        for key, value in rows.items():
            place_hash = hash(key) ^ table_hash
            slot = place_hash % FILTER_SLOTS
            if known[slot] and self._replace(table, key, value):
                continue
            if value is not None:
                known[slot] = 1
                new.append((place_hash, _encode(key), _encode(kept.of(value) if kept else value)))
        new.sort()  # neighbours share pages of the index
        self._connection.executemany(_about(table, _INSERT), new)
        return bool(new)

    def items(self, table: str, brief: type[msgspec.Struct] | None) -> Iterator[tuple[Any, Any]]:
        decode = msgspec.msgpack.Decoder(brief).decode if brief else self._decoders[table]
        rows = self._connection.execute(_about(table, _SELECT_ALL))
        while page := rows.fetchmany(_READ_ROWS):
            for key, value in page:
                yield _decode_key(key), decode(value)

    def _replace(self, table: str, key: Key, value: Any) -> bool:
        """Change or take out a row that is there; return whether it was."""
        found = self._find(table, key)
        if found is None:
            return False
        if value is None:
            self._connection.execute(_about(table, _DELETE), found[:1])
        else:
            kept = KEPT.get(table)
            raw = _encode(kept.of(value) if kept else value)
            self._connection.execute(_about(table, _UPDATE), (raw, found[0]))
        return True

    def _find(self, table: str, key: Key) -> tuple[int, bytes] | None:
        """Return row number and value."""
        raw = _encode(key)
        for rowid, found, value in self._connection.execute(_about(table, _SELECT), (_hash(table, key),)):
            if found == raw:
                return rowid, value
        return None


def _hash(table: str, key: Key) -> int:
    """Of Python's own hashes, which begin anew with each process."""
    return hash(key) ^ hash(table)


def _about(table: str, statement: str) -> str:
    """The statement for one of our tables, whose names are not SQL's."""
    return statement.format(table=f"state_{table}")
