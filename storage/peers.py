"""The communities we know: how to reach them, how far we trust them, what we saw of them last.

What trust means and when it changes is decided in `node`; here it is one word.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from protocol.encoding import decode, encode
from storage.schema.facts import peers

FOUND = "found"  # the trust of whoever was only met
_ADDRESSES_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Peer:
    """A community that is not ours.

    `instance` and `change_number` say which of its head changes we know: we ask for what came after.
    `genesis` is its first charter record, None until we have it. Times are milliseconds since 1970.
    """

    community: bytes
    label: str
    addresses: tuple[str, ...]
    trust: str
    genesis: bytes | None = None
    last_seen_ms: int | None = None
    instance: bytes | None = None
    change_number: int = 0


def save_peer(connection: sa.Connection, peer: Peer) -> None:
    """Keep a peer as it is given here, new or known.

    Our place in its list is `keep_place`'s affair. Where its trust changes other lanes are wanted than before,
    and all lists are gone through again.
    """
    known = peer_of(connection, peer.community)
    if peer.trust != (known.trust if known else FOUND):
        forget_places(connection)
    values = {
        "label": peer.label,
        "addresses": encode(list(peer.addresses)),
        "genesis": peer.genesis,
        "trust": peer.trust,
        "last_seen_ms": peer.last_seen_ms,
    }
    if known:
        connection.execute(sa.update(peers).where(peers.c.community == peer.community).values(**values))
    else:
        connection.execute(sa.insert(peers).values(community=peer.community, change_number=0, **values))


def peer_of(connection: sa.Connection, community: bytes) -> Peer | None:
    """Return what we know of a community, or None."""
    row = connection.execute(sa.select(peers).where(peers.c.community == community)).one_or_none()
    return None if row is None else _peer(row)


def all_peers(connection: sa.Connection) -> list[Peer]:
    """Return all peers by community."""
    return [_peer(row) for row in connection.execute(sa.select(peers).order_by(peers.c.community))]


def keep_place(
    connection: sa.Connection, community: bytes, *, instance: bytes, change_number: int, seen_ms: int
) -> None:
    """Note how far we have taken in a known peer's head changes, and that it was there at `seen_ms`."""
    connection.execute(
        sa.update(peers)
        .where(peers.c.community == community)
        .values(instance=instance, change_number=change_number, last_seen_ms=seen_ms)
    )


def forget_places(connection: sa.Connection) -> None:
    """Note that other lanes are wanted now than when peers listed their heads: all lists are gone through again."""
    connection.execute(sa.update(peers).values(instance=None, change_number=0))


def remove_peer(connection: sa.Connection, community: bytes) -> None:
    """Forget a peer; its lanes stay."""
    connection.execute(sa.delete(peers).where(peers.c.community == community))


def _peer(row: sa.Row[*tuple[object, ...]]) -> Peer:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
    return Peer(**{**values, "addresses": tuple(decode(row.addresses, bytes_max=_ADDRESSES_BYTES_MAX))})
