"""How the node is: what it holds, whether it writes, what waits, who vouches for it, what room it takes."""

import shutil
from collections.abc import Sequence

from node.actions.behind import LiveSessions, Unseen, live_sessions
from node.actions.peers import name_of
from node.actions.shapes import Answer, Request
from node.core import Node
from node.version import VERSION
from node.writer.clock import system_clock
from protocol.exchange.frames import RelayTerms
from protocol.fields import Title
from protocol.identity.keys import to_base32
from protocol.limits import LANES_MAX
from storage.engine import Store
from storage.heads import Head, HeadStore
from storage.peers import Peer, all_peers
from storage.space import stored_bytes
from storage.views.orders import order_counts
from storage.views.reading import StateReader
from storage.views.search_queue import queued_count


class StatusQuery(Request, frozen=True, kw_only=True):
    """Whether to count the listings as well, which takes long where there are many."""

    counts_listings: bool = True


class LaneStatus(Answer, frozen=True, kw_only=True):
    """One lane: how many entries its newest head covers, under which root, and how many of them are folded.

    `newest_ms` is the time of the newest record that is folded.
    """

    community: str
    lane: str
    epoch: int
    size: int
    folded_size: int
    root: str
    newest_ms: int | None = None


class VoucherAnswer(Answer, frozen=True, kw_only=True):
    """A community whose charter says that we may read its trade and ledger."""

    community: str
    name: Title | None = None


class BehindAnswer(Answer, frozen=True, kw_only=True):
    """A community that we follow and that is behind with our records, connected or not.

    It has not shown to hold `unseen` of them, the oldest of `unseen_since_ms`; `shown_ms` is when it last showed
    any, absent where it never did: then it may not follow us at all.
    """

    community: str
    unseen: int
    unseen_since_ms: int
    is_connected: bool
    name: Title | None = None
    shown_ms: int | None = None


class StatusAnswer(Answer, frozen=True, kw_only=True):
    """The node in figures. `writing` is "yes" or the code of why it is not.

    `unsigned` counts own records that no signed head covers yet: nobody else sees them before. `store_bytes` is
    the database with its journal, `disk_free_bytes` the room beside it, absent where that is another machine's.
    `last_sync_ms` is when a followed community was last heard, `connected` how many are connected now.
    `dialled_ms` is when another node last dialled this one: absent, it may be that it can only dial out. Of the
    `relays` that we have named so many are `relays_keeping` sealed parts for us.
    `behind` are the followed communities that lack records of ours, the one that lacks them longest first.
    `federation_bytes_max` is the memory that peers can make the federation hold, whatever they do.
    """

    community: str
    name: Title
    writing: str
    lanes: list[LaneStatus]
    orders: dict[str, int]
    listings: int | None
    unsigned: int
    pending: int
    awaited: int
    void: int
    search_waiting: int
    version: str
    uptime_seconds: int
    store_bytes: int
    connected: int
    vouched_by: list[VoucherAnswer]
    behind: list[BehindAnswer]
    federation_bytes_max: int
    relays: int
    relays_keeping: int
    dialled_ms: int | None = None
    disk_free_bytes: int | None = None
    last_sync_ms: int | None = None


async def show_status(node: Node, request: StatusQuery) -> StatusAnswer:
    """Show how the node is."""
    refusal = node.writer.refuses_because
    live = live_sessions(node)

    def question(read: StateReader) -> StatusAnswer:
        orders: dict[str, int] = {}
        for (seller, status), count in order_counts(read.connection).items():
            if seller == node.community:
                orders[status] = count
        heads = HeadStore(read.connection).heads()
        named = read.get("relays", (node.community,))
        relays = named.relays if named else ()
        followed = [peer for peer in all_peers(read.connection) if peer.trust == "followed"]
        return StatusAnswer(
            community=to_base32(node.community),
            name=node.genesis.name,
            writing="yes" if refusal is None else refusal.code,
            lanes=_lanes(read, heads),
            orders=orders,
            listings=read.count("listing", length=3) if request.counts_listings else None,
            unsigned=_unsigned(read, node.community, heads),
            pending=read.count("pending", length=4),
            awaited=read.count("awaited", (node.community,), length=5),
            void=read.count("void", length=4),
            search_waiting=queued_count(read.connection),
            version=VERSION,
            uptime_seconds=max(0, system_clock() - node.started_ms) // 1_000,
            store_bytes=stored_bytes(node.store, read.connection),
            connected=sum(peer.community in live.standings for peer in followed),
            federation_bytes_max=node.federation.memory_bytes_max if node.federation else 0,
            vouched_by=_vouched_by(read, node.community),
            behind=_behind(read, node.community, live, followed),
            relays=len(relays),
            relays_keeping=sum(isinstance(node.deliveries.terms.get(relay), RelayTerms) for relay in relays),
            dialled_ms=node.federation.dialled_ms if node.federation else None,
            disk_free_bytes=_disk_free_bytes(node.store),
            last_sync_ms=max((peer.last_seen_ms for peer in followed if peer.last_seen_ms), default=None),
        )

    ask = node.read if request.counts_listings else node.look
    return await ask(question)


def _lanes(read: StateReader, heads: Sequence[Head]) -> list[LaneStatus]:
    lanes = []
    for head in heads:
        clock = read.get("lane_clock", (head.community, head.lane))
        is_folded = clock is not None and clock.epoch == head.epoch
        lanes.append(
            LaneStatus(
                community=to_base32(head.community),
                lane=head.lane,
                epoch=head.epoch,
                size=head.size,
                folded_size=min(head.size, clock.size) if is_folded else 0,
                root=head.root.hex(),
                newest_ms=clock.time_ms if is_folded and clock.size else None,
            )
        )
    return lanes


def _vouched_by(read: StateReader, community: bytes) -> list[VoucherAnswer]:
    found = []
    for peer in all_peers(read.connection):
        theirs = read.get("peer", (peer.community, community))
        if theirs is not None and theirs.is_vouched:
            name = name_of(read, peer.community, peer)
            found.append(VoucherAnswer(community=to_base32(peer.community), name=name))
    return found


def _behind(
    read: StateReader, own: bytes, live: LiveSessions, followed: Sequence[Peer]
) -> list[BehindAnswer]:
    unseen = Unseen(read, own, live)
    found = []
    for peer in followed:
        known = unseen.of(peer)
        if known.is_behind and known.since_ms is not None:
            behind = BehindAnswer(
                community=to_base32(peer.community),
                name=name_of(read, peer.community, peer),
                unseen=known.records,
                unseen_since_ms=known.since_ms,
                shown_ms=known.shown_ms,
                is_connected=peer.community in live.standings,
            )
            found.append(behind)
    return sorted(found, key=lambda behind: behind.unseen_since_ms)


def _disk_free_bytes(store: Store) -> int | None:
    return None if store.folder is None else shutil.disk_usage(store.folder).free


def _unsigned(read: StateReader, community: bytes, heads: Sequence[Head]) -> int:
    """Own records are folded as they are written, so what is folded past the heads is not signed yet."""
    signed = {(head.lane, head.epoch): head.size for head in heads if head.community == community}
    clocks = read.scan("lane_clock", (community,), length=2, limit=LANES_MAX)
    return sum(clock.size - signed.get((str(key[1]), clock.epoch), 0) for key, clock in clocks)
