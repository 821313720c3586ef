"""A disk: transactions are whole or absent, and one that is not synced yet may be either after a power cut.

Readers see what is synced; the process that writes knows what it has written besides.

    disk = Disk(StoreImage(instance))
    disk.write([append(...), set_marks(...)])   # on its way
    disk.sync()                                 # safe, and seen by readers
    disk.cut_power(random)                      # what was on its way is there up to some transaction, or not
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Generic, Protocol, Self, TypeVar


class Image(Protocol):
    """What a disk holds."""

    def copy(self) -> Self:
        """Return a copy that shares nothing that changes."""


Held = TypeVar("Held", bound=Image)
Write = Callable[[Any], None]


class Disk(Generic[Held]):
    """What is safe, and the transactions that are on their way."""

    def __init__(self, image: Held) -> None:
        """Begin with what was there."""
        self.image = image
        self.lost = 0
        self._unsynced: list[Sequence[Write]] = []

    @property
    def is_synced(self) -> bool:
        """Whether nothing is on its way."""
        return not self._unsynced

    def write(self, writes: Sequence[Write]) -> None:
        """Begin one transaction; its writes were checked before and do not raise."""
        self._unsynced.append(writes)

    def sync(self) -> None:
        """Make everything safe."""
        for writes in self._unsynced:
            for write in writes:
                write(self.image)
        self._unsynced.clear()

    def cut_power(self, random: Random) -> None:
        """Lose what is not safe, or only its newest part."""
        kept = random.randint(0, len(self._unsynced))
        self.lost += len(self._unsynced) - kept
        del self._unsynced[kept:]
        self.sync()

    def backup(self) -> Held:
        """Return a copy of what is safe."""
        return self.image.copy()

    def restore(self, image: Held) -> None:
        """Put an older copy in the place of everything."""
        self._unsynced.clear()
        self.image = image.copy()
