"""What peers have shown of our own heads: who ever showed one is asked before we sign after a start.

note_acknowledgement(connection, peer, now_ms)
keep_shown(connection, peer, {origin: size}, now_ms)
"""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from protocol.log.origin import Origin
from storage.schema.facts import acknowledgements, peers, shown_sizes


class Shown(NamedTuple):
    """Up to where a peer has shown to hold each of our lanes, by (lane, epoch), and when it did so last."""

    sizes: dict[tuple[str, int], int]
    last_ms: int


def note_acknowledgement(connection: sa.Connection, peer: bytes, now_ms: int) -> None:
    """Remember a peer; the first time counts."""
    known = sa.select(acknowledgements.c.first_ms).where(acknowledgements.c.peer == peer)
    if connection.execute(known).first() is None:
        connection.execute(sa.insert(acknowledgements).values(peer=peer, first_ms=now_ms))


def keep_shown(connection: sa.Connection, peer: bytes, sizes: Mapping[Origin, int], now_ms: int) -> None:
    """Write down what a peer has shown of our lanes, in place of what it had shown before."""
    for origin, size in sizes.items():
        place = {"peer": peer, "lane": origin.lane, "epoch": origin.epoch}
        connection.execute(sa.delete(shown_sizes).filter_by(**place))
        connection.execute(sa.insert(shown_sizes).values(**place, size=size, shown_ms=now_ms))


def shown_by_peers(connection: sa.Connection) -> dict[bytes, Shown]:
    """Return what is written down of all peers."""
    found: dict[bytes, Shown] = {}
    for row in connection.execute(sa.select(shown_sizes)):
        known = found.get(row.peer, Shown({}, row.shown_ms))
        known.sizes[row.lane, row.epoch] = row.size
        found[row.peer] = Shown(known.sizes, max(known.last_ms, row.shown_ms))
    return found


def acknowledging_peers(connection: sa.Connection) -> frozenset[bytes]:
    """Return the peers that have ever shown a head of ours, but those that we do not talk to: they cannot answer."""
    blocked = sa.select(peers.c.community).where(peers.c.trust == "blocked")
    question = sa.select(acknowledgements.c.peer).where(acknowledgements.c.peer.not_in(blocked))
    return frozenset(connection.execute(question).scalars())
