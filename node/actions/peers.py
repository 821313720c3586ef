"""Other communities: add one by address, follow it, vouch for it, dismiss it, list them all.

To follow is to keep a verified copy of what a community lets us read. To vouch is to say in our charter that
it may read our trade and ledger. A community that was only found, on the local network say, is neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from msgspec import Meta, structs

from node.actions.behind import LiveSessions, Unseen, live_sessions
from node.actions.shapes import Answer, HashText, Request, Said, hash_of, said
from node.actions.sights import SightAnswer, name_in_genesis, sight_of
from node.config.keys import Listen
from node.core import Node
from node.errors import NodeError
from node.marks import marks_of
from node.writer.transaction import Transaction
from protocol.exchange.discovery_events import Known
from protocol.exchange.standing import Gap, PeerStanding
from protocol.fields import Title
from protocol.identity.keys import to_base32
from protocol.lanes.charter.peers import PeerDismissed, PeerVouched
from protocol.lanes.kind import CHARTER
from protocol.limits import INDEX_LANES_MAX, INTEGER_MAX
from protocol.log.origin import Origin
from protocol.marks import Mark
from storage.heads import HeadStore
from storage.peers import Peer, all_peers, peer_of, save_peer
from storage.quotas import set_quota
from storage.views.reading import StateReader

Trust = Literal["blocked", "followed", "found"]
HEARSAY_SHOWN_MAX = 100


class PeerAddress(Request, frozen=True, kw_only=True):
    """Where another node is reached, as host:port; with `community`, only that one is accepted there."""

    address: Annotated[str, Meta(min_length=3, max_length=255)]
    community: HashText | None = None


class PeerName(Request, frozen=True, kw_only=True):
    """One community."""

    community: HashText


class PeerQuota(Request, frozen=True, kw_only=True):
    """How many bytes of a community's lanes are kept, and of each of them; None: what the settings say."""

    community: HashText
    bytes_max: Annotated[int, Meta(ge=0, le=INTEGER_MAX)] | None = None


class PeersQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: all communities that we know."""


class AddedPeer(Answer, frozen=True, kw_only=True):
    """The address is dialled from now on; who answers there shows in the list of peers."""

    address: str


class PausedLane(Answer, frozen=True, kw_only=True):
    """A lane at its quota: verified and shown up to `size`, though its community has signed `offered_size`."""

    lane: str
    epoch: int
    size: int
    offered_size: int


class PeerAnswer(Answer, frozen=True, kw_only=True):
    """One community: its name where it has proven itself here, and how we stand with it.

    Of its lanes, `records` are stored under signed heads here, and `unfolded` of them have no effect yet;
    `newest_ms` is the time of the newest one that has. Of ours, connected or not, it has not shown to hold `unseen`
    records, the oldest of `unseen_since_ms`; `shown_ms` is when it last showed any, absent where it never did.
    `is_behind`: that it has not shown them is older than it takes to ask every peer. While it is connected,
    `lacking` records of its own we do not hold since `lacking_since_ms`.
    `marks` say what is proven against it.
    `kept_bytes` of `quota_bytes` are used by its lanes; those in `paused` have more to say than there is room for.
    """

    community: str
    trust: Trust
    addresses: list[str]
    is_connected: bool
    is_vouched: bool
    vouches_for_us: bool
    kept_bytes: int
    quota_bytes: int
    paused: list[PausedLane]
    name: Title | None = None
    last_seen_ms: int | None = None
    records: int = 0
    unfolded: int = 0
    newest_ms: int | None = None
    marks: list[Mark] = []
    sight: SightAnswer | None = None
    unseen: int = 0
    unseen_since_ms: int | None = None
    shown_ms: int | None = None
    is_behind: bool = False
    lacking: int = 0
    lacking_since_ms: int | None = None


class NeighbourAnswer(Answer, frozen=True, kw_only=True):
    """A node that says on the local network that it is there; nothing of it is proven."""

    community: str
    address: str


class PeersAnswer(Answer, frozen=True, kw_only=True):
    """Communities by id, and who was heard on the local network, or why nobody can be heard there.

    `own_address` is what a steward of another community types to reach this node on the same network.
    """

    peers: list[PeerAnswer]
    neighbours: list[NeighbourAnswer]
    own_address: str
    mdns_failure: str | None = None
    looks_around: bool = True


async def add_peer(node: Node, request: PeerAddress) -> AddedPeer:
    """Dial an address from now on, and follow the community that answers there."""
    community = hash_of(request.community) if request.community else None
    await node.federation_service.add_address(request.address, community)
    return AddedPeer(address=request.address)


async def follow_peer(node: Node, request: PeerName) -> PeerAnswer:
    """Keep a copy of what a community lets us read."""
    return await _set_trust(node, hash_of(request.community), "followed")


async def unfollow_peer(node: Node, request: PeerName) -> PeerAnswer:
    """Fetch nothing new of a community; the copy that we have stays."""
    return await _set_trust(node, hash_of(request.community), "found")


async def block_peer(node: Node, request: PeerName) -> PeerAnswer:
    """Neither talk to a community nor fetch anything of it."""
    return await _set_trust(node, hash_of(request.community), "blocked")


async def set_peer_quota(node: Node, request: PeerQuota) -> PeerAnswer:
    """Keep more or less of a community's lanes; what was paused goes on by itself where there is room now."""
    community = hash_of(request.community)

    def job(transaction: Transaction) -> None:
        if peer_of(transaction.connection, community) is None:
            raise NodeError("community_unknown", to_base32(community))
        set_quota(transaction.connection, community, request.bytes_max)

    await node.write(job)
    node.quotas.forget()
    node.federation_service.quota_changed(community)
    return await _show_peer(node, community)


