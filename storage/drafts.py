"""Drafts: records that wait until this node may write again; see the question before the first signature."""

from typing import NamedTuple

import sqlalchemy as sa

from storage.schema.facts import drafts


class Draft(NamedTuple):
    """A body in canonical bytes that was not yet given a time, a charter size or a place."""

    number: int
    lane: str
    kind: str
    body: bytes
    made_ms: int


def add_draft(connection: sa.Connection, *, lane: str, kind: str, body: bytes, made_ms: int) -> int:
    """Keep a draft and return its number."""
    added = connection.execute(sa.insert(drafts).values(lane=lane, kind=kind, body=body, made_ms=made_ms))
    assert added.inserted_primary_key is not None
    return int(added.inserted_primary_key[0])


def all_drafts(connection: sa.Connection) -> list[Draft]:
    """Return all drafts in the order they were made."""
    question = sa.select(drafts).order_by(drafts.c.draft_number)
    return [Draft(*row) for row in connection.execute(question)]


def remove_draft(connection: sa.Connection, number: int) -> None:
    """Drop a draft: it was written, or given up."""
    connection.execute(sa.delete(drafts).where(drafts.c.draft_number == number))
