"""Which version the tables have, and what to do when it is not ours.

The version is Alembic's own row; Alembic is imported only when a migration is due, because most starts have
none and a router waits for each import.
"""

import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa

from storage.errors import StorageError
from storage.schema import facts, views

if TYPE_CHECKING:
    from storage.engine import Store

INSTANCE_BYTES = 16

_version_metadata = sa.MetaData()
_version = sa.Table(  # made as Alembic makes it
    "alembic_version",
    _version_metadata,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def revision(version: int) -> str:
    """Return Alembic's name of a version: 1 is `0001`."""
    return f"{version:04}"


def check_version(connection: sa.Connection) -> None:
    """Refuse a store that is not of this version: for readers, who change nothing."""
    version = stored_version(connection)
    if version is None or version < facts.VERSION:
        raise StorageError("storage_older_version", f"version {version}, this is {facts.VERSION}")
    _refuse_newer(version)


def bring_to_this_version(store: "Store") -> None:
    """Make the tables of a new store; migrate an older one after a snapshot; refuse a newer one."""
    with store.write() as connection:
        version = stored_version(connection)
        if version is None:
            _make_tables(connection)
        else:
            _refuse_newer(version)
    if version is not None and version < facts.VERSION:
        from storage.migrations.run import migrate

        migrate(store, version)
    with store.write() as connection:
        _rebuild_old_views(connection)


def stored_version(connection: sa.Connection) -> int | None:
    """Return the version of the facts, None for an empty database."""
    if not sa.inspect(connection).has_table("alembic_version"):
        if sa.inspect(connection).has_table("lanes"):
            raise StorageError("storage_damaged", "tables without a version")
        return None
    text = connection.execute(sa.select(_version.c.version_num)).scalar()
    if text is None or not text.isdecimal():
        raise StorageError("storage_newer_version", f"version {text}")
    return int(text)


def _refuse_newer(version: int) -> None:
    if version > facts.VERSION:
        raise StorageError("storage_newer_version", f"version {version}, this is {facts.VERSION}")


def _make_tables(connection: sa.Connection) -> None:
    facts.metadata.create_all(connection)
    views.create_views(connection)
    _version_metadata.create_all(connection)
    connection.execute(sa.insert(_version).values(version_num=revision(facts.VERSION)))
    connection.execute(
        sa.insert(facts.store).values(
            only_row=1,
            instance=secrets.token_bytes(INSTANCE_BYTES),
            change_number=0,
            views_version=views.VERSION,
        )
    )


def _rebuild_old_views(connection: sa.Connection) -> None:
    """Empty the views of another version; the writer folds the lanes into them again."""
    stored = connection.execute(sa.select(facts.store.c.views_version)).scalar_one()
    if stored != views.VERSION:
        views.drop_views(connection)
        views.create_views(connection)
        connection.execute(sa.update(facts.store).values(views_version=views.VERSION))
