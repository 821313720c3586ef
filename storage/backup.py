"""A consistent copy of a SQLite store while it is in use, and its way back.

The guard is never copied and never restored: a store that comes back from an old copy is found behind its
guard, and does not sign. PostgreSQL has tools of its own for both.
"""

import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from storage.engine import DATABASE_FILE, Store
from storage.errors import StorageError
from storage.sqlite import FolderLock, check_folder, folder_refusal, sqlite_refusal, sync_path
from storage.versions import INSTANCE_BYTES


def backup(store: Store, target: Path) -> None:
    """Write a compact copy of the store, as of one moment, to a new file; it is synced when this returns.

    The node may go on writing meanwhile. A copy that fails half-way leaves no file behind.
    """
    if store.folder is None:
        raise StorageError("backup_by_server")
    if target.exists():
        raise StorageError("backup_exists", str(target))
    with _written(target) as part, _told(), closing(sqlite3.connect(store.folder / DATABASE_FILE)) as source:
        source.execute("VACUUM INTO ?", (str(part),))


def restore(copy: Path, folder: Path) -> None:
    """Make a store out of a copy, in a folder that has none; its instance id is new.

    Peers keep "(instance, number) I have seen up to here"; under the old id they would miss what the
    restored store numbers a second time.
    """
    if not copy.is_file():
        raise StorageError("backup_missing", str(copy))
    check_folder(folder, make=True)
    target = folder / DATABASE_FILE
    lock = FolderLock(folder)
    try:
        if target.exists():
            raise StorageError("backup_exists", str(target))
        with _written(target) as part, _told():
            shutil.copyfile(copy, part)
            _make_another_instance(part)
            for suffix in ("-wal", "-shm"):  # of the lost database: they would be played into this one
                target.with_name(target.name + suffix).unlink(missing_ok=True)
    finally:
        lock.release()


def _make_another_instance(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StorageError("storage_damaged", str(found))
        if not database.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'store'").fetchone()[0]:
            raise StorageError("storage_damaged", "a database, but none of ours")
        database.execute("UPDATE store SET instance = ?", (secrets.token_bytes(INSTANCE_BYTES),))


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """Yield a file to write beside `target`; it takes that name when it is whole and synced, else it goes."""
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)  # of an attempt that was cut off
        yield part
        sync_path(part)
        part.rename(target)
        sync_path(target.parent)
    except OSError as error:
        raise folder_refusal(error, target) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what SQLite says into a `StorageError`."""
    try:
        yield
    except sqlite3.Error as error:
        refusal = sqlite_refusal(error)
        if refusal is None:
            raise
        raise refusal from error
