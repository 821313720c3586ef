"""The lanes of the store as `node/api/tiles.py` serves them: never further than a signed head (section 5).

reader = StoredLanes(node.read)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from node.api.tiles import LaneSize, Visibility
from node.epochs import shown_successors
from node.statements import shown_statements
from protocol.lanes.kind import CHARTER
from protocol.log.origin import Origin
from protocol.log.tiles import TileAddress, tile_width
from storage.heads import Head, HeadStore
from storage.lanes import LaneStore
from storage.views.reading import StateReader

Answer = TypeVar("Answer")


class Read(Protocol):
    """The node's way of asking the store on a reader's thread."""

    def __call__(self, question: Callable[[StateReader], Answer], /) -> Awaitable[Answer]:
        """Return what `question` answers of one moment of the store."""


class StoredLanes:
    """A `LaneReader` over a store."""

    def __init__(self, read: Read) -> None:
        """Take how to ask the store."""
        self._read = read

    async def lanes(self) -> Sequence[LaneSize]:
        """All lanes with a head whose charter says who may read them."""

        def question(read: StateReader) -> list[LaneSize]:
            found = [
                (head, _visibility(read, head.community, head.lane))
                for head in HeadStore(read.connection).heads()
            ]
            return [
                LaneSize(Origin(head.community, head.lane, head.epoch), head.size, visibility)
                for head, visibility in found
                if visibility is not None
            ]

        return await self._read(question)

    async def visibility(self, community: bytes, lane: str) -> Visibility | None:
        """What the community's folded charter says; None where it says nothing of the lane."""
        return await self._read(lambda read: _visibility(read, community, lane))

    async def checkpoint(self, origin: Origin) -> bytes | None:
        """The newest signed head."""

        def question(read: StateReader) -> bytes | None:
            head = _head(read, origin)
            return None if head is None else head.note

        return await self._read(question)

    async def tile(self, origin: Origin, address: TileAddress) -> bytes | None:
        """A tile or bundle that the head covers in this width."""

        def question(read: StateReader) -> bytes | None:
            head = _head(read, origin)
            level = address.level or 0
            if head is None or address.width > tile_width(head.size, level, address.index):
                return None
            store = LaneStore(read.connection)
            if address.level is None:
                return store.entry_bundle(head.lane_key, address.index, address.width)
            return store.tile(head.lane_key, level, address.index, address.width)

        return await self._read(question)

    async def successor(self, community: bytes, epoch: int) -> bytes | None:
        """The note that closes an epoch; where it is contested, one of those that stand."""
        return await self._read(lambda read: shown_successors(read, community).get(epoch))

    async def statements(self, community: bytes) -> Mapping[bytes, bytes]:
        """What proves itself about a community: fork proofs and successor notes."""
        return await self._read(lambda read: shown_statements(read, community))


def _head(read: StateReader, origin: Origin) -> Head | None:
    key = LaneStore(read.connection).lane_key(origin.community, origin.lane, origin.epoch)
    return None if key is None else HeadStore(read.connection).head(key)


def _visibility(read: StateReader, community: bytes, lane: str) -> Visibility | None:
    """A charter is always public: without it nobody could read who may read what."""
    if lane == CHARTER:
        return "public"
    declared = read.get("declared_lane", (community, lane))
    return None if declared is None else declared.visibility
