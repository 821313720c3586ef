"""Who saw a lane up to where: of each witness the newest cosignature, as a note that proves it.

What a cosignature says is judged before it comes here; a smaller or older one of the same witness never
replaces what is kept.
"""

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from storage.schema.facts import cosignatures, lanes


class KeptCosignature(NamedTuple):
    """`note` is a checkpoint of `size` entries with the log's line and the one of this witness."""

    witness: str
    size: int
    time_seconds: int
    note: bytes


def keep_cosignature(connection: sa.Connection, lane_key: int, kept: KeptCosignature) -> bool:
    """Keep a witness's cosignature of a lane, and return whether it says more than the one before."""
    known = connection.execute(_OF_WITNESS, {"lane": lane_key, "witness": kept.witness}).one_or_none()
    if known is not None and (known.size, known.time_seconds) >= (kept.size, kept.time_seconds):
        return False
    values = {"lane": lane_key, "this": kept.witness, **kept._asdict()}
    connection.execute(_ADD if known is None else _CHANGE, values)
    return True


def cosignatures_of(connection: sa.Connection, lane_key: int) -> list[KeptCosignature]:
    """Return the newest cosignature of each witness of a lane, by name."""
    found = connection.execute(_OF_LANE, {"lane": lane_key})
    return [KeptCosignature(*row) for row in found]


def notes_cosigned_by(connection: sa.Connection, witness: str) -> list[tuple[tuple[bytes, str, int], bytes]]:
    """Return what one witness has cosigned last of each lane: community, lane, epoch, and the note."""
    found = connection.execute(_BY, {"witness": witness})
    return [((row.community, row.lane, row.epoch), row.note) for row in found]


def cosigned_sizes(
    connection: sa.Connection, communities: Collection[bytes]
) -> dict[tuple[bytes, str, int], dict[str, int]]:
    """Return for each lane of some communities up to which size each witness has seen it."""
    sizes: dict[tuple[bytes, str, int], dict[str, int]] = {}
    for row in connection.execute(_SIZES, {"communities": list(communities)}):
        sizes.setdefault((row.community, row.lane, row.epoch), {})[row.witness] = row.size
    return sizes


_OF_WITNESS = sa.select(cosignatures.c.size, cosignatures.c.time_seconds).where(
    cosignatures.c.lane_key == bindparam("lane"), cosignatures.c.witness == bindparam("witness")
)
_OF_LANE = (
    sa.select(cosignatures.c.witness, cosignatures.c.size, cosignatures.c.time_seconds, cosignatures.c.note)
    .where(cosignatures.c.lane_key == bindparam("lane"))
    .order_by(cosignatures.c.witness)
)
_BY = (
    sa.select(lanes.c.community, lanes.c.lane, lanes.c.epoch, cosignatures.c.note)
    .join_from(cosignatures, lanes, cosignatures.c.lane_key == lanes.c.lane_key)
    .where(cosignatures.c.witness == bindparam("witness"))
)
_SIZES = (
    sa.select(lanes.c.community, lanes.c.lane, lanes.c.epoch, cosignatures.c.witness, cosignatures.c.size)
    .join_from(cosignatures, lanes, cosignatures.c.lane_key == lanes.c.lane_key)
    .where(lanes.c.community.in_(bindparam("communities", expanding=True)))
)
_ADD = sa.insert(cosignatures).values(
    lane_key=bindparam("lane"),
    witness=bindparam("this"),
    size=bindparam("size"),
    time_seconds=bindparam("time_seconds"),
    note=bindparam("note"),
)
_CHANGE = (
    sa.update(cosignatures)
    .where(cosignatures.c.lane_key == bindparam("lane"), cosignatures.c.witness == bindparam("this"))
    .values(
        {
            "size": bindparam("size"),
            "time_seconds": bindparam("time_seconds"),
            "note": bindparam("note"),
        }
    )
)
