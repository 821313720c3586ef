"""SQLite as this project uses it: durable, small in memory, one process a folder.

WAL with `synchronous=FULL` syncs once a commit, and readers never wait for the writer. The caches are small
because a router has 256 MB; nothing is memory-mapped, because a mapped page counts as resident.
"""

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext

from storage.errors import StorageError
from storage.journal import JOURNAL_BYTES_MAX

LOCK_FILE = "wildgrass.lock"
READERS_MAX = 6

_STEPS_BETWEEN_LOOKS = 500  # of SQLite's machine, at the clock: some ten rows
_BUSY_TIMEOUT_MS = 10_000
_WRITER_CACHE_KIB = 8_192
_READER_CACHE_KIB = 2_048

_CODES = {
    sqlite3.SQLITE_BUSY: "storage_busy",
    sqlite3.SQLITE_LOCKED: "storage_busy",
    sqlite3.SQLITE_READONLY: "storage_read_only",
    sqlite3.SQLITE_IOERR: "storage_io_failed",
    sqlite3.SQLITE_CORRUPT: "storage_damaged",
    sqlite3.SQLITE_NOTADB: "storage_damaged",
    sqlite3.SQLITE_FULL: "storage_full",
    sqlite3.SQLITE_CANTOPEN: "storage_cannot_open",
}
_FOLDER_CODES = {
    errno.EROFS: "storage_read_only",
    errno.EACCES: "storage_read_only",
    errno.ENOSPC: "storage_full",
}


def sqlite_refusal(error: BaseException | None) -> StorageError | None:
    """Return what a failure of SQLite means for a person, or None where it is a bug of ours."""
    result_code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, sqlite3.Error) or result_code is None:
        return None
    code = _CODES.get(result_code & 0xFF)
    return StorageError(code, str(error)) if code else None


def sqlite_engines(file: Path) -> tuple[sa.Engine, sa.Engine]:
    """Return the engine of the writer, one connection, and that of the readers, a few that cannot write."""
    writer = sqlite_engine(file, cache_kib=_WRITER_CACHE_KIB, journal_pages=0)
    reader = _engine(file, connections=READERS_MAX, begin="BEGIN")

    @event.listens_for(reader, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA cache_size=-{_READER_CACHE_KIB}")
        connection.execute("PRAGMA mmap_size=0")
        connection.execute("PRAGMA query_only=ON")

    return writer, reader


def sqlite_engine(file: Path, *, cache_kib: int, journal_pages: int) -> sa.Engine:
    """Return an engine of one connection whose every commit is on the disk when it returns.

    `journal_pages` are written to the journal before a commit copies them back; 0 leaves that to a keeper.
    """
    engine = _engine(file, connections=1, begin="BEGIN IMMEDIATE")

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, the driver never does
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=OFF")  # erasing turns it on: see storage/sealed.py
        connection.execute(f"PRAGMA cache_size=-{cache_kib}")
        connection.execute("PRAGMA mmap_size=0")
        connection.execute(f"PRAGMA journal_size_limit={JOURNAL_BYTES_MAX}")
        connection.execute(f"PRAGMA wal_autocheckpoint={journal_pages}")

    return engine


def _engine(file: Path, *, connections: int, begin: str) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(file)),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
        pool_use_lifo=True,  # the connection whose cache is warm comes first
    )

    @event.listens_for(engine, "begin")
    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    @event.listens_for(engine, "handle_error")
    def tell(context: ExceptionContext) -> BaseException | None:
        return sqlite_refusal(context.original_exception)

    return engine


class TakesLong(Exception):
    """A question that was to be brief was not; ask it again where there is time."""


@contextmanager
def brief(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """End what the block asks the database when `seconds` are over: raises `TakesLong`."""
    driver: Any = connection.connection.driver_connection
    ends, is_over = time.perf_counter() + seconds, False

    def look_at_clock() -> bool:
        nonlocal is_over
        is_over = time.perf_counter() > ends
        return is_over

    driver.set_progress_handler(look_at_clock, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    except (sqlite3.OperationalError, sa.exc.OperationalError) as error:
        if not is_over:
            raise
        raise TakesLong from error
    finally:
        driver.set_progress_handler(None, 0)


def check_folder(folder: Path, *, make: bool) -> None:
    """Make the folder durably where it is missing, and refuse one that is no folder or cannot be used."""
    if make:
        try:
            missing = [path for path in (folder, *folder.parents) if not path.exists()]
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in missing:
                sync_path(path.parent)
        except OSError as error:
            raise folder_refusal(error, folder) from error
    if not folder.is_dir():
        raise StorageError("storage_cannot_open", f"{folder} is no folder")


class FolderLock:
    """Held by the one writer of a folder; the system lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock of `folder`, or raise `storage_in_use` with the process that has it."""
        try:
            self._file = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise folder_refusal(error, folder) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StorageError("storage_in_use", f"process {holder or 'unknown'}, folder {folder}") from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._file)


def sync_path(path: Path) -> None:
    """Have the bytes of a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folder_refusal(error: OSError, path: Path) -> StorageError:
    """Return what a failure of the file system means for a person."""
    return StorageError(
        _FOLDER_CODES.get(error.errno or 0, "storage_cannot_open"), f"{path}: {error.strerror}"
    )