async def keep_more(node: Node, request: PeerName) -> PeerAnswer:
    """Keep twice as much of a community as may be kept now, or as is."""
    present = await _show_peer(node, hash_of(request.community))
    bytes_max = min(2 * max(present.quota_bytes, present.kept_bytes, 1), INTEGER_MAX)
    return await set_peer_quota(node, PeerQuota(community=request.community, bytes_max=bytes_max))


async def vouch_peer(node: Node, request: PeerName) -> Said:
    """Say in our charter that a community may read our trade and ledger."""
    body = PeerVouched(community=hash_of(request.community))
    return await node.write(lambda transaction: said(transaction.say(CHARTER, body)))


async def dismiss_peer(node: Node, request: PeerName) -> Said:
    """Say in our charter that it may not any more."""
    body = PeerDismissed(community=hash_of(request.community))
    return await node.write(lambda transaction: said(transaction.say(CHARTER, body)))


async def list_peers(node: Node, request: PeersQuery) -> PeersAnswer:
    """List all communities that we know."""
    federation = node.federation_service
    sightings = {sighting.known.community: sighting for sighting in federation.sightings()}
    neighbours = [
        NeighbourAnswer(community=to_base32(found.community), address=str(Listen(found.host, found.port)))
        for found in federation.neighbours
    ]

    sessions = _sessions(node)

    def question(read: StateReader) -> PeersAnswer:
        peers = all_peers(read.connection)
        followed = [peer.community for peer in peers if peer.trust == "followed"]
        known = {peer.community for peer in peers}
        told = [
            _hearsay(each.known)
            for each in sightings.values()
            if each.known.genesis and each.known.community not in known
        ]
        shown = [*peers, *told[:HEARSAY_SHOWN_MAX]]
        view = _View(read, node, sessions)
        answers = [view.answer(peer) for peer in shown]
        return PeersAnswer(
            peers=[
                structs.replace(answer, sight=sight_of(read, sightings[peer.community], followed))
                if peer.community in sightings
                else answer
                for answer, peer in zip(answers, shown, strict=True)
            ],
            neighbours=neighbours,
            own_address=federation.address,
            mdns_failure=federation.mdns_failure or None,
            looks_around=federation.looks_around,
        )

    return await node.look(question)


def _hearsay(known: Known) -> Peer:
    """A community that peers tell of, as a row of `peers` would have it."""
    return Peer(
        known.community,
        label="",
        addresses=tuple(address.text for address in known.hints),
        trust="found",
        genesis=known.genesis,
    )


async def show_peer(node: Node, request: PeerName) -> PeerAnswer:
    """Show one community."""
    found = (await list_peers(node, PeersQuery())).peers
    peer = next((peer for peer in found if peer.community == request.community), None)
    if peer is None:
        raise NodeError("community_unknown", request.community)
    return peer


def is_lane_paused(node: Node, community: str, lane: str) -> bool:
    """Whether a lane of a community has more to say than its quota here leaves room for."""
    paused = node.federation.paused_lanes if node.federation else {}
    return any(to_base32(origin.community) == community and origin.lane == lane for origin in paused)


async def _set_trust(node: Node, community: bytes, trust: Trust) -> PeerAnswer:
    told = {each.known.community: each.known for each in node.federation_service.sightings()}.get(community)

    def job(transaction: Transaction) -> None:
        peer = peer_of(transaction.connection, community)
        if peer is None and told is not None and told.genesis:
            peer = _hearsay(told)
        if (
            peer is None and trust == "blocked"
        ):  # who shouts on the local network may be shut out before any word
            peer = Peer(community=community, label="", addresses=(), trust=trust)
        if peer is None:
            raise NodeError("community_unknown", to_base32(community))
        save_peer(transaction.connection, replace(peer, trust=trust))

    await node.write(job)
    await node.federation_service.trust_changed(community)
    return await _show_peer(node, community)


