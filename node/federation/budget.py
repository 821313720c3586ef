"""So many bytes for all links together; who wants some waits in turn, and strangers never hold more than half.

Strangers and those whom we follow take turns, and nobody who wants little overtakes somebody who wants much.

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
        self._was_stranger = True

    @property
    def has_waiters(self) -> bool:
        """Whether somebody waits."""
        return any(not done.done() for queue in self._waiting.values() for _, done in queue)

    @property
    def taken_bytes(self) -> int:
        """How much is taken."""
        return sum(self._taken.values())

    def try_take(self, size: int, *, is_stranger: bool) -> bool:
        """Take so many bytes where they are free and nobody waits for some; return whether they are taken."""
        if self.has_waiters or not self._has_room(size, is_stranger=is_stranger):
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

    def _is_over_half(self, size: int, *, is_stranger: bool) -> bool:
        return is_stranger and self._taken[True] > 0 and self._taken[True] + size > self.bytes_max // 2

    def _has_room(self, size: int, *, is_stranger: bool) -> bool:
        """One is always let in, however much it wants, where nothing is taken."""
        if self._is_over_half(size, is_stranger=is_stranger):
            return False
        return not self.taken_bytes or self.taken_bytes + size <= self.bytes_max

    def _hand_out(self) -> None:
        while (is_stranger := self._next()) is not None:
            size, done = self._waiting[is_stranger].popleft()
            self._taken[is_stranger] += size
            self._was_stranger = is_stranger
            done.set_result(None)

    def _next(self) -> bool | None:
        """Whose turn it is, where the first of them finds room; those who wait for other strangers hold up nobody."""
        for is_stranger in (not self._was_stranger, self._was_stranger):
            queue = self._waiting[is_stranger]
            while queue and queue[0][1].done():
                queue.popleft()
            if queue and not self._is_over_half(queue[0][0], is_stranger=is_stranger):
                return is_stranger if self._has_room(queue[0][0], is_stranger=is_stranger) else None
        return None
