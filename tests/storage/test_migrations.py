"""Upgrades: revisions and today's tables agree, a snapshot comes first, a failure changes nothing."""

import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from protocol.encoding import encode
from storage.accounts import Auditor, admit_auditor, auditor_of
from storage.backup import restore
from storage.engine import DATABASE_FILE, Store, open_store
from storage.errors import StorageError
from storage.evidence import add_evidence, evidence_about, evidence_digests
from storage.lanes import LaneStore
from storage.migrations.run import SCRIPTS, SNAPSHOT_FOLDER, migrate
from storage.people import Person, admit_person, person_named
from storage.schema import facts, views
from storage.versions import stored_version

COMMUNITY = bytes(32)

ADDS_A_COLUMN = f"""
import sqlalchemy as sa
from alembic import op
revision = "{facts.VERSION + 1:04}"
down_revision = "{facts.VERSION:04}"
def upgrade():
    op.add_column("peers", sa.Column("nickname", sa.Text()))
"""
FAILS_HALF_WAY = ADDS_A_COLUMN + '    op.execute("UPDATE nowhere SET nothing = 1")\n'


def scripts_with(folder: Path, revision: str) -> Path:
    """A copy of the real migrations with one more revision."""
    shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "next.py").write_text(revision)
    return folder


def made_by_revisions(place: str) -> None:
    """A database made by the frozen revisions alone."""
    with open_store(place) as store:
        with store.write() as connection:
            views.drop_views(connection)
            facts.metadata.drop_all(connection)
            connection.exec_driver_sql("DELETE FROM alembic_version")
        migrate_without_snapshot(store)
        with store.write() as connection:
            connection.execute(
                sa.insert(facts.store).values(
                    only_row=1, instance=b"i" * 16, change_number=0, views_version=0
                )
            )


def migrate_without_snapshot(store: Store, target: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with store.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)


def statements(connection: sa.Connection) -> dict[str, list[str]]:
    """The parts of every statement that SQLite keeps for the facts; their order means nothing."""
    rows = connection.exec_driver_sql("SELECT name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {
        name: sorted(re.split(r",?\s*\n\s*", sql))
        for name, table, sql in rows
        if table in facts.metadata.tables
    }


def statements_of_today(tmp_path: Path) -> dict[str, list[str]]:
    with open_store(tmp_path / "today") as store, store.read() as connection:
        return statements(connection)


def columns(connection: sa.Connection, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table)}


def test_revisions_and_tables_are_the_same_schema(place: str, tmp_path: Path) -> None:
    """What the revisions build is what a new store is made with; then it opens and works."""
    made_by_revisions(place)
    with open_store(place) as store, store.write() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name in facts.metadata.tables},
        )
        assert compare_metadata(context, facts.metadata) == []
        assert stored_version(connection) == facts.VERSION
        if not store.is_postgres:
            assert facts.metadata.tables.keys() <= statements(connection).keys()
            assert statements(connection) == statements_of_today(tmp_path)
        lanes = LaneStore(connection)
        key = lanes.open_lane(COMMUNITY, "trade", 0)
        assert lanes.append(key, 0, [b"x"] * 300) == 300


def test_a_store_of_version_1_is_upgraded_when_it_is_opened(place: str) -> None:
    """Its records and auditors are there, a snapshot was taken, and people can be admitted."""
    with open_store(place) as store:
        with store.write() as connection:
            facts.metadata.drop_all(connection)
            connection.exec_driver_sql("DELETE FROM alembic_version")
        migrate_without_snapshot(store, "0001")
        with store.write() as connection:
            assert not sa.inspect(connection).has_table("people")
            row = {"only_row": 1, "instance": b"i" * 16, "change_number": 0}
            connection.execute(sa.insert(facts.store).values(**row, views_version=views.VERSION))
            key = LaneStore(connection).open_lane(COMMUNITY, "trade", 0)
            LaneStore(connection).append(key, 0, [b"kept"])
            admit_auditor(connection, Auditor(b"hash", "陈会计", ("trade",), 1000))
    person = Person(person_id=b"p" * 16, name="Lin", role="steward", created_ms=1)
    with open_store(place) as store:
        with store.write() as connection:
            assert stored_version(connection) == facts.VERSION
            assert LaneStore(connection).entries(key, 0, 1) == [b"kept"]
            assert auditor_of(connection, b"hash") is not None
            admit_person(connection, person)
            assert person_named(connection, "LIN") == person
        assert store.folder is None or (store.folder / SNAPSHOT_FOLDER / "version-0001.db").exists()


