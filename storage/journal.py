"""Copies SQLite's journal back into the database beside the writer, so that a long backfill does not wait for it.

SQLite would copy inside a commit, every 16 MB, with the syncs that this takes. A thread does it instead: what it
copies is synced in the journal already, so an acknowledged commit is as durable as before. A journal that grows
faster than it is copied stops the writer at `_LONGEST_BYTES`; then the copy is whole, and the next commit begins
the journal anew and cuts it to `JOURNAL_BYTES_MAX`.

    keeper = JournalKeeper(file)
    keeper.note_commit()      # after each commit of the writer
"""

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

JOURNAL_BYTES_MAX = 16 * 1_048_576  # a page that many commits change is copied back once, which spares flash
_LONGEST_BYTES = 2 * JOURNAL_BYTES_MAX


class JournalKeeper:
    """The thread of one database's journal. Close it before the writer's connection."""

    def __init__(self, file: Path) -> None:
        """Take the database's file, and wait for its journal to grow."""
        self._file = file
        self._journal = file.with_name(f"{file.name}-wal")
        self._copying = threading.Lock()
        self._has_work = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="journal-keeper", daemon=True)
        self._thread.start()

    def note_commit(self) -> None:
        """Have a journal copied back that has grown long; where it is too long, wait until it is."""
        length = self._journal.stat().st_size
        if length > _LONGEST_BYTES:
            self._copy_back()
        elif length > JOURNAL_BYTES_MAX:
            self._has_work.set()

    def close(self) -> None:
        """End the thread."""
        self._is_closed = True
        self._has_work.set()
        self._thread.join()

    def _run(self) -> None:
        while self._has_work.wait() and not self._is_closed:
            self._has_work.clear()
            self._copy_back()

    def _copy_back(self) -> None:
        """Copy what is committed. What an old reader or a full disk keeps in the journal is for a later commit."""
        with (
            self._copying,
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(self._file, isolation_level=None)) as connection,
        ):
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
