"""One budget of memory that many peers fill: where it is full, whoever holds most of it gives way (section 30.4).

Nobody who holds no more than an equal share ever loses anything to others, and who is alone may have all of it.

    shares = Shares(OFFERS_BYTES_MAX)
    shares.hold(peer, origin, 900)               # in the place of what this peer held under this name
    while place := shares.too_much(): ...        # (peer, name): let go of it, and tell it by `shares.release`
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Shares(Generic[Name]):
    """How many bytes each peer holds under which names."""

    def __init__(self, bytes_max: int) -> None:
        """Start with nothing held of `bytes_max` bytes."""
        self.held_bytes = 0
        self._bytes_max = bytes_max
        self._held: dict[bytes, dict[Name, int]] = {}
        self._sums: dict[bytes, int] = {}
        self._holders: dict[Name, Mapping[bytes, int]] = {}

    def hold(self, peer: bytes, name: Name, size: int) -> None:
        """Note that a peer holds so many bytes under a name, none or others than before."""
        held = self._held.setdefault(peer, {})
        change = size - held.pop(name, 0)
        if size:
            held[name] = size
        self.held_bytes += change
        self._sums[peer] = self._sums.get(peer, 0) + change
        if not held:
            del self._held[peer], self._sums[peer]

    def hold_all(self, name: Name, sizes: Mapping[bytes, int]) -> None:
        """Note how much each peer holds under a name that is noted in this way alone; who is not named, nothing."""
        before = self._holders.pop(name, {})
        if sizes:
            self._holders[name] = sizes
        for peer in before.keys() - sizes.keys():
            self.release(peer, name)
        for peer, size in sizes.items():
            if before.get(peer) != size:
                self.hold(peer, name, size)

    def release(self, peer: bytes, name: Name) -> None:
        """Note that a peer holds nothing under a name any more."""
        if name in self._held.get(peer, ()):
            self.hold(peer, name, 0)

    def too_much(self) -> tuple[bytes, Name] | None:
        """Return what has to go, the newest of whoever holds most, while more is held than may be; else None."""
        if self.held_bytes <= self._bytes_max:
            return None
        peer = max(self._sums, key=lambda name: self._sums[name])
        return peer, next(reversed(self._held[peer]))
