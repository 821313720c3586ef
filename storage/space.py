"""How much room a store takes.

stored_bytes(store, connection)
"""

from contextlib import suppress

import sqlalchemy as sa

from storage.engine import DATABASE_FILE, Store

_FILES = (DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm")


def stored_bytes(store: Store, connection: sa.Connection) -> int:
    """Return the bytes of the database: its files with the journal, or what the server says of its own."""
    if store.folder is None:
        return int(connection.execute(_POSTGRES_SIZE).scalar_one())
    size = 0
    for name in _FILES:
        with suppress(FileNotFoundError):  # the journal goes when nobody has the database open
            size += (store.folder / name).stat().st_size
    return size


_POSTGRES_SIZE = sa.text("SELECT pg_database_size(current_database())")
