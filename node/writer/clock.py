"""The clock guard: a node whose clock is plainly wrong reads, but writes nothing (PROTOCOL.md section 8.5).

A router may boot in 1970, and a record from the future would freeze its lane. So a time is refused before
this release was made, behind the newest own record, and far from what most peers say.
"""

import time
from collections.abc import Callable

from node.errors import NodeError

RELEASED_MS = 1_763_769_600_000  # 2025-11-22: nothing was written with this software earlier
BACKWARD_MS_MAX = 2_000  # time services step back this little; the record then takes the newest time
PEERS_APART_MS_MAX = 600_000


def system_clock() -> int:
    """Return the time in milliseconds since 1970, as records carry it."""
    return time.time_ns() // 1_000_000


class ClockGuard:
    """Gives the time for a record, or refuses."""

    def __init__(self, clock: Callable[[], int] = system_clock) -> None:
        """Take where the time comes from."""
        self._clock = clock
        self.peers_offset_ms = 0  # median of peers' clocks minus ours, told by the federation

    def now(self) -> int:
        """Return the time without judging it, for deadlines and displays."""
        return self._clock()

    def time_after(self, newest_ms: int) -> int:
        """Return the time of a record that follows one of `newest_ms`, or raise `NodeError`."""
        now = self._clock()
        if now < RELEASED_MS:
            raise NodeError("clock_before_release")
        if now < newest_ms - BACKWARD_MS_MAX:
            raise NodeError("clock_behind", f"{(newest_ms - now) // 1000} s behind the newest record")
        if abs(self.peers_offset_ms) > PEERS_APART_MS_MAX:
            raise NodeError("clock_apart", f"{self.peers_offset_ms // 1000} s from most peers")
        return max(now, newest_ms)
