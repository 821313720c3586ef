"""Settings that a steward made in the pages: plain text by name. What a name may be, `node/config` knows."""

import sqlalchemy as sa

from storage.schema.facts import settings


def put_setting(connection: sa.Connection, name: str, value: str) -> None:
    """Set one setting."""
    this = settings.c.name == name
    if not connection.execute(sa.update(settings).where(this).values(value=value)).rowcount:
        connection.execute(sa.insert(settings).values(name=name, value=value))


def setting(connection: sa.Connection, name: str) -> str | None:
    """Return one setting, or None where it was never made."""
    return connection.execute(sa.select(settings.c.value).where(settings.c.name == name)).scalar()


def remove_setting(connection: sa.Connection, name: str) -> None:
    """Go back to the default; the setting may be absent."""
    connection.execute(sa.delete(settings).where(settings.c.name == name))


def all_settings(connection: sa.Connection) -> dict[str, str]:
    """Return all settings by name."""
    question = sa.select(settings.c.name, settings.c.value).order_by(settings.c.name)
    return {row.name: row.value for row in connection.execute(question)}
