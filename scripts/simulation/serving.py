"""What a node answers: heads, tiles and entries of the lanes that the asker may read (section 17.5 and 18).

The rule of who may read what is the node's own (`node/lane_exchange.py`), over the folded state.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace

from node.lane_exchange import may_serve, may_show_head, readers_of
from protocol.exchange.frames import (
    Answer,
    Entries,
    EntriesGet,
    Frame,
    Heads,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    News,
    Refused,
    Request,
    Statement,
    StatementGet,
    StatementsSince,
    Tiles,
    TilesGet,
    YourHeads,
)
from protocol.exchange.heads import HeadChange, make_heads_besides, make_heads_page, make_summary
from protocol.exchange.holding import HeldLane
from protocol.exchange.replication_events import LaneAdvanced
from protocol.exchange.resuming import HeadsOfLoaded, OwnHeadsLoaded
from protocol.exchange.statements import StatementsLoaded, make_digests_page
from protocol.limits import ENTRIES_FRAME_BYTES_MAX, HEADS_PAGE_MAX, NEWS_BYTES_MAX, TILE_WIDTH
from protocol.log.origin import Origin
from protocol.log.tiles import pack_entries, tile_width
from simulation.epochs import chain_of, known_chain
from simulation.store import StoredLane

if TYPE_CHECKING:
    from simulation.node import Node


def answer(node: "Node", reader: bytes, request: Request) -> Answer:
    """Return what `reader` gets for a request."""
    if isinstance(request, HeadsSince):
        return _heads(node, reader, request)
    if isinstance(request, HeadsCompare | HeadsBesides):
        return _compared(node, reader, request)
    if isinstance(request, TilesGet | EntriesGet):
        lane = node.disk.image.lane(request.origin)
        if lane.head is None or not _may_serve(node, request.origin, reader):
            return Refused(request.number, "lane_not_served", request.origin.lane)
        return _tiles(lane, request) if isinstance(request, TilesGet) else _entries(lane, request)
    if isinstance(request, StatementsSince):
        return make_digests_page(request, set(node.disk.image.statements))
    if isinstance(request, StatementGet):
        text = node.disk.image.statements.get(request.digest)
        return Statement(request.number, text) if text else Refused(request.number, "statement_not_held", "")
    return Refused(request.number, "request_refused", type(request).__name__)


def hold_lanes(node: "Node", origins: Sequence[Origin]) -> tuple[tuple[HeldLane, ...], tuple[Origin, ...]]:
    """Return what is held of the lanes that are to be followed, and which of `origins` are not.

    Who recovers fetches its own lanes like another's.
    """
    held, unwanted = [], []
    for origin in origins:
        chain = chain_of(node, origin.community)
        if chain is None or origin.epoch > chain.epoch:
            unwanted.append(origin)
        else:
            is_own = origin.community == node.community.id and not node.is_recovering
            held.append(node.disk.image.held(origin, chain, is_own=is_own))
    return tuple(held), tuple(unwanted)


def own_heads(node: "Node") -> OwnHeadsLoaded:
    """Return the own heads, the key that signs them, and who has ever acknowledged one."""
    image, own = node.disk.image, node.community.id
    epoch = min(node.writer.epoch, known_chain(node, own).epoch)
    return OwnHeadsLoaded(
        community=own,
        epoch=epoch,
        log_public=known_chain(node, own).keys[epoch].log_key,
        heads={
            origin: lane.head
            for origin, lane in image.lanes.items()
            if (origin.community, origin.epoch) == (own, epoch) and lane.head
        },
        acknowledged=frozenset(image.acknowledged),
        is_forked=any((origin.community, origin.epoch) == (own, epoch) for origin in image.forked),
    )


def heads_of(node: "Node", peer: bytes) -> HeadsOfLoaded:
    """Return the notes of all heads that are held of a peer's own lanes, the adopted and the remembered ones."""
    lanes = [lane for origin, lane in node.disk.image.lanes.items() if origin.community == peer]
    notes = [head.note for lane in lanes for head in (lane.head, lane.remembered) if head]
    return HeadsOfLoaded(peer, tuple(dict.fromkeys(notes)))


