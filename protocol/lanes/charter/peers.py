"""Peers: whom the community lets read its `peers` lanes (PROTOCOL.md section 10.3)."""

import msgspec

from protocol.errors import RecordVoid
from protocol.fields import CommunityId
from protocol.lanes.kind import (
    CHARTER,
    Change,
    Entry,
    Put,
    Reader,
    RecordKind,
    Span,
    Tables,
    close_last_span,
    open_span,
)
from protocol.log.record import Body


class PeerVouched(Body, frozen=True, kw_only=True):
    """`peer.vouched`: this other community may read and pass on our `peers` lanes."""

    community: CommunityId


class PeerDismissed(Body, frozen=True, kw_only=True):
    """`peer.dismissed`: from here on it may not."""

    community: CommunityId


class Peer(msgspec.Struct, frozen=True, gc=False):
    """When a community was vouched for, oldest first."""

    spans: tuple[Span, ...]

    @property
    def is_vouched(self) -> bool:
        """Whether the newest stretch is open."""
        return self.spans[-1].until_epoch is None


TABLES: Tables = {"peer": Peer}


def step_vouched(read: Reader, entry: Entry) -> list[Change]:
    """A stretch of trust opens; saying it twice is void."""
    community, other = entry.position.community, entry.record.body.community
    if other == community:
        raise RecordVoid("peer_is_self")
    peer = read.get("peer", (community, other))
    if peer and peer.is_vouched:
        raise RecordVoid("peer_vouched_already")
    spans = peer.spans if peer else ()
    return [Put("peer", (community, other), Peer((*spans, open_span(entry, earlier=spans))))]


def step_dismissed(read: Reader, entry: Entry) -> list[Change]:
    """The open stretch of trust ends."""
    key = (entry.position.community, entry.record.body.community)
    peer = read.get("peer", key)
    if peer is None or not peer.is_vouched:
        raise RecordVoid("peer_not_vouched")
    return [Put("peer", key, Peer(close_last_span(peer.spans, entry)))]


KINDS = (
    RecordKind("peer.vouched", CHARTER, PeerVouched, step_vouched),
    RecordKind("peer.dismissed", CHARTER, PeerDismissed, step_dismissed),
)
