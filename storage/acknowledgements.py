"""Which peers have ever shown one of our own heads: before we sign after a start, they are asked.

note_acknowledgement(connection, peer, now_ms)
"""

import sqlalchemy as sa

from storage.schema.facts import acknowledgements, peers


def note_acknowledgement(connection: sa.Connection, peer: bytes, now_ms: int) -> None:
    """Remember a peer; the first time counts."""
    known = sa.select(acknowledgements.c.first_ms).where(acknowledgements.c.peer == peer)
    if connection.execute(known).first() is None:
        connection.execute(sa.insert(acknowledgements).values(peer=peer, first_ms=now_ms))


def acknowledging_peers(connection: sa.Connection) -> frozenset[bytes]:
    """Return the peers that have ever shown a head of ours, but those that we do not talk to: they cannot answer."""
    blocked = sa.select(peers.c.community).where(peers.c.trust == "blocked")
    question = sa.select(acknowledgements.c.peer).where(acknowledgements.c.peer.not_in(blocked))
    return frozenset(connection.execute(question).scalars())
