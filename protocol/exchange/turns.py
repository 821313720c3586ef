"""Which lanes are fetched, a few at a time: no community keeps the others waiting (PROTOCOL.md section 18.3).

The community with the fewest fetches comes first, then whoever had no turn for longest, then the shortest fetch. One
that goes on for long gives its place to a lane of a community that has fewer, and continues in its next turn.

    turns.note(origin, State.WANTING, now_ms)
    origin = turns.next(missing={origin: 1_000})
"""

from collections import Counter
from collections.abc import Callable

from protocol.exchange.following import State
from protocol.limits import FETCH_TURN_MS
from protocol.log.origin import Origin


class Turns:
    """The lanes that want a fetch, and those that have one."""

    def __init__(self, places: int) -> None:
        """Take how many may be fetched at a time."""
        self._places = places
        self._wanting: set[Origin] = set()
        self._since_ms: dict[Origin, int] = {}
        self._ended_ms: dict[bytes, int] = {}

    @property
    def deadline_ms(self) -> int | None:
        """When the first fetch that gives its place away has had its turn; None: none does."""
        return min((self._since_ms[origin] + FETCH_TURN_MS for origin in self._giving_way()), default=None)

    def note(self, origin: Origin, state: State | None, now_ms: int) -> None:
        """Hear where a lane stands; None: it is not followed any more."""
        if state is State.WANTING:
            self._wanting.add(origin)
        else:
            self._wanting.discard(origin)
        if state is State.FETCHING:
            self._since_ms.setdefault(origin, now_ms)
        elif self._since_ms.pop(origin, None) is not None:
            self._ended_ms[origin.community] = now_ms
        if not self._wanting and not self._since_ms:
            self._ended_ms.clear()

    def next(self, missing: Callable[[Origin], int]) -> Origin | None:
        """Return whose turn it is, where there is a place; `missing` tells how many entries a lane lacks."""
        if not self._wanting or len(self._since_ms) >= self._places:
            return None
        running = self._running()
        return min(
            self._wanting,
            key=lambda origin: (
                running[origin.community],
                self._ended_ms.get(origin.community, 0),
                missing(origin),
                origin,
            ),
        )

    def overdue(self, now_ms: int) -> Origin | None:
        """Return the fetch that gives its place away now: the oldest of whoever has most."""
        running = self._running()
        late = [origin for origin in self._giving_way() if now_ms >= self._since_ms[origin] + FETCH_TURN_MS]
        return min(
            late, key=lambda origin: (-running[origin.community], self._since_ms[origin]), default=None
        )

    def _giving_way(self) -> list[Origin]:
        """The fetches of communities that have more than one whose lane waits; to its own lanes none gives way."""
        if not self._wanting or len(self._since_ms) < self._places:
            return []
        running = self._running()
        waiting = {origin.community for origin in self._wanting}
        return [
            origin
            for origin in self._since_ms
            if any(running[other] < running[origin.community] for other in waiting - {origin.community})
        ]

    def _running(self) -> Counter[bytes]:
        return Counter(origin.community for origin in self._since_ms)
