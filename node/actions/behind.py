"""Who is behind with our records, connected or not, and since when (PROTOCOL.md section 18.1).

What a peer has shown to hold of our lanes is all that is known: while it is connected the federation knows it,
and what it showed last is written down for the time when it is away.

    unseen = Unseen(read, node.community, live_sessions(node)).of(peer)
"""

from collections.abc import Mapping
from dataclasses import dataclass

from node.core import Node
from node.lane_exchange import may_serve
from protocol.exchange.standing import PeerStanding
from protocol.lanes import BODY_TYPES
from protocol.limits import POLL_MS
from protocol.log.origin import Origin
from protocol.log.record import decode_record
from storage.acknowledgements import Shown, shown_by_peers
from storage.heads import Head, HeadStore
from storage.lanes import LaneStore
from storage.peers import Peer
from storage.views.reading import StateReader

BLOCKED, FOLLOWED = "blocked", "followed"


@dataclass(frozen=True, slots=True)
class LiveSessions:
    """What the federation says just now of who is connected: how each stands, and what it has shown of our lanes."""

    standings: Mapping[bytes, PeerStanding]
    shown: Mapping[bytes, Mapping[Origin, int]]
    now_ms: int

    @property
    def patience_ms(self) -> int:
        """As long as it takes to ask every one of them once."""
        return (len(self.standings) + 1) * POLL_MS


@dataclass(frozen=True, slots=True)
class UnseenBy:
    """`records` of ours that a peer has not shown to hold, the oldest of `since_ms`; `shown_ms`: it showed some last.

    `is_behind`: it has had the time to show them.
    """

    records: int = 0
    since_ms: int | None = None
    shown_ms: int | None = None
    is_behind: bool = False


def live_sessions(node: Node) -> LiveSessions:
    """Ask the federation, which lives on the event loop: the store may be read on another thread."""
    federation = node.federation
    connected = federation.connected() if federation else ()
    return LiveSessions(
        {community: federation.standing(community) for community in connected} if federation else {},
        {community: federation.shown_by(community) for community in connected} if federation else {},
        node.clock.now(),
    )


class Unseen:
    """What is needed to say it of any number of peers, read once."""

    def __init__(self, read: StateReader, own: bytes, live: LiveSessions) -> None:
        """Take who we are, and what is known of who is connected."""
        self._read = read
        self._live = live
        self._kept = shown_by_peers(read.connection)
        heads = [head for head in HeadStore(read.connection).heads() if head.community == own]
        epoch = max((head.epoch for head in heads), default=0)
        self._heads = [head for head in heads if head.epoch == epoch]
        self._times: dict[tuple[int, int], int] = {}

    def of(self, peer: Peer) -> UnseenBy:
        """Return how far a peer is behind with the lanes of the open epoch that it may read.

        Of whom we neither follow nor have ever seen to hold anything of ours nothing is missed.
        """
        kept, live = self._kept.get(peer.community), self._live.shown.get(peer.community, {})
        shown_ms = self._live.now_ms if live else kept.last_ms if kept else None
        if peer.trust == BLOCKED or (peer.trust != FOLLOWED and shown_ms is None):
            return UnseenBy()
        records, since_ms = 0, None
        for head in self._heads:
            origin = Origin(head.community, head.lane, head.epoch)
            shown = max(_size(kept, origin), live.get(origin, 0))
            if shown >= head.size or not may_serve(self._read, origin, peer.community):
                continue
            records += head.size - shown
            first_ms = self._time(head, shown)
            since_ms = first_ms if since_ms is None else min(since_ms, first_ms)
        is_behind = since_ms is not None and self._age_ms(peer.community, since_ms) > self._live.patience_ms
        return UnseenBy(records, since_ms, shown_ms, is_behind)

    def _age_ms(self, peer: bytes, since_ms: int) -> int:
        """How long a peer has had to show what it has not; one that has just come back has had no time yet."""
        standing = self._live.standings.get(peer)
        return self._live.now_ms - since_ms if standing is None else standing.unseen.age_ms or 0

    def _time(self, head: Head, index: int) -> int:
        """When a record of ours was made: what many peers lack begins at few places."""
        place = (head.lane_key, index)
        if place not in self._times:
            raw = LaneStore(self._read.connection).entry(head.lane_key, index)
            self._times[place] = decode_record(raw, BODY_TYPES).time_ms
        return self._times[place]


def _size(kept: Shown | None, origin: Origin) -> int:
    return kept.sizes.get((origin.lane, origin.epoch), 0) if kept else 0
