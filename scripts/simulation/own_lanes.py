"""The own lanes of a simulated node in memory (`node/writer/own_lanes.py` in small): one epoch's, synced or not.

own = OwnLanes(node, signer)
own.lane(None, "trade").size
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from node.writer.own_lanes import Signer
from protocol.identity.successor import SealedLane
from protocol.lanes.kind import Lane
from protocol.log.merkle import CompactRange
from protocol.log.origin import Origin
from simulation.disk import Write
from simulation.store import append

if TYPE_CHECKING:
    from simulation.node import Node


@dataclass(slots=True)
class OwnLane:
    """One lane: all that is written, and of it what no transaction has stored yet."""

    node: "Node"
    place: Lane
    size: int
    tree: CompactRange
    fresh: list[bytes] = field(default_factory=list)
    fresh_ids: list[bytes] = field(default_factory=list)

    def add(self, raw: bytes, record_id: bytes) -> None:
        """Take one entry that was folded as it was said."""
        self.size += 1
        self.fresh.append(raw)
        self.fresh_ids.append(record_id)
        self.node.views.note_folded(self.place, (record_id,))


class OwnLanes:
    """All own lanes of the epoch in which the node writes."""

    def __init__(self, node: "Node", signer: Signer) -> None:
        """Take what the store has."""
        self._node = node
        self._signer = signer
        self._lanes: dict[str, OwnLane] = {}

    def begin_epoch(self, signer: Signer) -> None:
        """Go on with another key, in lanes that are to be loaded."""
        self._signer = signer
        self._lanes.clear()

    def load(self) -> bool:
        """Take from the store what memory has to say of it; return whether some of it is not signed."""
        self._lanes.clear()
        is_unsigned = False
        for origin, lane in self._node.disk.image.lanes.items():
            if (origin.community, origin.epoch) == (self._signer.community, self._signer.epoch):
                place = Lane(origin.community, origin.lane)
                tree = lane.tree.copy()
                self._lanes[origin.lane] = OwnLane(self._node, place, tree.size, tree)
                is_unsigned |= tree.size > (lane.head.size if lane.head else 0)
        return is_unsigned

    def lane(self, _connection: object, name: str) -> OwnLane:
        """Return one lane, an empty one where it is new; a transaction of the node's asks like this."""
        if name not in self._lanes:
            place = Lane(self._signer.community, name)
            self._lanes[name] = OwnLane(self._node, place, 0, CompactRange())
        return self._lanes[name]

    def store_fresh(self) -> tuple[list[Write], list[Origin]]:
        """Return the writes that store what is fresh, and which lanes it is of."""
        writes, grown = [], []
        for name, own in self._lanes.items():
            if own.fresh:
                origin = self._signer.origin(name)
                writes.append(append(origin, own.fresh, own.fresh_ids))
                own.tree.extend(own.fresh_ids)
                own.fresh, own.fresh_ids = [], []
                grown.append(origin)
        return writes, grown

    def unsigned(self) -> list[tuple[str, CompactRange]]:
        """Return the lanes that are longer than their newest head, with their ranges."""
        image, found = self._node.disk.image, []
        for name, own in self._lanes.items():
            head = image.lane(self._signer.origin(name)).head
            if own.tree.size > (head.size if head else 0):
                found.append((name, own.tree))
        return found

    def sealed(self) -> dict[str, SealedLane]:
        """Return what each lane came to; all of it is signed."""
        return {name: SealedLane(own.size, own.tree.root()) for name, own in self._lanes.items() if own.size}
