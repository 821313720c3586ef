"""A copy taken while the node writes is one moment of it, and comes back as a store with a new instance."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from storage.backup import backup, restore
from storage.engine import DATABASE_FILE, open_store
from storage.errors import StorageError
from storage.guard import Mark, Move, SigningMarks, behind, open_guard
from storage.heads import HeadStore
from storage.lanes import LaneStore

COMMUNITY = bytes(32)


def test_a_copy_taken_while_writing_is_one_moment(tmp_path: Path) -> None:
    """Two lanes that always grow together are equally long in every copy."""
    stop = threading.Event()
    with open_store(tmp_path / "store") as store:
        with store.write() as connection:
            keys = [LaneStore(connection).open_lane(COMMUNITY, lane, 0) for lane in ("trade", "ledger")]

        def write() -> None:
            while not stop.is_set():
                with store.write() as connection:
                    lanes = LaneStore(connection)
                    for key in keys:
                        lanes.append(key, lanes.size(key), [os.urandom(300)] * 9)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                backup(store, tmp_path / f"copy {number}")
        finally:
            stop.set()
            writer.join()
    sizes = []
    for number in range(5):
        restore(tmp_path / f"copy {number}", tmp_path / f"again {number}")
        with open_store(tmp_path / f"again {number}") as again, again.read() as connection:
            first, second = (LaneStore(connection).size(key) for key in keys)
            assert first == second
            sizes.append(first)
    assert sizes == sorted(sizes)


def test_a_restored_store_is_another_instance_and_behind_its_guard(tmp_path: Path) -> None:
    """Peers ask it for everything again, and it may not sign where the lost one already signed."""

    def mark(size: int) -> Mark:
        return Mark(COMMUNITY, "trade", 0, size, bytes(32), b"lease")

    with open_store(tmp_path / "store") as store, open_guard(tmp_path / "store") as guard:
        with store.write() as connection:
            SigningMarks(connection).advance([Move(None, mark(1))])
            before = HeadStore(connection).instance()
        guard.advance([Move(None, mark(1))])
        backup(store, tmp_path / "copy")
        with store.write() as connection:
            SigningMarks(connection).advance([Move(mark(1), mark(2))])
        guard.advance([Move(mark(1), mark(2))])
        guarded = guard.marks()
    (tmp_path / "store" / DATABASE_FILE).rename(tmp_path / "store" / f"{DATABASE_FILE}-wal")  # a leftover
    restore(tmp_path / "copy", tmp_path / "store")
    with open_store(tmp_path / "store") as store, store.read() as connection:
        assert HeadStore(connection).instance() != before
        assert behind(SigningMarks(connection).marks(), guarded) == [mark(2)]


def test_copies_never_overwrite_and_refuse_what_is_no_store(tmp_path: Path) -> None:
    """Existing files and running stores are left alone, wrong files give their code."""
    with open_store(tmp_path / "store") as store:
        backup(store, tmp_path / "copy")
        codes = []
        for attempt in (
            lambda: backup(store, tmp_path / "copy"),
            lambda: backup(store, tmp_path / "no folder" / "copy"),
            lambda: restore(tmp_path / "copy", tmp_path / "store"),
            lambda: restore(tmp_path / "nothing", tmp_path / "new"),
        ):
            with pytest.raises(StorageError) as error:
                attempt()
            codes.append(error.value.code)
    assert codes == ["backup_exists", "storage_cannot_open", "storage_in_use", "backup_missing"]
    with pytest.raises(StorageError) as error:
        restore(tmp_path / "copy", tmp_path / "store")
    assert error.value.code == "backup_exists"
    (tmp_path / "text").write_text("no database" * 1000)
    with pytest.raises(StorageError) as error:
        restore(tmp_path / "text", tmp_path / "new")
    assert error.value.code == "storage_damaged"
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE shop (name)").connection.close()
    with pytest.raises(StorageError) as error:
        restore(tmp_path / "other", tmp_path / "new")
    assert error.value.code == "storage_damaged"
    assert not (tmp_path / "new" / DATABASE_FILE).exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".part") == []


def test_a_server_is_backed_up_by_its_own_tools(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """For PostgreSQL the sentence names them."""
    server = request.getfixturevalue("postgres_server")
    with server.database() as url, open_store(url) as store, pytest.raises(StorageError) as error:
        backup(store, tmp_path / "copy")
    assert error.value.code == "backup_by_server"