async def _show_peer(node: Node, community: bytes) -> PeerAnswer:
    sessions = _sessions(node)

    def question(read: StateReader) -> PeerAnswer:
        peer = peer_of(read.connection, community)
        if peer is None:
            raise NodeError("community_unknown", to_base32(community))
        return _View(read, node, sessions).answer(peer)

    return await node.look(question)


@dataclass(frozen=True, slots=True)
class _Sessions:
    """What the federation says just now: who is connected, and which lanes are paused."""

    live: LiveSessions
    paused: Mapping[Origin, int]


@dataclass(slots=True)
class _StoredCopy:
    """What is stored of one community: entries under signed heads, those not folded, the newest time folded."""

    records: int = 0
    unfolded: int = 0
    newest_ms: int | None = None
    sizes: dict[tuple[str, int], int] = field(default_factory=dict)


def _copies(read: StateReader) -> dict[bytes, _StoredCopy]:
    clocks = dict(read.scan("lane_clock", (), length=2, limit=INDEX_LANES_MAX))
    copies: dict[bytes, _StoredCopy] = {}
    for head in HeadStore(read.connection).heads():
        copy = copies.setdefault(head.community, _StoredCopy())
        clock = clocks.get((head.community, head.lane))
        copy.records += head.size
        copy.sizes[head.lane, head.epoch] = head.size
        if clock is None or clock.epoch < head.epoch:
            copy.unfolded += head.size
        elif clock.epoch == head.epoch:
            copy.unfolded += max(0, head.size - clock.size)
        if clock is not None and clock.size:
            copy.newest_ms = max(copy.newest_ms or 0, clock.time_ms)
    return copies


def name_of(read: StateReader, community: bytes, peer: Peer | None) -> Title | None:
    """Return a community's name from its folded charter, else from the genesis with which it proved itself."""
    folded = read.get("community", (community,))
    if folded is not None:
        return dict(folded.genesis.name)
    if peer is None or peer.genesis is None:
        return None
    return name_in_genesis(peer.genesis)


def _sessions(node: Node) -> _Sessions:
    """Ask the federation, which lives on the event loop: the store may be read on another thread."""
    return _Sessions(live_sessions(node), dict(node.federation_service.paused_lanes))


def _moment(gap: Gap, now_ms: int) -> int | None:
    return None if gap.age_ms is None else now_ms - gap.age_ms


class _View:
    """What all answers about communities are made from, read once."""

    def __init__(self, read: StateReader, node: Node, sessions: _Sessions) -> None:
        self._read = read
        self._node = node
        self._copies = _copies(read)
        self._usage = node.quotas.usage(read.connection)
        self._sessions = sessions
        self._unseen = Unseen(read, node.community, sessions.live)

    def answer(self, peer: Peer) -> PeerAnswer:
        read, own, community = self._read, self._node.community, peer.community
        copy = self._copies.get(community, _StoredCopy())
        sessions = self._sessions
        standing = sessions.live.standings.get(community, PeerStanding())
        unseen = self._unseen.of(peer)
        ours, theirs = read.get("peer", (own, community)), read.get("peer", (community, own))
        return PeerAnswer(
            community=to_base32(community),
            trust=peer.trust,  # type: ignore[arg-type]  # written from the same literal
            addresses=list(peer.addresses),
            is_connected=community in sessions.live.standings,
            is_vouched=ours is not None and ours.is_vouched,
            vouches_for_us=theirs is not None and theirs.is_vouched,
            name=name_of(read, community, peer),
            last_seen_ms=peer.last_seen_ms,
            records=copy.records,
            unfolded=copy.unfolded,
            newest_ms=copy.newest_ms,
            marks=marks_of(read, community),
            unseen=unseen.records,
            unseen_since_ms=unseen.since_ms,
            shown_ms=unseen.shown_ms,
            is_behind=unseen.is_behind,
            lacking=standing.lacking.records,
            lacking_since_ms=_moment(standing.lacking, sessions.live.now_ms),
            kept_bytes=self._usage.of(community),
            quota_bytes=self._node.quotas.quota_of(self._usage, community),
            paused=[
                PausedLane(
                    lane=origin.lane,
                    epoch=origin.epoch,
                    size=copy.sizes.get((origin.lane, origin.epoch), 0),
                    offered_size=offered_size,
                )
                for origin, offered_size in sorted(sessions.paused.items(), key=lambda item: item[0].text)
                if origin.community == community
            ],
        )
