"""Opens a store: a folder (SQLite) or one PostgreSQL URL, one writer and a few readers.

The node writes from one thread and reads from a few; nobody outside storage sees an engine. A SQLite store
is `wildgrass.db` in its folder, and the writer holds a lock file; a PostgreSQL store is a database, and the
writer's only session holds an advisory lock, which dies with the session.

    with open_store("/var/lib/wildgrass") as store, store.write() as connection:
        LaneStore(connection).append(lane_key, start, entries)
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from storage.errors import StorageError
from storage.journal import JournalKeeper
from storage.postgres import postgres_engines, postgres_url
from storage.sqlite import FolderLock, brief, check_folder, sqlite_engines
from storage.versions import bring_to_this_version, check_version

DATABASE_FILE = "wildgrass.db"


class Store:
    """An open store. `write` is for one thread; `read` may be used from several at once."""

    def __init__(
        self,
        *,
        writer: sa.Engine | None,
        reader: sa.Engine,
        folder: Path | None,
        journal: JournalKeeper | None = None,
    ) -> None:
        """Take ready engines; use `open_store`."""
        self._writer = writer
        self._reader = reader
        self._journal = journal
        self.folder = folder
        self._writes = 0
        self._forget: list[Callable[[], None]] = []
        self._closing = ExitStack()

    @property
    def is_postgres(self) -> bool:
        """Whether the store is on a PostgreSQL server."""
        return self.folder is None

    @property
    def writes(self) -> int:
        """How many write transactions have ended: while it stays, what was read before is still so."""
        return self._writes

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield a connection in a write transaction; leaving it commits and syncs, an exception undoes all.

        What memory holds of an undone transaction is forgotten too: see `forget_on_failure`.
        """
        if self._writer is None:
            raise StorageError("storage_reader_only")
        try:
            with self._writer.begin() as connection:
                yield connection
        except BaseException:
            for forget in self._forget:
                forget()
            raise
        finally:
            self._writes += 1
        if self._journal is not None:
            self._journal.note_commit()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one moment of the store and cannot write."""
        with ExitStack() as reading:
            try:
                connection = reading.enter_context(self._reader.begin())
            except sa.exc.TimeoutError as error:
                raise StorageError("storage_busy", "all readers are in use") from error
            yield connection

    @contextmanager
    def read_briefly(self, seconds: float) -> Iterator[sa.Connection]:
        """Like `read`, on SQLite only, for a thread that must not wait: raises `TakesLong` after `seconds`."""
        with self.read() as connection, brief(connection, seconds):
            yield connection

    def forget_on_failure(self, forget: Callable[[], None]) -> None:
        """Have `forget` called whenever a write transaction fails, the commit included."""
        self._forget.append(forget)

    def close_with(self, close: Callable[[], object]) -> None:
        """Have `close` called when the store is closed."""
        self._closing.callback(close)

    def close(self) -> None:
        """Close every connection and give the lock back; a second time does nothing."""
        if self._journal is not None:
            self._journal.close()
        self._reader.dispose()
        if self._writer is not None:
            self._writer.dispose()
        self._closing.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()


def open_store(where: str | Path, *, writer: bool = True) -> Store:
    """Open the store in a folder or at a PostgreSQL URL, as its only writer or as a reader.

    A writer makes a store where there is none and brings an older one to this version. Raises `StorageError`;
    then nothing was changed.
    """
    if isinstance(where, str) and "://" in where:
        return _ready(_open_postgres(where, writer=writer), writer=writer)
    folder = Path(where)
    check_folder(folder, make=writer)
    return _ready(_open_sqlite(folder, writer=writer), writer=writer)


def _ready(store: Store, *, writer: bool) -> Store:
    """Return the store when its tables are of this version, or close it and raise."""
    try:
        if writer:
            bring_to_this_version(store)
        else:
            with store.read() as connection:
                check_version(connection)
    except BaseException:
        store.close()
        raise
    return store


def _open_sqlite(folder: Path, *, writer: bool) -> Store:
    file = folder / DATABASE_FILE
    if not writer:
        if not file.exists():
            raise StorageError("storage_cannot_open", f"no {DATABASE_FILE} in {folder}")
        return Store(writer=None, reader=sqlite_engines(file)[1], folder=folder)
    lock = FolderLock(folder)
    writing, reading = sqlite_engines(file)
    store = Store(writer=writing, reader=reading, folder=folder, journal=JournalKeeper(file))
    store.close_with(lock.release)
    return store


def _open_postgres(url: str, *, writer: bool) -> Store:
    writing, reading = postgres_engines(postgres_url(url))
    return Store(writer=writing if writer else None, reader=reading, folder=None)
