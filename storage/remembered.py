"""Heads of other communities that were verified and whose entries are not here yet, one a lane."""

import sqlalchemy as sa

from storage.schema.facts import remembered_heads


def remember_head(connection: sa.Connection, lane_key: int, note: bytes) -> None:
    """Keep the signed checkpoint of a head that is being fetched, in place of the one before."""
    forget_remembered(connection, lane_key)
    connection.execute(sa.insert(remembered_heads).values(lane_key=lane_key, note=note))


def remembered_head(connection: sa.Connection, lane_key: int) -> bytes | None:
    """Return the checkpoint that is being fetched, or None."""
    question = sa.select(remembered_heads.c.note).where(remembered_heads.c.lane_key == lane_key)
    return connection.execute(question).scalar()


def forget_remembered(connection: sa.Connection, lane_key: int) -> None:
    """Drop it: its entries have come."""
    connection.execute(sa.delete(remembered_heads).where(remembered_heads.c.lane_key == lane_key))
