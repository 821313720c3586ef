"""Opening a store: one writer, wrong addresses, full disks, folders of other versions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.engine import DATABASE_FILE, Store, open_store
from storage.errors import SENTENCES, StorageError
from storage.lanes import LaneStore
from storage.schema import facts, views

COMMUNITY = bytes(32)


def refused(where: str | Path, *, writer: bool = True) -> str:
    with pytest.raises(StorageError) as error:
        open_store(where, writer=writer)
    assert str(error.value).startswith(SENTENCES[error.value.code])
    return error.value.code


def test_a_second_writer_is_refused_and_the_first_goes_on(place: str) -> None:
    """Two nodes on one folder or database: the second gets its code, readers are welcome."""
    with open_store(place) as store:
        assert refused(place) == "storage_in_use"
        with open_store(place, writer=False) as reader, reader.read() as connection:
            assert LaneStore(connection).lanes() == []
        with store.write() as connection:
            LaneStore(connection).open_lane(COMMUNITY, "trade", 0)
    with open_store(place) as store, store.read() as connection:
        assert [lane.lane for lane in LaneStore(connection).lanes()] == ["trade"]


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """The lock works between processes and names the holder; it goes with the process, however that ends."""
    script = (
        "import sys, os\nfrom storage.engine import open_store\nopen_store(sys.argv[1])\n"
        "print(os.getpid(), flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        process = holder.stdout.readline().strip()
        with pytest.raises(StorageError) as error:
            open_store(tmp_path)
        assert error.value.code == "storage_in_use"
        assert process in error.value.detail
        holder.kill()
    open_store(tmp_path).close()


def test_an_undone_transaction_leaves_nothing(store: Store) -> None:
    """An exception inside `write` undoes all of it and has memory forgotten."""
    forgotten: list[str] = []
    store.forget_on_failure(lambda: forgotten.append("cache"))
    with pytest.raises(KeyError), store.write() as connection:  # noqa: PT012  the block is a transaction
        LaneStore(connection).open_lane(COMMUNITY, "trade", 0)
        raise KeyError
    with store.read() as connection:
        assert LaneStore(connection).lanes() == []
    assert forgotten == ["cache"]


def test_readers_see_one_moment_and_cannot_write(store: Store) -> None:
    """A reader's view does not move while it reads, and a write through it is refused."""
    with store.read() as before:
        assert LaneStore(before).lanes() == []
        with store.write() as connection:
            LaneStore(connection).open_lane(COMMUNITY, "trade", 0)
        assert LaneStore(before).lanes() == []
    with pytest.raises(StorageError) as error, store.read() as connection:
        LaneStore(connection).open_lane(COMMUNITY, "ledger", 0)
    assert error.value.code == "storage_read_only"


def test_a_store_opened_for_reading_refuses_to_write(place: str) -> None:
    """`writer=False` never takes the lock and never writes."""
    open_store(place).close()
    with open_store(place, writer=False) as store, pytest.raises(StorageError) as error, store.write():
        pass
    assert error.value.code == "storage_reader_only"


def test_a_newer_or_older_version_is_left_alone(place: str) -> None:
    """A store of another version gives its code to whoever may not migrate it, and is unchanged."""
    with open_store(place) as store, store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    assert refused(place) == "storage_newer_version"
    assert refused(place, writer=False) == "storage_newer_version"


def test_views_of_another_version_are_emptied_and_facts_stay(place: str) -> None:
    """A start with a new number of the views drops them; lanes are untouched."""
    with open_store(place) as store, store.write() as connection:
        LaneStore(connection).open_lane(COMMUNITY, "trade", 0)
        connection.execute(sa.insert(views.state).values(table_name="x", key=b"k", value=b"v"))
        connection.execute(sa.update(facts.store).values(views_version=views.VERSION - 1))
    with open_store(place) as store, store.read() as connection:
        assert connection.execute(sa.select(views.state)).all() == []
        assert len(LaneStore(connection).lanes()) == 1
        assert connection.execute(sa.select(facts.store.c.views_version)).scalar_one() == views.VERSION


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "mysql://localhost/shop",
        "postgresql://host:port/shop",
        "postgresql://localhost",
        "://",
        "sqlite:///shop.db",
        "postgresql+asyncpg://localhost/shop",
    ],
)
def test_a_wrong_url_is_a_sentence(url: str) -> None:
    """Addresses that cannot be used are refused before anything is opened."""
    assert refused(url) == "storage_url_wrong"


