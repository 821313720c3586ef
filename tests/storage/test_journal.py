"""SQLite's journal while much is written: bounded, copied back, and nothing of it lost."""

from pathlib import Path

from storage.blobs import put_blob
from storage.engine import DATABASE_FILE, open_store
from storage.journal import JOURNAL_BYTES_MAX

MIB = 1_048_576
COMMIT_BYTES = MIB
COMMITS = 48


def test_a_journal_stays_bounded_however_long_is_written_without_a_pause(tmp_path: Path) -> None:
    """Commit after commit, never more than twice the bound and one commit, and at rest no more than the bound."""
    journal = tmp_path / f"{DATABASE_FILE}-wal"
    with open_store(tmp_path) as store:
        longest = 0
        for number in range(COMMITS):
            with store.write() as connection:
                put_blob(connection, "image/webp", number.to_bytes(4) * (COMMIT_BYTES // 4))
            longest = max(longest, journal.stat().st_size)
    assert JOURNAL_BYTES_MAX < longest < 2 * JOURNAL_BYTES_MAX + 2 * COMMIT_BYTES
    assert not journal.exists()
    with open_store(tmp_path) as store, store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("SELECT count(*) FROM blobs").scalar() == COMMITS


def test_an_old_reader_keeps_the_journal_and_is_not_disturbed(tmp_path: Path) -> None:
    """What a reader still needs is not overwritten: it sees its moment, and the journal shrinks when it is gone."""
    journal = tmp_path / f"{DATABASE_FILE}-wal"
    with open_store(tmp_path) as store:
        with store.read() as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM blobs").scalar() == 0
            for number in range(COMMITS):
                with store.write() as connection:
                    put_blob(connection, "image/webp", number.to_bytes(4) * (COMMIT_BYTES // 4))
            assert reading.exec_driver_sql("SELECT count(*) FROM blobs").scalar() == 0
            assert journal.stat().st_size > COMMITS * COMMIT_BYTES
        for number in range(COMMITS, COMMITS + 2):
            with store.write() as connection:
                put_blob(connection, "image/webp", number.to_bytes(4))
        assert journal.stat().st_size <= JOURNAL_BYTES_MAX
