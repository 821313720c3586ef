"""How much of other communities' lanes this node keeps: of one lane, of one community, of all (section 30.5).

What is stored is added up once and then counted along by the writer's thread, which alone stores.

    quotas = Quotas(own, bounds)
    quotas.room(read.connection, community, lane_key)
    if quotas.take(transaction.connection, community, lane_key, bytes): ...
"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import sqlalchemy as sa

from protocol.limits import INTEGER_MAX
from storage.quotas import bytes_of_lanes, raised_quotas

SEEN_SECONDS = 30.0  # to add up reads a row of every bundle: not for every lane that somebody names


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the settings allow, in bytes that count as `kept_bytes` says."""

    lane_bytes: int
    community_bytes: int
    all_bytes: int


@dataclass(slots=True)
class Usage:
    """What is stored of whom, and what a steward lets whom have instead of what the settings say."""

    lanes: dict[bytes, dict[int, int]]
    raised: Mapping[bytes, int]

    def of(self, community: bytes) -> int:
        """Return what all lanes of a community count."""
        return sum(self.lanes.get(community, {}).values())

    def room(self, own: bytes, bounds: Bounds, community: bytes, lane_key: int | None) -> int:
        """Return how many bytes more of a lane fit; less than nothing where a quota was lowered."""
        if community == own:
            return INTEGER_MAX
        of_community = self.raised.get(community, bounds.community_bytes)
        of_lane = max(bounds.lane_bytes, self.raised.get(community, 0))
        in_lane = self.lanes.get(community, {}).get(lane_key, 0) if lane_key is not None else 0
        in_all = sum(self.of(other) for other in self.lanes if other != own)
        return min(of_lane - in_lane, of_community - self.of(community), bounds.all_bytes - in_all)


class Quotas:
    """The bounds, and the count that the writer's thread keeps."""

    def __init__(self, own: bytes, bounds: Bounds) -> None:
        """Take whose lanes are never bounded, and what the settings allow."""
        self.own = own
        self.bounds = bounds
        self._counted: Usage | None = None
        self._seen: tuple[float, Usage] | None = None

    def quota_of(self, usage: Usage, community: bytes) -> int:
        """Return how many bytes a community may have here."""
        return usage.raised.get(community, self.bounds.community_bytes)

    def room(self, connection: sa.Connection, community: bytes, lane_key: int | None) -> int:
        """Return how many bytes more of a lane fit, as they were added up some seconds ago. For any thread."""
        return max(0, self.usage(connection).room(self.own, self.bounds, community, lane_key))

    def usage(self, connection: sa.Connection) -> Usage:
        """Return what is stored of whom, as it was added up some seconds ago. For any thread."""
        now, seen = monotonic(), self._seen
        if seen is None or now - seen[0] > SEEN_SECONDS:
            seen = self._seen = now, usage_of(connection)
        return seen[1]

    def take(self, connection: sa.Connection, community: bytes, lane_key: int, added: int) -> bool:
        """Count bytes that are stored next, or return False where they do not fit. The writer's thread alone."""
        usage = self._counted or usage_of(connection)
        self._counted = usage
        if added > usage.room(self.own, self.bounds, community, lane_key):
            self._seen = None  # whoever looks now is told how full it is
            return False
        lanes = usage.lanes.setdefault(community, {})
        lanes[lane_key] = lanes.get(lane_key, 0) + added
        return True

    def forget(self) -> None:
        """Add up anew: a transaction was undone, entries were dropped, or a quota was changed."""
        self._counted = self._seen = None


def usage_of(connection: sa.Connection) -> Usage:
    """Add up what is stored."""
    return Usage(bytes_of_lanes(connection), raised_quotas(connection))
