"""Work that waits for one task: put on from anywhere on the loop, taken off all at once.

    pile.put(item)
    for item in await pile.take_all(): ...

Taking everything that waits is what makes one durable transaction out of many small steps.
"""

import asyncio
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Pile(Generic[Item]):
    """Items in the order in which they came; who puts them on bounds how many there can be."""

    def __init__(self) -> None:
        """Start empty."""
        self._items: list[Item] = []
        self._has_items = asyncio.Event()

    def put(self, *items: Item) -> None:
        """Add items."""
        self._items += items
        if self._items:
            self._has_items.set()

    async def take_all(self) -> list[Item]:
        """Wait for something, and take all of it."""
        await self._has_items.wait()
        self._has_items.clear()
        taken, self._items = self._items, []
        return taken
