"""Which peers have ever shown one of our own heads: before we sign after a start, they are asked.

note_acknowledgement(connection, peer, now_ms)
"""

import sqlalchemy as sa

from storage.schema.facts import acknowledgements


def note_acknowledgement(connection: sa.Connection, peer: bytes, now_ms: int) -> None:
    """Remember a peer; the first time counts."""
    if peer not in acknowledging_peers(connection):
        connection.execute(sa.insert(acknowledgements).values(peer=peer, first_ms=now_ms))


def acknowledging_peers(connection: sa.Connection) -> frozenset[bytes]:
    """Return the peers that have ever shown a head of ours."""
    return frozenset(connection.execute(sa.select(acknowledgements.c.peer)).scalars())