def test_forks_of_version_2_become_files_and_nothing_is_dropped(place: str) -> None:
    """Two heads of one size are the file of today; what could not be checked stays under another name."""
    with open_store(place) as store:
        with store.write() as connection:
            facts.metadata.drop_all(connection)
            connection.exec_driver_sql("DELETE FROM alembic_version")
        migrate_without_snapshot(store, "0002")
        with store.write() as connection:
            row = {"only_row": 1, "instance": b"i" * 16, "change_number": 0}
            connection.execute(sa.insert(facts.store).values(**row, views_version=views.VERSION))
            add_evidence(connection, COMMUNITY, 0, "fork", encode([b"older\n", b"newer\n", []]))
            add_evidence(connection, COMMUNITY, 0, "fork", encode([b"older\n", b"newer\n", [b"h" * 32]]))
            add_evidence(connection, COMMUNITY, 0, "successor", b"note")
    with open_store(place) as store, store.read() as connection:
        kept = {found.kind: found.note for found in evidence_about(connection, COMMUNITY)}
        assert kept["fork"] == b"wildgrass/v1/fork\n\nolder\n\nnewer\n"
        assert sha256(kept["fork"]).digest() in evidence_digests(connection, ("fork",))
        assert set(kept) == {"fork", "fork_notes", "successor"}


def test_an_upgrade_takes_a_snapshot_and_keeps_every_fact(place: str, tmp_path: Path) -> None:
    """A store of today with records in it comes out of an upgrade with the same records."""
    scripts = scripts_with(tmp_path / "50% scripts", ADDS_A_COLUMN)
    with open_store(place) as store:
        with store.write() as connection:
            key = LaneStore(connection).open_lane(COMMUNITY, "trade", 0)
            LaneStore(connection).append(key, 0, [b"kept"])
        migrate(store, facts.VERSION, scripts)
        migrate(store, facts.VERSION, scripts)  # a second time finds nothing to do
        with store.read() as connection:
            assert LaneStore(connection).entries(key, 0, 1) == [b"kept"]
            assert "nickname" in columns(connection, "peers")
            assert stored_version(connection) == facts.VERSION + 1
        folder = store.folder
    with pytest.raises(StorageError) as error:
        open_store(place)
    assert error.value.code == "storage_newer_version"
    if folder is not None:
        assert (folder / SNAPSHOT_FOLDER / f"version-{facts.VERSION:04}.db").exists()


def test_an_upgrade_that_fails_changes_nothing(place: str, tmp_path: Path) -> None:
    """The tables stand as they were, the store opens, and the snapshot can be restored."""
    scripts = scripts_with(tmp_path / "scripts", FAILS_HALF_WAY)
    with open_store(place) as store:
        with pytest.raises(StorageError) as error:
            migrate(store, facts.VERSION, scripts)
        assert error.value.code == "storage_upgrade_failed"
        folder = store.folder
    with open_store(place) as store, store.read() as connection:
        assert "nickname" not in columns(connection, "peers")
        assert stored_version(connection) == facts.VERSION
    if folder is not None:
        restore(folder / SNAPSHOT_FOLDER / f"version-{facts.VERSION:04}.db", tmp_path / "again")
        assert (tmp_path / "again" / DATABASE_FILE).exists()
        open_store(tmp_path / "again").close()


def test_a_store_from_before_version_1_is_upgraded_at_start(place: str) -> None:
    """Opening as the writer runs what is due, a reader asks for that first."""
    with open_store(place) as store, store.write() as connection:
        facts.metadata.drop_all(connection)
        connection.exec_driver_sql("DELETE FROM alembic_version")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0000')")
    with pytest.raises(StorageError) as error:
        open_store(place, writer=False)
    assert error.value.code == "storage_older_version"
    with pytest.raises(StorageError) as error:
        open_store(place)
    assert error.value.code == "storage_upgrade_failed"  # nobody ever wrote a version 0
