"""The auditor's state: in memory while it is small, past a bound in a temporary file (PROTOCOL.md section 19.4).

Memory does not grow with history. What changed last and what was read last is kept, a bounded number of rows;
the rest stands in a SQLite file that is deleted with the audit and never synced: it is no fact, only room.

    with SpillingState() as state:
        Fold(state, entries).feed(...)
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
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
_Place = tuple[str, Key]


class SpillingState:
    """A key-value state as the fold writes it, of any size; use it as a context manager."""

    def __init__(self, rows_held: int = ROWS_HELD) -> None:
        """Begin empty; `rows_held` changed rows, and twice as many read ones, are kept in memory."""
        self._rows_held = rows_held
        self._changed: dict[_Place, Any] = {}
        self._read: dict[_Place, Any] = {}
        self._tables: set[str] = set()  # tables that ever had a row
        self._spilled: set[str] = set()  # tables that have rows on disk
        self._disk: _Disk | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the file."""
        if self._disk is not None:
            self._disk.close()

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key`, or None."""
        if table not in self._tables:
            return None
        place = (table, key)
        value = self._changed.get(place, _UNKNOWN)
        if value is not _UNKNOWN:
            return value
        if table not in self._spilled:
            return None
        value = self._read.get(place, _UNKNOWN)
        if value is not _UNKNOWN:
            return value
        assert self._disk is not None
        if not self._disk.filter[hash(place) % FILTER_SLOTS]:
            return None
        if len(self._read) >= 2 * self._rows_held:
            self._read.clear()
        value = self._read[place] = self._disk.get(place)
        return value

    def put(self, table: str, key: Key, value: msgspec.Struct) -> None:
        """Set one key."""
        self._tables.add(table)
        self._changed[table, key] = value
        if len(self._changed) >= self._rows_held:
            self._flush()

    def remove(self, table: str, key: Key) -> None:
        """Take one key out; it may be absent."""
        self._changed[table, key] = None
        if len(self._changed) >= self._rows_held:
            self._flush()

    def is_settled(self, position: Position) -> bool:
        """Whether the entry at `position` is folded and not pending."""
        return is_settled(self, position)

    def items(self, table: str, brief: type[msgspec.Struct] | None = None) -> Iterator[tuple[Any, Any]]:
        """Yield key and struct of every row of a table, which must not change meanwhile.

        With `brief`, rows from the file are structs of that type, which has some of their fields.
        """
        if self._disk is None:
            rows = list(self._changed.items())
            yield from ((key, value) for (name, key), value in rows if name == table and value is not None)
            return
        self._flush()
        yield from self._disk.items(table, brief)

    def _flush(self) -> None:
        """Write what changed; it stays at hand as what was read last."""
        if self._disk is None:
            self._disk = _Disk()
        self._spilled |= self._disk.write(self._changed)
        self._read = self._changed
        self._changed = {}


class _Disk:
    """The temporary file, a table for a table.

    Rows are found by Python's hash of their place, which strangers cannot aim at, and told apart by their key.
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
        self.filter = bytearray(FILTER_SLOTS)
        structs = {**TABLES, **KEPT}
        self._decoders = {name: msgspec.msgpack.Decoder(struct).decode for name, struct in structs.items()}

    def close(self) -> None:
        self._connection.close()
        self._folder.cleanup()

    def get(self, place: _Place) -> Any:
        found = self._find(place)
        return None if found is None else self._decoders[place[0]](found[1])

    def write(self, rows: dict[_Place, Any]) -> set[str]:
        """Write what changed (None: take it out), and return the tables that were written to."""
        new: dict[str, list[tuple[int, bytes, bytes]]] = defaultdict(list)
        known = self.filter
        for place, value in rows.items():
            place_hash = hash(place)
            if known[place_hash % FILTER_SLOTS] and self._replace(place, value):
                continue
            if value is not None:
                known[place_hash % FILTER_SLOTS] = 1
                new[place[0]].append((place_hash, _encode(place[1]), _encoded(place[0], value)))
        for table, added in new.items():
            added.sort()  # neighbours share pages of the index
            self._connection.executemany(_about(table, _INSERT), added)
        return set(new)

    def items(self, table: str, brief: type[msgspec.Struct] | None) -> Iterator[tuple[Any, Any]]:
        decode = msgspec.msgpack.Decoder(brief).decode if brief else self._decoders[table]
        rows = self._connection.execute(_about(table, _SELECT_ALL))
        while page := rows.fetchmany(_READ_ROWS):
            for key, value in page:
                yield _decode_key(key), decode(value)

    def _replace(self, place: _Place, value: Any) -> bool:
        """Change or take out a row that is there; return whether it was."""
        found = self._find(place)
        if found is None:
            return False
        if value is None:
            self._connection.execute(_about(place[0], _DELETE), found[:1])
        else:
            self._connection.execute(_about(place[0], _UPDATE), (_encoded(place[0], value), found[0]))
        return True

    def _find(self, place: _Place) -> tuple[int, bytes] | None:
        """Return row number and value."""
        key = _encode(place[1])
        for rowid, found, value in self._connection.execute(_about(place[0], _SELECT), (hash(place),)):
            if found == key:
                return rowid, value
        return None


def _encoded(table: str, value: Any) -> bytes:
    kept = KEPT.get(table)
    return _encode(kept.of(value) if kept else value)


def _about(table: str, statement: str) -> str:
    """The statement for one of our tables, whose names are not SQL's."""
    return statement.format(table=f"state_{table}")
