"""The auditor's state: in memory while it is small, past a bound in a temporary file (PROTOCOL.md section 19.4).

Memory does not grow with history. What changed last and what was read last is kept, a bounded number of rows;
the rest stands in a SQLite file that is deleted with the audit and never synced: it is no fact, only room.

    with SpillingState() as state:
        Fold(state, entries).feed(...)
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import msgspec

from protocol.audit.sums import TABLES
from protocol.encoding import encode
from protocol.fold import is_settled
from protocol.lanes.kind import Key, Position

ROWS_HELD = 4_096
_PAGE_CACHE_KIB = 8_192
_PAGE_BYTES = 16_384
_FILTER_BITS = 2**25
_READ_ROWS = 1_000

_UNKNOWN = object()
_Place = tuple[str, Key]


class SpillingState:
    """A key-value state as the fold writes it, of any size; use it as a context manager."""

    def __init__(self, rows_held: int = ROWS_HELD) -> None:
        """Begin empty; `rows_held` changed rows, and twice as many read ones, are kept in memory."""
        self._rows_held = rows_held
        self._changed: dict[_Place, Any] = {}
        self._read: dict[_Place, Any] = {}
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
        place = (table, key)
        value = self._changed.get(place, _UNKNOWN)
        if value is not _UNKNOWN or self._disk is None:
            return None if value is _UNKNOWN else value
        value = self._read.get(place, _UNKNOWN)
        if value is not _UNKNOWN:
            return value
        if not self._disk.may_have(place):
            return None
        if len(self._read) >= 2 * self._rows_held:
            self._read.clear()
        value = self._read[place] = self._disk.get(place)
        return value

    def put(self, table: str, key: Key, value: msgspec.Struct) -> None:
        """Set one key."""
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

    def items(self, table: str) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """Yield key and struct of every row of a table, which must not change meanwhile."""
        if self._disk is None:
            rows = list(self._changed.items())
            yield from ((key, value) for (name, key), value in rows if name == table and value is not None)
            return
        self._flush()
        yield from self._disk.items(table)

    def _flush(self) -> None:
        """Write what changed; it stays at hand as what was read last."""
        if self._disk is None:
            self._disk = _Disk()
        self._disk.write(self._changed)
        self._read = self._changed
        self._changed = {}


class _Disk:
    """The temporary file, a table for a table, and a filter that spares look-ups of what was never written."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="wildgrass-audit-")
        self._connection = sqlite3.connect(
            Path(self._folder.name) / "state.db", isolation_level=None, check_same_thread=False
        )
        pragmas = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "temp_store=MEMORY")
        for pragma in (f"page_size={_PAGE_BYTES}", f"cache_size=-{_PAGE_CACHE_KIB}", *pragmas):
            self._connection.execute(f"PRAGMA {pragma}")
        for name in TABLES:
            self._connection.execute(f'CREATE TABLE "{name}" (key BLOB NOT NULL UNIQUE, value BLOB NOT NULL)')
        self._connection.execute("BEGIN")  # never committed: nothing here outlives the process
        self._filter = bytearray(_FILTER_BITS // 8)
        self._decoders = {name: msgspec.msgpack.Decoder(struct) for name, struct in TABLES.items()}

    def close(self) -> None:
        self._connection.close()
        self._folder.cleanup()

    def may_have(self, place: _Place) -> bool:
        bit = hash(place) % _FILTER_BITS
        return bool(self._filter[bit >> 3] >> (bit & 7) & 1)

    def get(self, place: _Place) -> Any:
        table, key = place
        question = f'SELECT value FROM "{table}" WHERE key = ?'  # noqa: S608  a name of ours
        found = self._connection.execute(question, (encode(key),)).fetchone()
        return None if found is None else self._decoders[table].decode(found[0])

    def write(self, rows: dict[_Place, Any]) -> None:
        puts: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        known = self._filter
        for place, value in rows.items():
            bit = hash(place) % _FILTER_BITS
            if value is not None:
                known[bit >> 3] |= 1 << (bit & 7)
                puts[place[0]].append((encode(place[1]), encode(value)))
            elif known[bit >> 3] >> (bit & 7) & 1:
                self._connection.execute(f'DELETE FROM "{place[0]}" WHERE key = ?', (encode(place[1]),))  # noqa: S608
        for table, changed in puts.items():
            self._put(table, changed)

    def _put(self, table: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        statement = (
            f'INSERT INTO "{table}" VALUES (?, ?)'  # noqa: S608
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        )
        self._connection.executemany(statement, sorted(rows))  # neighbours share pages of the index

    def items(self, table: str) -> Iterator[tuple[tuple[Any, ...], Any]]:
        decode = self._decoders[table].decode
        rows = self._connection.execute(f'SELECT key, value FROM "{table}"')  # noqa: S608
        while page := rows.fetchmany(_READ_ROWS):
            for key, value in page:
                yield tuple(msgspec.msgpack.decode(key)), decode(value)
