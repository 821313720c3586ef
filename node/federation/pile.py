"""Work that waits for one task: put on from anywhere on the loop, taken off all at once.

    pile = Pile(weight=step_bytes, weight_max=STEPS_BYTES_MAX)
    await pile.until_room()
    pile.put(item)
    for item in await pile.take_all(): ...

Taking everything that waits is what makes one durable transaction out of many small steps.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Pile(Generic[Item]):
    """Items in the order in which they came; who puts them on waits for room, or bounds their number."""

    def __init__(
        self,
        *,
        weight: Callable[[Item], int] = lambda _item: 1,
        weight_max: int = 2**63,
        subject: Callable[[Item], Hashable] | None = None,
    ) -> None:
        """Start empty; there is room while what waits weighs at most `weight_max`.

        Of two items about one `subject` the later one alone waits.
        """
        self._items: dict[Hashable, Item] = {}
        self._subject = subject
        self._count = 0
        self._weight = weight
        self._weight_max = weight_max
        self._waiting = 0
        self._has_items = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def put(self, *items: Item) -> None:
        """Add items."""
        for item in items:
            self._count += 1
            self._items[self._subject(item) if self._subject else self._count] = item
        self._waiting += sum(map(self._weight, items))
        if self._items:
            self._has_items.set()
        if self._waiting > self._weight_max:
            self._has_room.clear()

    async def until_room(self) -> None:
        """Wait until what waits weighs no more than it may."""
        await self._has_room.wait()

    async def take_all(self) -> list[Item]:
        """Wait for something, and take all of it."""
        await self._has_items.wait()
        self._has_items.clear()
        taken, self._items = list(self._items.values()), {}
        self._waiting = 0
        self._has_room.set()
        return taken
