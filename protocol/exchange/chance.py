"""Where randomness comes into the machines: they draw none themselves."""

from collections.abc import Sequence
from typing import Protocol


class Chance(Protocol):
    """Where randomness comes in; `random.Random` and `random.SystemRandom` are such."""

    def random(self) -> float:
        """Return a number from 0 up to 1."""

    def sample(self, population: Sequence[bytes], k: int) -> list[bytes]:
        """Return `k` different ones."""

    def choice(self, seq: Sequence[bytes]) -> bytes:
        """Return one of them."""
