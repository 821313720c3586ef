"""Who is told of a new head: with its entries along a tree, or by its name alone (PROTOCOL.md section 28).

Every link starts eager. Whoever gets news twice prunes the second link for that community, so that a tree of the
fastest paths stays; over pruned links heads are announced, and what no news follows is grafted back into the tree
(Leitao, Pereira, Rodrigues: Epidemic Broadcast Trees, SRDS 2007; one tree a community).

    effects = dissemination.advance(advanced, news)
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from protocol.exchange.bounds import LIMITS, Bounds
from protocol.exchange.frames import Graft, Heads, News, Prune
from protocol.exchange.frames.fields import NO_INSTANCE
from protocol.exchange.heads import OfferedHead, state_head
from protocol.exchange.replication_events import LaneAdvanced, Send
from protocol.exchange.shares import Shares
from protocol.identity.keys import HASH_BYTES
from protocol.limits import (
    GRACE_MS,
    HELD_BACK_MAX,
    PRUNED_BY_ONE_MAX,
    PRUNED_BY_ONE_MIN,
)
from protocol.log.origin import Origin

EVERY_COMMUNITY = bytes(HASH_BYTES)
HELD_BACK, OFFERED = "held back", "offered"

Waiting = tuple[str, Origin]
"""Where an offer waits: among the announcements of a lane, or with what follows the lane."""


@dataclass(slots=True)
class _Link:
    """One open peer: what it is known to have, and of which communities it wants no more than to be told.

    `pruned` are those whose news it gets elsewhere, `unwanted` those that it does not follow at all, and
    `refused` those that we do not follow, as we told it. A visit carries announcements only.
    """

    is_visit: bool = False
    sizes: dict[Origin, int] = field(default_factory=dict)
    pruned: set[bytes] = field(default_factory=set)
    unwanted: set[bytes] = field(default_factory=set)
    refused: set[bytes] = field(default_factory=set)


class Dissemination:
    """The tree of every community over one node's links."""

    def __init__(self, shares: Shares[Waiting] | None = None, bounds: Bounds = LIMITS) -> None:
        """Start without links; `shares` is where it is counted what announcements hold while they wait."""
        self._bounds = bounds
        self._links: dict[bytes, _Link] = {}
        self._shares: Shares[Waiting] = shares or Shares(bounds.offers_bytes)
        self._noted = 0
        self._held_back: dict[Origin, tuple[int, dict[bytes, OfferedHead]]] = {}

    @property
    def deadline_ms(self) -> int | None:
        """When the first announcement has waited long enough; None where none waits."""
        return next(
            (due_ms for due_ms, _ in self._held_back.values()), None
        )  # each waits as long as the others

    # Links.

    def open(self, peer: bytes) -> None:
        """Begin with an eager link."""
        self.close(peer)
        self._links[peer] = _Link()

    def close(self, peer: bytes) -> None:
        """Forget a link and what was announced over it."""
        link = self._links.pop(peer, None)
        self._noted -= len(link.sizes) if link is not None else 0
        for origin in list(self._held_back):
            self.let_go(peer, origin)

    def forget_lane(self, origin: Origin) -> None:
        """Forget a lane that is not followed."""
        self._pop_held_back(origin)
        for link in self._links.values():
            self._noted -= link.sizes.pop(origin, None) is not None

    def note_shown(self, peer: bytes, origin: Origin, size: int) -> None:
        """Note that a peer has stated a head of this size; what finds no room costs it one copy too many."""
        sizes = self._links[peer].sizes
        if origin not in sizes:
            if self._noted >= self._bounds.lanes_noted:
                return
            self._noted += 1
        sizes[origin] = size

    def visit(self, peer: bytes) -> list[Send]:
        """Keep a link out of every tree, because it will not stand for long, and tell the peer to."""
        self._links[peer].is_visit = True
        return [Send(peer, Prune(EVERY_COMMUNITY, is_followed=True))]

    # What comes in.

    def pruned_by(self, peer: bytes, prune: Prune) -> None:
        """Hear that a peer wants announcements only, or nothing at all, of a community."""
        link = self._links[peer]
        if prune.community == EVERY_COMMUNITY:
            link.is_visit = True
        elif self._has_room(len(link.pruned) + len(link.unwanted)):
            (link.pruned if prune.is_followed else link.unwanted).add(prune.community)

    def grafted_by(self, peer: bytes, graft: Graft) -> None:
        """Hear that a peer wants the news of a community with its entries again."""
        self._links[peer].pruned.discard(graft.community)
        self._links[peer].unwanted.discard(graft.community)

    def take_news(self, peer: bytes, origin: Origin) -> None:
        """Keep the link eager over which news came first."""
        self._links[peer].pruned.discard(origin.community)

    def refuse_news(self, peer: bytes, origin: Origin, *, is_followed: bool) -> list[Send]:
        """Answer news that is held already, or of a community that is not followed, by pruning the link."""
        ours = self._links[peer].pruned if is_followed else self._links[peer].refused
        if not self._has_room(len(ours)):
            return []
        ours.add(origin.community)
        return [Send(peer, Prune(origin.community, is_followed))]

    def _has_room(self, count: int) -> bool:
        """Whether one more community is remembered of a peer, of which there are so many already."""
        if count < PRUNED_BY_ONE_MIN:
            return True
        links = self._links.values()
        in_all = sum(len(link.pruned) + len(link.unwanted) + len(link.refused) for link in links)
        return count < PRUNED_BY_ONE_MAX and in_all < self._bounds.prunes

    def take_back(self) -> list[Send]:
        """Ask again for the news of what was not followed: it may be followed now."""
        grafts = [
            Send(peer, Graft(community)) for peer, link in self._links.items() for community in link.refused
        ]
        for link in self._links.values():
            link.refused.clear()
        return grafts

    def hold_back(self, peer: bytes, offer: OfferedHead, now_ms: int) -> bool:
        """Keep an announcement for a while, because its news is on the way; return whether it is kept.

        What the community itself announces is not on the way from anybody else.
        """
        origin = offer.origin
        if peer == origin.community:
            return False
        due_ms, offers = self._held_back.get(origin, (now_ms + GRACE_MS, {}))
        if origin not in self._held_back and len(self._held_back) >= HELD_BACK_MAX:
            return False
        offers[peer] = offer
        self._held_back[origin] = (due_ms, offers)
        self._shares.hold(peer, (HELD_BACK, origin), offer.memory_bytes)
        return True

    def let_go(self, peer: bytes, origin: Origin) -> None:
        """Forget what a peer announced of a lane: there is no room for it, or the peer is gone."""
        if origin in self._held_back:
            self._keep_back(
                origin,
                {other: offer for other, offer in self._held_back[origin][1].items() if other != peer},
            )

    def settle(self, origin: Origin, size: int) -> None:
        """Let go of the announcements that a lane has caught up with."""
        if origin in self._held_back:
            offers = self._held_back[origin][1]
            self._keep_back(
                origin, {peer: offer for peer, offer in offers.items() if offer.checkpoint.size > size}
            )

    def _keep_back(self, origin: Origin, left: dict[bytes, OfferedHead]) -> None:
        due_ms, offers = self._held_back[origin]
        for peer in offers.keys() - left.keys():
            self._shares.release(peer, (HELD_BACK, origin))
        if left:
            self._held_back[origin] = (due_ms, left)
        else:
            del self._held_back[origin]

    def _pop_held_back(self, origin: Origin) -> list[tuple[bytes, OfferedHead]]:
        if origin not in self._held_back:
            return []
        offers = list(self._held_back[origin][1].items())
        self._keep_back(origin, {})
        return offers

    def release(self, now_ms: int) -> list[tuple[bytes, OfferedHead]]:
        """Return the announcements whose news did not come, each with its peer, the first one grafted back."""
        due = [origin for origin, (due_ms, _) in self._held_back.items() if due_ms <= now_ms]
        return [item for origin in due for item in self._pop_held_back(origin)]

    def graft(self, peer: bytes, community: bytes) -> Send:
        """Make a link eager again from both ends."""
        self._links[peer].pruned.discard(community)
        return Send(peer, Graft(community))

    # What goes out.

    def advance(self, event: LaneAdvanced, news: News | None) -> list[Send]:
        """Tell of a new head everybody who may read it and is not known to have it.

        `news` is the push with its entries, None where they are too many or not at hand.
        """
        self.settle(event.origin, event.head.size)
        heads = Heads(0, NO_INSTANCE, 0, False, (state_head(event.head.note),))
        told = []
        for peer, link in self._links.items():
            if not _is_told(peer, link, event):
                continue
            self.note_shown(peer, event.origin, event.head.size)
            is_eager = not link.is_visit and event.origin.community not in link.pruned
            told.append(Send(peer, news if news and is_eager else heads))
        return told


def _is_told(peer: bytes, link: _Link, event: LaneAdvanced) -> bool:
    readers: Collection[bytes] | None = event.readers
    may_read = readers is None or peer in readers
    is_wanted = event.origin.community not in link.unwanted
    return may_read and is_wanted and link.sizes.get(event.origin, 0) < event.head.size
