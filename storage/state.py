"""The fold's key/value state: a view, written back in batches (PROTOCOL.md section 16).

A step asks for a few keys and changes a few; most of them were touched a moment ago. So changes stay in memory
until there are many or the transaction ends, and two generations of a bounded cache answer what was read or
written lately: a hit in the old one moves to the new one, the rest goes with the old one. Keys and values are
canonical bytes, so that two stores that folded the same cut hold the same.

    state = StateStore(tables, store.forget_on_failure)
    with store.write() as connection, state.within(connection):
        state.apply(step(state, entry))
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from protocol.encoding import encode
from protocol.lanes.kind import Change, Key, Put, Tables
from protocol.waiting import ARRIVAL_ORDER_TABLES
from storage.postgres import postgres_refusal
from storage.put_keys import PutKeys
from storage.schema.views import state as state_table
from storage.sqlite import sqlite_refusal

OVERLAY_MAX = 4_096
CACHE_MAX = 2_048

_PREFIXES_MAX = 4_096
_ABSENT: Final = object()
_FIXED_ARRAY = 0x90
_Place = tuple[str, Key]


class StateStore:
    """The state of the fold for one thread. Between transactions it keeps its cache, nothing else.

    `forget_on_failure` is the store's: an undone transaction must take the cache with it. `sparse` names tables
    that are mostly asked for what is not there, with how many leading parts of their keys to look under: where
    nothing began like that at the first look, all that stands there now was put by this store, and what was
    not is not looked for.
    """

    def __init__(
        self,
        tables: Tables,
        forget_on_failure: Callable[[Callable[[], None]], None] | None = None,
        *,
        sparse: Mapping[str, int] | None = None,
        overlay_max: int = OVERLAY_MAX,
        cache_max: int = CACHE_MAX,
    ) -> None:
        """Take the struct type of every table."""
        self._decoders = {name: msgspec.msgpack.Decoder(kind) for name, kind in tables.items()}
        self._sparse = sparse or {}
        self._overlay_max = overlay_max
        self._cache_max = cache_max
        self._overlay: dict[_Place, msgspec.Struct | None] = {}
        self._new: dict[_Place, msgspec.Struct | None] = {}
        self._old: dict[_Place, msgspec.Struct | None] = {}
        self._was_bare: dict[tuple[str, int, Key], bool] = {}
        self._had_rows: dict[str, bool] = {}
        self._put_keys = PutKeys()
        self._put_tables: set[str] = set()
        self._connection: sa.Connection | None = None
        self._cursor: DBAPICursor | None = None
        self._driver_error: type[Exception] = Exception
        self._refusal = sqlite_refusal
        self._is_sqlite = True
        if forget_on_failure is not None:
            forget_on_failure(self.forget)

    @contextmanager
    def within(self, connection: sa.Connection) -> Iterator["StateStore"]:
        """Use `connection` until the block ends, then write back what changed."""
        assert self._connection is None, "a state store serves one transaction at a time"
        self._connection = connection
        self._cursor = connection.connection.cursor()
        self._driver_error = connection.dialect.loaded_dbapi.Error
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._refusal = sqlite_refusal if self._is_sqlite else postgres_refusal
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
        if table in self._sparse and self._is_surely_absent(place):
            return None
        value: Any = self._overlay.get(place, _ABSENT)
        if value is not _ABSENT:
            return value
        value = self._new.get(place, _ABSENT)
        if value is not _ABSENT:
            return value
        value = self._old.get(place, _ABSENT)
        if value is _ABSENT:
            found = self._read(table, encode(key))
            value = None if found is None else self._decoders[table].decode(found)
        self._new[place] = value
        if len(self._new) >= self._cache_max:
            self._age()
        return value

    def may_have(self, table: str) -> bool:
        """Whether the sparse `table` had a row when it was first looked at, or one was put there since."""
        if table in self._put_tables:
            return True
        had_rows = self._had_rows.get(table)
        if had_rows is None:
            had_rows = self._had_rows[table] = self._ask(_ANY_ROW, (table,)) is not None
        return had_rows

    def put(self, table: str, key: Key, value: msgspec.Struct) -> None:
        """Set `key` of `table`."""
        assert table in self._decoders, f"table {table!r} is not known to this state"
        self._overlay[table, key] = value
        if table in self._sparse:
            self._put_keys.add((table, key))
            self._put_tables.add(table)
        if len(self._overlay) >= self._overlay_max:
            self.flush()

    def remove(self, table: str, key: Key) -> None:
        """Take `key` out of `table`; it may be absent."""
        assert table in self._decoders, f"table {table!r} is not known to this state"
        self._overlay[table, key] = None
        if len(self._overlay) >= self._overlay_max:
            self.flush()

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
        self._project(self._overlay)
        puts = [
            (table, encode(key), encode(value))
            for (table, key), value in self._overlay.items()
            if value is not None
        ]
        if puts:
            puts.sort()  # neighbours share pages, so fewer are written
            self._run_many(_PUT, puts)
        if len(puts) < len(self._overlay):
            gone = [(table, encode(key)) for (table, key), value in self._overlay.items() if value is None]
            gone.sort()
            self._run_many(_REMOVE, gone)
        self._new.update(self._overlay)
        self._overlay = {}
        if len(self._new) >= self._cache_max:
            self._age()
        if len(self._was_bare) > _PREFIXES_MAX:
            self._was_bare.clear()  # here, where the database knows all that was put

    def forget(self) -> None:
        """Drop all that is in memory: after an undone transaction it says what is not so."""
        self._overlay = {}
        self._new, self._old = {}, {}
        self._was_bare.clear()
        self._had_rows.clear()
        self._put_keys.clear()
        self._put_tables.clear()

    def _project(self, changed: Mapping[_Place, msgspec.Struct | None]) -> None:
        """Hear what is going to be written; who keeps rows beside the state writes them here."""

    def _age(self) -> None:
        self._new, self._old = {}, self._new

    def _is_surely_absent(self, place: _Place) -> bool:
        """Whether `place` is under a prefix that was bare, and nothing was put there since."""
        table, key = place
        if table in self._put_tables and self._put_keys.may_have(place):
            return False
        prefix = (table, len(key), key[: self._sparse[table]])
        was_bare = self._was_bare.get(prefix)
        if was_bare is None:
            was_bare = self._was_bare[prefix] = self._is_bare_below(*prefix)
        return was_bare

    def _is_bare_below(self, table: str, length: int, prefix: Key) -> bool:
        """Whether the database has nothing in `table` under keys of `length` parts that begin with `prefix`."""
        start = bytes([_FIXED_ARRAY + length]) + b"".join(encode(part) for part in prefix)
        return self._ask(_ANY, (table, start, start + b"\xff")) is None

    def _read(self, table: str, key: bytes) -> bytes | None:
        row = self._ask(_GET, (table, key))
        return None if row is None else row[0]

    def _ask(self, question: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        """Ask past SQLAlchemy: five times as fast, and the fold does it for every record."""
        assert self._cursor is not None, "the state is used within a transaction"
        try:
            self._cursor.execute(self._statement(question), values)
            return self._cursor.fetchone()
        except self._driver_error as error:
            self._raise_refusal(error)
            raise

    def _run_many(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        assert self._cursor is not None, "the state is used within a transaction"
        try:
            self._cursor.executemany(self._statement(statement), rows)
        except self._driver_error as error:
            self._raise_refusal(error)
            raise

    def _statement(self, text: str) -> str:
        return text if self._is_sqlite else text.replace("?", "%s")

    def _raise_refusal(self, error: Exception) -> None:
        """Raise what a failure of the driver means for a person; a bug of ours it leaves to the caller."""
        refusal = self._refusal(error)
        if refusal is not None:
            raise refusal from error


def dump(connection: sa.Connection) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield (table, key bytes, value bytes) of the state in byte order, a few rows at a time.

    The queues are left out: they follow the order of arrival, and are no part of the state (section 16.6).
    """
    question = (
        sa.select(state_table)
        .where(state_table.c.table_name.not_in(ARRIVAL_ORDER_TABLES))
        .order_by(state_table.c.table_name, state_table.c.key)
    )
    yield from connection.execute(question.execution_options(yield_per=1_000))


def digest(connection: sa.Connection) -> bytes:
    """Return the SHA-256 over the whole state: equal cuts, equal digests, whatever the engine."""
    total = sha256()
    for row in dump(connection):
        total.update(encode(list(row)))
    return total.digest()


_GET = "SELECT value FROM state WHERE table_name = ? AND key = ?"
_ANY = "SELECT 1 FROM state WHERE table_name = ? AND key >= ? AND key < ? LIMIT 1"
_ANY_ROW = "SELECT 1 FROM state WHERE table_name = ? LIMIT 1"
_PUT = (
    "INSERT INTO state (table_name, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (table_name, key) DO UPDATE SET value = excluded.value"
)
_REMOVE = "DELETE FROM state WHERE table_name = ? AND key = ?"
