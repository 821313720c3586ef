"""So many bytes for all links together; who wants some waits in turn, and strangers never hold more than half.

budget = Budget(6_291_456)
await budget.take(size, is_stranger=True)
budget.give_back(size, is_stranger=True)
"""

import asyncio
from collections import deque


class Budget:
    """For the event loop's thread only."""

    def __init__(self, bytes_max: int) -> None:
        """Start with all of it free."""
        self.bytes_max = bytes_max
        self._taken = {True: 0, False: 0}
        self._waiting: dict[bool, deque[tuple[int, asyncio.Future[None]]]] = {True: deque(), False: deque()}

    @property
    def has_waiters(self) -> bool:
        """Whether somebody waits."""
        return any(not done.done() for queue in self._waiting.values() for _, done in queue)

    @property
    def taken_bytes(self) -> int:
        """How much is taken."""
        return sum(self._taken.values())

    def try_take(self, size: int, *, is_stranger: bool) -> bool:
        """Take so many bytes where they are free and nobody waits for them; return whether they are taken."""
        if self._waiting[is_stranger] or not self._has_room(size, is_stranger=is_stranger):
            return False
        self._taken[is_stranger] += size
        return True

    def ask(self, size: int, *, is_stranger: bool) -> asyncio.Future[None]:
        """Return what is done once so many bytes are taken; to cancel it is to want them no more."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[is_stranger].append((size, done))
        self._hand_out()
        return done

    async def take(self, size: int, *, is_stranger: bool) -> None:
        """Wait until so many bytes are taken."""
        asked = self.ask(size, is_stranger=is_stranger)
        try:
            await asked
        except asyncio.CancelledError:
            if asked.done() and not asked.cancelled():
                self.give_back(size, is_stranger=is_stranger)
            raise

    def give_back(self, size: int, *, is_stranger: bool) -> None:
        """Let others have what was taken."""
        self._taken[is_stranger] -= size
        self._hand_out()

    def _has_room(self, size: int, *, is_stranger: bool) -> bool:
        """One is always let in, however much it wants, where nothing is taken."""
        if is_stranger and self._taken[True] and self._taken[True] + size > self.bytes_max // 2:
            return False
        return not self.taken_bytes or self.taken_bytes + size <= self.bytes_max

    def _hand_out(self) -> None:
        for is_stranger, queue in ((False, self._waiting[False]), (True, self._waiting[True])):
            while queue and (queue[0][1].done() or self._has_room(queue[0][0], is_stranger=is_stranger)):
                size, done = queue.popleft()
                if not done.done():
                    self._taken[is_stranger] += size
                    done.set_result(None)