def own_advance(node: "Node", origin: Origin, shown_size: int) -> LaneAdvanced | None:
    """Return the newest head of an own lane, with its entries past `shown_size` where they are few."""
    lane = node.disk.image.lane(origin)
    if lane.head is None:
        return None
    count, packed = max(lane.head.size - shown_size, 0), b""
    if 0 < count <= TILE_WIDTH:
        packed = pack_entries(lane.entries[shown_size : lane.head.size])
    if not 0 < len(packed) <= NEWS_BYTES_MAX:
        count, packed = 0, b""
    readers = readers_among_peers(node, origin)
    return LaneAdvanced(origin, lane.head, True, shown_size, count, packed, readers)


def statements_after(node: "Node", after: int | None) -> StatementsLoaded:
    """Return all digests, or the texts that were kept after a number: they are numbered as they were kept."""
    held = node.disk.image.statements
    if after is None:
        return StatementsLoaded(len(held), tuple(held))
    return StatementsLoaded(len(held), (), tuple(held.values())[after:])


def without(frame: Frame, community: bytes) -> Frame | None:
    """Return what is left of a frame for who does not want to hear of one community; None where nothing is."""
    if isinstance(frame, Heads):
        return replace(frame, heads=tuple(head for head in frame.heads if head.community != community))
    if isinstance(frame, News) and frame.head.community == community:
        return None
    return None if isinstance(frame, YourHeads) else frame


def readers_among_peers(node: "Node", origin: Origin) -> frozenset[bytes] | None:
    """Return which of the open peers may see a lane."""
    return readers_of(cast("Any", node.views.state), origin, node.exchange.replication.open_peers)


def _may_serve(node: "Node", origin: Origin, reader: bytes) -> bool:
    return may_serve(cast("Any", node.views.state), origin, reader)


def _may_show(node: "Node", origin: Origin, reader: bytes) -> bool:
    return may_show_head(cast("Any", node.views.state), origin, reader, lambda _: node.disk.image.forked)


def _heads(node: "Node", reader: bytes, request: HeadsSince) -> Answer:
    image = node.disk.image
    after = request.after
    changes: list[HeadChange] = []
    if after < image.changes:
        changed = sorted((lane.change, origin) for origin, lane in image.lanes.items() if lane.change > after)
        for number, origin in changed[: HEADS_PAGE_MAX + 1]:
            head = image.lanes[origin].head
            assert head is not None, "a change of heads leaves a head"
            changes.append(HeadChange(number, origin, head.note))
    return make_heads_page(
        request,
        changes,
        readable={change.origin for change in changes if _may_show(node, change.origin, reader)},
        instance=image.instance,
        newest=image.changes,
        is_whole=len(changes) <= HEADS_PAGE_MAX,
    )


def notes_for(node: "Node", reader: bytes) -> list[bytes]:
    """Return the notes of all heads that a community may see."""
    lanes = node.disk.image.lanes.items()
    return [lane.head.note for origin, lane in lanes if lane.head and _may_show(node, origin, reader)]


def _compared(node: "Node", reader: bytes, request: HeadsCompare | HeadsBesides) -> Answer:
    image, notes = node.disk.image, notes_for(node, reader)
    if isinstance(request, HeadsCompare):
        return make_summary(request, notes, instance=image.instance, newest=image.changes)
    return make_heads_besides(request, notes, instance=image.instance, newest=image.changes)


def _tiles(lane: StoredLane, request: TilesGet) -> Answer:
    assert lane.head is not None, "only a lane with a head is served"
    for wanted in request.tiles:
        if wanted.width > tile_width(lane.head.size, wanted.level, wanted.index):
            return Refused(request.number, "range_not_held", f"tile {wanted.level}/{wanted.index}")
    tiles = tuple(lane.tile(wanted.level, wanted.index, wanted.width) for wanted in request.tiles)
    return Tiles(request.number, tiles)


def _entries(lane: StoredLane, request: EntriesGet) -> Answer:
    assert lane.head is not None, "only a lane with a head is served"
    first = request.bundle * TILE_WIDTH
    start, end = first + request.start, first + request.end
    if start >= end or end > lane.head.size:
        return Refused(request.number, "range_not_held", f"entries {start} to {end}")
    entries = lane.entries[start:end]
    packed = pack_entries(entries)
    while len(packed) > ENTRIES_FRAME_BYTES_MAX:
        entries.pop()
        packed = pack_entries(entries)
    return Entries(request.number, len(entries), packed)
