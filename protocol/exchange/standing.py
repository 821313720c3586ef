"""Who is behind, and since when: what peers have shown to hold of our lanes, and what we lack of theirs.

A peer shows that it holds a lane by stating a head of it, at the latest when it is asked for its list of heads
(PROTOCOL.md section 18.1). Times are those of the machines: milliseconds of a clock that only goes forward.

    standing.shown(peer, origin, size, now_ms)
    standing.of(peer, now_ms).unseen
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protocol.limits import HEAD_TIMES_MAX, LANES_SHOWN_MAX, SHOWN_KEPT_MS
from protocol.log.origin import Origin


@dataclass(frozen=True, slots=True)
class Gap:
    """`records` that one side has and the other is not known to hold, the oldest for `age_ms`; None: there is none."""

    records: int = 0
    age_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PeerStanding:
    """Of one open peer: records of ours that it has not shown to hold, and records of its own that we lack."""

    unseen: Gap = Gap()
    lacking: Gap = Gap()


@dataclass(frozen=True, slots=True)
class KeepShown:
    """Write down up to where a peer has shown to hold our lanes, for the time when it is away."""

    peer: bytes
    sizes: tuple[tuple[Origin, int], ...]


@dataclass(slots=True)
class _Own:
    """One of our lanes: its heads with the time of each, oldest first, and who may read it (None: everybody)."""

    heads: list[tuple[int, int]] = field(default_factory=list)
    readers: frozenset[bytes] | None = None

    def add(self, size: int, now_ms: int) -> None:
        """Take a new head; of many only every second one is remembered."""
        if not self.heads or size > self.heads[-1][0]:
            self.heads.append((size, now_ms))
        if len(self.heads) > HEAD_TIMES_MAX:
            self.heads = [*self.heads[:-1:2], self.heads[-1]]

    def missing(self, shown: int) -> tuple[int, int]:
        """Return how many records are beyond `shown`, and when the first of them was signed."""
        beyond = [(size, at_ms) for size, at_ms in self.heads if size > shown]
        return (beyond[-1][0] - shown, beyond[0][1]) if beyond else (0, 0)


@dataclass(slots=True)
class _Peer:
    """What a peer has stated: sizes of our lanes, and of its own with the time since which we lack some of it."""

    opened_ms: int
    kept_ms: int
    has_new: bool = False
    ours: dict[Origin, int] = field(default_factory=dict)
    theirs: dict[Origin, tuple[int, int]] = field(default_factory=dict)


class Standing:
    """What is known of all open peers."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._peers: dict[bytes, _Peer] = {}
        self._own: dict[Origin, _Own] = {}
        self._adopted: dict[Origin, int] = {}

    def of(self, peer: bytes, now_ms: int) -> PeerStanding:
        """Return how we stand with an open peer. It has had no time to show anything before its session opened."""
        known = self._peers.get(peer)
        if known is None:
            return PeerStanding()
        ours = [
            own.missing(known.ours.get(origin, 0))
            for origin, own in self._own.items()
            if own.readers is None or peer in own.readers
        ]
        theirs = [
            (size - self._adopted[origin], at_ms)
            for origin, (size, at_ms) in known.theirs.items()
            if origin in self._adopted
        ]
        return PeerStanding(
            _gap(((records, max(at_ms, known.opened_ms)) for records, at_ms in ours), now_ms),
            _gap(theirs, now_ms),
        )

    def opened(self, peer: bytes, now_ms: int) -> None:
        """A session stands; what the peer holds it has still to show."""
        self._peers[peer] = _Peer(now_ms, now_ms)

    def closed(self, peer: bytes) -> None:
        """A session is over."""
        self._peers.pop(peer, None)

    def shown(self, peer: bytes, origin: Origin, size: int, now_ms: int) -> None:
        """A peer has stated a head."""
        known = self._peers[peer]
        if origin in self._own:
            known.has_new |= size > known.ours.get(origin, 0)
            known.ours[origin] = max(size, known.ours.get(origin, 0))
        elif origin.community == peer and (origin in known.theirs or len(known.theirs) < LANES_SHOWN_MAX):
            before, at_ms = known.theirs.get(origin, (0, now_ms))
            has_all = before <= self._adopted.get(origin, 0)
            known.theirs[origin] = (max(size, before), now_ms if has_all else at_ms)

    def shown_by(self, peer: bytes) -> Mapping[Origin, int]:
        """Return up to where an open peer has shown to hold each of our lanes."""
        known = self._peers.get(peer)
        return dict(known.ours) if known else {}

    def to_keep(self, peer: bytes, now_ms: int, *, is_over: bool = False) -> list[KeepShown]:
        """Return what is to be written down of an open peer now: seldom, and when its session ends."""
        known = self._peers[peer]
        if not known.has_new or (not is_over and now_ms < known.kept_ms + SHOWN_KEPT_MS):
            return []
        known.has_new, known.kept_ms = False, now_ms
        return [KeepShown(peer, tuple(known.ours.items()))]

    def own_advanced(self, origin: Origin, size: int, readers: frozenset[bytes] | None, now_ms: int) -> None:
        """We have signed a head."""
        own = self._own.setdefault(origin, _Own())
        own.readers = readers
        own.add(size, now_ms)

    def held(self, origin: Origin, size: int) -> None:
        """We hold a followed lane up to an adopted head."""
        self._adopted[origin] = size

    def let_go(self, origin: Origin) -> None:
        """A lane is not followed."""
        self._adopted.pop(origin, None)


def _gap(missing: Iterable[tuple[int, int]], now_ms: int) -> Gap:
    """The sum over lanes, as old as the oldest of them."""
    open_gaps = [(records, at_ms) for records, at_ms in missing if records > 0]
    if not open_gaps:
        return Gap()
    oldest_ms = min(at_ms for _, at_ms in open_gaps)
    return Gap(sum(records for records, _ in open_gaps), now_ms - oldest_ms)
