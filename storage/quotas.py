"""How much of other communities' lanes is kept, and how much a steward lets one community have (section 30.5)."""

from collections.abc import Mapping

import sqlalchemy as sa

from protocol.exchange.holding import kept_bytes
from protocol.limits import TILE_WIDTH
from storage.schema.facts import bundles, lanes, quotas, tail

_PACKED_LENGTH_BYTES = 2


def bytes_of_lanes(connection: sa.Connection) -> dict[bytes, dict[int, int]]:
    """Return what every stored lane counts in a quota, by community and lane key."""
    full = _sums(
        connection, bundles.c.lane_key, sa.func.count(), sa.func.sum(sa.func.length(bundles.c.entries))
    )
    open_ends = _sums(connection, tail.c.lane_key, sa.func.count(), sa.func.sum(sa.func.length(tail.c.entry)))
    found: dict[bytes, dict[int, int]] = {}
    for community, key in connection.execute(sa.select(lanes.c.community, lanes.c.lane_key)):
        bundle_count, bundle_bytes = full.get(key, (0, 0))
        entry_count, entry_bytes = open_ends.get(key, (0, 0))
        packed = bundle_bytes + entry_bytes + entry_count * _PACKED_LENGTH_BYTES
        found.setdefault(community, {})[key] = kept_bytes(bundle_count * TILE_WIDTH + entry_count, packed)
    return found


def raised_quotas(connection: sa.Connection) -> Mapping[bytes, int]:
    """Return how many bytes a steward lets communities have, where it is not what the settings say."""
    return {row.community: row.bytes_max for row in connection.execute(sa.select(quotas))}


def set_quota(connection: sa.Connection, community: bytes, bytes_max: int | None) -> None:
    """Let a community have so many bytes from now on; None: what the settings say."""
    connection.execute(sa.delete(quotas).where(quotas.c.community == community))
    if bytes_max is not None:
        connection.execute(sa.insert(quotas).values(community=community, bytes_max=bytes_max))


def _sums(
    connection: sa.Connection,
    key: sa.ColumnElement[int],
    count: sa.ColumnElement[int],
    total: sa.ColumnElement[int],
) -> dict[int, tuple[int, int]]:
    rows = connection.execute(sa.select(key, count, total).group_by(key))
    return {lane_key: (int(counted), int(added_up)) for lane_key, counted, added_up in rows}
