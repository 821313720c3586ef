"""Brings an older store to this version: a snapshot, then all due revisions in one transaction.

Imported only when a migration is due. A folder gets its snapshot by itself; a PostgreSQL database is
snapshotted by its own tools, and its whole upgrade is one transaction that happens or does not.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from storage.backup import backup
from storage.engine import Store
from storage.errors import StorageError
from storage.versions import revision

SCRIPTS = Path(__file__).parent
SNAPSHOT_FOLDER = "snapshots"


def migrate(store: Store, version: int, scripts: Path = SCRIPTS) -> None:
    """Upgrade the facts from `version` to the last revision in `scripts`, or leave them as they are.

    The snapshot stays in the folder `snapshots` of the store. Raises `storage_upgrade_failed` where a
    revision fails, and other codes where the disk does.
    """
    if store.folder is not None:
        _snapshot(store, store.folder / SNAPSHOT_FOLDER, version)
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    try:
        with store.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (CommandError, SQLAlchemyError) as error:
        raise StorageError("storage_upgrade_failed", str(error).splitlines()[0]) from error


def _snapshot(store: Store, folder: Path, version: int) -> None:
    """Copy the store; an attempt before this one left a copy of the same facts, or of fewer."""
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"version-{revision(version)}.db"
    target.unlink(missing_ok=True)
    backup(store, target)
