"""The fold's key/value state: a view, written back in batches (PROTOCOL.md section 16).

A step asks for a few keys and changes a few; most of them were touched a moment ago. So changes stay in
memory until there are many or the transaction ends, and a bounded cache answers what was read or written
lately. Keys are canonical arrays and values canonical bytes of their struct, so that two stores that folded
the same cut hold the same bytes.

    state = StateStore(tables, store.forget_on_failure)
    with store.write() as connection, state.within(connection):
        state.apply(step(state, entry))
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from protocol.encoding import encode
from protocol.lanes.kind import Change, Key, Put, Tables
from storage.postgres import postgres_refusal
from storage.schema.views import state as state_table
from storage.sqlite import sqlite_refusal

OVERLAY_MAX = 4_096
CACHE_MAX = 4_096

_ABSENT: Final = object()
_Place = tuple[str, Key]


class StateStore:
    """The state of the fold for one thread. Between transactions it keeps its cache, nothing else.

    `forget_on_failure` is the store's: an undone transaction must take the cache with it.
    """

    def __init__(
        self,
        tables: Tables,
        forget_on_failure: Callable[[Callable[[], None]], None] | None = None,
        *,
        overlay_max: int = OVERLAY_MAX,
        cache_max: int = CACHE_MAX,
    ) -> None:
        """Take the struct type of every table."""
        self._decoders = {name: msgspec.msgpack.Decoder(kind) for name, kind in tables.items()}
        self._overlay_max = overlay_max
        self._cache_max = cache_max
        self._overlay: dict[_Place, msgspec.Struct | None] = {}
        self._cache: OrderedDict[_Place, msgspec.Struct | None] = OrderedDict()
        self._connection: sa.Connection | None = None
        self._cursor: DBAPICursor | None = None
        self._question = ""
        self._driver_error: type[Exception] = Exception
        self._refusal = sqlite_refusal
        if forget_on_failure is not None:
            forget_on_failure(self.forget)

    @contextmanager
    def within(self, connection: sa.Connection) -> Iterator["StateStore"]:
        """Use `connection` until the block ends, then write back what changed."""
        assert self._connection is None, "a state store serves one transaction at a time"
        self._connection = connection
        self._cursor = connection.connection.cursor()
        self._question = _statement(connection, _GET)
        self._driver_error = connection.dialect.loaded_dbapi.Error
        self._refusal = sqlite_refusal if connection.dialect.name == "sqlite" else postgres_refusal
        try:
            yield self
            self.flush()
        except BaseException:
            self.forget()
            raise
        finally:
            self._cursor.close()
            self._connection = self._cursor = None

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key`, or None."""
        place = (table, key)
        value = self._overlay.get(place, _ABSENT)
        if value is not _ABSENT:
            return value
        value = self._cache.get(place, _ABSENT)
        if value is not _ABSENT:
            self._cache.move_to_end(place)
            return value
        found = self._read(table, encode(key))
        struct = None if found is None else self._decoders[table].decode(found)
        self._remember(place, struct)
        return struct

    def put(self, table: str, key: Key, value: msgspec.Struct) -> None:
        """Set `key` of `table`."""
        self._change((table, key), value)

    def remove(self, table: str, key: Key) -> None:
        """Take `key` out of `table`; it may be absent."""
        self._change((table, key), None)

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes that a step returned, in order."""
        for change in changes:
            if isinstance(change, Put):
                self.put(change.table, change.key, change.value)
            else:
                self.remove(change.table, change.key)

    def flush(self) -> None:
        """Write what changed to the database; it becomes durable with the transaction."""
        if not self._overlay:
            return
        assert self._connection is not None, "the state is used within a transaction"
        changed = [(table, encode(key), value) for (table, key), value in self._overlay.items()]
        puts = [(table, key, encode(value)) for table, key, value in changed if value is not None]
        gone = [(table, key) for table, key, value in changed if value is None]
        if puts:
            puts.sort()  # neighbours share pages, so fewer are written
            self._connection.exec_driver_sql(_statement(self._connection, _PUT), puts)
        if gone:
            gone.sort()
            self._connection.exec_driver_sql(_statement(self._connection, _REMOVE), gone)
        for place, value in self._overlay.items():
            self._remember(place, value)
        self._overlay.clear()

    def forget(self) -> None:
        """Drop all that is in memory: after an undone transaction it says what is not so."""
        self._overlay.clear()
        self._cache.clear()

    def _change(self, place: _Place, value: msgspec.Struct | None) -> None:
        assert place[0] in self._decoders, f"table {place[0]!r} is not known to this state"
        self._overlay[place] = value
        if len(self._overlay) >= self._overlay_max:
            self.flush()

    def _read(self, table: str, key: bytes) -> bytes | None:
        """Read past SQLAlchemy: five times as fast, and the fold does it for every record."""
        assert self._cursor is not None, "the state is used within a transaction"
        try:
            self._cursor.execute(self._question, (table, key))
            row = self._cursor.fetchone()
        except self._driver_error as error:
            refusal = self._refusal(error)
            if refusal is None:
                raise
            raise refusal from error
        return None if row is None else row[0]

    def _remember(self, place: _Place, value: msgspec.Struct | None) -> None:
        self._cache[place] = value
        self._cache.move_to_end(place)
        if len(self._cache) > self._cache_max:
            self._cache.popitem(last=False)


def dump(connection: sa.Connection) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield (table, key bytes, value bytes) of the whole state in byte order, a few rows at a time."""
    question = sa.select(state_table).order_by(state_table.c.table_name, state_table.c.key)
    yield from connection.execute(question.execution_options(yield_per=1_000))


def digest(connection: sa.Connection) -> bytes:
    """Return the SHA-256 over the whole state: equal cuts, equal digests, whatever the engine."""
    total = sha256()
    for row in dump(connection):
        total.update(encode(list(row)))
    return total.digest()


_GET = "SELECT value FROM state WHERE table_name = ? AND key = ?"
_PUT = (
    "INSERT INTO state (table_name, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (table_name, key) DO UPDATE SET value = excluded.value"
)
_REMOVE = "DELETE FROM state WHERE table_name = ? AND key = ?"


def _statement(connection: sa.Connection, text: str) -> str:
    return text if connection.dialect.name == "sqlite" else text.replace("?", "%s")