def test_a_wrong_url_never_shows_its_password() -> None:
    """What a person pastes into an issue holds no secret."""
    for url in ("mysql://user:secret@localhost/shop", "postgresql://user:secret@127.0.0.1:1/shop"):
        with pytest.raises(StorageError) as error:
            open_store(url)
        assert "secret" not in str(error.value)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    """No server behind the port: a code, not a traceback of the driver."""
    assert refused("postgresql://127.0.0.1:1/shop") == "storage_unreachable"


def test_a_missing_database_and_an_unknown_user_have_codes_of_their_own(
    request: pytest.FixtureRequest,
) -> None:
    """The server's refusals come out as what a person can mend."""
    server = request.getfixturevalue("postgres_server")
    assert refused(server.url("nowhere")) == "storage_database_missing"
    assert refused(f"postgresql://stranger@127.0.0.1:{server.port}/postgres") == "storage_login_refused"


def test_a_lost_session_loses_the_lock_and_takes_it_again(request: pytest.FixtureRequest) -> None:
    """A writer whose session died fails once, then comes back only if nobody else took over."""
    server = request.getfixturevalue("postgres_server")
    with server.database() as url, open_store(url) as store:
        with pytest.raises(StorageError) as error, store.write() as connection:  # noqa: PT012  as above
            mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            server.run(f"SELECT pg_terminate_backend({mine}, 5000)")
            LaneStore(connection).lanes()
        assert error.value.code == "storage_unreachable"
        with open_store(url), pytest.raises(StorageError) as error, store.write():
            pass
        assert error.value.code == "storage_in_use"
        with store.write() as connection:
            LaneStore(connection).open_lane(COMMUNITY, "trade", 0)


def test_a_database_without_utf8_is_refused(request: pytest.FixtureRequest) -> None:
    """Texts of shops would be spoilt in another encoding."""
    server = request.getfixturevalue("postgres_server")
    server.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    assert refused(server.url("latin")) == "storage_not_utf8"
    server.run("DROP DATABASE latin WITH (FORCE)")


def test_a_folder_that_cannot_be_written_is_read_only(tmp_path: Path) -> None:
    """A folder without the right to write gives its code, new or with a store in it."""
    if os.geteuid() != 0:
        folder = tmp_path
        folder.chmod(0o500)
        assert refused(folder / "new") == "storage_read_only"
        assert refused(folder) == "storage_read_only"
        folder.chmod(0o700)
        return
    open_store(tmp_path).close()
    tmp_path.chmod(0o555)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    os.seteuid(65_534)  # root may write anywhere, so for a moment we are nobody
    try:
        assert refused(tmp_path / "new") == "storage_read_only"
        assert refused(tmp_path) == "storage_read_only"
    finally:
        os.seteuid(0)


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    """A path that is no folder, and a reader without a store."""
    (tmp_path / "file").write_text("no folder")
    assert refused(tmp_path / "file") == "storage_cannot_open"
    assert refused(tmp_path, writer=False) == "storage_cannot_open"
    assert refused(tmp_path / "nothing", writer=False) == "storage_cannot_open"


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    """Another file under the database's name is left as it is."""
    (tmp_path / DATABASE_FILE).write_bytes(b"this is not a database" * 500)
    assert refused(tmp_path) == "storage_damaged"
    assert (tmp_path / DATABASE_FILE).read_bytes() == b"this is not a database" * 500


def test_a_full_disk_stops_a_write_and_loses_nothing(tmp_path: Path) -> None:
    """Where no page may be added the write gets its code, all before it stays, and room lets it go on."""
    with open_store(tmp_path) as store:
        with store.write() as connection:
            lanes = LaneStore(connection)
            key = lanes.open_lane(COMMUNITY, "trade", 0)
            lanes.append(key, 0, [b"kept"])
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError) as error, store.write() as connection:
            LaneStore(connection).append(key, 1, [b"x" * 60_000])
        assert error.value.code == "storage_full"
        with store.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 100000")
            lanes = LaneStore(connection)
            assert lanes.entries(key, 0, lanes.size(key)) == [b"kept"]
            lanes.append(key, 1, [b"x" * 60_000])
            assert lanes.size(key) == 2


def test_opening_is_durable_and_small_in_memory(tmp_path: Path) -> None:
    """The pragmas that durability and a 256 MB box depend on are set on the writer."""
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "cache_size": -8192, "mmap_size": 0}
    with open_store(tmp_path) as store, store.write() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
    assert found == wanted


def test_opening_a_store_does_not_import_alembic(tmp_path: Path) -> None:
    """A start without a due migration does not pay for Alembic."""
    script = "import sys\nfrom storage.engine import open_store\nopen_store(sys.argv[1]).close()\n"
    script += "sys.exit('alembic' in sys.modules)"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, tmp_path], check=True)
